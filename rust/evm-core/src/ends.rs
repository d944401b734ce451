//! The ends of a block: what is done before its first transaction and after its last one.
//!
//! ```text
//! word 0: operations; then each
//!   0 call:   kind, target 5, bytes of data, data         (EIP-4788, 2935, 7002, 7251)
//!   1 credit: kind, address 5, amount 8                   (EIP-4895, rewards)
//!   2 drain:  kind, from 5, to 5                          (the DAO fork)
//! ```
//! All operations of an end are one incarnation; between calls the journal begins a new transaction, so that
//! original values, transient storage and creations are those of one call.

use crate::amsterdam::Dialect;
use crate::fees::Vaults;
use crate::handler::{KernelError, KernelEvm, KernelHandler};
use crate::input::Reader;
use crate::journal::WatchedJournal;
use crate::output::{result_parts, Writer};
use alloc::boxed::Box;
use revm::context::result::EVMError;
use revm::context::{ContextSetters, TxEnv};
use revm::context_interface::cfg::gas_params::GasId;
use revm::context_interface::JournalTr;
use revm::handler::{Handler, SYSTEM_ADDRESS};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, TxKind, U256};

const CALL: u32 = 0;
const CREDIT: u32 = 1;

/// Gas of a system call; nobody pays for it.
const CALL_GAS: u64 = 30_000_000;
/// Slots that a system call may fill besides, where state has gas of its own (EIP-8037).
const MOST_NEW_SLOTS: u64 = 16;
/// Status of a call whose target has no code.
const NO_CODE: u32 = 3;

/// Does the work at `r` in order and writes what calls returned. The host has checked counts and kinds.
pub fn run(evm: &mut Box<KernelEvm>, r: &Reader, w: &mut Writer) -> Result<(), KernelError> {
    let count = r.word(0);
    w.begin_end(count);
    let spec = evm.ctx.cfg.spec;
    let mut at = 1;
    for _ in 0..count {
        match r.word(at) {
            CALL => {
                let length = r.word(at + 6) as usize;
                let data = Bytes::copy_from_slice(r.bytes(at + 7, length));
                let (status, returned) = call(evm, r.address(at + 1), data)?;
                w.operation(status, &returned);
                at += 7 + length.div_ceil(4);
            }
            CREDIT => {
                credit(&mut evm.ctx.journaled_state, r.address(at + 1), r.u256(at + 6), spec)?;
                w.operation(1, &[]);
                at += 14;
            }
            _ => {
                drain(&mut evm.ctx.journaled_state, r.address(at + 1), r.address(at + 6))?;
                w.operation(1, &[]);
                at += 11;
            }
        }
    }
    Ok(())
}

fn call(evm: &mut Box<KernelEvm>, target: Address, data: Bytes) -> Result<(u32, Bytes), KernelError> {
    let journal = &mut evm.ctx.journaled_state;
    let account = &journal.inner.load_account_with_code(target).map_err(EVMError::Database)?.data.info;
    if account.code.as_ref().is_none_or(|code| code.is_empty()) {
        return Ok((NO_CODE, Bytes::new()));
    }
    let state_gas = match journal.dialect {
        Dialect::Own => MOST_NEW_SLOTS * evm.ctx.cfg.gas_params.get(GasId::sstore_set_state_gas()),
        _ => 0,
    };
    evm.ctx.set_tx(TxEnv {
        caller: SYSTEM_ADDRESS,
        kind: TxKind::Call(target),
        gas_limit: CALL_GAS + state_gas,
        gas_price: 0,
        data,
        ..Default::default()
    });
    let result = KernelHandler { strict: true, vaults: &Vaults::NONE, data_fee: U256::ZERO }.run_system_call(evm)?;
    let (status, _, _, returned, _, _) = result_parts(result);
    Ok((status, returned))
}

/// Adds without reading, so that transactions that pay the same account do not conflict with it.
fn credit(journal: &mut WatchedJournal, address: Address, amount: U256, spec: SpecId) -> Result<(), KernelError> {
    let balance = journal.inner.load_account(address).map_err(EVMError::Database)?.data.info.balance;
    if balance.checked_add(amount).is_none() {
        // A guess so high may be wrong.
        journal.observe_balance(address).map_err(EVMError::Database)?;
    }
    journal.inner.balance_incr(address, amount).map_err(EVMError::Database)?;
    if amount.is_zero() && spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        // Whether the touched account ceases to exist depends on its being empty.
        journal.observe_emptiness(address).map_err(EVMError::Database)?;
    }
    Ok(())
}

/// Moves all that `from` has; both come to exist where they did not.
fn drain(journal: &mut WatchedJournal, from: Address, to: Address) -> Result<(), KernelError> {
    let amount = journal.inner.load_account(from).map_err(EVMError::Database)?.data.info.balance;
    journal.observe_balance(from).map_err(EVMError::Database)?;
    let balance = journal.inner.load_account(to).map_err(EVMError::Database)?.data.info.balance;
    if balance.checked_add(amount).is_none() {
        journal.observe_balance(to).map_err(EVMError::Database)?;
    }
    journal.inner.touch_account(from);
    journal.inner.touch_account(to);
    journal.transfer_loaded(from, to, amount);
    match journal.pending.take() {
        Some(abort) => Err(EVMError::Database(abort)),
        None => Ok(()),
    }
}
