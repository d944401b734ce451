//! Numbers modulo p, the prime of bn254's coordinates, each of nine signed limbs of 29 bits.
//!
//! 29 bits: the fewest limbs whose products still fit a 64-bit column with room for sums. Signed, so that a difference
//! needs no multiple of p, and near zero, so that a limb has 28 bits and the sign: *magnitude m* says that each is at
//! most m * 2^28. A product leaves magnitude 1, sums and differences add magnitudes, and `carry` makes 1 of any.
//! What is summed before it is reduced may have magnitudes whose products sum up to 13: 9 (13 + 1) 2^56 < 2^63.
//! `checked_bounds` checks that in every test. An i32 holds magnitude 7.
//!
//! Montgomery's form, with R = 2^261: p^2 / R is p / 169, and what the reduction adds is p / 2 at most. So products that sum
//! up to 84 p^2 end below p, squares of 6.8 p in Fq2 (pairing.rs), which are 92 p^2, below 1.1 p, and nothing is ever
//! subtracted to be canonical but at the end (`words`).
//! Values are public, so nothing here takes care to last equally long for all of them.

pub const LIMBS: usize = 9;
const BITS: u32 = 29;
const MASK: i64 = (1 << BITS) - 1;

/// p = 36 x^4 + 36 x^3 + 24 x^2 + 6 x + 1 with x = 4965661367192848881, as words of 64 bits, the lowest first.
pub const PRIME: [u64; 4] = [0x3c20_8c16_d87c_fd47, 0x9781_6a91_6871_ca8d, 0xb850_45b6_8181_585d, 0x3064_4e72_e131_a029];

/// p in limbs.
pub const P: [i64; LIMBS] = {
    let limbs = limbs_of(&PRIME);
    let mut wide = [0; LIMBS];
    let mut k = 0;
    while k < LIMBS {
        wide[k] = limbs[k] as i64;
        k += 1;
    }
    wide
};

/// 1 / p modulo 2^29, by Newton: each step doubles the bits that are right, and an odd number is its own inverse modulo 8.
pub const INVERSE: i32 = {
    let p = P[0] as i32;
    let mut inverse = p;
    let mut step = 0;
    while step < 4 {
        inverse = inverse.wrapping_mul(2i32.wrapping_sub(p.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
};

/// 2^40 parts of a unit of the highest limb in p.
const PARTS: i64 = (1 << 40) / P[LIMBS - 1];

/// R^2 modulo p: 1, doubled 522 times.
const R_SQUARED: Fq = {
    let mut words = [1u64, 0, 0, 0];
    let mut step = 0;
    while step < 2 * BITS as usize * LIMBS {
        let mut doubled = [0; 4];
        let mut k = 0;
        while k < 4 {
            doubled[k] = words[k] << 1 | if k > 0 { words[k - 1] >> 63 } else { 0 };
            k += 1;
        }
        words = below_prime(&doubled);
        step += 1;
    }
    Fq(limbs_of(&words))
};

pub const R_CUBED: Fq = R_SQUARED.mul(&R_SQUARED);

/// A number modulo p.
#[derive(Clone, Copy, Debug)]
pub struct Fq(pub [i32; LIMBS]);

/// The lowest 29 bits as a signed number.
#[inline(always)]
pub const fn low(x: i64) -> i64 {
    ((x as i32) << 3 >> 3) as i64
}

const fn limbs_of(words: &[u64; 4]) -> [i32; LIMBS] {
    let mut limbs = [0; LIMBS];
    let mut carry = 0;
    let mut k = 0;
    while k < LIMBS {
        let (word, bit) = (29 * k / 64, 29 * k % 64);
        let above = if bit > 64 - 29 && word < 3 { words[word + 1] << (64 - bit) } else { 0 };
        let x = ((words[word] >> bit | above) as i64 & MASK) + carry;
        let limb = if k < LIMBS - 1 { low(x) } else { x };
        limbs[k] = limb as i32;
        carry = (x - limb) >> BITS;
        k += 1;
    }
    limbs
}

/// Whether the first is below the second.
const fn is_below(a: &[u64; 4], b: &[u64; 4]) -> bool {
    let mut k = 4;
    while k > 0 {
        k -= 1;
        if a[k] != b[k] {
            return a[k] < b[k];
        }
    }
    false
}

/// What is below 2 p, modulo p.
const fn below_prime(words: &[u64; 4]) -> [u64; 4] {
    if is_below(words, &PRIME) {
        return *words;
    }
    let mut rest = [0; 4];
    let mut borrow = false;
    let mut k = 0;
    while k < 4 {
        let (less, under) = words[k].overflowing_sub(PRIME[k]);
        let (less, again) = less.overflowing_sub(borrow as u64);
        rest[k] = less;
        borrow = under | again;
        k += 1;
    }
    rest
}

macro_rules! each {
    ($k:ident => $value:expr) => {{
        let mut limbs = [0i32; LIMBS];
        let mut $k = 0;
        while $k < LIMBS {
            limbs[$k] = $value;
            $k += 1;
        }
        Fq(limbs)
    }};
}

/// Calls `$lower!(n: i...)` for the columns that Montgomery's factors make zero, then `$upper!` for those that are left.
/// The i are the limbs whose products with limb n - i make the column.
macro_rules! columns {
    ($lower:ident, $upper:ident) => {
        $lower!(0: 0;);
        $lower!(1: 0, 1; 0);
        $lower!(2: 0, 1, 2; 0, 1);
        $lower!(3: 0, 1, 2, 3; 0, 1, 2);
        $lower!(4: 0, 1, 2, 3, 4; 0, 1, 2, 3);
        $lower!(5: 0, 1, 2, 3, 4, 5; 0, 1, 2, 3, 4);
        $lower!(6: 0, 1, 2, 3, 4, 5, 6; 0, 1, 2, 3, 4, 5);
        $lower!(7: 0, 1, 2, 3, 4, 5, 6, 7; 0, 1, 2, 3, 4, 5, 6);
        $lower!(8: 0, 1, 2, 3, 4, 5, 6, 7, 8; 0, 1, 2, 3, 4, 5, 6, 7);
        $upper!(9: 1, 2, 3, 4, 5, 6, 7, 8);
        $upper!(10: 2, 3, 4, 5, 6, 7, 8);
        $upper!(11: 3, 4, 5, 6, 7, 8);
        $upper!(12: 4, 5, 6, 7, 8);
        $upper!(13: 5, 6, 7, 8);
        $upper!(14: 6, 7, 8);
        $upper!(15: 7, 8);
        $upper!(16: 8);
    };
}
pub(crate) use columns;

/// A sum that is being reduced: what its columns have passed on, and the multiples of p that made them zero.
#[derive(Clone, Copy)]
pub struct Reduction {
    pub x: i64,
    pub q: [i64; LIMBS],
    pub limbs: [i32; LIMBS],
}

impl Reduction {
    pub const NEW: Self = Reduction { x: 0, q: [0; LIMBS], limbs: [0; LIMBS] };

    /// Ends one of the lower columns; the products of earlier factors with p are in `x` already.
    #[inline(always)]
    pub const fn lower(&mut self, n: usize) {
        let q = low((self.x as i32).wrapping_mul(INVERSE.wrapping_neg()) as i64);
        self.q[n] = q;
        self.x = (self.x + q * P[0]) >> BITS;
    }

    /// Adds what the factor of column i adds to column n.
    #[inline(always)]
    pub const fn times_prime(&mut self, i: usize, n: usize) {
        self.x += self.q[i] * P[n - i];
    }

    /// Ends one of the upper columns.
    #[inline(always)]
    pub const fn upper(&mut self, n: usize) {
        let limb = low(self.x);
        self.limbs[n - LIMBS] = limb as i32;
        self.x = (self.x - limb) >> BITS;
    }

    #[inline(always)]
    pub const fn end(mut self) -> Fq {
        self.limbs[LIMBS - 1] = self.x as i32;
        Fq(self.limbs)
    }
}

impl Fq {
    pub const ZERO: Self = Fq([0; LIMBS]);
    pub const ONE: Self = Fq::of_words(&[1, 0, 0, 0]);

    /// Of a number below p.
    pub const fn of_words(words: &[u64; 4]) -> Self {
        Fq(limbs_of(words)).mul(&R_SQUARED)
    }

    /// Of 32 bytes, the highest first; nothing where they are p or more.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let words = words_of(bytes);
        is_below(&words, &PRIME).then(|| Fq::of_words(&words))
    }

    /// The number itself, below p.
    pub fn words(&self) -> [u64; 4] {
        let plain = self.carry().mul(&Fq([1, 0, 0, 0, 0, 0, 0, 0, 0]));
        // Above -p, so p makes it positive.
        let mut words = [0u64; 4];
        let mut carry = 0;
        for k in 0..LIMBS {
            let x = i64::from(plain.0[k]) + P[k] + carry;
            let limb = if k < LIMBS - 1 { x & MASK } else { x };
            carry = (x - limb) >> BITS;
            let (word, bit) = (29 * k / 64, 29 * k % 64);
            words[word] |= (limb as u64) << bit;
            if bit > 64 - 29 && word < 3 {
                words[word + 1] |= limb as u64 >> (64 - bit);
            }
        }
        below_prime(&words)
    }

    pub fn write(&self, bytes: &mut [u8]) {
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.words().iter().rev()) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
    }

    /// Magnitudes add up.
    #[inline(always)]
    pub const fn add(&self, other: &Self) -> Self {
        each!(k => self.0[k] + other.0[k])
    }

    /// Magnitudes add up.
    #[inline(always)]
    pub const fn sub(&self, other: &Self) -> Self {
        each!(k => self.0[k] - other.0[k])
    }

    #[inline(always)]
    pub const fn neg(&self) -> Self {
        each!(k => -self.0[k])
    }

    /// `factor` times the magnitude.
    #[inline(always)]
    pub const fn times(&self, factor: i32) -> Self {
        each!(k => self.0[k] * factor)
    }

    /// Magnitude 1 of any.
    #[inline(always)]
    pub const fn carry(&self) -> Self {
        self.times_plus::<1>(&Fq::ZERO)
    }

    /// `N` times this and `other`, with magnitude 1.
    #[inline(always)]
    pub const fn times_plus<const N: i64>(&self, other: &Self) -> Self {
        let mut limbs = [0; LIMBS];
        let mut x = 0;
        let mut k = 0;
        while k < LIMBS - 1 {
            x += N * self.0[k] as i64 + other.0[k] as i64;
            let limb = low(x);
            limbs[k] = limb as i32;
            x = (x - limb) >> BITS;
            k += 1;
        }
        limbs[k] = (x + N * self.0[k] as i64 + other.0[k] as i64) as i32;
        Fq(limbs)
    }

    /// The same, and below p: for what is added to again and again without a product between.
    #[inline(always)]
    pub const fn times_plus_reduced<const N: i64>(&self, other: &Self) -> Self {
        // How many p there are, by the highest limb of both; the others change that by a millionth.
        let top = N * self.0[LIMBS - 1] as i64 + other.0[LIMBS - 1] as i64;
        let q = (top * PARTS + (1 << 39)) >> 40;
        let mut limbs = [0; LIMBS];
        let mut x = 0;
        let mut k = 0;
        while k < LIMBS - 1 {
            x += N * self.0[k] as i64 + other.0[k] as i64 - q * P[k];
            let limb = low(x);
            limbs[k] = limb as i32;
            x = (x - limb) >> BITS;
            k += 1;
        }
        limbs[k] = (x + top - q * P[k]) as i32;
        Fq(limbs)
    }

    /// Magnitudes of the factors: 13 when multiplied. Leaves 1.
    #[inline(never)]
    pub const fn mul(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let mut sum = Reduction::NEW;
        macro_rules! lower {
            ($n:literal: $($i:literal),*; $($j:literal),*) => {
                $( sum.x += a[$i] as i64 * b[$n - $i] as i64; )*
                $( sum.times_prime($j, $n); )*
                sum.lower($n);
            };
        }
        macro_rules! upper {
            ($n:literal: $($i:literal),*) => {
                $( sum.x += a[$i] as i64 * b[$n - $i] as i64; )*
                $( sum.times_prime($i, $n); )*
                sum.upper($n);
            };
        }
        columns!(lower, upper);
        sum.end()
    }

    /// Takes magnitude 3, leaves 1. Each product of two different limbs stands for two.
    #[inline(never)]
    pub const fn square(&self) -> Self {
        let a = &self.0;
        let twice = self.times(2).0;
        let mut sum = Reduction::NEW;
        macro_rules! products {
            ($n:literal: $($i:literal),*) => {
                $(
                    if 2 * $i < $n {
                        sum.x += twice[$i] as i64 * a[$n - $i] as i64;
                    } else if 2 * $i == $n {
                        sum.x += a[$i] as i64 * a[$i] as i64;
                    }
                )*
            };
        }
        macro_rules! lower {
            ($n:literal: $($i:literal),*; $($j:literal),*) => {
                products!($n: $($i),*);
                $( sum.times_prime($j, $n); )*
                sum.lower($n);
            };
        }
        macro_rules! upper {
            ($n:literal: $($i:literal),*) => {
                products!($n: $($i),*);
                $( sum.times_prime($i, $n); )*
                sum.upper($n);
            };
        }
        columns!(lower, upper);
        sum.end()
    }

    /// Whether it is a multiple of p. Takes any magnitude.
    pub fn is_zero(&self) -> bool {
        // A multiple k of p that anything here can be has a small k, which its lowest limb tells.
        let k = low(self.0[0].wrapping_mul(INVERSE) as i64);
        (-64..=64).contains(&k) && self.carry().mul(&Fq::ONE).0 == [0; LIMBS]
    }

    pub fn equals(&self, other: &Self) -> bool {
        self.carry().sub(&other.carry()).is_zero()
    }
}

/// 32 bytes, the highest first, as words, the lowest first.
pub fn words_of(bytes: &[u8]) -> [u64; 4] {
    core::array::from_fn(|k| u64::from_be_bytes(bytes[24 - 8 * k..32 - 8 * k].try_into().expect("eight bytes")))
}
