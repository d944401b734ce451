//! What a transaction has seen of an account, and how little of it matters.
//!
//! `basic` hands out balance, nonce and code hash together; taken as one read, two deposits into one
//! contract would conflict. So the balance is a guess until something depends on it:
//! - a check "at least v" that passes needs only a lower bound of the balance at the start ([`Observed::slack`]);
//! - BALANCE, a self-destruct, or a check that fails needs the exact balance;
//! - a credit needs nothing.
//! The same for nonces: an emptiness test needs "not zero", a creation the exact number.
//! Code hash, storage generation and existence are always a read; they hardly ever change.

use revm::primitives::{Address, B256, U256};

/// Bits of an account's record in the output; the host turns each into a predicate or a write.
pub mod flag {
    pub const BALANCE_WRITTEN: u32 = 1;
    pub const BALANCE_OBSERVED: u32 = 2;
    pub const BALANCE_BOUND: u32 = 4;
    pub const NONCE_WRITTEN: u32 = 8;
    pub const NONCE_OBSERVED: u32 = 16;
    pub const NONCE_NOT_ZERO: u32 = 32;
    pub const CODE_WRITTEN: u32 = 64;
    pub const CREATED: u32 = 128;
    pub const DESTROYED: u32 = 256;
    /// Before EIP-161: the account came to exist by being touched.
    pub const EXISTENCE_SET: u32 = 512;
    /// EIP-161: touched while empty, the account ceases to exist.
    pub const EXISTENCE_CLEARED: u32 = 1024;
}

/// One account as it was when the transaction loaded it.
pub struct Observed {
    pub address: Address,
    /// The host's number for it.
    pub id: u32,
    /// Bits of [`flag`].
    pub flags: u32,
    /// `balance` is folded from all entries below, not a guess.
    pub exact: bool,
    pub existed: bool,
    /// It has no code and yet storage, so no contract can be created there (EIP-7610).
    pub stored: bool,
    pub balance: U256,
    /// By how much the balance at the start could be lower with every check passed as it was.
    pub slack: U256,
    pub nonce: u64,
    pub code_hash: B256,
}

impl Observed {
    /// Notes that `current`, the balance now, was found to be at least `wanted`.
    #[inline]
    pub fn at_least(&mut self, current: U256, wanted: U256) {
        let slack = current - wanted;
        if slack < self.slack {
            self.slack = slack;
        }
        self.flags |= flag::BALANCE_BOUND;
    }

    /// The least balance at the start with which every check would have passed.
    pub fn bound(&self) -> U256 {
        self.balance.saturating_sub(self.slack)
    }
}
