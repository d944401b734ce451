//! Powers modulo an odd number: the arithmetic of Ethereum's precompile MODEXP (EIP-198).
//!
//! Does not own gas, lengths that are read from a call's input, nor even moduli.
//! aurora-engine-modexp, which revm computes with, multiplies words of 64 bits to 128: a call of `__multi3` in
//! WebAssembly, through memory. Here limbs of 28 or 29 bits are multiplied to 64-bit columns, which take many products
//! before a carry is due. Products are Montgomery's, with R more than 4 m: what is below 2 m stays below 2 m, and only the
//! last step compares with m.

#![cfg_attr(not(test), no_std)]
extern crate alloc;

mod limbs;
mod long;
mod power;
mod short;
#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;
use limbs::without_zeros;
use long::Long;
use power::power;
use short::Short;

/// base to the power of `exponent` modulo `modulus`, all with their highest byte first. As long as `modulus`, with its
/// leading zeros; nothing where that is even, or so long that nothing is to be reduced: Montgomery's form costs more there
/// than plain products.
///
/// Cost: for n limbs and an exponent of b bits, some 2 n^2 b products, of short moduli 3/2 n^2 b.
pub fn modexp(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Option<Vec<u8>> {
    if modulus.last()? & 1 == 0 {
        return None;
    }
    let mut result = vec![0; modulus.len()];
    let (base, exponent, modulus) = (without_zeros(base), without_zeros(exponent), without_zeros(modulus));
    if *modulus == [1] {
        return Some(result);
    }
    if exponent.is_empty() {
        *result.last_mut()? = 1;
        return Some(result);
    }
    if is_below_modulus(base, exponent, modulus) {
        return None;
    }
    match 8 * modulus.len() as u32 - modulus[0].leading_zeros() {
        ..=85 => power(Short::<3>::new(modulus), base, exponent, &mut result),
        ..=143 => power(Short::<5>::new(modulus), base, exponent, &mut result),
        ..=259 => power(Short::<9>::new(modulus), base, exponent, &mut result),
        _ => power(Long::new(modulus), base, exponent, &mut result),
    }
    Some(result)
}

/// Whether the words of the power must be fewer than those of the modulus. None of the three has leading zeros.
fn is_below_modulus(base: &[u8], exponent: &[u8], modulus: &[u8]) -> bool {
    let words = |bytes: &[u8]| bytes.len().div_ceil(8) as u64;
    let exponent = match exponent {
        [a] => *a as u64,
        [a, b] => u16::from_be_bytes([*a, *b]) as u64,
        _ => return false,
    };
    words(base) * exponent < words(modulus)
}
