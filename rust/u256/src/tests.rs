//! The oracle: ruint.

use crate::{div, divide, mul, mul_mod, pow, rem};
use ruint::aliases::U256;

/// xorshift64*, so that a failure is the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    /// Of any length; digits of zeros and ones, where guesses and carries are at their worst.
    fn number(&mut self) -> U256 {
        let limbs = core::array::from_fn(|_| match self.below(6) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 63,
            3 => u64::from(u32::MAX) << (self.below(2) * 32),
            _ => self.next(),
        });
        let number = U256::from_limbs(limbs);
        match self.below(4) {
            0 => number,
            1 => (U256::MAX >> self.below(256)) ^ (U256::MAX << self.below(256)),
            2 => (U256::ONE << self.below(256)).wrapping_sub(U256::from(self.below(3))),
            _ => number >> self.below(256),
        }
    }
}

#[test]
fn products_quotients_and_remainders_are_those_of_ruint() {
    let mut random = Random(1);
    for k in 0..1_000_000 {
        let (a, b) = (random.number(), random.number());
        assert_eq!(mul(&a, &b), a.wrapping_mul(b), "{k}: {a} {b}");
        let (quotient, rest) = if b.is_zero() { (b, b) } else { a.div_rem(b) };
        assert_eq!(divide(&a, &b), (quotient, rest), "{k}: {a} {b}");
        assert_eq!((div(&a, &b), rem(&a, &b)), (quotient, rest));
    }
}

#[test]
fn a_quotient_undoes_a_product() {
    let mut random = Random(2);
    for _ in 0..500_000 {
        let (a, b) = (random.number(), random.number());
        let Some(product) = a.checked_mul(b).filter(|product| !product.is_zero()) else { continue };
        assert_eq!(divide(&product, &b), (a, U256::ZERO));
        assert_eq!(divide(&(product - U256::ONE), &b), (a - U256::ONE, b - U256::ONE));
    }
}

#[test]
fn products_by_a_modulus_are_those_of_ruint() {
    let mut random = Random(3);
    for k in 0..1_000_000 {
        let (a, b, modulus) = (random.number(), random.number(), random.number());
        assert_eq!(mul_mod(&a, &b, &modulus), a.mul_mod(b, modulus), "{k}: {a} {b} {modulus}");
    }
}

#[test]
fn powers_are_those_of_ruint() {
    let mut random = Random(4);
    for _ in 0..50_000 {
        let (a, exponent) = (random.number(), random.number());
        assert_eq!(pow(&a, &exponent), a.wrapping_pow(exponent));
        let small = U256::from(random.below(80));
        assert_eq!(pow(&U256::from(10), &small), U256::from(10).wrapping_pow(small));
    }
}
