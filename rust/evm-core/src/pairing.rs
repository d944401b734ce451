//! The precompiles on the curve bn254 (EIP-196, EIP-197), with the arithmetic of rust/bn254.
//!
//! Gas, padding, lengths and the kinds of failure are revm's; rust/bn254 is tested against it.

use crate::input::padded;
use alloc::vec::Vec;
use bn254_halves::{Error, PAIR, POINT};
use revm::precompile::bn254::{add, mul, pair};
use revm::precompile::{
    call_eth_precompile, EthPrecompileOutput, EthPrecompileResult, Precompile, PrecompileHalt, PrecompileId,
    PrecompileResult, PrecompileSpecId,
};

fn halt(error: Error) -> PrecompileHalt {
    match error {
        Error::NotInField => PrecompileHalt::Bn254FieldPointNotAMember,
        Error::NotInGroup => PrecompileHalt::Bn254AffineGFailedToCreate,
    }
}

fn sum(input: &[u8], cost: u64, gas_limit: u64) -> EthPrecompileResult {
    if cost > gas_limit {
        return Err(PrecompileHalt::OutOfGas);
    }
    let point = bn254_halves::add(&padded::<{ 2 * POINT }>(input)).map_err(halt)?;
    Ok(EthPrecompileOutput::new(cost, point.into()))
}

fn multiple(input: &[u8], cost: u64, gas_limit: u64) -> EthPrecompileResult {
    if cost > gas_limit {
        return Err(PrecompileHalt::OutOfGas);
    }
    let point = bn254_halves::mul(&padded::<{ POINT + 32 }>(input)).map_err(halt)?;
    Ok(EthPrecompileOutput::new(cost, point.into()))
}

fn pairing(input: &[u8], cost_of_pair: u64, base_cost: u64, gas_limit: u64) -> EthPrecompileResult {
    let cost = (input.len() / PAIR) as u64 * cost_of_pair + base_cost;
    if cost > gas_limit {
        return Err(PrecompileHalt::OutOfGas);
    }
    if input.len() % PAIR != 0 {
        return Err(PrecompileHalt::Bn254PairLength);
    }
    let mut word = [0; 32];
    word[31] = bn254_halves::pairing_check(input).map_err(halt)? as u8;
    Ok(EthPrecompileOutput::new(cost, word.into()))
}

macro_rules! precompile {
    ($name:ident, $run:ident, $($cost:expr),+) => {
        fn $name(input: &[u8], gas_limit: u64, reservoir: u64) -> PrecompileResult {
            Ok(call_eth_precompile(|input, limit| $run(input, $($cost,)+ limit), input, gas_limit, reservoir))
        }
    };
}

precompile!(byzantium_sum, sum, add::BYZANTIUM_ADD_GAS_COST);
precompile!(byzantium_multiple, multiple, mul::BYZANTIUM_MUL_GAS_COST);
precompile!(byzantium_pairing, pairing, pair::BYZANTIUM_PAIR_PER_POINT, pair::BYZANTIUM_PAIR_BASE);
precompile!(istanbul_sum, sum, add::ISTANBUL_ADD_GAS_COST);
precompile!(istanbul_multiple, multiple, mul::ISTANBUL_MUL_GAS_COST);
precompile!(istanbul_pairing, pairing, pair::ISTANBUL_PAIR_PER_POINT, pair::ISTANBUL_PAIR_BASE);

/// Those of a fork; none before there were any.
pub fn precompiles(id: PrecompileSpecId) -> Vec<Precompile> {
    if !id.is_enabled_in(PrecompileSpecId::BYZANTIUM) {
        return Vec::new();
    }
    let (sum, multiple, pairing): (revm::precompile::PrecompileFn, _, _) =
        if id.is_enabled_in(PrecompileSpecId::ISTANBUL) {
            (istanbul_sum, istanbul_multiple as _, istanbul_pairing as _)
        } else {
            (byzantium_sum, byzantium_multiple as _, byzantium_pairing as _)
        };
    [
        Precompile::new(PrecompileId::Bn254Add, add::ADDRESS, sum),
        Precompile::new(PrecompileId::Bn254Mul, mul::ADDRESS, multiple),
        Precompile::new(PrecompileId::Bn254Pairing, pair::ADDRESS, pairing),
    ]
    .into()
}
