//! Two states at a time, one in each half of 128 bits; whoever ends first takes the next input.
//!
//! So inputs need no sorting: a short one never waits for its long neighbour. Only where inputs run out does the last
//! one go on by itself.

use super::permutation::{self, Lane, ROUNDS};
use super::{absorb_block, absorb_last, digest, Digest, Sponge, RATE};

/// Lane `i` of state `s` is `[i][s]`.
type Pair = [[u64; 2]; 25];

#[cfg(target_feature = "simd128")]
mod width {
    use super::{Lane, Pair};
    use core::arch::wasm32::*;

    impl Lane for v128 {
        #[inline(always)]
        fn splat(word: u64) -> Self {
            u64x2_splat(word)
        }
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            v128_xor(self, other)
        }
        #[inline(always)]
        fn not_and(self, other: Self) -> Self {
            v128_andnot(other, self)
        }
        /// WebAssembly has no rotation of lanes. By 8 and 56 bits a shuffle of bytes would do, and takes longer: V8 builds
        /// its mask anew each time (225 ns a digest against 216, 2026-11-21, `npm run bench -- --only hash`).
        #[inline(always)]
        fn rotate<const BITS: u32>(self) -> Self {
            v128_or(u64x2_shl(self, BITS), u64x2_shr(self, 64 - BITS))
        }
    }

    #[inline(always)]
    pub fn load(state: &Pair) -> [v128; 25] {
        // SAFETY: a lane of both states is 16 bytes; v128 may be read from any address.
        core::array::from_fn(|i| unsafe { v128_load(state[i].as_ptr().cast()) })
    }

    #[inline(always)]
    pub fn store<const N: usize>(lanes: &[v128; N], state: &mut [[u64; 2]; N]) {
        for i in 0..N {
            // SAFETY: a lane of both states is 16 bytes; v128 may be written to any address.
            unsafe { v128_store(state[i].as_mut_ptr().cast(), lanes[i]) };
        }
    }
}

/// The same without SIMD, for tests of the pairing on any machine.
#[cfg(not(target_feature = "simd128"))]
mod width {
    use super::{Lane, Pair};

    impl Lane for [u64; 2] {
        fn splat(word: u64) -> Self {
            [word; 2]
        }
        fn xor(self, other: Self) -> Self {
            [self[0] ^ other[0], self[1] ^ other[1]]
        }
        fn not_and(self, other: Self) -> Self {
            [!self[0] & other[0], !self[1] & other[1]]
        }
        fn rotate<const BITS: u32>(self) -> Self {
            [self[0].rotate_left(BITS), self[1].rotate_left(BITS)]
        }
    }

    pub fn load(state: &Pair) -> [[u64; 2]; 25] {
        *state
    }

    pub fn store<const N: usize>(lanes: &[[u64; 2]; N], state: &mut [[u64; 2]; N]) {
        *state = *lanes;
    }
}

#[inline(never)]
fn rounds(state: &mut Pair, count: usize) {
    let lanes = permutation::rounds(&width::load(state), count);
    width::store(&lanes, state);
}

/// The digests of both states, which are of no use after it.
fn squeeze(state: &mut Pair) -> [Digest; 2] {
    rounds(state, ROUNDS - 1);
    let mut lanes = [[0; 2]; 4];
    width::store(&permutation::last_round(&width::load(state)), &mut lanes);
    [digest(|i| lanes[i][0]), digest(|i| lanes[i][1])]
}

/// What a state is at: its input's number and what of it is not absorbed yet.
#[derive(Clone, Copy)]
struct Slot<'a> {
    number: usize,
    rest: &'a [u8],
}

/// See `keccak256_batch`.
pub fn batch(bytes: &[u8], ends: &[u32], digests: &mut [Digest]) {
    let mut start = 0;
    let mut inputs = ends.iter().enumerate().map(|(number, end)| {
        let rest = &bytes[start..*end as usize];
        start = *end as usize;
        Slot { number, rest }
    });
    let Some(first) = inputs.next() else { return };
    let mut state: Pair = [[0; 2]; 25];
    let mut alone = (0, first);
    if let Some(second) = inputs.next() {
        let mut slots = [first, second];
        alone = 'pairs: loop {
            let mut ended = [false; 2];
            for s in 0..2 {
                let rest = slots[s].rest;
                if let Some((block, after)) = rest.split_at_checked(RATE) {
                    absorb_block(block, |i, word| state[i][s] ^= word);
                    slots[s].rest = after;
                } else {
                    absorb_last(rest, |i, word| state[i][s] ^= word);
                    ended[s] = true;
                }
            }
            if ended == [true; 2] {
                [digests[slots[0].number], digests[slots[1].number]] = squeeze(&mut state);
                state = [[0; 2]; 25];
                let Some(next) = inputs.next() else { return };
                slots[0] = next;
                let Some(next) = inputs.next() else { break 'pairs (0, slots[0]) };
                slots[1] = next;
                continue;
            }
            rounds(&mut state, ROUNDS);
            if let Some(s) = ended.iter().position(|is| *is) {
                digests[slots[s].number] = digest(|i| state[i][s]);
                for lane in &mut state {
                    lane[s] = 0;
                }
                let Some(next) = inputs.next() else { break 'pairs (1 - s, slots[1 - s]) };
                slots[s] = next;
            }
        };
    }
    let (s, slot) = alone;
    digests[slot.number] = Sponge { state: core::array::from_fn(|i| state[i][s]) }.finish(slot.rest);
}
