//! Fq2: numbers a + b u over Fq with u^2 = -1.
//!
//! Products are summed first and reduced once, column by column: what a sum of n products costs is 3 n multiplications
//! of limbs (Karatsuba) and two reductions.

use crate::field::{columns, Fq, Reduction, LIMBS};

#[derive(Clone, Copy, Debug)]
pub struct Fq2 {
    pub re: Fq,
    pub im: Fq,
}

impl Fq2 {
    pub const ZERO: Self = Fq2 { re: Fq::ZERO, im: Fq::ZERO };
    pub const ONE: Self = Fq2 { re: Fq::ONE, im: Fq::ZERO };

    pub const fn of_words(re: &[u64; 4], im: &[u64; 4]) -> Self {
        Fq2 { re: Fq::of_words(re), im: Fq::of_words(im) }
    }

    #[inline(always)]
    pub const fn add(&self, other: &Self) -> Self {
        Fq2 { re: self.re.add(&other.re), im: self.im.add(&other.im) }
    }

    #[inline(always)]
    pub const fn sub(&self, other: &Self) -> Self {
        Fq2 { re: self.re.sub(&other.re), im: self.im.sub(&other.im) }
    }

    #[inline(always)]
    pub const fn neg(&self) -> Self {
        Fq2 { re: self.re.neg(), im: self.im.neg() }
    }

    #[inline(always)]
    pub const fn conjugate(&self) -> Self {
        Fq2 { re: self.re, im: self.im.neg() }
    }

    #[inline(always)]
    pub const fn times(&self, factor: i32) -> Self {
        Fq2 { re: self.re.times(factor), im: self.im.times(factor) }
    }

    /// Magnitude 1 of any.
    #[inline(never)]
    pub const fn carry(&self) -> Self {
        Fq2 { re: self.re.carry(), im: self.im.carry() }
    }

    /// `N` times this and `other`, with magnitude 1.
    #[inline(never)]
    pub const fn times_plus<const N: i64>(&self, other: &Self) -> Self {
        Fq2 { re: self.re.times_plus::<N>(&other.re), im: self.im.times_plus::<N>(&other.im) }
    }

    /// The same, and both parts below p.
    #[inline(never)]
    pub const fn times_plus_reduced<const N: i64>(&self, other: &Self) -> Self {
        Fq2 { re: self.re.times_plus_reduced::<N>(&other.re), im: self.im.times_plus_reduced::<N>(&other.im) }
    }

    /// Times xi = 9 + u, of which v is the cube root and w the sixth. Leaves magnitude 1, below p.
    #[inline(never)]
    pub const fn times_xi(&self) -> Self {
        Fq2 { re: self.re.times_plus_reduced::<9>(&self.im.neg()), im: self.im.times_plus_reduced::<9>(&self.re) }
    }

    /// Magnitudes of the factors: 3 each at most, and 6 when multiplied. Leaves 1.
    #[inline(never)]
    pub const fn mul(&self, other: &Self) -> Self {
        sum_of_products([self], [other])
    }

    /// Takes magnitude 1 and up to 7 p, leaves 1 and below 1.1 p.
    #[inline(never)]
    pub const fn square(&self) -> Self {
        let re = self.re.add(&self.im).mul(&self.re.sub(&self.im));
        let im = self.re.times(2).mul(&self.im);
        Fq2 { re, im }
    }

    /// Both parts times a number of Fq; leaves magnitude 1.
    #[inline(always)]
    pub const fn scale(&self, factor: &Fq) -> Self {
        Fq2 { re: self.re.mul(factor), im: self.im.mul(factor) }
    }

    /// Of a number that is not zero.
    pub fn inverse(&self) -> Self {
        let norm = self.re.square().add(&self.im.square());
        self.conjugate().scale(&norm.inverse())
    }

    pub fn is_zero(&self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }

    pub fn equals(&self, other: &Self) -> bool {
        self.re.equals(&other.re) && self.im.equals(&other.im)
    }
}

/// a1 b1 + ... + aT bT. Products of magnitudes sum up to 6 at most. Leaves magnitude 1.
#[inline(always)]
pub const fn sum_of_products<const T: usize>(a: [&Fq2; T], b: [&Fq2; T]) -> Fq2 {
    checked_bounds(&a, &b);
    let mut both_a = [[0i32; LIMBS]; T];
    let mut both_b = [[0i32; LIMBS]; T];
    let mut t = 0;
    while t < T {
        both_a[t] = a[t].re.add(&a[t].im).0;
        both_b[t] = b[t].re.add(&b[t].im).0;
        t += 1;
    }
    let mut re = Reduction::NEW;
    let mut im = Reduction::NEW;
    // Columns may wrap around where the sums that they make do not.
    macro_rules! products {
        ($n:literal: $($i:literal),*) => {
            let (mut first, mut second, mut both) = (0i64, 0i64, 0i64);
            let mut t = 0;
            while t < T {
                $(
                    first = first.wrapping_add(a[t].re.0[$i] as i64 * b[t].re.0[$n - $i] as i64);
                    second = second.wrapping_add(a[t].im.0[$i] as i64 * b[t].im.0[$n - $i] as i64);
                    both = both.wrapping_add(both_a[t][$i] as i64 * both_b[t][$n - $i] as i64);
                )*
                t += 1;
            }
            re.x = re.x.wrapping_add(first).wrapping_sub(second);
            im.x = im.x.wrapping_add(both).wrapping_sub(first).wrapping_sub(second);
        };
    }
    macro_rules! lower {
        ($n:literal: $($i:literal),*; $($j:literal),*) => {
            products!($n: $($i),*);
            $( re.times_prime($j, $n); im.times_prime($j, $n); )*
            re.lower($n);
            im.lower($n);
        };
    }
    macro_rules! upper {
        ($n:literal: $($i:literal),*) => {
            products!($n: $($i),*);
            $( re.times_prime($i, $n); im.times_prime($i, $n); )*
            re.upper($n);
            im.upper($n);
        };
    }
    columns!(lower, upper);
    Fq2 { re: re.end(), im: im.end() }
}

const fn magnitude(a: &Fq2) -> i64 {
    let mut most = 0;
    let mut k = 0;
    while k < LIMBS {
        let (re, im) = (a.re.0[k].unsigned_abs() as i64, a.im.0[k].unsigned_abs() as i64);
        if re > most { most = re; }
        if im > most { most = im; }
        k += 1;
    }
    most
}

const fn top(a: &Fq2) -> i64 {
    let (re, im) = (a.re.0[LIMBS - 1].unsigned_abs() as i64, a.im.0[LIMBS - 1].unsigned_abs() as i64);
    if re > im { re } else { im }
}

/// Panics in tests where a sum is larger than its reduction expects, or a column could pass 2^63.
#[inline(always)]
const fn checked_bounds<const T: usize>(a: &[&Fq2; T], b: &[&Fq2; T]) {
    if cfg!(debug_assertions) {
        let mut column = 9 * (1i128 << 57);
        let mut size = 0;
        let mut t = 0;
        while t < T {
            column += 18 * magnitude(a[t]) as i128 * magnitude(b[t]) as i128;
            size += 2 * top(a[t]) * top(b[t]);
            t += 1;
        }
        // p is 2^21.6 in the highest limb: sizes whose products sum up to 56 p^2.
        assert!(size < 1 << 49, "a sum of products is above 56 p^2");
        assert!(column < 1 << 63, "a column overflows");
    }
}
