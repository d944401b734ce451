//! Numbers modulo p = 2^256 - 2^32 - 977, one in each lane, each of nine limbs of 29 bits.
//!
//! 29 bits: the fewest limbs whose nine products still fit a 64-bit column with room for sums. A limb may be larger than
//! 29 bits: *magnitude m* says that each is at most m * (2^29 + 2^20). Whatever multiplies takes factors whose magnitudes
//! have a product of at most 7 (9 * 7 * (2^29 + 2^20)^2 < 2^64, carries included) and leaves magnitude 1. The comments on
//! operations say what they take and leave; in tests every lane and column is checked for overflow (lanes.rs).
//! Values are public, so nothing here takes care to last equally long for all of them.

use crate::lanes::{Lanes, Wide, LANES};
use ruint::aliases::U256;

pub const LIMBS: usize = 9;
const BITS: u32 = 29;
const MASK: u32 = (1 << BITS) - 1;

/// p.
pub const PRIME: U256 = U256::from_limbs([0xFFFF_FFFE_FFFF_FC2F, u64::MAX, u64::MAX, u64::MAX]);

/// 2^261 is 2^37 + 31264 modulo p: what passes the ninth limb comes back 8 bits up the second and times this to the first.
const FOLD: u32 = 31264;
const FOLD_SHIFT: u32 = 8;

/// A number modulo p in each lane.
#[derive(Clone, Copy)]
pub struct Field<V>(pub [V; LIMBS]);

/// A multiple of p whose limbs are about 2^30, so that magnitude 1 can be taken from each: 64 p.
const OVER_1: [u32; LIMBS] = over(1);
/// 128 p, from which magnitude 3 can be taken.
const OVER_3: [u32; LIMBS] = over(2);

/// 64 p times `scale`: 2 (2^29 - 1) in every limb is 2^262 - 2, less what p lacks of 2^256.
const fn over(scale: u32) -> [u32; LIMBS] {
    let mut limbs = [scale * 2 * MASK; LIMBS];
    limbs[0] = scale * (2 * MASK + 2 - 64 * 977);
    limbs[1] = scale * (2 * MASK - 512);
    limbs
}

macro_rules! each {
    ($k:ident => $value:expr) => {
        Field([
            { const $k: usize = 0; $value }, { const $k: usize = 1; $value }, { const $k: usize = 2; $value },
            { const $k: usize = 3; $value }, { const $k: usize = 4; $value }, { const $k: usize = 5; $value },
            { const $k: usize = 6; $value }, { const $k: usize = 7; $value }, { const $k: usize = 8; $value },
        ])
    };
}

impl<V: Lanes> Field<V> {
    pub const ZERO: Self = Field([V::ZERO; LIMBS]);

    /// The same number below 2^29 in every lane.
    #[inline(always)]
    pub fn small(value: u32) -> Self {
        let mut limbs = [V::ZERO; LIMBS];
        limbs[0] = V::splat(value);
        Field(limbs)
    }

    /// Magnitudes add up.
    #[inline(always)]
    pub fn add(&self, other: &Self) -> Self {
        each!(K => self.0[K].add(other.0[K]))
    }

    /// Twice the magnitude.
    #[inline(always)]
    pub fn double(&self) -> Self {
        self.add(self)
    }

    /// Takes `other` of magnitude 1; leaves two more than `self` has.
    #[inline(always)]
    pub fn sub(&self, other: &Self) -> Self {
        each!(K => self.0[K].add(V::splat(OVER_1[K])).sub(other.0[K]))
    }

    /// Takes `other` of magnitude 3; leaves four more than `self` has.
    #[inline(always)]
    pub fn sub_3(&self, other: &Self) -> Self {
        each!(K => self.0[K].add(V::splat(OVER_3[K])).sub(other.0[K]))
    }

    /// Magnitude 1 again, from up to 7.
    #[inline(always)]
    pub fn tighten(&self) -> Self {
        let mask = V::splat(MASK);
        let top = self.0[LIMBS - 1].shr(BITS);
        // Three bits times 31264 and 256, without a multiplication: 31264 = 2^15 - 2^10 - 2^9 + 2^5.
        let first = top.shl(15).add(top.shl(5)).sub(top.shl(10).add(top.shl(9)));
        let mut limbs = [V::ZERO; LIMBS];
        limbs[0] = self.0[0].and(mask).add(first);
        limbs[1] = self.0[1].and(mask).add(self.0[0].shr(BITS)).add(top.shl(FOLD_SHIFT));
        let mut k = 2;
        while k < LIMBS {
            limbs[k] = self.0[k].and(mask).add(self.0[k - 1].shr(BITS));
            k += 1;
        }
        Field(limbs)
    }

    /// `self` where the mask is all ones, `other` where it is zero.
    #[inline(always)]
    pub fn select(&self, other: &Self, mask: V) -> Self {
        each!(K => self.0[K].select(other.0[K], mask))
    }

    /// Lane k gets lane k + 1.
    pub fn turn1(&self) -> Self {
        Field(self.0.map(V::turn1))
    }

    /// Lane k gets lane k + 2.
    pub fn turn2(&self) -> Self {
        Field(self.0.map(V::turn2))
    }

    /// Magnitudes of the factors: at most 7 when multiplied. Leaves 1.
    #[inline(never)]
    pub fn mul(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let mut columns = [V::Wide::ZERO; 2 * LIMBS - 1];
        macro_rules! column {
            ($n:literal: $($i:literal),*) => {
                let mut x = V::Wide::ZERO;
                $( x = x.add(a[$i].mul(b[$n - $i])); )*
                columns[$n] = x;
            };
        }
        column!(0: 0);
        column!(1: 0, 1);
        column!(2: 0, 1, 2);
        column!(3: 0, 1, 2, 3);
        column!(4: 0, 1, 2, 3, 4);
        column!(5: 0, 1, 2, 3, 4, 5);
        column!(6: 0, 1, 2, 3, 4, 5, 6);
        column!(7: 0, 1, 2, 3, 4, 5, 6, 7);
        column!(8: 0, 1, 2, 3, 4, 5, 6, 7, 8);
        column!(9: 1, 2, 3, 4, 5, 6, 7, 8);
        column!(10: 2, 3, 4, 5, 6, 7, 8);
        column!(11: 3, 4, 5, 6, 7, 8);
        column!(12: 4, 5, 6, 7, 8);
        column!(13: 5, 6, 7, 8);
        column!(14: 6, 7, 8);
        column!(15: 7, 8);
        column!(16: 8);
        fold(columns)
    }

    /// Takes magnitude 2, leaves 1. Each product of two different limbs stands for two.
    #[inline(never)]
    pub fn square(&self) -> Self {
        let a = &self.0;
        let mut columns = [V::Wide::ZERO; 2 * LIMBS - 1];
        let twice = self.double().0;
        macro_rules! column {
            ($n:literal: $($i:literal),* $(; $middle:literal)?) => {
                let mut x = V::Wide::ZERO;
                $( x = x.add(twice[$i].mul(a[$n - $i])); )*
                $( x = x.add(a[$middle].mul(a[$middle])); )?
                columns[$n] = x;
            };
        }
        column!(0: ; 0);
        column!(1: 0);
        column!(2: 0; 1);
        column!(3: 0, 1);
        column!(4: 0, 1; 2);
        column!(5: 0, 1, 2);
        column!(6: 0, 1, 2; 3);
        column!(7: 0, 1, 2, 3);
        column!(8: 0, 1, 2, 3; 4);
        column!(9: 1, 2, 3, 4);
        column!(10: 2, 3, 4; 5);
        column!(11: 3, 4, 5);
        column!(12: 4, 5; 6);
        column!(13: 5, 6);
        column!(14: 6; 7);
        column!(15: 7);
        column!(16: ; 8);
        fold(columns)
    }
}

/// Seventeen columns modulo p. Leaves magnitude 1.
#[inline(always)]
fn fold<V: Lanes>(mut columns: [V::Wide; 2 * LIMBS - 1]) -> Field<V> {
    let mask = V::Wide::splat(MASK as u64);
    let times = V::splat(FOLD);
    // Columns 9 to 16 become limbs, and what the last one passes on is the ninth: below 7 * 2^29 + 2^20.
    let mut upper = [V::ZERO; LIMBS];
    let mut k = LIMBS;
    while k < 2 * LIMBS - 2 {
        columns[k + 1] = columns[k + 1].add(columns[k].shr(BITS));
        upper[k - LIMBS] = columns[k].and(mask).low();
        k += 1;
    }
    upper[LIMBS - 2] = columns[k].and(mask).low();
    upper[LIMBS - 1] = columns[k].shr(BITS).low();

    // They fold into the lower columns; what the ninth passes on stays 64 bits wide, below 2^41.
    let one = V::splat(1 << FOLD_SHIFT);
    let mut x = V::Wide::ZERO;
    let mut limbs = [x; LIMBS];
    let mut k = 0;
    while k < LIMBS {
        x = x.add(columns[k]).add(upper[k].mul(times));
        if k > 0 {
            x = x.add(upper[k - 1].mul(one));
        }
        limbs[k] = x.and(mask);
        x = x.shr(BITS);
        k += 1;
    }
    x = x.add(upper[LIMBS - 1].mul(one));

    // Once more from the top, 31264 x = 2^5 (2^10 - 47) x, carried as far as the third limb.
    let x0 = limbs[0].add(x.shl(15).add(x.shl(5)).sub(x.shl(10).add(x.shl(9))));
    let x1 = limbs[1].add(x.shl(FOLD_SHIFT)).add(x0.shr(BITS));
    limbs[2] = limbs[2].add(x1.shr(BITS));
    limbs[1] = x1.and(mask);
    limbs[0] = x0.and(mask);
    Field(limbs.map(V::Wide::low))
}

/// One number below 2^256 as limbs.
pub fn limbs_of(value: &U256) -> [u32; LIMBS] {
    let words = value.as_limbs();
    core::array::from_fn(|k| {
        let (word, bit) = (29 * k / 64, 29 * k % 64);
        let above = if bit > 64 - 29 && word < 3 { words[word + 1] << (64 - bit) } else { 0 };
        (words[word] >> bit | above) as u32 & MASK
    })
}

impl<V: Lanes> Field<V> {
    /// Magnitude 1.
    pub fn of(values: &[U256; LANES]) -> Self {
        let lanes = [limbs_of(&values[0]), limbs_of(&values[1]), limbs_of(&values[2]), limbs_of(&values[3])];
        Field(core::array::from_fn(|k| V::of([lanes[0][k], lanes[1][k], lanes[2][k], lanes[3][k]])))
    }

    /// The numbers themselves, below p; 0 where there is no lane. Takes any magnitude.
    pub fn values(&self) -> [U256; LANES] {
        let limbs = self.0.map(V::array);
        core::array::from_fn(|lane| {
            if lane >= V::COUNT {
                return U256::ZERO;
            }
            let mut words = [0u64; 5];
            let mut carry = 0u64;
            let (mut word, mut filled) = (0, 0);
            for limb in limbs {
                carry += u64::from(limb[lane]);
                let bits = carry & u64::from(MASK);
                carry >>= BITS;
                words[word] |= bits << filled;
                filled += BITS;
                if filled >= 64 {
                    filled -= 64;
                    word += 1;
                    words[word] |= if filled == 0 { 0 } else { bits >> (BITS - filled) };
                }
            }
            // 261 bits end five bits into the last word; 2^256 is 2^32 + 977.
            words[4] |= carry << 5;
            let low = U256::from_limbs([words[0], words[1], words[2], words[3]]);
            let (sum, over) = low.overflowing_add(U256::from(words[4]) * U256::from(0x1_0000_03D1u64));
            let sum = if over { sum + U256::from(0x1_0000_03D1u64) } else { sum };
            if sum >= PRIME { sum - PRIME } else { sum }
        })
    }
}

impl<V: Lanes> Field<V> {
    /// A root of each number that has one, by the power (p + 1) / 4 = 2^254 - 2^30 - 244: p is 3 modulo 4.
    ///
    /// The exponent is 223 ones, a zero, 22 ones, then 00001100. 253 squares, 13 multiplications.
    pub fn root(&self) -> Self {
        let x2 = self.squares(1).mul(self);
        let x3 = x2.squares(1).mul(self);
        let x6 = x3.squares(3).mul(&x3);
        let x9 = x6.squares(3).mul(&x3);
        let x11 = x9.squares(2).mul(&x2);
        let x22 = x11.squares(11).mul(&x11);
        let x44 = x22.squares(22).mul(&x22);
        let x88 = x44.squares(44).mul(&x44);
        let x176 = x88.squares(88).mul(&x88);
        let x220 = x176.squares(44).mul(&x44);
        let x223 = x220.squares(3).mul(&x3);
        x223.squares(23).mul(&x22).squares(6).mul(&x2).squares(2)
    }

    /// Squared `count` times.
    fn squares(&self, count: usize) -> Self {
        let mut power = *self;
        for _ in 0..count {
            power = power.square();
        }
        power
    }
}
