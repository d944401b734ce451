//! Amsterdam in its dialects: the fork is a draft, and each test network had another state of it.
//!
//! revm 43.0.3 speaks one of them. Of the others, whatever differs in prices, limits and in who pays them when is set
//! here; `docs/decisions/0010-dialects-of-amsterdam.md` says which EIPs each has. Numbers: `adapters/evm/amsterdam.ts`.

use crate::host::Abort;
use crate::journal::WatchedJournal;
use revm::context::journal::JournalEntry;
use revm::context::CfgEnv;
use revm::context_interface::cfg::gas_params::{GasId, GasParams};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{address, b256, eip170, eip3860, Address, Bytes, Log, B256, U256};

/// Whose rules hold. `Own` is what revm has; it also stands for every fork before Amsterdam.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Own,
    /// Osaka with transfer logs, gas without refunds, slot numbers, access lists and the new stack instructions.
    BalDevnet2,
    /// Those, dearer calldata and access lists, larger codes, and gas for state, before it was simplified.
    BalDevnet4,
}

impl Dialect {
    pub fn from_word(word: u32) -> Self {
        match word {
            1 => Dialect::BalDevnet2,
            2 => Dialect::BalDevnet4,
            _ => Dialect::Own,
        }
    }

    /// A contract that destroys itself in favour of itself burns what it has; later drafts keep it (EIP-8246).
    pub fn burns(self) -> bool {
        self != Dialect::Own
    }
}

/// Gas that a byte of state costs, and bytes of what grows it (EIP-8037).
const COST_PER_STATE_BYTE: u64 = 1_174;
const ACCOUNT: u64 = 112 * COST_PER_STATE_BYTE;
const SLOT: u64 = 32 * COST_PER_STATE_BYTE;
const DELEGATION: u64 = 23 * COST_PER_STATE_BYTE;

/// What `BalDevnet4` changes of Osaka's prices.
const BAL_DEVNET_4: [(GasId, u64); 20] = [
    // EIP-8037: the part of each price that was for state is now gas of its own.
    (GasId::create(), 9_000),
    (GasId::tx_create_cost(), 9_000),
    (GasId::code_deposit_cost(), 0),
    (GasId::new_account_cost(), 0),
    (GasId::new_account_cost_for_selfdestruct(), 0),
    (GasId::sstore_set_without_load_cost(), 2_800),
    (GasId::sstore_set_refund(), 2_800),
    (GasId::sstore_set_state_gas(), SLOT),
    (GasId::new_account_state_gas(), ACCOUNT),
    (GasId::create_state_gas(), ACCOUNT),
    (GasId::code_deposit_state_gas(), COST_PER_STATE_BYTE),
    (GasId::tx_eip7702_state_gas_bytecode(), DELEGATION),
    (GasId::tx_eip7702_regular_gas(), 7_500),
    // Counts the authorities that existed; `handler.rs` turns them into state gas.
    (GasId::tx_eip7702_regular_refund(), 1),
    // EIP-7976, EIP-7981: 64 gas a byte of data or access list, at least.
    (GasId::tx_floor_cost_per_token(), 16),
    (GasId::tx_floor_token_zero_byte_multiplier(), 4),
    (GasId::tx_access_list_floor_byte_multiplier(), 4),
    (GasId::tx_access_list_address_cost(), 2_400 + 20 * 64),
    (GasId::tx_access_list_storage_key_cost(), 1_900 + 32 * 64),
    (GasId::tx_floor_cost_base_gas(), 21_000),
];

/// Sets the configuration of Amsterdam as revm has it to that of a dialect.
pub fn configure(dialect: Dialect, cfg: &mut CfgEnv) {
    if dialect == Dialect::Own {
        return;
    }
    cfg.gas_params = GasParams::new_spec(SpecId::OSAKA);
    cfg.enable_amsterdam_eip2780 = false;
    cfg.amsterdam_eip8246_delayed_clear_disabled = true;
    if dialect == Dialect::BalDevnet2 {
        cfg.enable_amsterdam_eip8037 = false;
        cfg.limit_contract_code_size = Some(eip170::MAX_CODE_SIZE);
        cfg.limit_contract_initcode_size = Some(eip3860::MAX_INITCODE_SIZE);
    } else {
        cfg.gas_params.override_gas(BAL_DEVNET_4);
    }
}

/// State gas that a transaction pays before it begins: for the account that it creates, and for each authority as if it
/// had to be created.
pub fn intrinsic_state_gas(params: &GasParams, is_create: bool, authorizations: u64) -> u64 {
    let created = if is_create { params.create_state_gas() } else { 0 };
    created + authorizations * (params.new_account_state_gas() + params.get(GasId::tx_eip7702_state_gas_bytecode()))
}

/// Who emits the logs of EIP-7708.
const LOGGER: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");
/// Keccak-256 of `Burn(address,uint256)`.
const BURN: B256 = b256!("0xcc16f5dbb4873280815c1ee09dbd06736cffcc184412cf7a71a0fdb75d397ca5");

fn log_burn(journal: &mut WatchedJournal, address: Address, amount: U256) {
    let topics = alloc::vec![BURN, address.into_word()];
    let data = Bytes::copy_from_slice(&amount.to_be_bytes::<32>());
    journal.inner.inner.logs.push(Log::new_unchecked(LOGGER, topics, data));
}

/// Burns what a contract of this transaction had that destroyed itself in favour of itself.
pub fn burn(journal: &mut WatchedJournal, address: Address) {
    let inner = &mut journal.inner.inner;
    let Some(account) = inner.state.get_mut(&address) else { return };
    if !account.is_selfdestructed_locally() || account.info.balance.is_zero() {
        return;
    }
    let amount = core::mem::take(&mut account.info.balance);
    if let Some(JournalEntry::AccountDestroyed { had_balance, .. }) = inner.journal.last_mut() {
        *had_balance = amount;
    }
    log_burn(journal, address, amount);
}

/// At the end of a transaction: what destroyed contracts were paid after their end is burnt, in the order of addresses.
pub fn burn_rest(journal: &mut WatchedJournal) -> Result<(), Abort> {
    let mut burnt = journal
        .inner
        .inner
        .state
        .iter()
        .filter(|(_, account)| account.is_selfdestructed_locally() && !account.info.balance.is_zero())
        .map(|(address, account)| (*address, account.info.balance))
        .collect::<alloc::vec::Vec<_>>();
    burnt.sort_unstable();
    for (address, amount) in burnt {
        journal.observe_balance(address)?;
        log_burn(journal, address, amount);
    }
    Ok(())
}
