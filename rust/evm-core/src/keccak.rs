//! Keccak-256 for the kernel: one unrolled permutation, and a memo for 64-byte inputs.
//!
//! Source: Keccak reference, version 3.0; Ethereum uses its padding (0x01), not that of SHA-3.
//! Cost: 350 ns a block in WebAssembly; the `keccak` crate takes half as long again (DESIGN.md, section 3).
//! The memo holds what Solidity mappings ask again and again, keccak(key . slot): 0.3 to 0.7 us an
//! ERC-20 transfer. It is emptied at each block, so that no block runs on what another one learned.

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a, 0x8000_0000_8000_8000,
    0x0000_0000_0000_808b, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
    0x0000_0000_0000_008a, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
    0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
    0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
    0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
];

/// Bytes absorbed by one permutation: 1600 bits less twice the digest.
const RATE: usize = 136;
const RATE_WORDS: usize = RATE / 8;

/// One row of chi, written out so that every lane stays in a local.
macro_rules! chi {
    ($a:expr, $b:expr, $c:expr) => {
        $a ^ (!$b & $c)
    };
}

/// The permutation, theta to iota, its 25 lanes in locals for the whole of the 24 rounds.
#[inline(never)]
fn f1600(s: &mut [u64; 25]) {
    let [mut a0, mut a1, mut a2, mut a3, mut a4, mut a5, mut a6, mut a7, mut a8, mut a9, mut a10, mut a11, mut a12, mut a13, mut a14, mut a15, mut a16, mut a17, mut a18, mut a19, mut a20, mut a21, mut a22, mut a23, mut a24] =
        *s;
    for constant in ROUND_CONSTANTS {
        let c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20;
        let c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21;
        let c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22;
        let c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23;
        let c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24;
        let d0 = c4 ^ c1.rotate_left(1);
        let d1 = c0 ^ c2.rotate_left(1);
        let d2 = c1 ^ c3.rotate_left(1);
        let d3 = c2 ^ c4.rotate_left(1);
        let d4 = c3 ^ c0.rotate_left(1);

        let b0 = a0 ^ d0;
        let b1 = (a6 ^ d1).rotate_left(44);
        let b2 = (a12 ^ d2).rotate_left(43);
        let b3 = (a18 ^ d3).rotate_left(21);
        let b4 = (a24 ^ d4).rotate_left(14);
        let e0 = (a3 ^ d3).rotate_left(28);
        let e1 = (a9 ^ d4).rotate_left(20);
        let e2 = (a10 ^ d0).rotate_left(3);
        let e3 = (a16 ^ d1).rotate_left(45);
        let e4 = (a22 ^ d2).rotate_left(61);
        let f0 = (a1 ^ d1).rotate_left(1);
        let f1 = (a7 ^ d2).rotate_left(6);
        let f2 = (a13 ^ d3).rotate_left(25);
        let f3 = (a19 ^ d4).rotate_left(8);
        let f4 = (a20 ^ d0).rotate_left(18);
        let g0 = (a4 ^ d4).rotate_left(27);
        let g1 = (a5 ^ d0).rotate_left(36);
        let g2 = (a11 ^ d1).rotate_left(10);
        let g3 = (a17 ^ d2).rotate_left(15);
        let g4 = (a23 ^ d3).rotate_left(56);
        let h0 = (a2 ^ d2).rotate_left(62);
        let h1 = (a8 ^ d3).rotate_left(55);
        let h2 = (a14 ^ d4).rotate_left(39);
        let h3 = (a15 ^ d0).rotate_left(41);
        let h4 = (a21 ^ d1).rotate_left(2);

        a0 = chi!(b0, b1, b2) ^ constant;
        a1 = chi!(b1, b2, b3);
        a2 = chi!(b2, b3, b4);
        a3 = chi!(b3, b4, b0);
        a4 = chi!(b4, b0, b1);
        a5 = chi!(e0, e1, e2);
        a6 = chi!(e1, e2, e3);
        a7 = chi!(e2, e3, e4);
        a8 = chi!(e3, e4, e0);
        a9 = chi!(e4, e0, e1);
        a10 = chi!(f0, f1, f2);
        a11 = chi!(f1, f2, f3);
        a12 = chi!(f2, f3, f4);
        a13 = chi!(f3, f4, f0);
        a14 = chi!(f4, f0, f1);
        a15 = chi!(g0, g1, g2);
        a16 = chi!(g1, g2, g3);
        a17 = chi!(g2, g3, g4);
        a18 = chi!(g3, g4, g0);
        a19 = chi!(g4, g0, g1);
        a20 = chi!(h0, h1, h2);
        a21 = chi!(h1, h2, h3);
        a22 = chi!(h2, h3, h4);
        a23 = chi!(h3, h4, h0);
        a24 = chi!(h4, h0, h1);
    }
    *s = [
        a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24,
    ];
}

#[inline(always)]
fn lane(bytes: &[u8], i: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&bytes[i * 8..i * 8 + 8]);
    u64::from_le_bytes(word)
}

#[inline(always)]
fn digest(state: &[u64; 25]) -> [u8; 32] {
    let mut out = [0u8; 32];
    for i in 0..4 {
        out[i * 8..i * 8 + 8].copy_from_slice(&state[i].to_le_bytes());
    }
    out
}

/// Keccak-256 of `input`.
pub fn keccak256(input: &[u8]) -> [u8; 32] {
    let mut state = [0u64; 25];
    let mut blocks = input.chunks_exact(RATE);
    for block in &mut blocks {
        for i in 0..RATE_WORDS {
            state[i] ^= lane(block, i);
        }
        f1600(&mut state);
    }
    let rest = blocks.remainder();
    let mut last = [0u8; RATE];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] ^= 0x01;
    last[RATE - 1] ^= 0x80;
    for i in 0..RATE_WORDS {
        state[i] ^= lane(&last, i);
    }
    f1600(&mut state);
    digest(&state)
}

/// Entries of the memo: 1,024 times 96 bytes stay in the second-level cache.
const MEMO_BITS: u32 = 10;

/// What was hashed (eight lanes) and its digest; `filled` tells an empty entry from eight zero lanes.
#[derive(Clone, Copy)]
struct MemoEntry {
    input: [u64; 8],
    digest: [u8; 32],
    epoch: u32,
}

/// Digests of 64-byte inputs seen in this block, one per bucket.
pub struct Memo {
    entries: [MemoEntry; 1 << MEMO_BITS],
    epoch: u32,
}

impl Memo {
    pub const fn new() -> Self {
        Memo { entries: [MemoEntry { input: [0; 8], digest: [0; 32], epoch: 0 }; 1 << MEMO_BITS], epoch: 1 }
    }

    /// Forgets everything, in constant time but for one clearing in 2^32.
    pub fn clear(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            for entry in &mut self.entries {
                entry.epoch = 0;
            }
            self.epoch = 1;
        }
    }

    /// Keccak-256 of `input`, remembered if it is 64 bytes long.
    #[inline]
    pub fn keccak256(&mut self, input: &[u8]) -> [u8; 32] {
        if input.len() != 64 {
            return keccak256(input);
        }
        let lanes: [u64; 8] = core::array::from_fn(|i| lane(input, i));
        let entry = &mut self.entries[bucket(&lanes)];
        if entry.epoch == self.epoch && entry.input == lanes {
            return entry.digest;
        }
        let mut state = [0u64; 25];
        state[..8].copy_from_slice(&lanes);
        state[8] = 0x01;
        state[RATE_WORDS - 1] = 1 << 63;
        f1600(&mut state);
        *entry = MemoEntry { input: lanes, digest: digest(&state), epoch: self.epoch };
        entry.digest
    }
}

/// Any function of all eight lanes will do: a collision costs one hash, never a wrong one.
#[inline(always)]
fn bucket(lanes: &[u64; 8]) -> usize {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    const L: u64 = 0xC2B2_AE3D_27D4_EB4F;
    let mut h = (lanes[0] ^ lanes[4]).wrapping_mul(K);
    h = (h ^ lanes[1] ^ lanes[5].rotate_left(17)).wrapping_mul(L);
    h = (h ^ lanes[2] ^ lanes[6].rotate_left(29)).wrapping_mul(K);
    h = (h ^ lanes[3] ^ lanes[7].rotate_left(41)).wrapping_mul(L);
    (h >> (64 - MEMO_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> alloc::string::String {
        bytes.iter().map(|b| alloc::format!("{b:02x}")).collect()
    }

    #[test]
    fn published_answers() {
        assert_eq!(hex(&keccak256(b"")), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_eq!(hex(&keccak256(b"abc")), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    }

    #[test]
    fn memo_equals_plain_and_forgets() {
        let mut memo = Memo::new();
        let zeros = [0u8; 64];
        assert_eq!(memo.keccak256(&zeros), keccak256(&zeros));
        assert_eq!(memo.keccak256(&zeros), keccak256(&zeros));
        memo.clear();
        assert_eq!(memo.keccak256(&zeros), keccak256(&zeros));
    }
}
