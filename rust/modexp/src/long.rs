//! Moduli of any length.
//!
//! Rows go two at a time and four columns at a time, so a column is loaded and stored once for four products: two of the
//! factors, and two of the modulus. A column takes 256 products of 56 bits.

use crate::limbs::{below, mask, negative_inverse, read, shifted_remainder, write};
use crate::power::Modulus;
use alloc::vec;
use alloc::vec::Vec;

const BITS: u32 = 28;
const MASK: u64 = mask(BITS);

/// Pairs of rows that a column takes: 240 products, and a limb that was there.
const PAIRS: usize = 60;

pub struct Long {
    /// Two limbs, and fours of them: the columns of the first two say what the multiples of m are.
    m: Vec<u32>,
    /// -1 / m modulo 2^32.
    inverse: u32,
    /// Limbs of m up to the last that is not zero.
    length: usize,
    /// Twice as many as limbs. The lower half becomes zero, the upper half is the product.
    columns: Vec<u64>,
}

/// Ends the columns: each passes on what is above its limb.
fn carry(columns: &mut [u64]) {
    let mut carry = 0;
    for column in columns {
        let x = *column + carry;
        *column = x & MASK;
        carry = x >> BITS;
    }
}

/// Adds the products of both limbs of a and of q with the limbs of b and of m that stand in a column, and one below it.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
fn add_rows(columns: &mut [u64], a: [u64; 2], b: &[u32], q: [u64; 2], m: &[u32]) {
    use core::arch::wasm32::*;
    use core::ptr::read_volatile;
    assert!(b.len() > columns.len() && m.len() > columns.len() && columns.len() % 4 == 0);
    let factors = [a[0], a[1], q[0], q[1]].map(|limb| u32x4_splat(limb as u32));
    for k in (0..columns.len()).step_by(4) {
        // SAFETY: four columns from k are there, and four limbs from k and from k + 1.
        unsafe {
            // Volatile, or the compiler widens the factors before the loop and multiplies lanes of 64 bits, which the machine
            // does by three products of 32.
            let [a0, a1, q0, q1] = read_volatile(&factors);
            let load = |limbs: &[u32], at: usize| v128_load(limbs.as_ptr().add(at) as *const v128);
            let (below_b, b) = (load(b, k), load(b, k + 1));
            let (below_m, m) = (load(m, k), load(m, k + 1));
            let at = columns.as_mut_ptr().add(k) as *mut v128;
            let low = i64x2_add(
                i64x2_add(u64x2_extmul_low_u32x4(a0, b), u64x2_extmul_low_u32x4(a1, below_b)),
                i64x2_add(u64x2_extmul_low_u32x4(q0, m), u64x2_extmul_low_u32x4(q1, below_m)),
            );
            let high = i64x2_add(
                i64x2_add(u64x2_extmul_high_u32x4(a0, b), u64x2_extmul_high_u32x4(a1, below_b)),
                i64x2_add(u64x2_extmul_high_u32x4(q0, m), u64x2_extmul_high_u32x4(q1, below_m)),
            );
            v128_store(at, i64x2_add(v128_load(at), low));
            v128_store(at.add(1), i64x2_add(v128_load(at.add(1)), high));
        }
    }
}

/// The same without vectors.
#[cfg(not(target_arch = "wasm32"))]
fn add_rows(columns: &mut [u64], a: [u64; 2], b: &[u32], q: [u64; 2], m: &[u32]) {
    assert!(b.len() > columns.len() && m.len() > columns.len() && columns.len() % 4 == 0);
    for (column, (b, m)) in columns.iter_mut().zip(b.windows(2).zip(m.windows(2))) {
        *column += a[0] * b[1] as u64 + a[1] * b[0] as u64 + q[0] * m[1] as u64 + q[1] * m[0] as u64;
    }
}

impl Long {
    /// The modulus has no leading zeros and is odd.
    pub fn new(modulus: &[u8]) -> Self {
        let mut m = read::<BITS>(modulus);
        let length = m.iter().rposition(|&limb| limb != 0).map_or(0, |k| k + 1);
        let bits = 8 * modulus.len() - modulus[0].leading_zeros() as usize;
        // R is above 4 m.
        let limbs = (bits + 2).div_ceil(BITS as usize);
        let limbs = (limbs.max(6) - 2).next_multiple_of(4) + 2;
        m.resize(limbs, 0);
        Long { inverse: negative_inverse(m[0]), m, length, columns: vec![0; 2 * limbs] }
    }

    /// What makes a column zero, times m.
    #[inline(always)]
    fn factor(&self, column: u64) -> u64 {
        (column as u32).wrapping_mul(self.inverse) as u64 & MASK
    }

    /// Leaves a b / R in the upper columns.
    fn product(&mut self, a: &[u32], b: &[u32]) {
        let n = self.m.len();
        self.columns.fill(0);
        let (m0, m1) = (self.m[0] as u64, self.m[1] as u64);
        let (b0, b1) = (b[0] as u64, b[1] as u64);
        for (row, pair) in a.chunks_exact(2).enumerate() {
            let (a0, a1) = (pair[0] as u64, pair[1] as u64);
            let at = 2 * row;
            let c0 = self.columns[at] + a0 * b0;
            let q0 = self.factor(c0);
            let c1 = self.columns[at + 1] + a0 * b1 + a1 * b0 + q0 * m1 + ((c0 + q0 * m0) >> BITS);
            let q1 = self.factor(c1);
            let columns = &mut self.columns[at + 2..at + 2 + n];
            columns[0] += (c1 + q1 * m0) >> BITS;
            columns[n - 2] = a1 * b[n - 1] as u64 + q1 * self.m[n - 1] as u64;
            add_rows(&mut columns[..n - 2], [a0, a1], &b[1..], [q0, q1], &self.m[1..]);
            if row % PAIRS == PAIRS - 1 {
                carry(columns);
            }
        }
        carry(&mut self.columns[n..]);
    }

    fn store(&self, a: &mut [u32]) {
        for (limb, &column) in a.iter_mut().zip(&self.columns[self.m.len()..]) {
            *limb = column as u32;
        }
    }
}

impl Modulus for Long {
    type Number = Vec<u32>;

    fn enter(&self, base: &[u8]) -> Vec<u32> {
        shifted_remainder::<BITS>(base, self.m.len(), &self.m[..self.length])
    }

    fn multiply(&mut self, a: &mut Vec<u32>, b: &Vec<u32>) {
        self.product(a, b);
        self.store(a);
    }

    fn square(&mut self, a: &mut Vec<u32>) {
        self.product(a, a);
        self.store(a);
    }

    fn leave(&mut self, mut a: Vec<u32>, bytes: &mut [u8]) {
        let mut one = vec![0; a.len()];
        one[0] = 1;
        self.multiply(&mut a, &one);
        below::<BITS>(&mut a, &self.m);
        write::<BITS>(&a, bytes);
    }
}
