//! Fees as rollups have them: the base fee kept, or paid to a vault, and a fee for the data of a transaction.
//!
//! The host knows the recipient of the priority fee and adds it up itself (`Output.Fee`). Vaults are paid here, as
//! revm pays its beneficiary: after everything else, so that a vault which destroys itself takes its fee along. A
//! credit observes nothing, so payments of one block to one vault commute.

use crate::host::Abort;
use crate::journal::WatchedJournal;
use revm::context_interface::JournalTr;
use revm::primitives::{Address, U256};

/// Where the fees of a block go, besides the priority fee.
pub struct Vaults {
    /// The base fee is part of what the recipient of the priority fee gets.
    pub keeps_base_fee: bool,
    /// Gets the base fee, which else is burnt.
    pub base_fee: Option<Address>,
    /// Gets the fees for data.
    pub data_fee: Option<Address>,
}

impl Vaults {
    /// The rules of mainnet.
    pub const NONE: Vaults = Vaults { keeps_base_fee: false, base_fee: None, data_fee: None };

    /// Whether a transaction pays a vault.
    #[inline(always)]
    pub fn any(&self) -> bool {
        self.base_fee.is_some() || self.data_fee.is_some()
    }
}

/// Adds a fee to the account of a vault; one of zero leaves it alone.
pub fn pay(journal: &mut WatchedJournal, vault: Option<Address>, amount: U256) -> Result<(), Abort> {
    let Some(address) = vault.filter(|_| !amount.is_zero()) else { return Ok(()) };
    let balance = journal.inner.load_account(address)?.data.info.balance;
    if balance.checked_add(amount).is_none() {
        // A guess so high may be wrong.
        journal.observe_balance(address)?;
    }
    journal.inner.balance_incr(address, amount)
}
