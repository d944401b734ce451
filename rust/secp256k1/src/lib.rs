//! Recovers public keys from secp256k1 signatures, four at a time in the lanes of a vector, or one by itself.
//!
//! Owns the field, the group and the scalars that recovery needs. Does not own hashing, or what makes a signature
//! acceptable beyond what the curve says.

#![cfg_attr(not(test), no_std)]
extern crate alloc;

mod digits;
mod field;
mod generator;
mod lanes;
mod point;
mod recover;
mod scalar;
#[cfg(test)]
mod tests;

pub use recover::{Key, Recovery, Signed};
