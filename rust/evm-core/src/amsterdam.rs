//! Amsterdam in its dialects: the fork is a draft, and each test network had another state of it.
//!
//! revm 43.0.3 speaks one of them. Of the others, whatever differs in prices, limits and in who pays them when is set
//! here; `docs/decisions/0010-dialects-of-amsterdam.md` says which EIPs each has. Numbers: `adapters/evm/amsterdam.ts`.

use crate::host::Abort;
use crate::journal::WatchedJournal;
use alloc::vec::Vec;
use revm::context::journal::JournalEntry;
use revm::context::CfgEnv;
use revm::context_interface::cfg::gas_params::{GasId, GasParams};
use revm::handler::FrameResult;
use revm::interpreter::GasTracker;
use revm::primitives::hardfork::SpecId;
use revm::state::{Account, EvmState};
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

/// Bytes of what grows the state (EIP-8037).
const ACCOUNT_BYTES: u64 = 112;
const SLOT_BYTES: u64 = 32;
const DELEGATION_BYTES: u64 = 23;

/// Gas of a byte of state in `BalDevnet4`: such that blocks of this gas limit, half full, add 100 GiB a year; rounded to
/// five binary digits, counted from an offset.
fn cost_per_state_byte(gas_limit: u64) -> u64 {
    const BLOCKS_A_YEAR: u128 = 2_628_000;
    const BYTES_A_YEAR: u128 = 100 << 30;
    const OFFSET: u128 = 9_578;
    let shifted = (u128::from(gas_limit) * BLOCKS_A_YEAR).div_ceil(2 * BYTES_A_YEAR) + OFFSET;
    let shift = (u128::BITS - shifted.leading_zeros()).saturating_sub(5);
    let rounded = shifted >> shift << shift;
    if rounded > OFFSET { (rounded - OFFSET) as u64 } else { 1 }
}

/// State gas of `BalDevnet4`.
fn state_prices(gas_limit: u64) -> [(GasId, u64); 5] {
    let byte = cost_per_state_byte(gas_limit);
    [
        (GasId::sstore_set_state_gas(), SLOT_BYTES * byte),
        (GasId::new_account_state_gas(), ACCOUNT_BYTES * byte),
        (GasId::create_state_gas(), ACCOUNT_BYTES * byte),
        (GasId::code_deposit_state_gas(), byte),
        (GasId::tx_eip7702_state_gas_bytecode(), DELEGATION_BYTES * byte),
    ]
}

/// What `BalDevnet4` changes of Osaka's other prices.
const BAL_DEVNET_4: [(GasId, u64); 15] = [
    // EIP-8037: the part of each price that was for state is now gas of its own.
    (GasId::create(), 9_000),
    (GasId::tx_create_cost(), 9_000),
    (GasId::code_deposit_cost(), 0),
    (GasId::new_account_cost(), 0),
    (GasId::new_account_cost_for_selfdestruct(), 0),
    (GasId::sstore_set_without_load_cost(), 2_800),
    (GasId::sstore_set_refund(), 2_800),
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

/// Bytes of a contract in `BalDevnet4`; twice as many of init code (EIP-7954).
const MAX_CODE_SIZE: usize = 0x8000;

/// Sets the configuration of Amsterdam as revm has it to that of a dialect.
pub fn configure(dialect: Dialect, cfg: &mut CfgEnv, gas_limit: u64) {
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
        cfg.limit_contract_code_size = Some(MAX_CODE_SIZE);
        cfg.gas_params.override_gas(BAL_DEVNET_4);
        cfg.gas_params.override_gas(state_prices(gas_limit));
    }
}

/// Gas for state in `BalDevnet4`, where it differs from revm's accounting: what comes back is for state again, wherever
/// it came from, and what a frame was given back within itself is lost to its caller where the frame fails.
#[derive(Default)]
pub struct StateGas {
    frames: Vec<FrameStateGas>,
    /// What failed frames lost: the sender pays for it, and the block does not count it.
    pub lost: u64,
}

#[derive(Default)]
struct FrameStateGas {
    /// Given back within the frame, or within frames that it called and that succeeded.
    credit: u64,
    /// Spent by the frame when it called the one that runs now.
    spent: i64,
}

impl FrameStateGas {
    /// Of what comes back, that counts as credit which the frame had spent itself.
    fn give_back(&mut self, amount: u64, spent: i64) {
        self.credit += amount.min(spent.max(0) as u64);
    }
}

impl StateGas {
    pub fn begin(&mut self) {
        self.frames.clear();
        self.lost = 0;
    }

    pub fn begin_frame(&mut self) {
        self.frames.push(FrameStateGas::default());
    }

    /// The running frame gives way to one that it calls, or ends.
    pub fn pause(&mut self, gas: &mut GasTracker) {
        gas.set_state_gas_spilled(0);
        if let Some(frame) = self.frames.last_mut() {
            frame.spent = gas.state_gas_spent();
        }
    }

    /// A slot that the transaction filled is empty again.
    pub fn refill(&mut self, gas: &mut GasTracker, amount: u64) {
        gas.set_state_gas_spilled(0);
        if let Some(frame) = self.frames.last_mut() {
            frame.give_back(amount, gas.state_gas_spent());
        }
        gas.refill_reservoir(amount);
    }

    /// A frame ends: revm then merges its gas into its caller's. `price` is what an account costs.
    pub fn settle(&mut self, result: &mut FrameResult, price: u64) {
        let Some(frame) = self.frames.pop() else { return };
        let succeeded = result.instruction_result().is_ok();
        let refunded = match result {
            // Whoever calls pays for the account, though the call fails.
            FrameResult::Call(outcome) => {
                outcome.charged_new_account_state_gas = false;
                false
            }
            FrameResult::Create(outcome) => {
                outcome.charged_create_state_gas && (!succeeded || outcome.address.is_none())
            }
        };
        let gas = result.gas_mut().tracker_mut();
        gas.set_state_gas_spilled(0);
        let spent = gas.state_gas_spent();
        let caller = self.frames.last_mut();
        if !succeeded {
            let kept = gas.reservoir().saturating_add_signed(spent);
            let lost = if caller.is_some() { frame.credit.min(kept) } else { 0 };
            gas.set_reservoir(kept - lost);
            gas.set_state_gas_spent(0);
            self.lost += lost;
        }
        let Some(caller) = caller else { return };
        let caller_spent = caller.spent;
        if succeeded {
            caller.credit += frame.credit;
            caller.give_back(spent.min(0).unsigned_abs(), caller_spent);
        }
        if refunded {
            caller.give_back(price, caller_spent);
        }
    }
}

/// State gas that `BalDevnet4` gives back at the end: for contracts that came and went with the transaction.
pub fn state_gas_of_destroyed(params: &GasParams, state: &EvmState) -> u64 {
    let gone = |account: &&Account| account.is_selfdestructed_locally() && account.is_created_locally();
    let of = |account: &Account| {
        let code = account.info.code.as_ref().map_or(0, |code| code.original_byte_slice().len());
        let slots = account.storage.values().filter(|slot| !slot.present_value.is_zero()).count() as u64;
        params.create_state_gas()
            + params.code_deposit_state_gas(code)
            + slots * params.get(GasId::sstore_set_state_gas())
    };
    state.values().filter(gone).map(of).sum()
}

/// State gas that a transaction pays before it begins: for the account that it creates, and for each authority as if it
/// had to be created.
pub fn intrinsic_state_gas(params: &GasParams, is_create: bool, authorizations: u64) -> u64 {
    let created = if is_create { params.create_state_gas() } else { 0 };
    created + authorizations * (params.new_account_state_gas() + params.get(GasId::tx_eip7702_state_gas_bytecode()))
}

/// Who emits the logs of EIP-7708.
const LOGGER: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");
/// Keccak-256 of `Burn(address,uint256)`, and of what `BalDevnet2` calls it, `Selfdestruct(address,uint256)`.
const BURN: B256 = b256!("0xcc16f5dbb4873280815c1ee09dbd06736cffcc184412cf7a71a0fdb75d397ca5");
const SELFDESTRUCT: B256 = b256!("0x4bfaba3443c1a1836cd362418edc679fc96cae8449cbefccb6457cdf2c943083");

fn log_burn(journal: &mut WatchedJournal, address: Address, amount: U256) {
    let event = if journal.dialect == Dialect::BalDevnet2 { SELFDESTRUCT } else { BURN };
    let topics = alloc::vec![event, address.into_word()];
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
pub fn burn_rest(journal: &mut WatchedJournal, beneficiary: Address) -> Result<(), Abort> {
    let fee = journal.fee;
    let mut burnt = journal
        .inner
        .inner
        .state
        .iter()
        .filter(|(_, account)| account.is_selfdestructed_locally())
        // The fee comes before the end.
        .map(|(address, account)| {
            (*address, account.info.balance + if *address == beneficiary { fee } else { U256::ZERO })
        })
        .filter(|(_, amount)| !amount.is_zero())
        .collect::<Vec<_>>();
    burnt.sort_unstable();
    for (address, amount) in burnt {
        journal.observe_balance(address)?;
        log_burn(journal, address, amount);
    }
    Ok(())
}
