//! The public key that signed a hash: -z/r G + s/r R, for many signatures at a time, or for one.
//!
//! Source: SEC 1: Elliptic Curve Cryptography, version 2.0, section 4.1.6. Both scalars are cut in two: R's by the
//! endomorphism, so that one chain of 125 doublings serves four scalars of 128 bits (Strauss); sums come from tables of
//! multiples. Inversions, of r, of the tables' points and of the result, are made once for all signatures of a call.
//! Here are public values alone, so nothing takes care to last equally long for all of them.

use crate::digits::{digit, PLACES, WIDTH};
use crate::field::{Field, LIMBS};
use crate::generator::{generator, Multiples, WIDE};
use crate::lanes::{Four, Lanes, One, LANES};
use crate::point::{invert_all, Affine, Point};
use crate::scalar::{self, halves, Half, ORDER};
use alloc::vec::Vec;
use ruint::aliases::U256;

/// Signatures whose tables are in memory at the same time: 7 kB for four.
const AT_ONCE: usize = 32;

/// A cube root of 1 modulo p: (beta x, y) is lambda (x, y).
const BETA: U256 =
    U256::from_limbs([0xC139_6C28_7195_01EE, 0x9CF0_4975_12F5_8995, 0x6E64_479E_AC34_34E9, 0x7AE9_6A2B_657C_0710]);

/// What was signed, and the signature.
#[derive(Clone, Copy)]
pub struct Signed {
    pub hash: U256,
    pub r: U256,
    pub s: U256,
    /// R's y is odd. An R whose x is above n, which a signature could not be made for in practice, is not asked for.
    pub is_odd: bool,
}

/// x and y, big-endian.
pub type Key = [u8; 64];

/// Recovers keys. Keeps the generator's multiples.
pub struct Recovery {
    generator: [Multiples; 2],
}

/// The scalars of one signature: of G, and of R and lambda R.
#[derive(Clone, Copy, Default)]
struct Scalars {
    generator: U256,
    signed: [Half; 2],
}

impl Recovery {
    /// Cost: 2 x 127 sums and a few inversions, once.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Recovery {
        Recovery { generator: Multiples::of_generator() }
    }

    /// The keys, or nothing where there is none **or where the formulas met a special case**: a sum of equal or opposite
    /// points. Whoever must tell these apart asks a slower recovery, which is of no account: they do not occur by chance.
    pub fn recover(&self, signed: &[Signed]) -> Vec<Option<Key>> {
        match signed {
            // As in the precompile.
            [_] => self.recover_some::<One>(signed),
            _ => signed.chunks(AT_ONCE).flat_map(|some| self.recover_some::<Four>(some)).collect(),
        }
    }

    fn recover_some<V: Lanes>(&self, signed: &[Signed]) -> Vec<Option<Key>> {
        let is_below_order = |value: U256| !value.is_zero() && value < ORDER;
        let mut good: Vec<bool> = signed.iter().map(|one| is_below_order(one.r) && is_below_order(one.s)).collect();
        let mut scalars = scalars_of(signed, &good);
        // The last four are filled up with what recovers to nothing.
        good.resize(good.len().next_multiple_of(V::COUNT), false);
        scalars.resize(good.len(), Scalars::default());

        let points: Vec<Affine<V>> =
            signed.chunks(V::COUNT).zip(good.chunks_mut(V::COUNT)).map(|(four, good)| points_of(four, good)).collect();
        let tables = tables_of(&points);
        let mut sums: Vec<Point<V>> =
            tables.chunks(TABLE).zip(scalars.chunks(V::COUNT)).map(|(table, four)| self.sum(table, four)).collect();

        let mut inverses = Vec::with_capacity(sums.len());
        for (sum, good) in sums.iter_mut().zip(good.chunks_mut(V::COUNT)) {
            for (good, z) in good.iter_mut().zip(sum.z.values()) {
                *good &= !z.is_zero();
            }
            inverses.push(sum.z.select(&Field::small(1), mask_of(good)));
        }
        invert_all(&mut inverses);
        let keys = sums.iter().zip(&inverses).flat_map(|(sum, inverse)| {
            let Affine { x, y } = sum.affine(inverse);
            let (x, y) = (x.values(), y.values());
            (0..V::COUNT).map(move |lane| key_of(x[lane], y[lane]))
        });
        keys.zip(&good).take(signed.len()).map(|(key, &good)| good.then_some(key)).collect()
    }

    /// The sum of all digits' multiples, from the topmost digit down.
    fn sum<V: Lanes>(&self, table: &[Entry], scalars: &[Scalars]) -> Point<V> {
        let mut sum = Sum::<V>::empty();
        for place in (0..PLACES).rev() {
            if place < PLACES - 1 {
                for _ in 0..WIDTH {
                    sum.point = sum.point.double();
                }
            }
            for (half, coordinate) in [(0, X), (1, BETA_X)] {
                let digits = core::array::from_fn(|lane| {
                    let Half { size, is_negative } = scalars[lane % V::COUNT].signed[half];
                    let digit = digit(&[size as u64, (size >> 64) as u64], place, WIDTH);
                    if is_negative { -digit } else { digit }
                });
                sum.add(digits, |sizes| gather(table, sizes, coordinate));
            }
            if place % 2 == 0 {
                for (half, multiples) in self.generator.iter().enumerate() {
                    let place = (place + half * PLACES) / 2;
                    let digits = core::array::from_fn(|lane| digit(scalars[lane % V::COUNT].generator.as_limbs(), place, WIDE));
                    sum.add(digits, |sizes| multiples.gather(sizes));
                }
            }
        }
        // A lane to which nothing was added is at infinity.
        sum.point.z = Field::ZERO.select(&sum.point.z, sum.empty);
        sum.point
    }
}

/// A point in each lane, of which some may still be at infinity, which the formulas do not know.
struct Sum<V> {
    point: Point<V>,
    /// All ones where nothing was added.
    empty: V,
}

impl<V: Lanes> Sum<V> {
    fn empty() -> Self {
        Sum { point: Point { x: Field::ZERO, y: Field::ZERO, z: Field::ZERO }, empty: V::splat(!0) }
    }

    /// Adds what `gather` has for the sizes of the digits, with their signs.
    #[inline(always)]
    fn add(&mut self, digits: [i32; LANES], gather: impl Fn([usize; LANES]) -> Affine<V>) {
        let term = gather(digits.map(|digit| digit.unsigned_abs() as usize));
        let term = term.negate(V::of(digits.map(|digit| (digit >> 31) as u32)));
        let sum = self.point.add(&term);
        let is_none = V::of(digits.map(|digit| if digit == 0 { !0 } else { 0 }));
        self.point = self.point.select(&term.point().select(&sum, self.empty), is_none);
        self.empty = self.empty.and(is_none);
    }
}

/// Multiples of R in a table: 1 to this.
const TABLE: usize = 1 << (WIDTH - 1);

/// A multiple of R in each lane: x, beta x, y, by limb and lane.
type Entry = [[[u32; LANES]; LIMBS]; 3];
const X: usize = 0;
const BETA_X: usize = 1;
const Y: usize = 2;

#[inline(always)]
fn gather<V: Lanes>(table: &[Entry], sizes: [usize; LANES], x: usize) -> Affine<V> {
    let entries = sizes.map(|size| &table[size.max(1) - 1]);
    let coordinate = |c: usize| {
        Field(core::array::from_fn(|k| V::of(core::array::from_fn(|lane| entries[lane][c][k][lane]))))
    };
    Affine { x: coordinate(x), y: coordinate(Y) }
}

/// The table of each point, one after another.
fn tables_of<V: Lanes>(points: &[Affine<V>]) -> Vec<Entry> {
    let mut multiples: Vec<Point<V>> = Vec::with_capacity(points.len() * TABLE);
    for point in points {
        let first = multiples.len();
        multiples.push(point.point());
        for size in 2..=TABLE {
            let half = multiples[first + size / 2 - 1];
            let next = if size % 2 == 0 { half.double() } else { multiples[first + size - 2].add(point) };
            multiples.push(next);
        }
    }
    let mut inverses: Vec<Field<V>> = multiples.iter().map(|point| point.z).collect();
    invert_all(&mut inverses);
    let beta = Field::of(&[BETA; LANES]);
    multiples
        .iter()
        .zip(&inverses)
        .map(|(point, inverse)| {
            let Affine { x, y } = point.affine(inverse);
            [x, x.mul(&beta), y].map(|coordinate| coordinate.0.map(V::array))
        })
        .collect()
}

/// The points R of as many signatures as there are lanes; where there is none, which makes a signature not good, the generator.
fn points_of<V: Lanes>(signed: &[Signed], good: &mut [bool]) -> Affine<V> {
    let lane = |k: usize| if k < signed.len() { signed[k].r } else { U256::ZERO };
    let x = Field::of(&core::array::from_fn(lane));
    let cube = x.square().mul(&x).add(&Field::small(7)).tighten();
    let y = cube.root();
    let differences = y.square().sub(&cube).values();
    let odd = y.values().map(|y| y.bit(0));
    for k in 0..V::COUNT {
        good[k] &= differences[k].is_zero();
    }
    let is_other = |k: usize| k < signed.len() && signed[k].is_odd != odd[k];
    let point = Affine { x, y }.negate(mask_of(&core::array::from_fn::<bool, LANES, _>(is_other)));
    let instead = generator();
    let mask = mask_of(good);
    Affine { x: point.x.select(&instead.x, mask), y: point.y.select(&instead.y, mask) }
}

/// -z/r and s/r, where these are numbers.
fn scalars_of(signed: &[Signed], good: &[bool]) -> Vec<Scalars> {
    let divisors: Vec<U256> =
        signed.iter().zip(good).map(|(one, &good)| if good { one.r } else { U256::ONE }).collect();
    let inverses = scalar::inverses(&divisors);
    let scalars = signed.iter().zip(good).zip(inverses).map(|((one, &good), inverse)| {
        if !good {
            return Scalars::default();
        }
        let hash = if one.hash >= ORDER { one.hash - ORDER } else { one.hash };
        let hash = scalar::mul(hash, inverse);
        let generator = if hash.is_zero() { hash } else { ORDER - hash };
        Scalars { generator, signed: halves(scalar::mul(one.s, inverse)) }
    });
    scalars.collect()
}

fn mask_of<V: Lanes>(lanes: &[bool]) -> V {
    V::of(core::array::from_fn(|k| if k < V::COUNT && lanes[k] { !0 } else { 0 }))
}

fn key_of(x: U256, y: U256) -> Key {
    let mut key = [0; 64];
    key[..32].copy_from_slice(&x.to_be_bytes::<32>());
    key[32..].copy_from_slice(&y.to_be_bytes::<32>());
    key
}
