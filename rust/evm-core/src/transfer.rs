//! The short way of a transaction that can only move value: two accounts read, two written.
//!
//! revm needs two thirds of a microsecond for such a transaction: an environment, a journal, two hash maps.
//! Here are its effects as arithmetic, under conditions that leave nothing to decide. Whatever does not meet
//! every one of them, invalid transactions too, takes revm's way from its beginning, so nothing is rejected here.
//! Gas is 21,000 in every fork up to Osaka (yellow paper, G_transaction; the floor of EIP-7623 is the same
//! without data); later forks are not taken.
//! `test/differential` and `npm run conformance` compare it with headers, test/property with revm's way.

use crate::fees::Vaults;
use crate::handler::KernelEvm;
use crate::host::Abort;
use crate::input::{self, Reader};
use crate::observe::flag;
use crate::output::Writer;
use revm::context_interface::{Block, Cfg};
use revm::database_interface::Database;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, KECCAK_EMPTY, U256};

/// Gas of a transaction without data, lists and code.
const GAS: u64 = 21_000;

/// Writes the effects of the transaction at `r`; false where it must take the longer way.
pub fn execute(
    evm: &mut KernelEvm,
    vaults: &Vaults,
    r: &Reader,
    strict: bool,
    w: &mut Writer,
) -> Result<bool, Abort> {
    let Some(transfer) = plan(evm, vaults, r) else { return Ok(false) };
    let Transfer { value, most, cost, fee, nonce, paid } = transfer;
    let spurious_dragon = evm.ctx.cfg.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
    let database = &mut evm.ctx.journaled_state.inner.database;
    database.accounts.clear();

    database.basic(r.address(2))?;
    let sender = &database.accounts[0];
    let nonce_fits = !strict || sender.nonce == nonce;
    if sender.balance < most || sender.code_hash != KECCAK_EMPTY || !nonce_fits {
        return Ok(false);
    }
    database.basic(r.address(7))?;
    let mut accounts = 2;
    for &(vault, amount) in paid.iter().flatten() {
        database.basic(vault)?;
        if database.accounts[accounts].balance.checked_add(amount).is_none() {
            return Ok(false);
        }
        accounts += 1;
    }
    let [sender, recipient, paid_vaults @ ..] = database.accounts.as_slice() else { return Err(Abort::Fault) };
    // With code there is something to run; a credit past 2^256 is revm's to refuse.
    if recipient.code_hash != KECCAK_EMPTY || recipient.balance.checked_add(value).is_none() {
        return Ok(false);
    }

    let born = |existed: bool| if existed || spurious_dragon { 0 } else { flag::EXISTENCE_SET };
    w.transfer_result(GAS, &fee);
    if strict {
        w.account(sender.id, flag::BALANCE_WRITTEN | flag::NONCE_WRITTEN | born(sender.existed));
        w.u256(&(sender.balance - cost));
        w.u64(nonce + 1);
        w.word(0);
        w.account(recipient.id, flag::BALANCE_WRITTEN | born(recipient.existed));
        w.u256(&(recipient.balance + value));
        w.word(0);
    } else {
        let seen = flag::BALANCE_BOUND | flag::NONCE_OBSERVED;
        w.account(sender.id, flag::BALANCE_WRITTEN | flag::NONCE_WRITTEN | seen | born(sender.existed));
        w.u256(&cost.wrapping_neg());
        w.u256(&most);
        w.u64(nonce);
        w.u64(nonce + 1);
        w.word(0);
        w.account(recipient.id, flag::BALANCE_WRITTEN | born(recipient.existed));
        w.u256(&value);
        w.u256(&U256::ZERO);
        w.word(0);
    }
    for (vault, &(_, amount)) in paid_vaults.iter().zip(paid.iter().flatten()) {
        w.account(vault.id, flag::BALANCE_WRITTEN | born(vault.existed));
        if strict {
            w.u256(&(vault.balance + amount));
        } else {
            w.u256(&amount);
            w.u256(&U256::ZERO);
        }
        w.word(0);
    }
    w.end_accounts(accounts as u32);
    Ok(true)
}

/// What a transfer does, known before any account is.
struct Transfer {
    value: U256,
    /// What the sender must have: the value and the gas limit at the highest price.
    most: U256,
    /// What the sender loses.
    cost: U256,
    /// What the fee recipient gets.
    fee: U256,
    nonce: u64,
    /// What each vault gets; nothing where that is zero.
    paid: [Option<(Address, U256)>; 2],
}

/// The transfer, if the transaction is one that needs no decision.
fn plan(evm: &KernelEvm, vaults: &Vaults, r: &Reader) -> Option<Transfer> {
    let (cfg, block) = (&evm.ctx.cfg, &evm.ctx.block);
    let (tx_type, flags) = (r.word(0), r.word(1));
    let is_call = flags & 1 != 0;
    // No data, access list, blob or authorisation.
    if !is_call || r.word(38) | r.word(39) | r.word(40) | r.word(41) != 0 || cfg.spec > SpecId::OSAKA {
        return None;
    }
    let type_is_known = match tx_type {
        0 => true,
        1 => cfg.spec.is_enabled_in(SpecId::BERLIN),
        2 => cfg.spec.is_enabled_in(SpecId::LONDON),
        _ => false,
    };
    let has_chain_id = flags & 2 != 0;
    let chain_fits = if has_chain_id { r.u64(32) == cfg.chain_id } else { tx_type == 0 };
    let (gas_limit, nonce) = (r.u64(12), r.u64(14));
    let most_gas = block.gas_limit().min(cfg.tx_gas_limit_cap());
    if !type_is_known || !chain_fits || gas_limit < GAS || gas_limit > most_gas || nonce == u64::MAX {
        return None;
    }
    let (to, value) = (r.address(7), r.u256(24));
    // Precompiles have small addresses; and a sender that pays itself, or pays nothing, is a special case.
    if to.as_slice()[..18] == [0; 18] || to == r.address(2) || value.is_zero() {
        return None;
    }
    let base_fee = block.basefee();
    // A price beyond 64 bits, 18 ether a unit of gas, is revm's; below it no product leaves 128 bits.
    let highest = u64::try_from(r.u128(16)).ok()?;
    let price = if tx_type == 2 {
        let priority = u64::try_from(r.u128(20)).ok()?;
        if priority > highest {
            return None;
        }
        highest.min(base_fee.saturating_add(priority))
    } else {
        highest
    };
    if price < base_fee {
        return None;
    }
    let has_base_fee = cfg.spec.is_enabled_in(SpecId::LONDON) && !vaults.keeps_base_fee;
    let tip = if has_base_fee { price - base_fee } else { price };
    let data_fee = input::data_fee(r);
    let paid = if vaults.any() { payments(vaults, product(base_fee, GAS), data_fee, r)? } else { [None; 2] };
    Some(Transfer {
        value,
        most: product(highest, gas_limit).checked_add(value)?.checked_add(data_fee)?,
        cost: product(price, GAS).checked_add(value)?.checked_add(data_fee)?,
        fee: product(tip, GAS),
        nonce,
        paid,
    })
}

/// What goes to vaults; nothing where one of them is somebody else in the transaction, the other vault too.
fn payments(vaults: &Vaults, base_fee: U256, data_fee: U256, r: &Reader) -> Option<[Option<(Address, U256)>; 2]> {
    let party = |vault: Option<Address>| vault.is_some_and(|vault| vault == r.address(2) || vault == r.address(7));
    let shared = vaults.base_fee.is_some() && vaults.base_fee == vaults.data_fee;
    if shared || party(vaults.base_fee) || party(vaults.data_fee) {
        return None;
    }
    let payment = |vault: Option<Address>, amount: U256| vault.filter(|_| !amount.is_zero()).map(|v| (v, amount));
    Some([payment(vaults.base_fee, base_fee), payment(vaults.data_fee, data_fee)])
}

fn product(price: u64, gas: u64) -> U256 {
    U256::from(u128::from(price) * u128::from(gas))
}
