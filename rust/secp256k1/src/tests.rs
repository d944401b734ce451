//! The oracles: big integers (ruint) for field and scalars, k256 for points and whole recoveries.

use crate::digits::{digit, PLACES, WIDTH};
use crate::field::{LIMBS, PRIME};
use crate::generator::{Multiples, WIDE};
use crate::lanes::{Four, Lanes, One, LANES};
use crate::point::invert_all;
use crate::recover::{Key, Recovery, Signed};
use crate::scalar::{halves, inverses, mul, ORDER};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::elliptic_curve::PrimeField;
use k256::{ProjectivePoint, Scalar};
use ruint::aliases::{U256, U512};

type Field = crate::field::Field<Four>;
type Single = crate::field::Field<One>;

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

    /// Below 2^256: anything, or long runs of ones and zeros, where carries are.
    fn number(&mut self) -> U256 {
        let any = U256::from_limbs(core::array::from_fn(|_| self.next()));
        match self.below(4) {
            0 => (U256::MAX >> self.below(256)) ^ (U256::MAX << self.below(256)),
            1 => U256::MAX - (any >> self.below(256)),
            _ => any,
        }
    }

    fn field_number(&mut self) -> U256 {
        self.number() % PRIME
    }

    fn scalar(&mut self) -> U256 {
        self.number() % ORDER
    }
}

// ---- the field ----

/// What limbs of any magnitude stand for.
fn value(limbs: &[u32; LIMBS]) -> U256 {
    let sum = limbs.iter().rev().fold(U512::ZERO, |sum, &limb| (sum << 29) + U512::from(limb));
    (sum % U512::from(PRIME)).to()
}

fn values(field: &Field) -> [U256; LANES] {
    let limbs = field.0.map(Four::array);
    core::array::from_fn(|lane| value(&limbs.map(|limb| limb[lane])))
}

fn zip(a: &[U256; LANES], b: &[U256; LANES], of: impl Fn(U256, U256) -> U256) -> [U256; LANES] {
    core::array::from_fn(|k| of(a[k], b[k]))
}

/// The largest limbs of a magnitude, fewer in some lanes.
fn largest(magnitude: u32) -> Field {
    let limb = magnitude * ((1 << 29) + (1 << 20));
    crate::field::Field([Four::of([limb, limb - 1, limb >> 1, 0]); LIMBS])
}

fn is_tight(field: &Field) -> bool {
    field.0.iter().flat_map(|limb| limb.array()).all(|limb| limb <= (1 << 29) + (1 << 20))
}

#[test]
fn two_million_products_and_squares_are_those_of_big_integers() {
    let mut random = Random(1);
    let mut a = Field::of(&core::array::from_fn(|_| random.field_number()));
    for k in 0..500_000 {
        let before = values(&a);
        if k % 2 == 0 {
            let b: [U256; LANES] = core::array::from_fn(|_| random.field_number());
            a = a.mul(&Field::of(&b));
            assert_eq!(values(&a), zip(&before, &b, |a, b| a.mul_mod(b, PRIME)), "product {k}");
        } else {
            a = a.square();
            assert_eq!(values(&a), zip(&before, &before, |a, b| a.mul_mod(b, PRIME)), "square {k}");
        }
        assert!(is_tight(&a));
        if k % 7 == 0 {
            a = Field::of(&core::array::from_fn(|_| random.field_number()));
        }
    }
}

#[test]
fn sums_and_differences_are_those_of_big_integers() {
    let mut random = Random(2);
    for _ in 0..200_000 {
        let (a, b): ([U256; LANES], [U256; LANES]) =
            (core::array::from_fn(|_| random.field_number()), core::array::from_fn(|_| random.field_number()));
        let (x, y) = (Field::of(&a), Field::of(&b));
        let minus = |a: U256, b: U256| a.add_mod(PRIME - b, PRIME);
        assert_eq!(values(&x.add(&y)), zip(&a, &b, |a, b| a.add_mod(b, PRIME)));
        assert_eq!(values(&x.sub(&y)), zip(&a, &b, minus));
        let three = y.double().add(&y);
        let difference = x.sub_3(&three);
        assert_eq!(values(&difference), zip(&a, &values(&three), minus));
        assert_eq!(values(&difference.tighten()), values(&difference));
        assert_eq!(difference.values(), values(&difference));
        assert!(is_tight(&difference.tighten()));
    }
}

/// Lanes and columns panic where they overflow (lanes.rs).
#[test]
fn the_largest_limbs_of_each_magnitude_do_not_overflow() {
    for (a, b) in [(1, 7), (7, 1), (2, 3), (3, 2), (2, 2), (1, 1)] {
        let (x, y) = (largest(a), largest(b));
        let product = x.mul(&y);
        assert_eq!(values(&product), zip(&values(&x), &values(&y), |a, b| a.mul_mod(b, PRIME)));
        assert!(is_tight(&product));
    }
    for magnitude in [1, 2] {
        let square = largest(magnitude).square();
        let number = values(&largest(magnitude));
        assert_eq!(values(&square), zip(&number, &number, |a, b| a.mul_mod(b, PRIME)));
        assert!(is_tight(&square));
    }
    let zero = [U256::ZERO; LANES];
    for magnitude in 1..=7 {
        let x = largest(magnitude);
        assert_eq!(values(&x.tighten()), values(&x));
        assert_eq!(x.values(), values(&x));
        assert!(is_tight(&x.tighten()));
    }
    let minus = |a: U256, b: U256| a.add_mod((PRIME - b) % PRIME, PRIME);
    assert_eq!(values(&Field::ZERO.sub(&largest(1))), zip(&zero, &values(&largest(1)), minus));
    assert_eq!(values(&largest(1).sub_3(&largest(3))), zip(&values(&largest(1)), &values(&largest(3)), minus));
}

/// The first lane of four, by itself.
fn first(field: &Field) -> Single {
    crate::field::Field(field.0.map(|limb| One::of(limb.array())))
}

fn same(single: &Single, field: &Field) -> bool {
    single.0.map(|limb| limb.array()[0]) == field.0.map(|limb| limb.array()[0])
}

#[test]
fn one_lane_does_what_the_first_of_four_does() {
    let mut random = Random(9);
    let numbers = (0..2_000).map(|_| Field::of(&core::array::from_fn(|_| random.field_number())));
    let mut before = largest(1);
    for x in numbers.chain((1..=5).map(largest)) {
        let y = before;
        assert!(same(&first(&x).mul(&first(&y)), &x.mul(&y)));
        assert!(same(&first(&y).square(), &y.square()));
        assert!(same(&first(&x).sub(&first(&y)), &x.sub(&y)));
        assert!(same(&first(&x).tighten(), &x.tighten()));
        assert_eq!(first(&x).values(), [x.values()[0], U256::ZERO, U256::ZERO, U256::ZERO]);
        // Lanes share an inversion: all must have an inverse.
        if y.values().iter().all(|number| !number.is_zero()) {
            let mut inverses = [first(&y), first(&y.square())];
            let mut expected = [y, y.square()];
            invert_all(&mut inverses);
            invert_all(&mut expected);
            for (inverse, expected) in inverses.iter().zip(&expected) {
                assert_eq!(inverse.values()[0], expected.values()[0]);
            }
        }
        before = x.tighten();
    }
}

#[test]
fn numbers_come_out_below_p() {
    let limbs = |number: U512| crate::field::Field(core::array::from_fn(|k| Four::splat((number >> (29 * k)).as_limbs()[0] as u32 & ((1 << 29) - 1))));
    let p = U512::from(PRIME);
    let one = U512::ONE;
    for number in [U512::ZERO, one, p - one, p, p + one, p + p - one, p + p, (one << 256) - one, one << 256, p * U512::from(31u64), (one << 261) - one] {
        let expected: U256 = (number % p).to();
        assert_eq!(limbs(number).values(), [expected; LANES], "{number}");
    }
}

#[test]
fn roots_and_inverses_are_right_and_lanes_do_not_mix() {
    let mut random = Random(3);
    for count in [1, 2, 3, 17] {
        let numbers: Vec<[U256; LANES]> =
            (0..count).map(|_| core::array::from_fn(|_| random.field_number().max(U256::ONE))).collect();
        let mut fields: Vec<Field> = numbers.iter().map(Field::of).collect();
        invert_all(&mut fields);
        for (number, inverse) in numbers.iter().zip(&fields) {
            assert_eq!(zip(number, &values(inverse), |a, b| a.mul_mod(b, PRIME)), [U256::ONE; LANES]);
        }
    }
    for _ in 0..200 {
        let numbers: [U256; LANES] = core::array::from_fn(|_| random.field_number());
        let square = Field::of(&numbers).square();
        assert_eq!(values(&square.root().square()), values(&square));
    }
}

// ---- scalars ----

#[test]
fn scalars_divide() {
    let mut random = Random(4);
    for count in [0, 1, 2, 5, 32] {
        let divisors: Vec<U256> = (0..count).map(|_| random.scalar().max(U256::ONE)).collect();
        for (divisor, inverse) in divisors.iter().zip(inverses(&divisors)) {
            let number = random.scalar();
            assert_eq!(mul(number, inverse).mul_mod(*divisor, ORDER), number);
        }
    }
}

fn power_of_two(bits: usize) -> U256 {
    U256::ONE << bits
}

/// Scalars at which recoding, splitting and sums are most likely to go wrong.
fn edges() -> Vec<U256> {
    let mut edges: Vec<U256> = [0u64, 1, 2, 3, 15, 16, 17, 31, 32, 33, 511, 512, 513, 1023, 1024, 1025].map(U256::from).to_vec();
    for bits in [64, 125, 127, 128, 129, 130, 131, 140, 192, 255] {
        edges.extend([power_of_two(bits) - U256::ONE, power_of_two(bits), power_of_two(bits) + U256::ONE]);
    }
    edges.extend([U256::MAX % ORDER, ORDER >> 1, (ORDER >> 1) + U256::ONE]);
    for multiple in [1u64, 2, 3, 16] {
        edges.push(LAMBDA.mul_mod(U256::from(multiple), ORDER));
        edges.push(LAMBDA.mul_mod(LAMBDA, ORDER).mul_mod(U256::from(multiple), ORDER));
    }
    edges.push(LAMBDA + U256::ONE);
    edges.push(LAMBDA - U256::ONE);
    let negative: Vec<U256> = edges.iter().map(|&edge| (ORDER - edge) % ORDER).collect();
    edges.extend(negative);
    edges
}

/// A cube root of 1 modulo n.
const LAMBDA: U256 =
    U256::from_limbs([0xDF02_967C_1B23_BD72, 0x122E_22EA_2081_6678, 0xA526_1C02_8812_645A, 0x5363_AD4C_C05C_30E0]);

#[test]
fn halves_make_up_the_scalar() {
    let mut random = Random(5);
    let scalars = edges().into_iter().chain((0..200_000).map(|_| random.scalar()));
    for scalar in scalars {
        let [x, y] = halves(scalar).map(|half| {
            let size = U256::from(half.size);
            if half.is_negative { (ORDER - size) % ORDER } else { size }
        });
        assert_eq!(x.add_mod(y.mul_mod(LAMBDA, ORDER), ORDER), scalar, "{scalar}");
    }
}

#[test]
fn digits_make_up_the_scalar() {
    let mut random = Random(6);
    let scalars: Vec<U256> = edges().into_iter().chain((0..50_000).map(|_| random.number())).collect();
    for scalar in scalars {
        for (number, width, places) in [(scalar & (U256::MAX >> 128), WIDTH, PLACES), (scalar, WIDE, PLACES)] {
            let mut sum = U512::ZERO;
            for place in (0..places).rev() {
                let digit = digit(number.as_limbs(), place, width);
                assert!(digit.unsigned_abs() <= 1 << (width - 1));
                let size = U512::from(digit.unsigned_abs());
                sum <<= width;
                sum = if digit < 0 { sum - size } else { sum + size };
            }
            assert_eq!(sum, U512::from(number), "{number}");
        }
    }
}

// ---- points ----

fn k256_scalar(scalar: U256) -> Scalar {
    Scalar::from_repr(scalar.to_be_bytes::<32>().into()).unwrap()
}

fn coordinates(point: &ProjectivePoint) -> Key {
    point.to_affine().to_encoded_point(false).as_bytes()[1..].try_into().unwrap()
}

#[test]
fn multiples_of_the_generator_are_those_of_k256() {
    for (multiples, scalar) in Multiples::of_generator().iter().zip([U256::ONE, power_of_two(130)]) {
        let base = ProjectivePoint::GENERATOR * k256_scalar(scalar);
        let mut expected = ProjectivePoint::IDENTITY;
        for size in 1..=1 << (WIDE - 1) {
            expected += base;
            let mine = multiples.gather::<Four>([size, 1, size, 0]);
            let (x, y) = (mine.x.values(), mine.y.values());
            for lane in [0, 2] {
                let mine = [x[lane].to_be_bytes::<32>(), y[lane].to_be_bytes::<32>()].concat();
                assert_eq!(mine, coordinates(&expected), "{size}");
            }
        }
    }
}

// ---- recovery ----

/// What k256 says.
fn reference(one: &Signed) -> Option<Key> {
    let signature = Signature::from_scalars(one.r.to_be_bytes::<32>(), one.s.to_be_bytes::<32>()).ok()?;
    let (signature, is_odd) = match signature.normalize_s() {
        Some(normal) => (normal, !one.is_odd),
        None => (signature, one.is_odd),
    };
    let id = RecoveryId::new(is_odd, false);
    let key = VerifyingKey::recover_from_prehash(&one.hash.to_be_bytes::<32>(), &signature, id).ok()?;
    key.to_encoded_point(false).as_bytes()[1..].try_into().ok()
}

fn signature(random: &mut Random) -> Signed {
    let key = SigningKey::from_slice(&random.scalar().max(U256::ONE).to_be_bytes::<32>()).unwrap();
    let hash = random.number();
    let (signature, id) = key.sign_prehash_recoverable(&hash.to_be_bytes::<32>()).unwrap();
    let (r, s) = signature.split_bytes();
    Signed { hash, r: U256::from_be_slice(&r), s: U256::from_be_slice(&s), is_odd: id.is_y_odd() }
}

#[test]
fn keys_are_those_of_k256() {
    let mut random = Random(7);
    let recovery = Recovery::new();
    let signed: Vec<Signed> = (0..1003).map(|_| signature(&mut random)).collect();
    for (one, key) in signed.iter().zip(recovery.recover(&signed)) {
        assert_eq!(key, reference(one));
        assert_eq!(recovery.recover(&[*one]), [key]);
        assert!(key.is_some());
    }
    // Any numbers: half of them are the x of no point.
    let signed: Vec<Signed> = (0..1001)
        .map(|_| Signed { hash: random.number(), r: random.number(), s: random.number(), is_odd: random.next() > u64::MAX / 2 })
        .collect();
    let keys = recovery.recover(&signed);
    for (one, key) in signed.iter().zip(&keys) {
        assert_eq!(*key, reference(one));
        assert_eq!(recovery.recover(&[*one]), [*key]);
    }
    assert!(keys.iter().any(Option::is_none) && keys.iter().any(Option::is_some));
}

#[test]
fn a_bad_signature_spoils_no_other_at_any_number_of_them() {
    let mut random = Random(8);
    let recovery = Recovery::new();
    let good: Vec<Signed> = (0..70).map(|_| signature(&mut random)).collect();
    let keys: Vec<Option<Key>> = good.iter().map(reference).collect();
    let one = good[0];
    let not_on_curve = (1u64..).map(U256::from).find(|&r| reference(&Signed { r, ..one }).is_none()).unwrap();
    let bad = [
        Signed { r: U256::ZERO, ..one },
        Signed { r: ORDER, ..one },
        Signed { r: U256::MAX, ..one },
        Signed { r: PRIME, ..one },
        Signed { s: U256::ZERO, ..one },
        Signed { s: ORDER, ..one },
        Signed { s: U256::MAX, ..one },
        Signed { r: U256::ZERO, s: U256::ZERO, hash: U256::ZERO, is_odd: true },
        Signed { r: not_on_curve, ..one },
    ];
    for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 36, 70] {
        assert_eq!(recovery.recover(&good[..count]), keys[..count]);
        for place in 0..count.min(9) {
            let mut some = good[..count].to_vec();
            let mut expected = keys[..count].to_vec();
            some[place] = bad[random.below(bad.len())];
            expected[place] = None;
            assert_eq!(recovery.recover(&some), expected, "{count} signatures, {place} is bad");
        }
    }
    assert_eq!(recovery.recover(&bad), vec![None; bad.len()]);
    assert!(bad.iter().all(|one| reference(one).is_none() && recovery.recover(&[*one]) == [None]));
}

/// Signatures by the scalars that they make: of G, and of R, which is a multiple of G. With R near G and scalars with few
/// digits, sums meet doublings and infinity on their way; nothing may come of it but the right key, or nothing at all.
#[test]
fn where_sums_meet_special_cases_a_key_is_right_or_absent() {
    let recovery = Recovery::new();
    let points = [U256::ONE, U256::from(2), U256::from(3), ORDER - U256::ONE, LAMBDA, ORDER - LAMBDA, power_of_two(130), ORDER >> 1];
    let mut special = 0;
    let edges = edges();
    for multiple in points {
        let point = ProjectivePoint::GENERATOR * k256_scalar(multiple);
        let key = coordinates(&point);
        let r = U256::from_be_slice(&key[..32]);
        assert!(r < ORDER);
        let is_odd = key[63] & 1 == 1;
        for (k, &of_point) in edges.iter().enumerate() {
            if of_point.is_zero() {
                continue;
            }
            let mut of_generator: Vec<U256> = edges.iter().copied().skip(k % 29).step_by(29).collect();
            // Sums that are infinity, or end with a doubling.
            let same = of_point.mul_mod(multiple, ORDER);
            of_generator.extend([U256::ZERO, same, (ORDER - same) % ORDER]);
            let signed: Vec<Signed> = of_generator
                .iter()
                .map(|&of_generator| Signed {
                    hash: (ORDER - of_generator.mul_mod(r, ORDER)) % ORDER,
                    r,
                    s: of_point.mul_mod(r, ORDER),
                    is_odd,
                })
                .collect();
            for ((&of_generator, one), found) in of_generator.iter().zip(&signed).zip(recovery.recover(&signed)) {
                assert_eq!(recovery.recover(&[*one]), [found]);
                let sum = ProjectivePoint::GENERATOR * k256_scalar(of_generator) + point * k256_scalar(of_point);
                if sum == ProjectivePoint::IDENTITY {
                    assert_eq!(found, None);
                    assert_eq!(reference(one), None);
                    continue;
                }
                match found {
                    Some(found) => assert_eq!(found, coordinates(&sum), "{multiple}: {of_generator}, {of_point}"),
                    None => special += 1,
                }
            }
        }
    }
    // The test would be of no use if nothing were special.
    assert!(special > 100, "{special} special cases");
}

/// EIP-155's example, which is no key of ours.
#[test]
fn a_published_signature_recovers() {
    let number = |text: &str| U256::from_str_radix(text, 16).unwrap();
    let one = Signed {
        hash: number("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"),
        r: number("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"),
        s: number("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"),
        is_odd: false,
    };
    let key = SigningKey::from_slice(&[0x46; 32]).unwrap();
    let expected = key.verifying_key().to_encoded_point(false);
    assert_eq!(Recovery::new().recover(&[one])[0].unwrap(), expected.as_bytes()[1..]);
}
