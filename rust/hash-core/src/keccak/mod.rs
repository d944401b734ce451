//! Keccak-256 as Ethereum has it: padding byte 0x01, not that of SHA-3.
//!
//! Source: FIPS 202 with the padding of the Keccak submission. No function here allocates.

mod permutation;
mod single;

pub use single::Sponge;

pub type Digest = [u8; 32];

/// Bytes absorbed by one permutation: 1600 bits less twice the digest.
pub const RATE: usize = 136;
const RATE_LANES: usize = RATE / 8;

#[inline(always)]
fn lane(bytes: &[u8], i: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&bytes[i * 8..i * 8 + 8]);
    u64::from_le_bytes(word)
}

/// Writes the last block: `rest`, shorter than a block, and the padding. `block` is zero before.
#[inline(always)]
fn pad(rest: &[u8], block: &mut [u8; RATE]) {
    block[..rest.len()].copy_from_slice(rest);
    block[rest.len()] ^= 0x01;
    block[RATE - 1] ^= 0x80;
}

/// Keccak-256 of `input`.
pub fn keccak256(input: &[u8]) -> Digest {
    Sponge::new().finish(input)
}

/// Keccak-256 of many inputs: input `k` is `bytes[ends[k - 1]..ends[k]]`, from 0 for the first.
///
/// # Panics
/// Where `ends` fall, go beyond `bytes`, or are not as many as `digests`.
pub fn keccak256_batch(bytes: &[u8], ends: &[u32], digests: &mut [Digest]) {
    assert_eq!(ends.len(), digests.len());
    let mut start = 0;
    for (end, digest) in ends.iter().zip(digests) {
        let end = *end as usize;
        *digest = keccak256(&bytes[start..end]);
        start = end;
    }
}
