//! Four 32-bit numbers side by side, and their 64-bit products two by two: SIMD128 in WebAssembly.
//!
//! Elsewhere the same in plain Rust, so that everything above is tested without WebAssembly.

/// Signatures that one vector holds.
pub const LANES: usize = 4;

#[cfg(target_arch = "wasm32")]
mod vector {
    use core::arch::wasm32::*;

    #[derive(Clone, Copy)]
    pub struct U32x4(v128);

    #[derive(Clone, Copy)]
    pub struct U64x2(v128);

    impl U32x4 {
        #[inline(always)]
        pub const fn of(lanes: [u32; 4]) -> Self {
            U32x4(u32x4(lanes[0], lanes[1], lanes[2], lanes[3]))
        }

        #[inline(always)]
        pub fn array(self) -> [u32; 4] {
            [u32x4_extract_lane::<0>(self.0), u32x4_extract_lane::<1>(self.0), u32x4_extract_lane::<2>(self.0), u32x4_extract_lane::<3>(self.0)]
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            U32x4(u32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn sub(self, other: Self) -> Self {
            U32x4(u32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        pub fn and(self, other: Self) -> Self {
            U32x4(v128_and(self.0, other.0))
        }

        #[inline(always)]
        pub fn shr(self, bits: u32) -> Self {
            U32x4(u32x4_shr(self.0, bits))
        }

        #[inline(always)]
        pub fn shl(self, bits: u32) -> Self {
            U32x4(u32x4_shl(self.0, bits))
        }

        /// `self` where the mask is all ones, `other` where it is zero.
        #[inline(always)]
        pub fn select(self, other: Self, mask: Self) -> Self {
            U32x4(v128_bitselect(self.0, other.0, mask.0))
        }

        /// Lane k gets lane k + 1.
        #[inline(always)]
        pub fn turn1(self) -> Self {
            U32x4(u32x4_shuffle::<1, 2, 3, 0>(self.0, self.0))
        }

        /// Lane k gets lane k + 2.
        #[inline(always)]
        pub fn turn2(self) -> Self {
            U32x4(u32x4_shuffle::<2, 3, 0, 1>(self.0, self.0))
        }

        /// Products of lanes 0 and 1.
        #[inline(always)]
        pub fn mul_low(self, other: Self) -> U64x2 {
            U64x2(u64x2_extmul_low_u32x4(self.0, other.0))
        }

        /// Products of lanes 2 and 3.
        #[inline(always)]
        pub fn mul_high(self, other: Self) -> U64x2 {
            U64x2(u64x2_extmul_high_u32x4(self.0, other.0))
        }
    }

    impl U64x2 {
        #[inline(always)]
        pub const fn splat(value: u64) -> Self {
            U64x2(u64x2(value, value))
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            U64x2(u64x2_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn sub(self, other: Self) -> Self {
            U64x2(u64x2_sub(self.0, other.0))
        }

        #[inline(always)]
        pub fn shr(self, bits: u32) -> Self {
            U64x2(u64x2_shr(self.0, bits))
        }

        #[inline(always)]
        pub fn shl(self, bits: u32) -> Self {
            U64x2(u64x2_shl(self.0, bits))
        }

        #[inline(always)]
        pub fn and(self, other: Self) -> Self {
            U64x2(v128_and(self.0, other.0))
        }

        /// The low halves of four numbers.
        #[inline(always)]
        pub fn low_halves(low: Self, high: Self) -> U32x4 {
            U32x4(u32x4_shuffle::<0, 2, 4, 6>(low.0, high.0))
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod vector {
    #[derive(Clone, Copy)]
    pub struct U32x4([u32; 4]);

    #[derive(Clone, Copy)]
    pub struct U64x2([u64; 2]);

    impl U32x4 {
        pub const fn of(lanes: [u32; 4]) -> Self {
            U32x4(lanes)
        }

        pub fn array(self) -> [u32; 4] {
            self.0
        }

        // Overflow panics in tests: the bounds of field.rs are checked by every one of them.
        pub fn add(self, other: Self) -> Self {
            U32x4(core::array::from_fn(|k| self.0[k].checked_add(other.0[k]).expect("a lane overflows")))
        }

        pub fn sub(self, other: Self) -> Self {
            U32x4(core::array::from_fn(|k| self.0[k].checked_sub(other.0[k]).expect("a lane underflows")))
        }

        pub fn and(self, other: Self) -> Self {
            U32x4(core::array::from_fn(|k| self.0[k] & other.0[k]))
        }

        pub fn shr(self, bits: u32) -> Self {
            U32x4(self.0.map(|lane| lane >> bits))
        }

        pub fn shl(self, bits: u32) -> Self {
            U32x4(self.0.map(|lane| lane.checked_mul(1 << bits).expect("a lane overflows")))
        }

        pub fn select(self, other: Self, mask: Self) -> Self {
            U32x4(core::array::from_fn(|k| self.0[k] & mask.0[k] | other.0[k] & !mask.0[k]))
        }

        pub fn turn1(self) -> Self {
            U32x4(core::array::from_fn(|k| self.0[(k + 1) % 4]))
        }

        pub fn turn2(self) -> Self {
            U32x4(core::array::from_fn(|k| self.0[(k + 2) % 4]))
        }

        pub fn mul_low(self, other: Self) -> U64x2 {
            U64x2(core::array::from_fn(|k| u64::from(self.0[k]) * u64::from(other.0[k])))
        }

        pub fn mul_high(self, other: Self) -> U64x2 {
            U64x2(core::array::from_fn(|k| u64::from(self.0[k + 2]) * u64::from(other.0[k + 2])))
        }
    }

    impl U64x2 {
        pub const fn splat(value: u64) -> Self {
            U64x2([value, value])
        }

        pub fn add(self, other: Self) -> Self {
            U64x2(core::array::from_fn(|k| self.0[k].checked_add(other.0[k]).expect("a column overflows")))
        }

        pub fn sub(self, other: Self) -> Self {
            U64x2(core::array::from_fn(|k| self.0[k].checked_sub(other.0[k]).expect("a column underflows")))
        }

        pub fn shr(self, bits: u32) -> Self {
            U64x2(self.0.map(|column| column >> bits))
        }

        pub fn shl(self, bits: u32) -> Self {
            U64x2(self.0.map(|column| column.checked_mul(1 << bits).expect("a column overflows")))
        }

        pub fn and(self, other: Self) -> Self {
            U64x2(core::array::from_fn(|k| self.0[k] & other.0[k]))
        }

        pub fn low_halves(low: Self, high: Self) -> U32x4 {
            let lanes = [low.0[0], low.0[1], high.0[0], high.0[1]];
            U32x4(lanes.map(|column| u32::try_from(column).expect("a column is wider than a limb")))
        }
    }
}

pub use vector::{U32x4, U64x2};

impl U32x4 {
    #[inline(always)]
    pub const fn splat(value: u32) -> Self {
        U32x4::of([value; 4])
    }
}
