//! Ethereum's precompiles on bn254 (EIP-196, EIP-197): sums, multiples and the question whether pairings cancel out.
//!
//! Owns the fields, the group and the pairing. Does not own gas, nor what a failure costs.
//! Arkworks, which revm computes with, multiplies words of 64 bits to 128: a call of `__multi3` in WebAssembly, through
//! memory. Here limbs of 29 bits are multiplied to 64-bit columns, which are summed before they are reduced.

#![cfg_attr(not(test), no_std)]
extern crate alloc;

mod field;
mod inverse;
mod pairing;
mod point;
mod quadratic;
mod scalar;
#[cfg(test)]
mod tests;
mod tower;

use field::{words_of, Fq};
use pairing::{Pairs, Twist};
use point::Affine;
use quadratic::Fq2;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A coordinate is p or more.
    NotInField,
    /// A point is outside its curve, or outside the subgroup of order r.
    NotInGroup,
}

/// Bytes of a point of the curve: x and y, the highest byte first, and zeros for infinity.
pub const POINT: usize = 64;
/// Bytes of a pair: a point of the curve, and one of the twist, whose coordinates have their imaginary part first.
pub const PAIR: usize = 192;

/// Nothing is infinity.
fn read(bytes: &[u8]) -> Result<Option<Affine>, Error> {
    let x = Fq::read(&bytes[..32]).ok_or(Error::NotInField)?;
    let y = Fq::read(&bytes[32..64]).ok_or(Error::NotInField)?;
    if is_zero(&bytes[..64]) {
        return Ok(None);
    }
    let point = Affine { x, y };
    if point.is_on_curve() { Ok(Some(point)) } else { Err(Error::NotInGroup) }
}

/// Nothing is infinity. What is outside the subgroup is not found here.
fn read_twist(bytes: &[u8]) -> Result<Option<Twist>, Error> {
    let part = |k: usize| Fq::read(&bytes[32 * k..32 * k + 32]).ok_or(Error::NotInField);
    let (x, y) = (Fq2 { im: part(0)?, re: part(1)? }, Fq2 { im: part(2)?, re: part(3)? });
    if is_zero(&bytes[..128]) {
        return Ok(None);
    }
    let point = Twist { x, y };
    if point.is_on_curve() { Ok(Some(point)) } else { Err(Error::NotInGroup) }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn written(point: Option<Affine>) -> [u8; POINT] {
    let mut bytes = [0; POINT];
    if let Some(Affine { x, y }) = point {
        x.write(&mut bytes[..32]);
        y.write(&mut bytes[32..]);
    }
    bytes
}

/// The sum of two points.
pub fn add(input: &[u8; 2 * POINT]) -> Result<[u8; POINT], Error> {
    let (first, second) = (read(&input[..POINT])?, read(&input[POINT..])?);
    Ok(written(match (first, second) {
        (Some(first), Some(second)) => first.add(&second),
        (first, second) => first.or(second),
    }))
}

/// A point times a number of 256 bits.
pub fn mul(input: &[u8; POINT + 32]) -> Result<[u8; POINT], Error> {
    let point = read(&input[..POINT])?;
    let scalar = words_of(&input[POINT..]);
    Ok(written(point.and_then(|point| point.mul(&scalar))))
}

/// Whether the product of the pairings is one. `input` is whole pairs.
///
/// The error is that of the first pair that has one.
pub fn pairing_check(input: &[u8]) -> Result<bool, Error> {
    let mut pairs = Pairs::with_capacity(input.len() / PAIR);
    for bytes in input.chunks_exact(PAIR) {
        match (read(bytes), read_twist(&bytes[POINT..])) {
            (Ok(p), Ok(Some(q))) => pairs.push(p, q),
            (Ok(_), Ok(None)) => {}
            // Whether an earlier pair is outside the subgroup is known by the loop only.
            (Err(error), _) | (_, Err(error)) => return pairs.check().and(Err(error)),
        }
    }
    pairs.check()
}
