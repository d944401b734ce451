//! Everything against aurora-engine-modexp, which revm computes with, and the vectors of EIP-198.

use crate::limbs::{read, without_zeros, write};
use crate::long::Long;
use crate::{is_below_modulus, modexp};
use crate::power::power;

/// Numbers by xorshift: the same in every run.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }

    /// One in four is mostly ones, mostly zeros or begins with zeros: what carries and quotients stumble over.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..length).map(|_| self.word() as u8).collect();
        match self.below(16) {
            0 => bytes.fill(0xff),
            1 => bytes.fill(0),
            2 => {
                let zeros = self.below(length + 1);
                bytes[..zeros].fill(0);
            }
            3 => {
                let (from, to) = (self.below(length + 1), self.below(length + 1));
                bytes[from.min(to)..from.max(to)].fill(if self.below(2) == 0 { 0 } else { 0xff });
            }
            _ => {}
        }
        if length > 0 && self.below(4) == 0 {
            let at = self.below(length);
            bytes[at] ^= 1 << self.below(8);
        }
        bytes
    }

    fn odd(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = self.bytes(length);
        *bytes.last_mut().unwrap() |= 1;
        bytes
    }
}

fn expected(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let number = aurora_engine_modexp::modexp(base, exponent, modulus);
    let number = without_zeros(&number);
    let mut padded = vec![0; modulus.len()];
    padded[modulus.len() - number.len()..].copy_from_slice(number);
    padded
}

#[track_caller]
fn agrees(base: &[u8], exponent: &[u8], modulus: &[u8]) {
    let found = modexp(base, exponent, modulus);
    let (short, power, long) = (without_zeros(base), without_zeros(exponent), without_zeros(modulus));
    if long != [1] && !power.is_empty() && is_below_modulus(short, power, long) {
        return assert_eq!(found, None);
    }
    let right = Some(expected(base, exponent, modulus));
    assert!(found == right, "{base:02x?} ^ {exponent:02x?} mod {modulus:02x?}: {found:02x?}");
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|k| u8::from_str_radix(&hex[2 * k..2 * k + 2], 16).unwrap()).collect()
}

#[test]
fn modexp_of_moduli_of_each_short_length_is_that_of_aurora() {
    let mut random = Random(1);
    for round in 0..24_000 {
        let modulus = random.odd(1 + round % 36);
        let (base, exponent) = (random.below(70), random.below(36));
        agrees(&random.bytes(base), &random.bytes(exponent), &modulus);
    }
}

#[test]
fn modexp_of_moduli_of_each_length_up_to_520_bytes_is_that_of_aurora() {
    let mut random = Random(2);
    for round in 0..3 * 520 {
        let modulus = random.odd(1 + round % 520);
        let (base, exponent) = (random.below(1_100), random.below(5));
        agrees(&random.bytes(base), &random.bytes(exponent), &modulus);
    }
}

#[test]
fn modexp_of_the_longest_that_osaka_allows_is_that_of_aurora() {
    let mut random = Random(3);
    for length in [439, 440, 441, 442, 448, 512, 875, 1_000, 1_023, 1_024, 1_024, 1_024] {
        let (base, exponent, modulus) = (random.bytes(length), random.bytes(9), random.odd(length));
        agrees(&base, &exponent, &modulus);
    }
    for length in [33, 64, 128, 256] {
        let (base, exponent, modulus) = (random.bytes(length), random.bytes(length), random.odd(length));
        agrees(&base, &exponent, &modulus);
    }
    let (base, exponent, modulus) = (random.bytes(32), random.bytes(6_000), random.odd(32));
    agrees(&base, &exponent, &modulus);
    let (base, exponent, modulus) = (random.bytes(9_000), random.bytes(32), random.odd(40));
    agrees(&base, &exponent, &modulus);
}

/// The most that columns hold: every limb of both factors and of the modulus is full, but for what makes it odd.
#[test]
fn modexp_of_numbers_whose_limbs_are_full_is_that_of_aurora() {
    for length in (1..=520).chain([873, 874, 875, 876, 1_024]) {
        let modulus = vec![0xff; length];
        let mut base = modulus.clone();
        base[length - 1] = 0xfe;
        agrees(&base, &[3], &modulus);
        base[0] = 0x7f;
        agrees(&base, &[7], &modulus);
        agrees(&vec![0xff; 2 * length + 1], &[5], &modulus);
    }
}

#[test]
fn modexp_of_every_number_of_bits_is_that_of_aurora() {
    let mut random = Random(4);
    for bits in 1..700 {
        for low in [1, 0xff] {
            let mut modulus = vec![0; (bits as usize).div_ceil(8)];
            modulus[0] = 1 << ((bits - 1) % 8);
            *modulus.last_mut().unwrap() |= low & if bits < 8 { 1 } else { 0xff };
            let (base, exponent) = (random.bytes(modulus.len() + 1), random.bytes(3));
            agrees(&base, &exponent, &modulus);
        }
    }
}

#[test]
fn a_base_that_is_a_multiple_of_the_modulus_has_powers_of_zero() {
    let mut random = Random(5);
    for length in [1, 8, 10, 11, 17, 18, 31, 32, 33, 64, 100, 439, 440, 500] {
        let modulus = random.odd(length);
        let mut multiple = modulus.clone();
        multiple.extend(vec![0; random.below(40)]);
        assert_eq!(modexp(&multiple, &[9, 9], &modulus), Some(vec![0; length]));
        agrees(&modulus, &[1], &modulus);
    }
}

#[test]
fn powers_of_nothing_and_moduli_of_one_and_none_are_as_revm_has_them() {
    let mut random = Random(6);
    for length in [1, 2, 31, 32, 33, 64, 300] {
        let mut one = vec![0; length];
        one[length - 1] = 1;
        let modulus = random.odd(length);
        for exponent in [&[][..], &[0], &[0; 40], &[1], &[0, 0, 1], &[0, 0, 0, 2, 0]] {
            for base in [&[][..], &[0], &[0; 50], &[1], &[0, 1], &[2], &random.bytes(80)] {
                agrees(base, exponent, &one);
                agrees(base, exponent, &modulus);
                let padded = [&[0; 37][..], &modulus].concat();
                agrees(base, exponent, &padded);
            }
        }
    }
}

#[test]
fn even_moduli_and_none_are_not_answered() {
    for modulus in [&[][..], &[0], &[0; 32], &[2], &[1, 0], &[0xff; 32].map(|byte| byte - 1)] {
        assert_eq!(modexp(&[3], &[5], modulus), None);
    }
}

/// Long moduli are never that short, but nothing says that they must not be.
#[test]
fn the_arithmetic_of_long_moduli_is_right_for_short_ones() {
    let mut random = Random(7);
    for round in 0..4_000 {
        let mut modulus = random.odd(7 + round % 30);
        modulus[0] |= 0x80;
        let (base, exponent) = (random.below(70), 1 + random.below(8));
        let (base, mut exponent) = (random.bytes(base), random.bytes(exponent));
        exponent[0] |= 1;
        let mut found = vec![0; modulus.len()];
        power(Long::new(&modulus), without_zeros(&base), &exponent, &mut found);
        assert_eq!(found, expected(&base, &exponent, &modulus));
    }
}

#[test]
fn bytes_to_limbs_and_back_are_the_same_bytes() {
    let mut random = Random(8);
    for length in 0..200 {
        let bytes = random.bytes(length);
        let mut found = vec![0; length];
        write::<28>(&read::<28>(&bytes), &mut found);
        assert_eq!(found, bytes);
        write::<29>(&read::<29>(&bytes), &mut found);
        assert_eq!(found, bytes);
    }
}

/// EIP-198: by Fermat, powers of p - 1 modulo p are 1; powers of zero.
#[test]
fn modexp_of_the_vectors_of_eip_198_is_as_written_there() {
    let p = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
    let less = bytes("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e");
    let mut one = vec![0; 32];
    one[31] = 1;
    assert_eq!(modexp(&[3], &less, &bytes(p)), Some(one));
    assert_eq!(modexp(&[], &less, &bytes(p)), Some(vec![0; 32]));
    assert_eq!(modexp(&[], &[0], &bytes(p)), modexp(&[1], &[1, 0, 0], &bytes(p)));
    // The vector nagydani-1-square, by which EIP-2565 measures gas, has a long modulus.
    let base = bytes("e09ad9675465c53a109fac66a445c91b292d2bb2c5268addb30cd82f80fcb0033ff97c80a5fc6f39193ae969c6ede6710a6b7ac27078a06d90ef1c72e5c85fb5");
    let modulus = bytes("fc9e1f6beb81516545975218075ec2af118cd8798df6e08a147c60fd6095ac2bb02c2908cf4dd7c81f11c289e4bce98f3553768f392a80ce22bf5c4f4a248c6b");
    let square = bytes("60008f1614cc01dcfb6bfb09c625cf90b47d4468db81b5f8b7a39d42f332eab9b2da8f2d95311648a8f243f4bb13cfb3d8f7f2a3c014122ebb3ed41b02783adc");
    assert_eq!(modexp(&base, &[2], &modulus), Some(square));
}
