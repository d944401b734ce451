//! What the kernel asks of its host, and revm's `Database` over it.
//!
//! Requests and answers pass through one static block of words, so that a call carries no pointer and
//! the host keeps one typed view. A return code says present, absent or refused; a refusal becomes an
//! [`Abort`], which revm returns like any database error: no unwinding, no state left behind.

use crate::observe::Observed;
use alloc::vec::Vec;
use core::fmt;
use revm::database_interface::{DBErrorMarker, Database};
use revm::primitives::{Address, Bytes, HashMap, B256, KECCAK_EMPTY, U256};
use revm::state::{AccountId, AccountInfo, Bytecode};

#[link(wasm_import_module = "host")]
extern "C" {
    /// Account at `REQUEST[0..5]`; answer from word [`ANSWER`] on. Returns 0 absent, 1 present, 2 blocked, 4 fault.
    fn basic() -> i32;
    /// Slot `REQUEST[1..9]` of account id `REQUEST[0]`; answer 8 words. Returns 1, 2 or 4.
    fn storage() -> i32;
    /// Exact balance of account id `REQUEST[0]`, deltas folded; answer 8 words. Returns 1, 2 or 4.
    fn balance() -> i32;
    /// Length in bytes of the code with hash `REQUEST[0..8]`, or -1 if the host has none.
    fn code_length() -> i32;
    /// Copies the code asked for last to `out`.
    fn code_copy(out: *mut u8);
    /// Hash of block `number`; answer 8 words. Returns 1 or 4.
    fn block_hash(number_low: u32, number_high: u32) -> i32;
}

/// First word of an answer.
const ANSWER: usize = 16;
/// Words of the request block; also the offsets of an account's answer: balance 16, nonce 24, code hash 26,
/// id 34, flags 35.
const ANSWER_NONCE: usize = 24;
const ANSWER_CODE_HASH: usize = 26;
const ANSWER_ID: usize = 34;
const ANSWER_FLAGS: usize = 35;

/// The host's balance is folded from every entry below, not a guess.
const FLAG_EXACT: u32 = 1;
/// The account exists in the sense of the rules before EIP-161.
const FLAG_EXISTS: u32 = 2;
/// The account has no code and yet storage.
const FLAG_STORED: u32 = 4;

#[repr(C, align(64))]
pub struct Words<const N: usize>([u32; N]);

static mut REQUEST: Words<64> = Words([0; 64]);

/// Address of the request block, for the host's view.
pub fn request_pointer() -> *mut u32 {
    &raw mut REQUEST as *mut u32
}

/// Why a transaction was given up. `Restart` asks for the same transaction with exact balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Abort {
    Blocked = 2,
    Restart = 3,
    Fault = 4,
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("given up")
    }
}
impl core::error::Error for Abort {}
impl DBErrorMarker for Abort {}

fn refused(code: i32) -> Abort {
    if code == 2 {
        Abort::Blocked
    } else {
        Abort::Fault
    }
}

#[inline(always)]
fn put_bytes(word: usize, bytes: &[u8]) {
    // SAFETY: callers pass at most 32 bytes at word 8 or less; the block holds 256 bytes.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), (request_pointer() as *mut u8).add(word * 4), bytes.len()) }
}

#[inline(always)]
fn put_u256(word: usize, value: &U256) {
    // SAFETY: as in `put_bytes`; a U256 is four little-endian u64 limbs on this target.
    unsafe { core::ptr::copy_nonoverlapping(value.as_limbs().as_ptr() as *const u8, (request_pointer() as *mut u8).add(word * 4), 32) }
}

#[inline(always)]
fn put_word(word: usize, value: u32) {
    // SAFETY: constant offsets inside the block.
    unsafe { *request_pointer().add(word) = value }
}

#[inline(always)]
fn get_word(word: usize) -> u32 {
    // SAFETY: constant offsets inside the block.
    unsafe { *request_pointer().add(word) }
}

#[inline(always)]
fn get_u64(word: usize) -> u64 {
    u64::from(get_word(word)) | u64::from(get_word(word + 1)) << 32
}

#[inline(always)]
fn get_u256(word: usize) -> U256 {
    U256::from_limbs([get_u64(word), get_u64(word + 2), get_u64(word + 4), get_u64(word + 6)])
}

#[inline(always)]
fn get_b256(word: usize) -> B256 {
    // SAFETY: 32 bytes at a constant offset inside the block.
    B256::new(unsafe { *((request_pointer() as *const u8).add(word * 4) as *const [u8; 32]) })
}

/// Codes that one instance keeps analysed, in bytes; above it all are dropped at the next block.
const CODE_CACHE_BYTES: usize = 64 << 20;

/// revm's window on the host: reads that record what was asked.
#[derive(Default)]
pub struct HostDb {
    /// One entry an account loaded by the running transaction, indexed by revm's `account_id`.
    pub accounts: Vec<Observed>,
    codes: HashMap<B256, Bytecode>,
    code_bytes: usize,
}

impl HostDb {
    /// Drops the code cache if it has outgrown its bound. Keyed by hash, it is never stale (hazard 18).
    pub fn begin_block(&mut self) {
        if self.code_bytes > CODE_CACHE_BYTES {
            self.codes.clear();
            self.code_bytes = 0;
        }
    }

    /// The balance of `id` with every delta below folded in.
    pub fn exact_balance(&mut self, id: u32) -> Result<U256, Abort> {
        put_word(0, id);
        // SAFETY: the host only reads and writes the request block.
        match unsafe { balance() } {
            1 => Ok(get_u256(ANSWER)),
            code => Err(refused(code)),
        }
    }
}

impl Database for HostDb {
    type Error = Abort;

    #[inline]
    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Abort> {
        put_bytes(0, address.as_slice());
        // SAFETY: the host only reads and writes the request block.
        let code = unsafe { basic() };
        if code > 1 {
            return Err(refused(code));
        }
        let flags = get_word(ANSWER_FLAGS);
        let balance = get_u256(ANSWER);
        let nonce = get_u64(ANSWER_NONCE);
        let code_hash = if code == 0 { KECCAK_EMPTY } else { get_b256(ANSWER_CODE_HASH) };
        let index = self.accounts.len();
        self.accounts.push(Observed {
            address,
            id: get_word(ANSWER_ID),
            flags: 0,
            exact: flags & FLAG_EXACT != 0,
            existed: flags & FLAG_EXISTS != 0,
            stored: flags & FLAG_STORED != 0,
            balance,
            slack: U256::MAX,
            nonce,
            code_hash,
        });
        if code == 0 {
            return Ok(None);
        }
        Ok(Some(AccountInfo {
            balance,
            nonce,
            code_hash,
            account_id: AccountId::new(index),
            code: if code_hash == KECCAK_EMPTY { Some(Bytecode::default()) } else { None },
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Abort> {
        if let Some(code) = self.codes.get(&hash) {
            return Ok(code.clone());
        }
        put_bytes(0, hash.as_slice());
        // SAFETY: the host only reads the request block.
        let length = unsafe { code_length() };
        if length < 0 {
            return Err(Abort::Fault);
        }
        let mut bytes = alloc::vec![0u8; length as usize];
        // SAFETY: the host writes exactly the length that it announced.
        unsafe { code_copy(bytes.as_mut_ptr()) };
        // Before EIP-3541 a code may begin like a delegation and be none.
        let bytes: Bytes = bytes.into();
        let code = Bytecode::new_raw_checked(bytes.clone()).unwrap_or_else(|_| Bytecode::new_legacy(bytes));
        self.code_bytes += length as usize;
        self.codes.insert(hash, code.clone());
        Ok(code)
    }

    fn storage(&mut self, address: Address, key: U256) -> Result<U256, Abort> {
        // An account that did not exist carries no index; it has no storage either, but for one created
        // here and read before its creation is known, and the host answers for it.
        match self.accounts.iter().rposition(|a| a.address == address) {
            Some(index) => self.slot(index, key),
            None => Err(Abort::Fault),
        }
    }

    #[inline]
    fn storage_by_account_id(&mut self, _address: Address, index: AccountId, key: U256) -> Result<U256, Abort> {
        self.slot(index.get(), key)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Abort> {
        // SAFETY: the host only writes the request block.
        match unsafe { block_hash(number as u32, (number >> 32) as u32) } {
            1 => Ok(get_b256(ANSWER)),
            code => Err(refused(code)),
        }
    }
}

impl HostDb {
    #[inline(always)]
    fn slot(&mut self, index: usize, key: U256) -> Result<U256, Abort> {
        put_word(0, self.accounts[index].id);
        put_u256(1, &key);
        // SAFETY: the host only reads and writes the request block.
        match unsafe { storage() } {
            1 => Ok(get_u256(ANSWER)),
            code => Err(refused(code)),
        }
    }
}
