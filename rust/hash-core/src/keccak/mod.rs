//! Keccak-256 as Ethereum has it: padding byte 0x01, not that of SHA-3.
//!
//! single.rs is the truth: one state in plain 64-bit words. pairs.rs permutes two states at a time and must agree with
//! it (tests.rs; test/unit/hash.test.ts for the built files). No function here allocates.
//!
//! Source: FIPS 202 with the padding of the Keccak submission.

#[cfg(any(target_feature = "simd128", test))]
mod pairs;
mod permutation;
mod single;
#[cfg(test)]
mod tests;

#[cfg(target_feature = "simd128")]
use pairs::batch;
#[cfg(not(target_feature = "simd128"))]
use single::batch;
pub use single::Sponge;

pub type Digest = [u8; 32];

/// Bytes absorbed by one permutation: 1600 bits less twice the digest.
pub const RATE: usize = 136;
const RATE_LANES: usize = RATE / 8;

/// Keccak-256 of `input`.
pub fn keccak256(input: &[u8]) -> Digest {
    Sponge::EMPTY.finish(input)
}

/// Keccak-256 of many inputs: input `k` is `bytes[ends[k - 1]..ends[k]]`, from 0 for the first. Lengths may differ.
/// Cost: with SIMD, a permutation for two blocks of different inputs.
///
/// # Panics
/// Where `ends` fall, go beyond `bytes`, or are not as many as `digests`.
pub fn keccak256_batch(bytes: &[u8], ends: &[u32], digests: &mut [Digest]) {
    assert_eq!(ends.len(), digests.len());
    batch(bytes, ends, digests);
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Hands over the words of a whole block, to be added to the lanes of their numbers.
#[inline(always)]
fn absorb_block(block: &[u8], mut add: impl FnMut(usize, u64)) {
    for i in 0..RATE_LANES {
        add(i, word(block, i * 8));
    }
}

/// Hands over the words of the last block: `rest`, shorter than a block, and the padding. No copy into a block of zeros:
/// a copy of a length that is known only now is a call out of WebAssembly.
#[inline(always)]
fn absorb_last(rest: &[u8], mut add: impl FnMut(usize, u64)) {
    let whole = rest.len() / 8;
    for i in 0..whole {
        add(i, word(rest, i * 8));
    }
    let mut last = 0x01;
    for byte in rest[whole * 8..].iter().rev() {
        last = last << 8 | u64::from(*byte);
    }
    add(whole, last);
    add(RATE_LANES - 1, 1 << 63);
}

#[inline(always)]
fn digest(lane: impl Fn(usize) -> u64) -> Digest {
    let mut out = [0; 32];
    for i in 0..4 {
        out[i * 8..i * 8 + 8].copy_from_slice(&lane(i).to_le_bytes());
    }
    out
}
