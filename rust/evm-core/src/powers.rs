//! The precompile MODEXP (EIP-198), with the arithmetic of rust/modexp.
//!
//! Gas is what revm's functions say. Whatever is out of the ordinary is left to revm: what fails, what is even, and
//! lengths beyond those of EIP-7823.

use crate::input::padded;
use alloc::borrow::Cow;
use revm::precompile::modexp::{
    berlin_gas_calc, berlin_run, byzantium_gas_calc, byzantium_run, osaka_gas_calc, osaka_run, BYZANTIUM,
};
use revm::precompile::{
    call_eth_precompile, EthPrecompileOutput, EthPrecompileResult, Precompile, PrecompileFn, PrecompileId,
    PrecompileResult, PrecompileSpecId,
};
use revm::primitives::{eip7823::INPUT_SIZE_LIMIT, U256};

/// Bytes of the three lengths, which stand before the base, the exponent and the modulus.
const HEAD: usize = 96;

type Gas = fn(u64, u64, u64, &U256) -> u64;

/// Nothing where revm is to be asked.
fn power(input: &[u8], gas_limit: u64, gas: Gas) -> Option<EthPrecompileOutput> {
    let head = padded::<HEAD>(input);
    let length = |k: usize| {
        let length = usize::try_from(U256::from_be_slice(&head[32 * k..32 * k + 32])).ok()?;
        (length <= INPUT_SIZE_LIMIT).then_some(length)
    };
    let (base_length, exponent_length, modulus_length) = (length(0)?, length(1)?, length(2)?);
    let whole = base_length + exponent_length + modulus_length;
    let mut numbers = Cow::Borrowed(input.get(HEAD..).unwrap_or_default());
    if numbers.len() < whole {
        numbers.to_mut().resize(whole, 0);
    }
    let (base, numbers) = numbers.split_at(base_length);
    let (exponent, numbers) = numbers.split_at(exponent_length);
    let highest = U256::from_be_slice(&exponent[..exponent_length.min(32)]);
    let cost = gas(base_length as u64, exponent_length as u64, modulus_length as u64, &highest);
    if cost > gas_limit {
        return None;
    }
    let result = modexp::modexp(base, exponent, &numbers[..modulus_length])?;
    Some(EthPrecompileOutput::new(cost, result.into()))
}

macro_rules! precompile {
    ($name:ident, $gas:ident, $revm:ident) => {
        fn $name(input: &[u8], gas_limit: u64, reservoir: u64) -> PrecompileResult {
            let run = |input: &[u8], limit| -> EthPrecompileResult {
                power(input, limit, $gas).map_or_else(|| $revm(input, limit), Ok)
            };
            Ok(call_eth_precompile(run, input, gas_limit, reservoir))
        }
    };
}

precompile!(byzantium, byzantium_gas_calc, byzantium_run);
precompile!(berlin, berlin_gas_calc, berlin_run);
precompile!(osaka, osaka_gas_calc, osaka_run);

/// That of a fork; none before there was one.
pub fn precompile(id: PrecompileSpecId) -> Option<Precompile> {
    if !id.is_enabled_in(PrecompileSpecId::BYZANTIUM) {
        return None;
    }
    let run: PrecompileFn = if id.is_enabled_in(PrecompileSpecId::OSAKA) {
        osaka
    } else if id.is_enabled_in(PrecompileSpecId::BERLIN) {
        berlin
    } else {
        byzantium
    };
    Some(Precompile::new(PrecompileId::ModExp, *BYZANTIUM.address(), run))
}
