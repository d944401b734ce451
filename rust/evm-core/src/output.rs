//! The effects of one transaction as words, for the host to keep and to publish.
//!
//! ```text
//! 0  status: 1 success, 0 revert, 2 halt      16 logs              24.. logs: address 5, topics n, n * 8,
//! 1  gas used, u64                            17 return bytes            length in bytes, data
//! 3  gas refunded                             18 created, 1 or 0        return data
//! 4  offset of the accounts                   19 created address 5 words
//! 5  accounts                                                       accounts: id, flags, then by flag
//! 6  words in all                                 balance: start 8, end 8, bound 8 (any balance flag)
//! 7  reason of a halt                             nonce: start 2, end 2 (any nonce flag)
//! 8  fee, 8 words                                 code: hash 8, pointer, length (CODE_WRITTEN)
//!                                                 slots: count, then key 8 and value 8 each
//! ```

use crate::journal::WatchedJournal;
use crate::observe::{flag, Observed};
use alloc::vec::Vec;
use revm::context::result::{ExecutionResult, Output};
use revm::context_interface::JournalTr;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, Log, KECCAK_EMPTY, U256};
use revm::state::{Account, EvmState};

const HEADER: usize = 24;

/// A growing run of words.
pub struct Writer(pub Vec<u32>);

impl Writer {
    fn begin(&mut self) {
        self.0.clear();
        self.0.resize(HEADER, 0);
    }

    #[inline(always)]
    fn word(&mut self, value: u32) {
        self.0.push(value);
    }

    #[inline(always)]
    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&[value as u32, (value >> 32) as u32]);
    }

    #[inline(always)]
    fn u256(&mut self, value: &U256) {
        let l = value.as_limbs();
        self.0.extend_from_slice(&[
            l[0] as u32, (l[0] >> 32) as u32, l[1] as u32, (l[1] >> 32) as u32,
            l[2] as u32, (l[2] >> 32) as u32, l[3] as u32, (l[3] >> 32) as u32,
        ]);
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(4);
        self.0.reserve(bytes.len() / 4 + 1);
        for chunk in &mut chunks {
            self.0.push(u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0u8; 4];
            last[..rest.len()].copy_from_slice(rest);
            self.0.push(u32::from_le_bytes(last));
        }
    }

    fn set_u64(&mut self, at: usize, value: u64) {
        self.0[at] = value as u32;
        self.0[at + 1] = (value >> 32) as u32;
    }

    fn log(&mut self, log: &Log) {
        self.bytes(log.address.as_slice());
        self.word(log.data.topics().len() as u32);
        for topic in log.data.topics() {
            self.bytes(topic.as_slice());
        }
        self.word(log.data.data.len() as u32);
        self.bytes(&log.data.data);
    }
}

/// What the receipt needs.
pub fn write_result(w: &mut Writer, result: ExecutionResult, fee: &U256) {
    w.begin();
    let (status, gas, logs, output, created, reason): (u32, _, Vec<Log>, Bytes, Option<Address>, u32) = match result {
        ExecutionResult::Success { gas, logs, output, .. } => match output {
            Output::Call(bytes) => (1, gas, logs, bytes, None, 0),
            Output::Create(bytes, address) => (1, gas, logs, bytes, address, 0),
        },
        ExecutionResult::Revert { gas, logs, output } => (0, gas, logs, output, None, 0),
        ExecutionResult::Halt { gas, logs, reason } => (2, gas, logs, Bytes::new(), None, halt_code(&reason)),
    };
    w.0[0] = status;
    w.set_u64(1, gas.tx_gas_used());
    w.0[3] = gas.inner_refunded() as u32;
    w.0[7] = reason;
    let limbs = fee.as_limbs();
    for (i, limb) in limbs.iter().enumerate() {
        w.set_u64(8 + 2 * i, *limb);
    }
    w.0[16] = logs.len() as u32;
    w.0[17] = output.len() as u32;
    if let Some(address) = created {
        w.0[18] = 1;
        for (i, chunk) in address.as_slice().chunks_exact(4).enumerate() {
            w.0[19 + i] = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
    }
    for log in &logs {
        w.log(log);
    }
    w.bytes(&output);
    w.0[4] = w.0.len() as u32;
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
pub fn observe_clearing(journal: &mut WatchedJournal, spec: SpecId) -> Result<(), crate::host::Abort> {
    if !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        return Ok(());
    }
    for index in 0..journal.inner.database.accounts.len() {
        if !journal.inner.database.accounts[index].existed {
            continue;
        }
        let address = journal.inner.database.accounts[index].address;
        let Some(account) = journal.inner.inner.state.get(&address) else { continue };
        if account.is_touched() && account.is_empty() && !account.is_selfdestructed() {
            journal.observe_balance(address)?;
            journal.observe_nonce(address);
            journal.inner.database.accounts[index].flags |= flag::EXISTENCE_CLEARED;
        }
    }
    Ok(())
}

/// What each account's owner needs: predicates on what was seen, and what was written.
pub fn write_accounts(w: &mut Writer, journal: &mut WatchedJournal, state: &EvmState, spec: SpecId) {
    let mut count = 0;
    let accounts = core::mem::take(&mut journal.db_mut().accounts);
    for observed in &accounts {
        if let Some(account) = state.get(&observed.address) {
            if write_account(w, observed, account, spec) {
                count += 1;
            }
        }
    }
    let mut accounts = accounts;
    accounts.clear();
    journal.db_mut().accounts = accounts;
    w.0[5] = count;
    w.0[6] = w.0.len() as u32;
}

/// One account's record; false where there is nothing to say.
fn write_account(w: &mut Writer, observed: &Observed, account: &Account, spec: SpecId) -> bool {
    let mut flags = observed.flags;
    let destroyed = account.is_selfdestructed();
    let (balance, nonce, code_hash) = if destroyed {
        (U256::ZERO, 0, KECCAK_EMPTY)
    } else {
        (account.info.balance, account.info.nonce, account.info.code_hash)
    };
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
        if account.is_created_locally() {
            flags |= flag::CREATED;
        }
        if !observed.existed && !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
            flags |= flag::EXISTENCE_SET;
        }
    }
    let slots = !destroyed && account.is_touched() && account.storage.values().any(|slot| slot.is_changed());
    if flags == 0 && !slots {
        return false;
    }
    w.word(observed.id);
    w.word(flags);
    if flags & (flag::BALANCE_WRITTEN | flag::BALANCE_OBSERVED | flag::BALANCE_BOUND) != 0 {
        w.u256(&observed.balance);
        w.u256(&balance);
        w.u256(&if flags & flag::BALANCE_BOUND != 0 { observed.bound() } else { U256::ZERO });
    }
    if flags & (flag::NONCE_WRITTEN | flag::NONCE_OBSERVED | flag::NONCE_NOT_ZERO) != 0 {
        w.u64(observed.nonce);
        w.u64(nonce);
    }
    if flags & flag::CODE_WRITTEN != 0 {
        w.bytes(code_hash.as_slice());
        let code = account.info.code.as_ref().map_or(&[][..], |code| code.original_byte_slice());
        w.word(code.as_ptr() as usize as u32);
        w.word(code.len() as u32);
    }
    let at = w.0.len();
    w.word(0);
    if slots {
        let mut count = 0;
        for (key, slot) in account.storage.iter().filter(|(_, slot)| slot.is_changed()) {
            w.u256(key);
            w.u256(&slot.present_value);
            count += 1;
        }
        w.0[at] = count;
    }
    true
}
