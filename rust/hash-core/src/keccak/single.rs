//! One state at a time: single hashes, streams, and batches where there is no SIMD.

use super::permutation;
use super::{lane, Digest, RATE, RATE_LANES};

#[inline(never)]
fn f1600(state: &mut [u64; 25]) {
    permutation::f1600(state);
}

/// A hash under way, for inputs that come in pieces.
pub struct Sponge {
    state: [u64; 25],
}

impl Default for Sponge {
    fn default() -> Self {
        Self::new()
    }
}

impl Sponge {
    pub const fn new() -> Self {
        Sponge { state: [0; 25] }
    }

    /// Takes the whole blocks at the front of `bytes`; returns what is left, shorter than a block.
    pub fn absorb<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut blocks = bytes.chunks_exact(RATE);
        for block in &mut blocks {
            for i in 0..RATE_LANES {
                self.state[i] ^= lane(block, i);
            }
            f1600(&mut self.state);
        }
        blocks.remainder()
    }

    /// Takes the end of the input, pads it, and gives the digest.
    pub fn finish(mut self, bytes: &[u8]) -> Digest {
        let rest = self.absorb(bytes);
        let mut last = [0u8; RATE];
        super::pad(rest, &mut last);
        for i in 0..RATE_LANES {
            self.state[i] ^= lane(&last, i);
        }
        f1600(&mut self.state);
        let mut out = [0u8; 32];
        for i in 0..4 {
            out[i * 8..i * 8 + 8].copy_from_slice(&self.state[i].to_le_bytes());
        }
        out
    }
}
