//! One state at a time: single hashes, streams, and batches where there is no SIMD.

use super::permutation::ROUNDS;
use super::{absorb_block, absorb_last, digest, permutation, Digest, RATE};

#[inline(never)]
fn rounds(state: &mut [u64; 25], count: usize) {
    *state = permutation::rounds(state, count);
}

/// A hash under way, for inputs that come in pieces.
pub struct Sponge {
    pub(super) state: [u64; 25],
}

impl Sponge {
    pub const EMPTY: Sponge = Sponge { state: [0; 25] };

    /// Takes the whole blocks at the front of `bytes`; returns what is left, shorter than a block.
    pub fn absorb<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut blocks = bytes.chunks_exact(RATE);
        for block in &mut blocks {
            absorb_block(block, |i, word| self.state[i] ^= word);
            rounds(&mut self.state, ROUNDS);
        }
        blocks.remainder()
    }

    /// Takes the end of the input and gives the digest.
    pub fn finish(mut self, bytes: &[u8]) -> Digest {
        let rest = self.absorb(bytes);
        absorb_last(rest, |i, word| self.state[i] ^= word);
        rounds(&mut self.state, ROUNDS - 1);
        let lanes = permutation::last_round(&self.state);
        digest(|i| lanes[i])
    }
}

/// See `keccak256_batch`.
#[cfg_attr(target_feature = "simd128", allow(dead_code))]
pub fn batch(bytes: &[u8], ends: &[u32], digests: &mut [Digest]) {
    let mut start = 0;
    for (end, digest) in ends.iter().zip(digests) {
        *digest = Sponge::EMPTY.finish(&bytes[start..*end as usize]);
        start = *end as usize;
    }
}
