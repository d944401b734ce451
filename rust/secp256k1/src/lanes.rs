//! 32-bit numbers side by side, and their 64-bit products: four in the lanes of a vector, or one by itself.
//!
//! Four are SIMD128 in WebAssembly, elsewhere the same in plain Rust, so that everything above is tested without
//! WebAssembly. One takes two fifths of the time of four: a signature that comes alone is recovered in one lane.

/// The most lanes that a vector has. What is said by lane has this many; those that a vector lacks are ignored.
pub const LANES: usize = 4;

/// 32-bit numbers, one in each lane.
pub trait Lanes: Copy {
    const COUNT: usize;
    const ZERO: Self;
    /// Their products, 64 bits wide.
    type Wide: Wide<Self>;

    fn of(lanes: [u32; LANES]) -> Self;
    /// By lane; 0 where there is none.
    fn array(self) -> [u32; LANES];
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn shr(self, bits: u32) -> Self;
    fn shl(self, bits: u32) -> Self;
    /// `self` where the mask is all ones, `other` where it is zero.
    fn select(self, other: Self, mask: Self) -> Self;
    /// Lane k gets lane k + 1.
    fn turn1(self) -> Self;
    /// Lane k gets lane k + 2.
    fn turn2(self) -> Self;
    fn mul(self, other: Self) -> Self::Wide;

    #[inline(always)]
    fn splat(value: u32) -> Self {
        Self::of([value; LANES])
    }
}

/// 64-bit numbers, one in each lane.
pub trait Wide<Narrow>: Copy {
    const ZERO: Self;
    fn splat(value: u64) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn shr(self, bits: u32) -> Self;
    fn shl(self, bits: u32) -> Self;
    /// The low half of each.
    fn low(self) -> Narrow;
}

#[cfg(target_arch = "wasm32")]
mod vector {
    use super::{Lanes, Wide};
    use core::arch::wasm32::*;

    #[derive(Clone, Copy)]
    pub struct Four(v128);

    /// Lanes 0 and 1, then 2 and 3.
    #[derive(Clone, Copy)]
    pub struct WideFour(v128, v128);

    impl Lanes for Four {
        const COUNT: usize = 4;
        const ZERO: Self = Four(u32x4(0, 0, 0, 0));
        type Wide = WideFour;

        #[inline(always)]
        fn of(lanes: [u32; 4]) -> Self {
            Four(u32x4(lanes[0], lanes[1], lanes[2], lanes[3]))
        }

        #[inline(always)]
        fn array(self) -> [u32; 4] {
            [u32x4_extract_lane::<0>(self.0), u32x4_extract_lane::<1>(self.0), u32x4_extract_lane::<2>(self.0), u32x4_extract_lane::<3>(self.0)]
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Four(u32x4_add(self.0, other.0))
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Four(u32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            Four(v128_and(self.0, other.0))
        }

        #[inline(always)]
        fn shr(self, bits: u32) -> Self {
            Four(u32x4_shr(self.0, bits))
        }

        #[inline(always)]
        fn shl(self, bits: u32) -> Self {
            Four(u32x4_shl(self.0, bits))
        }

        #[inline(always)]
        fn select(self, other: Self, mask: Self) -> Self {
            Four(v128_bitselect(self.0, other.0, mask.0))
        }

        #[inline(always)]
        fn turn1(self) -> Self {
            Four(u32x4_shuffle::<1, 2, 3, 0>(self.0, self.0))
        }

        #[inline(always)]
        fn turn2(self) -> Self {
            Four(u32x4_shuffle::<2, 3, 0, 1>(self.0, self.0))
        }

        #[inline(always)]
        fn mul(self, other: Self) -> WideFour {
            WideFour(u64x2_extmul_low_u32x4(self.0, other.0), u64x2_extmul_high_u32x4(self.0, other.0))
        }
    }

    impl Wide<Four> for WideFour {
        const ZERO: Self = WideFour(u64x2(0, 0), u64x2(0, 0));

        #[inline(always)]
        fn splat(value: u64) -> Self {
            WideFour(u64x2(value, value), u64x2(value, value))
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            WideFour(u64x2_add(self.0, other.0), u64x2_add(self.1, other.1))
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            WideFour(u64x2_sub(self.0, other.0), u64x2_sub(self.1, other.1))
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            WideFour(v128_and(self.0, other.0), v128_and(self.1, other.1))
        }

        #[inline(always)]
        fn shr(self, bits: u32) -> Self {
            WideFour(u64x2_shr(self.0, bits), u64x2_shr(self.1, bits))
        }

        #[inline(always)]
        fn shl(self, bits: u32) -> Self {
            WideFour(u64x2_shl(self.0, bits), u64x2_shl(self.1, bits))
        }

        #[inline(always)]
        fn low(self) -> Four {
            Four(u32x4_shuffle::<0, 2, 4, 6>(self.0, self.1))
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod alone {
    use super::{Lanes, Wide, LANES};

    #[derive(Clone, Copy)]
    pub struct One(u32);

    #[derive(Clone, Copy)]
    pub struct WideOne(u64);

    impl Lanes for One {
        const COUNT: usize = 1;
        const ZERO: Self = One(0);
        type Wide = WideOne;

        #[inline(always)]
        fn of(lanes: [u32; LANES]) -> Self {
            One(lanes[0])
        }

        #[inline(always)]
        fn array(self) -> [u32; LANES] {
            [self.0, 0, 0, 0]
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            One(self.0.wrapping_add(other.0))
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            One(self.0.wrapping_sub(other.0))
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            One(self.0 & other.0)
        }

        #[inline(always)]
        fn shr(self, bits: u32) -> Self {
            One(self.0 >> bits)
        }

        #[inline(always)]
        fn shl(self, bits: u32) -> Self {
            One(self.0 << bits)
        }

        #[inline(always)]
        fn select(self, other: Self, mask: Self) -> Self {
            One(self.0 & mask.0 | other.0 & !mask.0)
        }

        #[inline(always)]
        fn turn1(self) -> Self {
            self
        }

        #[inline(always)]
        fn turn2(self) -> Self {
            self
        }

        #[inline(always)]
        fn mul(self, other: Self) -> WideOne {
            WideOne(u64::from(self.0) * u64::from(other.0))
        }
    }

    impl Wide<One> for WideOne {
        const ZERO: Self = WideOne(0);

        #[inline(always)]
        fn splat(value: u64) -> Self {
            WideOne(value)
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            WideOne(self.0.wrapping_add(other.0))
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            WideOne(self.0.wrapping_sub(other.0))
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            WideOne(self.0 & other.0)
        }

        #[inline(always)]
        fn shr(self, bits: u32) -> Self {
            WideOne(self.0 >> bits)
        }

        #[inline(always)]
        fn shl(self, bits: u32) -> Self {
            WideOne(self.0 << bits)
        }

        #[inline(always)]
        fn low(self) -> One {
            One(self.0 as u32)
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod vector {
    use super::{Lanes, Wide, LANES};

    /// `N` lanes that panic where one overflows: the bounds of field.rs are checked by every test.
    #[derive(Clone, Copy)]
    pub struct Checked<const N: usize>([u32; N]);

    #[derive(Clone, Copy)]
    pub struct CheckedWide<const N: usize>([u64; N]);

    pub type Four = Checked<4>;
    pub type One = Checked<1>;

    impl<const N: usize> Lanes for Checked<N> {
        const COUNT: usize = N;
        const ZERO: Self = Checked([0; N]);
        type Wide = CheckedWide<N>;

        fn of(lanes: [u32; LANES]) -> Self {
            Checked(core::array::from_fn(|k| lanes[k]))
        }

        fn array(self) -> [u32; LANES] {
            core::array::from_fn(|k| if k < N { self.0[k] } else { 0 })
        }

        fn add(self, other: Self) -> Self {
            Checked(core::array::from_fn(|k| self.0[k].checked_add(other.0[k]).expect("a lane overflows")))
        }

        fn sub(self, other: Self) -> Self {
            Checked(core::array::from_fn(|k| self.0[k].checked_sub(other.0[k]).expect("a lane underflows")))
        }

        fn and(self, other: Self) -> Self {
            Checked(core::array::from_fn(|k| self.0[k] & other.0[k]))
        }

        fn shr(self, bits: u32) -> Self {
            Checked(self.0.map(|lane| lane >> bits))
        }

        fn shl(self, bits: u32) -> Self {
            Checked(self.0.map(|lane| lane.checked_mul(1 << bits).expect("a lane overflows")))
        }

        fn select(self, other: Self, mask: Self) -> Self {
            Checked(core::array::from_fn(|k| self.0[k] & mask.0[k] | other.0[k] & !mask.0[k]))
        }

        fn turn1(self) -> Self {
            Checked(core::array::from_fn(|k| self.0[(k + 1) % N]))
        }

        fn turn2(self) -> Self {
            Checked(core::array::from_fn(|k| self.0[(k + 2) % N]))
        }

        fn mul(self, other: Self) -> CheckedWide<N> {
            CheckedWide(core::array::from_fn(|k| u64::from(self.0[k]) * u64::from(other.0[k])))
        }
    }

    impl<const N: usize> Wide<Checked<N>> for CheckedWide<N> {
        const ZERO: Self = CheckedWide([0; N]);

        fn splat(value: u64) -> Self {
            CheckedWide([value; N])
        }

        fn add(self, other: Self) -> Self {
            CheckedWide(core::array::from_fn(|k| self.0[k].checked_add(other.0[k]).expect("a column overflows")))
        }

        fn sub(self, other: Self) -> Self {
            CheckedWide(core::array::from_fn(|k| self.0[k].checked_sub(other.0[k]).expect("a column underflows")))
        }

        fn and(self, other: Self) -> Self {
            CheckedWide(core::array::from_fn(|k| self.0[k] & other.0[k]))
        }

        fn shr(self, bits: u32) -> Self {
            CheckedWide(self.0.map(|column| column >> bits))
        }

        fn shl(self, bits: u32) -> Self {
            CheckedWide(self.0.map(|column| column.checked_mul(1 << bits).expect("a column overflows")))
        }

        fn low(self) -> Checked<N> {
            Checked(self.0.map(|column| u32::try_from(column).expect("a column is wider than a limb")))
        }
    }
}

#[cfg(target_arch = "wasm32")]
pub use alone::One;
pub use vector::Four;
#[cfg(not(target_arch = "wasm32"))]
pub use vector::One;
