//! Everything against arkworks, which revm computes with, and the constants against what they are said to be.

use crate::field::{Fq, PRIME};
use crate::pairing::{LOOP, X};
use crate::quadratic::Fq2;
use crate::tower::{GAMMA, NORMS};
use crate::{Error, PAIR};
use ark_bn254::{Fq as ArkFq, Fq2 as ArkFq2, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ec::{AffineRepr, CurveConfig, CurveGroup, PrimeGroup};
use ark_ff::{BigInt, BigInteger, Field, PrimeField, Zero};
use revm::precompile::bn254::{run_add, run_mul, run_pair};
use revm::precompile::PrecompileHalt;

/// Numbers by xorshift: the same in every run.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn words(&mut self) -> [u64; 4] {
        core::array::from_fn(|_| self.word())
    }

    /// Below p. One in four is near 0, p, or a limb's end.
    fn fq(&mut self) -> ArkFq {
        let number = ArkFq::new(BigInt([self.word() % 40, 0, 0, 0]));
        match self.word() % 16 {
            0 => number,
            1 => -number,
            2 => number + ArkFq::from(2u64).pow([28 + 29 * (self.word() % 9)]),
            3 => number - ArkFq::from(2u64).pow([29 * (self.word() % 9)]),
            _ => {
                let mut bytes = [0; 32];
                for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.words()) {
                    chunk.copy_from_slice(&word.to_le_bytes());
                }
                ArkFq::from_le_bytes_mod_order(&bytes)
            }
        }
    }

    fn g1(&mut self) -> G1Affine {
        G1Projective::generator().mul_bigint(self.words()).into_affine()
    }

    fn g2(&mut self) -> G2Affine {
        G2Projective::generator().mul_bigint(self.words()).into_affine()
    }

    /// On the twist, and not in the subgroup but by chance.
    fn twist(&mut self) -> G2Affine {
        loop {
            let x = ArkFq2::new(self.fq(), self.fq());
            if let Some(point) = G2Affine::get_point_from_x_unchecked(x, self.word() % 2 == 0) {
                return point;
            }
        }
    }
}

fn ours(value: &ArkFq) -> Fq {
    Fq::of_words(&value.into_bigint().0)
}

fn ours2(value: &ArkFq2) -> Fq2 {
    Fq2 { re: ours(&value.c0), im: ours(&value.c1) }
}

fn same(one: &Fq, other: &ArkFq) {
    assert_eq!(one.words(), other.into_bigint().0);
}

fn same2(one: &Fq2, other: &ArkFq2) {
    same(&one.re, &other.c0);
    same(&one.im, &other.c1);
}

fn bytes_of(value: &ArkFq) -> Vec<u8> {
    value.into_bigint().to_bytes_be()
}

fn g1_bytes(point: &G1Affine) -> Vec<u8> {
    point.xy().map_or(vec![0; 64], |(x, y)| [bytes_of(&x), bytes_of(&y)].concat())
}

fn g2_bytes(point: &G2Affine) -> Vec<u8> {
    let parts = |(x, y): (ArkFq2, ArkFq2)| [x.c1, x.c0, y.c1, y.c0].iter().flat_map(bytes_of).collect();
    point.xy().map_or(vec![0; 128], parts)
}

/// What revm says, as this crate says it.
fn judged<T>(result: Result<T, PrecompileHalt>) -> Result<T, Error> {
    result.map_err(|halt| match halt {
        PrecompileHalt::Bn254FieldPointNotAMember => Error::NotInField,
        PrecompileHalt::Bn254AffineGFailedToCreate => Error::NotInGroup,
        other => panic!("{other:?}"),
    })
}

fn padded<const N: usize>(input: &[u8]) -> [u8; N] {
    core::array::from_fn(|k| input.get(k).copied().unwrap_or(0))
}

fn check_add(input: &[u8]) -> Result<[u8; 64], Error> {
    let expected = judged(run_add(input, 0, 0)).map(|output| output.bytes.to_vec());
    let answer = crate::add(&padded(input));
    assert_eq!(answer.map(|bytes| bytes.to_vec()), expected);
    answer
}

fn check_mul(input: &[u8]) -> Result<[u8; 64], Error> {
    let expected = judged(run_mul(input, 0, 0)).map(|output| output.bytes.to_vec());
    let answer = crate::mul(&padded(input));
    assert_eq!(answer.map(|bytes| bytes.to_vec()), expected);
    answer
}

fn check_pairs(input: &[u8]) -> Result<bool, Error> {
    let expected = judged(run_pair(input, 0, 0, 0)).map(|output| output.bytes[31] == 1);
    let answer = crate::pairing_check(input);
    assert_eq!(answer, expected);
    answer
}

#[test]
fn constants_are_what_they_are_said_to_be() {
    assert_eq!(PRIME, ArkFq::MODULUS.0);
    assert_eq!(crate::scalar::ORDER, Fr::MODULUS.0);
    let xi = ArkFq2::new(ArkFq::from(9u64), ArkFq::from(1u64));
    let mut exponent = ArkFq::MODULUS;
    exponent.sub_with_borrow(&BigInt::from(1u64));
    // (p - 1) / 6 by long division.
    let mut rest = 0u128;
    let mut sixth = [0u64; 4];
    for k in (0..4).rev() {
        let x = rest << 64 | u128::from(exponent.0[k]);
        sixth[k] = (x / 6) as u64;
        rest = x % 6;
    }
    assert_eq!(rest, 0);
    let gamma = xi.pow(sixth);
    same2(&GAMMA, &gamma);
    let norm = gamma * ArkFq2::new(gamma.c0, -gamma.c1);
    for (k, ours) in NORMS.iter().enumerate() {
        same2(ours, &norm.pow([k as u64]));
    }
    same2(&crate::pairing::TWIST, &ark_bn254::g2::Config::COEFF_B);
    assert_eq!(ark_bn254::g1::Config::COEFF_B, ArkFq::from(3u64));
    let number = |digits: &[i8], first: i128| digits.iter().fold(first, |sum, digit| 2 * sum + i128::from(*digit));
    assert_eq!(number(&X, 0), 4965661367192848881);
    assert_eq!(number(&LOOP, 1), 6 * 4965661367192848881 + 2);
    let beta = crate::point::BETA;
    same(&beta.mul(&beta).mul(&beta), &ArkFq::from(1u64));
}

/// What pairing.rs says of the loop: the sum's degree and the twist's cofactor have no factor in common.
#[test]
fn the_sum_that_the_loop_makes_kills_nothing_but_the_subgroup() {
    // Modulo a prime factor of the cofactor the degree is not 0; it is enough to run Euclid modulo the cofactor.
    // b0 + b1 psi is 6 x + 2 + psi - psi^2 + psi^3 with psi^2 = t psi - p:
    // psi^3 = (t^2 - p) psi - t p, so b0 = 6 x + 2 + p - t p and b1 = 1 - t + t^2 - p.
    use num::Number;
    let x = Number::from(4965661367192848881);
    let p = Number::of_words(&PRIME);
    let r = Number::of_words(&crate::scalar::ORDER);
    let t = x.mul(&x).mul(&Number::from(6)).add(&Number::from(1));
    let cofactor = p.add(&p).sub(&r);
    assert_eq!(cofactor.words(), ark_bn254::g2::Config::COFACTOR);
    let negative_b0 = t.mul(&p).sub(&p).sub(&x.mul(&Number::from(6))).sub(&Number::from(2));
    let negative_b1 = p.add(&t).sub(&t.mul(&t)).sub(&Number::from(1));
    let degree = negative_b0.mul(&negative_b0).add(&t.mul(&negative_b0).mul(&negative_b1));
    let degree = degree.add(&p.mul(&negative_b1).mul(&negative_b1));
    assert!(degree.rem(&r).is_zero());
    assert!(!cofactor.rem(&r).is_zero());
    let (mut a, mut b) = (degree, cofactor);
    while !b.is_zero() {
        (a, b) = (b.clone(), a.rem(&b));
    }
    assert_eq!(a.words(), [1]);
}

mod num {
    //! Naturals of any length, slow and plain.
    #[derive(Clone, Debug)]
    pub struct Number(Vec<u32>);

    impl Number {
        pub fn from(value: u64) -> Self {
            Number(vec![value as u32, (value >> 32) as u32]).trimmed()
        }
        pub fn of_words(words: &[u64]) -> Self {
            Number(words.iter().flat_map(|word| [*word as u32, (word >> 32) as u32]).collect()).trimmed()
        }
        pub fn words(&self) -> Vec<u64> {
            self.0.chunks(2).map(|pair| u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 32).collect()
        }
        fn trimmed(mut self) -> Self {
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
            self
        }
        fn at(&self, k: usize) -> u64 {
            u64::from(*self.0.get(k).unwrap_or(&0))
        }
        pub fn is_zero(&self) -> bool {
            self.0.is_empty()
        }
        pub fn add(&self, other: &Self) -> Self {
            let mut carry = 0;
            let digits = (0..=self.0.len().max(other.0.len())).map(|k| {
                let x = self.at(k) + other.at(k) + carry;
                carry = x >> 32;
                x as u32
            });
            Number(digits.collect()).trimmed()
        }
        pub fn sub(&self, other: &Self) -> Self {
            let mut borrow = 0;
            let digits: Vec<u32> = (0..self.0.len().max(other.0.len()))
                .map(|k| {
                    let x = self.at(k) as i64 - other.at(k) as i64 - borrow;
                    borrow = i64::from(x < 0);
                    x as u32
                })
                .collect();
            assert_eq!(borrow, 0, "a difference below zero");
            Number(digits).trimmed()
        }
        pub fn mul(&self, other: &Self) -> Self {
            let mut product = vec![0u32; self.0.len() + other.0.len()];
            for (i, a) in self.0.iter().enumerate() {
                let mut carry = 0;
                for (j, b) in other.0.iter().enumerate() {
                    let x = u64::from(*a) * u64::from(*b) + u64::from(product[i + j]) + carry;
                    product[i + j] = x as u32;
                    carry = x >> 32;
                }
                product[i + other.0.len()] = carry as u32;
            }
            Number(product).trimmed()
        }
        /// Bit by bit.
        pub fn rem(&self, modulus: &Self) -> Self {
            let mut rest = Number(vec![]);
            for k in (0..32 * self.0.len()).rev() {
                rest = rest.add(&rest);
                if self.0[k / 32] >> (k % 32) & 1 == 1 {
                    rest = rest.add(&Number::from(1));
                }
                if !rest.is_below(modulus) {
                    rest = rest.sub(modulus);
                }
            }
            rest
        }
        fn is_below(&self, other: &Self) -> bool {
            let length = self.0.len().max(other.0.len());
            (0..length).rev().map(|k| (self.at(k), other.at(k))).find(|(a, b)| a != b).is_some_and(|(a, b)| a < b)
        }
    }
}

#[test]
fn the_field_computes_as_arkworks_does() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let (a, b) = (random.fq(), random.fq());
        let (x, y) = (ours(&a), ours(&b));
        same(&x, &a);
        same(&x.mul(&y), &(a * b));
        same(&x.square(), &a.square());
        same(&x.times(3).square(), &(a + a + a).square());
        same(&x.add(&y), &(a + b));
        same(&x.sub(&y).mul(&x.times(6).add(&y.neg())), &((a - b) * (ArkFq::from(6u64) * a - b)));
        same(&x.times_plus::<-12>(&y), &(b - ArkFq::from(12u64) * a));
        assert_eq!(x.is_zero(), a.is_zero());
        assert!(x.sub(&x).is_zero() && x.mul(&y).sub(&y.mul(&x)).is_zero());
        assert_eq!(x.equals(&y), a == b);
    }
}

#[test]
fn inverses_are_those_of_arkworks() {
    let mut random = Random(2);
    for _ in 0..20_000 {
        let a = random.fq();
        if !a.is_zero() {
            same(&ours(&a).inverse(), &a.inverse().expect("not zero"));
            same(&ours(&a).times(-5).inverse(), &(ArkFq::from(-5) * a).inverse().expect("not zero"));
        }
    }
}

#[test]
fn quadratic_numbers_compute_as_arkworks_does() {
    let mut random = Random(3);
    let xi = ArkFq2::new(ArkFq::from(9u64), ArkFq::from(1u64));
    for _ in 0..10_000 {
        let (a, b) = (ArkFq2::new(random.fq(), random.fq()), ArkFq2::new(random.fq(), random.fq()));
        let (x, y) = (ours2(&a), ours2(&b));
        same2(&x.mul(&y), &(a * b));
        same2(&x.times(3).mul(&y.times(-2)), &(a * b * ArkFq2::from(-6)));
        same2(&x.square(), &a.square());
        same2(&x.times_xi(), &(a * xi));
    }
}

#[test]
fn bounds_hold_for_the_largest_limbs() {
    let most = Fq([1 << 28, 1 << 28, 1 << 28, 1 << 28, 1 << 28, 1 << 28, 1 << 28, 1 << 28, 1 << 22]);
    let least = most.neg();
    // Overflow panics in tests; what is reduced twice has to agree.
    for (a, b) in [(most, most), (most, least), (least, least)] {
        let factor = a.times(4).mul(&b.times(3));
        assert!(factor.sub(&b.times(2).mul(&a.times(3)).times(2)).is_zero());
        assert!(a.times(3).square().sub(&a.square().times_plus::<9>(&Fq::ZERO)).is_zero());
        let (x, y) = (Fq2 { re: a, im: b }, Fq2 { re: b, im: a });
        let product = x.times(2).mul(&y.times(3));
        assert!(product.sub(&x.mul(&y).times_plus::<6>(&Fq2::ZERO)).is_zero());
    }
}

#[test]
fn sums_are_those_of_revm() {
    let mut random = Random(4);
    let infinity = G1Affine::zero();
    for k in 0..3_000 {
        let (a, b) = (random.g1(), random.g1());
        let (a, b) = match k % 8 {
            0 => (a, a),
            1 => (a, -a),
            2 => (a, infinity),
            3 => (infinity, b),
            _ => (a, b),
        };
        let answer = check_add(&[g1_bytes(&a), g1_bytes(&b)].concat()).expect("both are points");
        assert_eq!(answer.to_vec(), g1_bytes(&(a + b).into_affine()));
    }
    assert_eq!(check_add(&[]), Ok([0; 64]));
}

fn lambda() -> Fr {
    use ark_ec::scalar_mul::glv::GLVConfig;
    ark_bn254::g1::Config::LAMBDA
}

#[test]
fn multiples_are_those_of_revm() {
    let mut random = Random(5);
    let order = Fr::MODULUS.0;
    let near = |offset: i64| -> [u64; 4] { [order[0].wrapping_add(offset as u64), order[1], order[2], order[3]] };
    for k in 0..6_000u64 {
        let point = if k % 50 == 49 { G1Affine::zero() } else { random.g1() };
        let scalar = match k % 16 {
            0 => [k / 16 % 70, 0, 0, 0],
            1 => near(k as i64 / 16 % 40 - 20),
            2 => [u64::MAX - k / 16, u64::MAX, u64::MAX, u64::MAX],
            3 => [0, 0, 1 << (random.word() % 64), 0],
            4 => [random.word(), random.word(), 0, 0],
            // Multiples of the root of one, by which scalars are cut, and of what is near it.
            5 => (lambda() * Fr::from(k % 64) + Fr::from(k / 64)).into_bigint().0,
            _ => random.words(),
        };
        let bytes: Vec<u8> = BigInt(scalar).to_bytes_be();
        check_mul(&[g1_bytes(&point), bytes].concat()).expect("a point");
    }
    assert_eq!(check_mul(&[]), Ok([0; 64]));
}

#[test]
fn input_that_is_short_or_long_is_read_as_revm_reads_it() {
    let mut random = Random(6);
    for k in 0..400 {
        let long: Vec<u8> = [g1_bytes(&random.g1()), g1_bytes(&random.g1()), g1_bytes(&random.g1())].concat();
        let _ = check_add(&long[..k % 193]);
        let _ = check_mul(&long[..k % 193]);
    }
}

/// Coordinates that are p or more, points that are outside, one at each place.
#[test]
fn what_is_no_point_is_refused_as_revm_refuses_it() {
    let mut random = Random(7);
    let prime: Vec<u8> = ArkFq::MODULUS.to_bytes_be();
    let good = [g1_bytes(&random.g1()), g2_bytes(&random.g2())].concat();
    for place in 0..6 {
        for bytes in [prime.clone(), vec![255; 32], vec![0; 32], bytes_of(&random.fq())] {
            let mut bad = good.clone();
            bad[32 * place..32 * place + 32].copy_from_slice(&bytes);
            assert!(check_pairs(&bad).is_err());
            for other in [&good, &bad] {
                let _ = check_pairs(&[good.clone(), bad.clone(), other.clone()].concat());
            }
            if place < 2 {
                assert!(check_add(&[&bad[..64], &good[..64]].concat()).is_err());
                assert!(check_add(&[&good[..64], &bad[..64]].concat()).is_err());
                assert!(check_mul(&bad[..96]).is_err());
                // Infinity of the twist hides nothing.
                bad[64..].fill(0);
                assert!(check_pairs(&bad).is_err());
            }
        }
    }
    // p for zero is not infinity.
    assert_eq!(check_add(&[prime.clone(), prime].concat()), Err(Error::NotInField));
}

#[test]
fn points_outside_the_subgroup_are_refused_wherever_they_are() {
    let mut random = Random(8);
    let order = Fr::MODULUS.0;
    let mut points = Vec::new();
    for k in 0..200 {
        let point = random.twist();
        points.push(match k % 4 {
            // Only the part outside: times r; and of a small order: the cofactor is 10069 * 5864401 * ...
            0 => point.mul_bigint(order).into_affine(),
            1 => small_order(&point, 10069),
            2 => small_order(&point, 10069 * 5864401),
            _ => point,
        });
    }
    for point in points.into_iter().filter(|point| !point.is_zero()) {
        let p = g1_bytes(&random.g1());
        let bad = [p.clone(), g2_bytes(&point)].concat();
        assert_eq!(check_pairs(&bad), Err(Error::NotInGroup));
        // Beside infinity, added to a point of the subgroup, and before and after pairs that are right or wrong.
        assert_eq!(check_pairs(&[vec![0; 64], g2_bytes(&point)].concat()), Err(Error::NotInGroup));
        let shifted = (point + random.g2()).into_affine();
        assert_eq!(check_pairs(&[p.clone(), g2_bytes(&shifted)].concat()), Err(Error::NotInGroup));
        let good = [p.clone(), g2_bytes(&random.g2())].concat();
        let unread = vec![255; PAIR];
        assert_eq!(check_pairs(&[good.clone(), bad.clone()].concat()), Err(Error::NotInGroup));
        assert_eq!(check_pairs(&[bad.clone(), unread.clone()].concat()), Err(Error::NotInGroup));
        assert_eq!(check_pairs(&[good, unread, bad].concat()), Err(Error::NotInField));
    }
}

/// A point whose order divides `order`, which divides the cofactor.
fn small_order(point: &G2Affine, order: u64) -> G2Affine {
    let mut quotient = [0u64; 4];
    let mut rest = 0u128;
    for k in (0..4).rev() {
        let x = rest << 64 | u128::from(ark_bn254::g2::Config::COFACTOR[k]);
        quotient[k] = (x / u128::from(order)) as u64;
        rest = x % u128::from(order);
    }
    assert_eq!(rest, 0);
    point.mul_bigint(Fr::MODULUS.0).mul_bigint(quotient).into_affine()
}

#[test]
fn pairings_cancel_out_where_revm_says_so() {
    let mut random = Random(9);
    let mut yes = 0;
    for k in 0..1_500 {
        // Scalars whose products sum up to zero, or to something else.
        let count = 1 + k % 4;
        let mut input = Vec::new();
        let mut sum = Fr::zero();
        for j in 0..count {
            let (a, b) = (Fr::from(random.word()), Fr::from(random.word() | 1));
            let last = j == count - 1 && k % 3 != 0;
            let a = if last { -sum / b } else { a };
            sum += a * b;
            let p = G1Projective::generator().mul_bigint(a.into_bigint()).into_affine();
            let q = G2Projective::generator().mul_bigint(b.into_bigint()).into_affine();
            input.extend([g1_bytes(&p), g2_bytes(&q)].concat());
            if random.word() % 8 == 0 {
                input.extend([g1_bytes(&random.g1()), vec![0; 128]].concat());
            }
            if random.word() % 8 == 0 {
                input.extend([vec![0; 64], g2_bytes(&random.g2())].concat());
            }
        }
        let answer = check_pairs(&input).expect("points");
        assert_eq!(answer, sum.is_zero());
        yes += answer as usize;
    }
    assert!(yes > 500);
    assert_eq!(check_pairs(&[]), Ok(true));
    assert_eq!(check_pairs(&[0; PAIR]), Ok(true));
}
