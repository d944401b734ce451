//! Multiples of the generator G that recovery adds: 1 to 512 times G and times 2^130 G.
//!
//! 74 kB, made once an instance: in the module they would have to be downloaded and checked by everybody.

use crate::digits::{PLACES, WIDTH};
use crate::field::{Field, LIMBS};
use crate::lanes::{Four, Lanes, LANES};
use crate::point::{invert_all, Affine, Point};
use alloc::vec::Vec;
use ruint::aliases::U256;

const X: U256 =
    U256::from_limbs([0x59F2_815B_16F8_1798, 0x029B_FCDB_2DCE_28D9, 0x55A0_6295_CE87_0B07, 0x79BE_667E_F9DC_BBAC]);
const Y: U256 =
    U256::from_limbs([0x9C47_D08F_FB10_D4B8, 0xFD17_B448_A685_5419, 0x5DA4_FBFC_0E11_08A8, 0x483A_DA77_26A3_C465]);

/// Bits of a digit of G's scalar: two of R's.
pub const WIDE: usize = 2 * WIDTH;
/// 1 to this many times a point.
const MULTIPLES: usize = 1 << (WIDE - 1);
/// What one lane makes of them.
const SHARE: usize = MULTIPLES / LANES;

/// G in every lane.
pub fn generator<V: Lanes>() -> Affine<V> {
    Affine { x: Field::of(&[X; LANES]), y: Field::of(&[Y; LANES]) }
}

type Entry = [[u32; LIMBS]; 2];

/// Multiples of one point.
pub struct Multiples(Vec<Entry>);

impl Multiples {
    /// Of G, and of 2^130 G, where the upper half of a scalar's digits begins.
    pub fn of_generator() -> [Multiples; 2] {
        let near = generator::<Four>();
        let mut far = near.point();
        for _ in 0..WIDTH * PLACES {
            far = far.double();
        }
        [Multiples::of(&near), Multiples::of(&affine(&far))]
    }

    /// Lane k makes those up to k + 1 shares, from the last downwards, so that no sum is of a point and itself.
    fn of(base: &Affine<Four>) -> Multiples {
        let only = |lane: usize| Four::of(core::array::from_fn(|k| if k == lane { !0 } else { 0 }));
        let two = base.point().double();
        let three = two.add(base);
        let four = two.double();
        let mut point = three.select(&four, only(2));
        point = two.select(&point, only(1));
        point = base.point().select(&point, only(0));
        for _ in 0..SHARE.ilog2() {
            point = point.double();
        }
        let step = base.negate(Four::splat(!0));
        let mut points = Vec::with_capacity(SHARE);
        for _ in 1..SHARE {
            points.push(point);
            point = point.add(&step);
        }
        points.push(point);

        let mut inverses: Vec<Field<Four>> = points.iter().map(|point| point.z).collect();
        invert_all(&mut inverses);
        let mut entries = alloc::vec![[[0; LIMBS]; 2]; MULTIPLES];
        for (k, (point, inverse)) in points.iter().zip(&inverses).enumerate() {
            let Affine { x, y } = point.affine(inverse);
            for limb in 0..LIMBS {
                let (x, y) = (x.0[limb].array(), y.0[limb].array());
                for lane in 0..LANES {
                    let entry = &mut entries[(lane + 1) * SHARE - 1 - k];
                    entry[0][limb] = x[lane];
                    entry[1][limb] = y[lane];
                }
            }
        }
        Multiples(entries)
    }

    /// By lane, the multiple that a digit's size says; where that is 0, any.
    #[inline(always)]
    pub fn gather<V: Lanes>(&self, sizes: [usize; LANES]) -> Affine<V> {
        let entries = sizes.map(|size| &self.0[size.max(1) - 1]);
        let coordinate = |c: usize| Field(core::array::from_fn(|k| V::of(entries.map(|entry| entry[c][k]))));
        Affine { x: coordinate(0), y: coordinate(1) }
    }
}

fn affine(point: &Point<Four>) -> Affine<Four> {
    let mut inverse = [point.z];
    invert_all(&mut inverse);
    point.affine(&inverse[0])
}
