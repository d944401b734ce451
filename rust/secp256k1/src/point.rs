//! Points of y^2 = x^3 + 7, one in each lane.
//!
//! The formulas are not complete, and need not be: where a sum meets the same point, its opposite or infinity, z becomes 0
//! and stays 0 through every later step, so whoever reads a result asks for z once at the end (recover.rs).
//! Formulas: Cohen, Miyaji, Ono, Efficient elliptic curve exponentiation using mixed coordinates (1998), for a = 0.

use crate::field::{Field, PRIME};
use crate::lanes::Lanes;
use alloc::vec::Vec;
use ruint::aliases::U256;

/// Coordinates have magnitude 1.
#[derive(Clone, Copy)]
pub struct Affine<V> {
    pub x: Field<V>,
    pub y: Field<V>,
}

/// The point (x / z^2, y / z^3). Coordinates have magnitude 1.
#[derive(Clone, Copy)]
pub struct Point<V> {
    pub x: Field<V>,
    pub y: Field<V>,
    pub z: Field<V>,
}

impl<V: Lanes> Affine<V> {
    pub fn point(&self) -> Point<V> {
        Point { x: self.x, y: self.y, z: Field::small(1) }
    }

    /// The opposite where the mask is all ones.
    #[inline(always)]
    pub fn negate(&self, mask: V) -> Affine<V> {
        Affine { x: self.x, y: Field::ZERO.sub(&self.y).select(&self.y, mask).tighten() }
    }
}

impl<V: Lanes> Point<V> {
    /// Twice the point: 3 multiplications, 4 squares.
    #[inline(never)]
    pub fn double(&self) -> Point<V> {
        let b = self.y.square().double();
        let d = self.x.double().mul(&b);
        let c = b.square();
        let a = self.x.square();
        let e = a.double().add(&a).tighten();
        let x = e.square().sub_3(&d.double()).tighten();
        let y = e.mul(&d.sub(&x)).sub_3(&c.double()).tighten();
        Point { x, y, z: self.y.double().mul(&self.z) }
    }

    /// The sum: 8 multiplications, 3 squares.
    #[inline(never)]
    pub fn add(&self, other: &Affine<V>) -> Point<V> {
        let zz = self.z.square();
        let h = other.x.mul(&zz).sub(&self.x).tighten();
        let r = other.y.mul(&zz.mul(&self.z)).sub(&self.y).tighten();
        let hh = h.square();
        let hhh = hh.mul(&h);
        let v = self.x.mul(&hh);
        let x = r.square().sub_3(&hhh.add(&v.double())).tighten();
        let y = r.mul(&v.sub(&x)).sub(&self.y.mul(&hhh)).tighten();
        Point { x, y, z: self.z.mul(&h) }
    }

    /// `self` where the mask is all ones, `other` where it is zero.
    pub fn select(&self, other: &Point<V>, mask: V) -> Point<V> {
        Point {
            x: self.x.select(&other.x, mask),
            y: self.y.select(&other.y, mask),
            z: self.z.select(&other.z, mask),
        }
    }

    /// The same point, by the inverse of its z.
    pub fn affine(&self, inverse: &Field<V>) -> Affine<V> {
        let square = inverse.square();
        Affine { x: self.x.mul(&square), y: self.y.mul(&square.mul(inverse)) }
    }
}

/// Inverses of numbers none of whose lanes is 0, with one inversion for all of them and for all lanes (Montgomery's trick).
pub fn invert_all<V: Lanes>(values: &mut [Field<V>]) {
    let mut products = Vec::with_capacity(values.len());
    let mut product = Field::small(1);
    for value in values.iter() {
        products.push(product);
        product = product.mul(value);
    }
    // The lanes with each other: pairs, then all four. The inverse of a lane is that of all times the other three. One
    // lane stands for four that are equal.
    let next = product.turn1();
    let pair = product.mul(&next);
    let other_pair = pair.turn2();
    let all = pair.mul(&other_pair).values()[0];
    let inverse = all.inv_mod(PRIME).unwrap_or(U256::ZERO);
    let mut inverse = Field::of(&[inverse; 4]).mul(&next.mul(&other_pair));
    for (value, before) in values.iter_mut().zip(&products).rev() {
        let mine = inverse.mul(before);
        inverse = inverse.mul(value);
        *value = mine;
    }
}
