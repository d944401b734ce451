//! The effects of one transaction as words, for the host to keep and to publish.
//!
//! ```text
//! 0  status: 1 success, 0 revert, 2 halt      16 logs              24.. logs: address 5, topics n, n * 8,
//! 1  gas used, u64                            17 return bytes            length in bytes, data
//! 3  gas refunded                             18 created, 1 or 0        return data
//! 4  offset of the accounts                   19 created address 5 words
//! 5  accounts                                   accounts: id, flags, then by flag
//! 6  words in all                                 BALANCE_OBSERVED: start 8
//! 7  reason of a halt                             BALANCE_WRITTEN: end 8 if observed or strict, else delta 8
//! 8  fee, 8 words                                 WRITTEN or BOUND, neither observed nor strict: bound 8
//!                                                 NONCE_OBSERVED: start 2   NONCE_WRITTEN: end 2
//!                                                 CODE_WRITTEN: hash 8, pointer, length in bytes
//!                                                 slots: count, then key 8 and value 8 each
//! ```
//! From Amsterdam on, what a block access list wants to know follows what was returned: gas of the transaction before
//! refunds (regular 2, state 2), accounts loaded, and of each its address 5, slots loaded, and their keys 8 each.
//! Of an end of the block: word 16 counts its operations, and from 24 on each is its status (3: no code),
//! the length in bytes of what it returned, and that; then accounts as above.

use crate::host::Abort;
use crate::journal::WatchedJournal;
use crate::observe::{flag, Observed};
use alloc::vec::Vec;
use revm::context::journal::Journal;
use revm::context::result::{ExecutionResult, Output, ResultGas};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, Log, KECCAK_EMPTY, U256};
use revm::state::{Account, EvmState};

const HEADER: usize = 24;

/// A run of words whose room is reserved before it is written.
pub struct Writer {
    words: Vec<u32>,
    length: usize,
}

impl Writer {
    pub fn new() -> Self {
        Writer { words: alloc::vec![0; 1 << 12], length: 0 }
    }

    pub fn pointer(&self) -> *const u32 {
        self.words.as_ptr()
    }

    pub fn length(&self) -> usize {
        self.length
    }

    fn begin(&mut self) {
        self.words[..HEADER].fill(0);
        self.length = HEADER;
    }

    /// Makes room for `count` more words; the methods below write into room that was made.
    #[inline(always)]
    fn reserve(&mut self, count: usize) {
        if self.length + count > self.words.len() {
            self.words.resize((self.length + count) * 2, 0);
        }
    }

    #[inline(always)]
    fn set(&mut self, at: usize, value: u32) {
        self.words[at] = value;
    }

    fn set_u64(&mut self, at: usize, value: u64) {
        self.set(at, value as u32);
        self.set(at + 1, (value >> 32) as u32);
    }

    #[inline(always)]
    pub fn word(&mut self, value: u32) {
        debug_assert!(self.length < self.words.len());
        // SAFETY: the caller has reserved the word.
        unsafe { *self.words.as_mut_ptr().add(self.length) = value };
        self.length += 1;
    }

    #[inline(always)]
    pub fn u64(&mut self, value: u64) {
        self.word(value as u32);
        self.word((value >> 32) as u32);
    }

    #[inline(always)]
    pub fn u256(&mut self, value: &U256) {
        debug_assert!(self.length + 8 <= self.words.len());
        // SAFETY: the caller has reserved 8 words; limbs are little-endian on this target.
        unsafe {
            let to = self.words.as_mut_ptr().add(self.length) as *mut u8;
            core::ptr::copy_nonoverlapping(value.as_limbs().as_ptr() as *const u8, to, 32);
        }
        self.length += 8;
    }

    /// Bytes, padded to a word. The padding is what stood there: readers know the length.
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.length + bytes.len().div_ceil(4) <= self.words.len());
        // SAFETY: the caller has reserved the words.
        unsafe {
            let to = self.words.as_mut_ptr().add(self.length) as *mut u8;
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        self.length += bytes.len().div_ceil(4);
    }

    /// Begins the output of a success without logs and return data, with room for four accounts.
    pub fn transfer_result(&mut self, gas: u64, fee: &U256) {
        self.begin();
        self.reserve(4 * ACCOUNT_WORDS);
        self.set(0, 1);
        self.set_u64(1, gas);
        self.set_fee(fee);
        self.set(4, HEADER as u32);
    }

    /// Begins an account's record, into room that was made.
    #[inline(always)]
    pub fn account(&mut self, id: u32, flags: u32) {
        self.word(id);
        self.word(flags);
    }

    /// Ends the output: so many accounts were written.
    pub fn end_accounts(&mut self, count: u32) {
        self.set(5, count);
        self.set(6, self.length as u32);
    }

    fn set_fee(&mut self, fee: &U256) {
        for (i, limb) in fee.as_limbs().iter().enumerate() {
            self.set_u64(8 + 2 * i, *limb);
        }
    }

    /// Begins the output of an end of the block with `count` operations.
    pub fn begin_end(&mut self, count: u32) {
        self.begin();
        self.set(0, 1);
        self.set(16, count);
    }

    /// What one operation of an end came to.
    pub fn operation(&mut self, status: u32, returned: &[u8]) {
        self.reserve(2 + returned.len().div_ceil(4));
        self.word(status);
        self.word(returned.len() as u32);
        self.bytes(returned);
    }

    fn log(&mut self, log: &Log) {
        let topics = log.data.topics();
        self.reserve(7 + 8 * topics.len() + log.data.data.len().div_ceil(4));
        self.bytes(log.address.as_slice());
        self.word(topics.len() as u32);
        for topic in topics {
            self.bytes(topic.as_slice());
        }
        self.word(log.data.data.len() as u32);
        self.bytes(&log.data.data);
    }
}

/// Status, gas, logs, what was returned, what was created, reason of a halt.
type Parts = (u32, ResultGas, Vec<Log>, Bytes, Option<Address>, u32);

/// Takes a result apart.
pub fn result_parts(result: ExecutionResult) -> Parts {
    match result {
        ExecutionResult::Success { gas, logs, output, .. } => match output {
            Output::Call(bytes) => (1, gas, logs, bytes, None, 0),
            Output::Create(bytes, address) => (1, gas, logs, bytes, address, 0),
        },
        ExecutionResult::Revert { gas, logs, output } => (0, gas, logs, output, None, 0),
        ExecutionResult::Halt { gas, logs, reason } => (2, gas, logs, Bytes::new(), None, halt_code(&reason)),
    }
}

/// What the receipt needs; returns the gas in its parts.
pub fn write_result(w: &mut Writer, result: ExecutionResult, fee: &U256) -> ResultGas {
    w.begin();
    let (status, gas, logs, output, created, reason) = result_parts(result);
    w.set(0, status);
    w.set_u64(1, gas.tx_gas_used());
    w.set(3, gas.inner_refunded() as u32);
    w.set(7, reason);
    w.set_fee(fee);
    w.set(16, logs.len() as u32);
    w.set(17, output.len() as u32);
    if let Some(address) = created {
        w.set(18, 1);
        for (i, chunk) in address.as_slice().chunks_exact(4).enumerate() {
            w.set(19 + i, u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]));
        }
    }
    for log in &logs {
        w.log(log);
    }
    w.reserve(output.len().div_ceil(4));
    w.bytes(&output);
    gas
}

/// What the transaction, or the end of the block, costs the block and what it loaded, be it in vain: revm keeps what a
/// revert undid as cold, and loads nothing that there was no gas to load.
pub fn write_accesses(w: &mut Writer, gas: &ResultGas, correction: i64, state: &EvmState) {
    w.reserve(5);
    let total = gas.total_gas_spent().saturating_add_signed(correction);
    w.u64(total.saturating_sub(gas.block_state_gas_used()).max(gas.floor_gas()));
    w.u64(gas.block_state_gas_used());
    w.word(state.len() as u32);
    for (address, account) in state {
        w.reserve(6 + 8 * account.storage.len());
        w.bytes(address.as_slice());
        w.word(account.storage.len() as u32);
        for key in account.storage.keys() {
            w.u256(key);
        }
    }
}

/// Kinds of halt that a caller can tell apart.
fn halt_code(reason: &revm::context::result::HaltReason) -> u32 {
    use revm::context::result::HaltReason::*;
    match reason {
        OutOfGas(_) => 1,
        OpcodeNotFound | InvalidFEOpcode => 2,
        InvalidJump => 3,
        StackUnderflow => 4,
        StackOverflow => 5,
        CreateCollision => 6,
        CreateContractSizeLimit | CreateInitCodeSizeLimit => 7,
        CreateContractStartingWithEF => 8,
        OutOfFunds => 9,
        CallTooDeep => 10,
        PrecompileError | PrecompileErrorWithContext(_) => 11,
        NonceOverflow => 12,
        StateChangeDuringStaticCall | CallNotAllowedInsideStatic => 13,
        OutOfOffset => 14,
        _ => 15,
    }
}

/// Observations that only the end of the transaction makes: EIP-161 clears what is touched and empty.
///
/// Whether an account is so can hang on a guess. One that looks empty is asked for its balance; one that was touched
/// without a gain and looks funded, by what a place below may yet take back, must turn out to be so.
pub fn observe_clearing(journal: &mut WatchedJournal, spec: SpecId) -> Result<(), Abort> {
    // What grew is not empty, whatever it was before.
    let hangs = |account: &Account, observed: &Observed| {
        account.is_touched()
            && !account.is_selfdestructed()
            && account.info.is_empty_code_hash()
            && observed.existed
            && account.info.balance <= observed.balance
            && account.info.nonce <= observed.nonce
    };
    let Journal { database, inner, .. } = &journal.inner;
    let note = |account: &Account| account.info.account_id.and_then(|index| database.accounts.get(index.get()));
    // Almost never anything to do: a pass over the accounts costs no lookup.
    if !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
        || !inner.state.values().any(|account| note(account).is_some_and(|observed| hangs(account, observed)))
    {
        return Ok(());
    }
    for index in 0..journal.inner.database.accounts.len() {
        let observed = &mut journal.inner.database.accounts[index];
        let Some(account) = journal.inner.inner.state.get(&observed.address) else { continue };
        if !hangs(account, observed) {
            continue;
        }
        if account.info.nonce > 0 {
            observed.flags |= flag::NONCE_NOT_ZERO;
        } else if !account.info.balance.is_zero() {
            observed.at_least(account.info.balance, U256::from(1));
        } else {
            let address = observed.address;
            journal.observe_balance(address)?;
            journal.observe_nonce(address);
            journal.inner.database.accounts[index].flags |= flag::EXISTENCE_CLEARED;
        }
    }
    Ok(())
}

/// What each account's owner needs: predicates on what was seen, and what was written. In a `strict` run
/// everything seen was final, so writes alone remain. An end is several transactions of the journal, which knows
/// the first value of the last one only: there every slot `loaded` by a touched account is written.
pub fn write_accounts(w: &mut Writer, accounts: &[Observed], state: &EvmState, spec: SpecId, strict: bool, loaded: bool) {
    w.set(4, w.length as u32);
    let mut count = 0;
    for account in state.iter() {
        let observed = match account.1.info.account_id {
            Some(index) => accounts.get(index.get()),
            None => accounts.iter().rev().find(|a| a.address == *account.0),
        };
        if let Some(observed) = observed {
            if write_account(w, observed, account.1, spec, strict, loaded) {
                count += 1;
            }
        }
    }
    w.end_accounts(count);
}

/// Words of an account's record without its slots: id, flags, balance 16, nonce 4, code 10, count.
const ACCOUNT_WORDS: usize = 33;

/// One account's record; false where there is nothing to say.
#[inline]
fn write_account(
    w: &mut Writer,
    observed: &Observed,
    account: &Account,
    spec: SpecId,
    strict: bool,
    loaded: bool,
) -> bool {
    // An end is several transactions: what one destroyed, a later one may have paid, which makes it an account anew.
    let destroyed = account.is_selfdestructed() && (account.is_selfdestructed_locally() || account.is_empty());
    let (balance, nonce, code_hash) = if destroyed {
        (U256::ZERO, 0, KECCAK_EMPTY)
    } else {
        (account.info.balance, account.info.nonce, account.info.code_hash)
    };
    let mut flags = observed.flags;
    if strict {
        flags &= !(flag::BALANCE_OBSERVED | flag::BALANCE_BOUND | flag::NONCE_OBSERVED | flag::NONCE_NOT_ZERO);
    }
    if destroyed {
        flags |= flag::DESTROYED | flag::NONCE_WRITTEN | flag::BALANCE_WRITTEN;
    } else if account.is_touched() {
        if balance != observed.balance {
            flags |= flag::BALANCE_WRITTEN;
        }
        if nonce != observed.nonce {
            flags |= flag::NONCE_WRITTEN;
        }
        if code_hash != observed.code_hash {
            flags |= flag::CODE_WRITTEN;
        }
        if account.is_created() || account.is_selfdestructed() {
            flags |= flag::CREATED;
        }
        if !observed.existed && !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
            flags |= flag::EXISTENCE_SET;
        }
    }
    let slots = !destroyed && account.is_touched() && !account.storage.is_empty();
    if flags == 0 && !slots {
        return false;
    }
    w.reserve(ACCOUNT_WORDS + 16 * account.storage.len());
    w.account(observed.id, flags);
    let exact = strict || flags & flag::BALANCE_OBSERVED != 0;
    if flags & flag::BALANCE_OBSERVED != 0 {
        w.u256(&observed.balance);
    }
    if flags & flag::BALANCE_WRITTEN != 0 {
        w.u256(&if exact { balance } else { balance.wrapping_sub(observed.balance) });
    }
    if !exact && flags & (flag::BALANCE_WRITTEN | flag::BALANCE_BOUND) != 0 {
        w.u256(&if flags & flag::BALANCE_BOUND != 0 { observed.bound() } else { U256::ZERO });
    }
    if flags & flag::NONCE_OBSERVED != 0 {
        w.u64(observed.nonce);
    }
    if flags & flag::NONCE_WRITTEN != 0 {
        w.u64(nonce);
    }
    if flags & flag::CODE_WRITTEN != 0 {
        w.bytes(code_hash.as_slice());
        let code = account.info.code.as_ref().map_or(&[][..], |code| code.original_byte_slice());
        w.word(code.as_ptr() as usize as u32);
        w.word(code.len() as u32);
    }
    let at = w.length;
    w.word(0);
    if slots {
        let mut count = 0;
        for (key, slot) in account.storage.iter().filter(|(_, slot)| loaded || slot.is_changed()) {
            w.u256(key);
            w.u256(&slot.present_value);
            count += 1;
        }
        w.set(at, count);
    }
    true
}
