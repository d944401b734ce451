//! Moduli of at most 29 N - 2 bits, with loops that the compiler unrolls.
//!
//! A column takes at most 2 N products of 58 bits: for N = 9 less than 2^63.

use crate::limbs::{below, mask, negative_inverse, read, shifted_remainder, write};
use crate::power::Modulus;

const BITS: u32 = 29;
const MASK: u64 = mask(BITS);

pub struct Short<const N: usize> {
    m: [u64; N],
    /// -1 / m modulo 2^32.
    inverse: u32,
    /// Limbs of m up to the last that is not zero.
    length: usize,
}

/// A sum that is being reduced: what its columns have passed on, and the multiples of m that made them zero.
struct Reduction<const N: usize> {
    x: u64,
    q: [u64; N],
    limbs: [u64; N],
}

impl<const N: usize> Short<N> {
    /// The modulus has no leading zeros, is odd and has at most 29 N - 2 bits.
    pub fn new(modulus: &[u8]) -> Self {
        let limbs = read::<BITS>(modulus);
        let length = limbs.iter().rposition(|&limb| limb != 0).map_or(0, |k| k + 1);
        let mut m = [0; N];
        for (wide, &limb) in m.iter_mut().zip(&limbs) {
            *wide = limb as u64;
        }
        Short { m, inverse: negative_inverse(m[0] as u32), length }
    }

    fn narrow(limbs: &[u64; N]) -> [u32; N] {
        limbs.map(|limb| limb as u32)
    }

    /// The sum of the products of each column, over R. `column(n)` is column n.
    #[inline(always)]
    fn reduce(&self, column: impl Fn(usize) -> u64) -> [u64; N] {
        let Self { m, inverse, .. } = self;
        let mut sum = Reduction { x: 0, q: [0; N], limbs: [0; N] };
        for n in 0..N {
            sum.x += column(n);
            for i in 0..n {
                sum.x += sum.q[i] * m[n - i];
            }
            sum.q[n] = (sum.x as u32).wrapping_mul(*inverse) as u64 & MASK;
            sum.x = (sum.x + sum.q[n] * m[0]) >> BITS;
        }
        for n in N..2 * N - 1 {
            sum.x += column(n);
            for i in n + 1 - N..N {
                sum.x += sum.q[i] * m[n - i];
            }
            sum.limbs[n - N] = sum.x & MASK;
            sum.x >>= BITS;
        }
        sum.limbs[N - 1] = sum.x;
        sum.limbs
    }
}

impl<const N: usize> Modulus for Short<N> {
    type Number = [u64; N];

    fn enter(&self, base: &[u8]) -> [u64; N] {
        let m = Self::narrow(&self.m);
        let limbs = shifted_remainder::<BITS>(base, N, &m[..self.length]);
        core::array::from_fn(|k| limbs[k] as u64)
    }

    #[inline]
    fn multiply(&mut self, a: &mut [u64; N], b: &[u64; N]) {
        let factor = *a;
        *a = self.reduce(|n| {
            let mut x = 0;
            for i in n.saturating_sub(N - 1)..=n.min(N - 1) {
                x += factor[i] * b[n - i];
            }
            x
        });
    }

    #[inline]
    fn square(&mut self, a: &mut [u64; N]) {
        let factor = *a;
        let doubled = factor.map(|limb| 2 * limb);
        *a = self.reduce(|n| {
            let mut x = if n % 2 == 0 { factor[n / 2] * factor[n / 2] } else { 0 };
            for i in n.saturating_sub(N - 1)..n.div_ceil(2) {
                x += doubled[i] * factor[n - i];
            }
            x
        });
    }

    fn leave(&mut self, mut a: [u64; N], bytes: &mut [u8]) {
        let mut one = [0; N];
        one[0] = 1;
        self.multiply(&mut a, &one);
        let mut limbs = Self::narrow(&a);
        below::<BITS>(&mut limbs, &Self::narrow(&self.m));
        write::<BITS>(&limbs, bytes);
    }
}
