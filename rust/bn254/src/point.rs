//! The curve y^2 = x^3 + 3 over Fq: sums and multiples.
//!
//! Its order r is a prime, so every point but infinity has order r, and none has y = 0.
//! Source of the formulas: Explicit-Formulas Database, short Weierstrass curves with a = 0, Jacobian coordinates.
//! Source of the cut scalars: Gallant, Lambert and Vanstone, "Faster point multiplication on elliptic curves with
//! efficient endomorphisms" (CRYPTO 2001): (BETA x, y) is LAMBDA (x, y), so k P is k1 P + k2 LAMBDA P with halves of the
//! length.

use crate::field::Fq;
use crate::scalar::{cut, digits, reduced, DIGITS};

/// A cube root of 1 modulo p: that of LAMBDA in scalar.rs.
pub const BETA: Fq = Fq::of_words(&[0x5763_4731_77ff_fffe, 0xd4f2_63f1_acdb_5c4f, 0x59e2_6bce_a0d4_8bac, 0]);

/// A point that is not infinity.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    pub x: Fq,
    pub y: Fq,
}

/// The point (x / z^2, y / z^3), infinity where z is `ZERO` itself. Magnitudes are 1.
#[derive(Clone, Copy)]
struct Jacobian {
    x: Fq,
    y: Fq,
    z: Fq,
}

const INFINITY: Jacobian = Jacobian { x: Fq::ONE, y: Fq::ONE, z: Fq::ZERO };

impl Jacobian {
    fn of(point: &Affine) -> Self {
        Jacobian { x: point.x, y: point.y, z: Fq::ONE }
    }

    fn is_infinity(&self) -> bool {
        self.z.0 == Fq::ZERO.0
    }

    fn double(&self) -> Self {
        let Jacobian { x, y, z } = self;
        let yy = y.square();
        let d = x.mul(&yy).times(4).carry();
        let e = x.square().times(3);
        let next_x = e.square().sub(&d.times(2)).carry();
        let next_y = yy.square().times_plus::<-8>(&e.mul(&d.sub(&next_x)));
        Jacobian { x: next_x, y: next_y, z: y.times(2).mul(z) }
    }

    fn add(&self, point: &Affine) -> Self {
        if self.is_infinity() {
            return Jacobian::of(point);
        }
        let Jacobian { x, y, z } = self;
        let zz = z.square();
        let h = point.x.mul(&zz).sub(x);
        let s = point.y.mul(&z.mul(&zz)).sub(y);
        if h.is_zero() {
            return if s.is_zero() { self.double() } else { INFINITY };
        }
        let hh = h.square();
        let hhh = h.mul(&hh);
        let v = x.mul(&hh);
        let next_x = s.square().sub(&hhh).sub(&v.times(2)).carry();
        let next_y = s.mul(&v.sub(&next_x)).sub(&y.mul(&hhh)).carry();
        Jacobian { x: next_x, y: next_y, z: z.mul(&h) }
    }

    fn affine(&self) -> Option<Affine> {
        (!self.is_infinity()).then(|| self.over(&self.z.inverse()))
    }

    /// With z of 1, which takes 1 / z.
    fn over(&self, inverse: &Fq) -> Affine {
        let square = inverse.square();
        Affine { x: self.x.mul(&square), y: self.y.mul(&square.mul(inverse)) }
    }
}

impl Affine {
    fn neg(&self) -> Self {
        Affine { x: self.x, y: self.y.neg() }
    }

    /// Nothing is infinity.
    pub fn add(&self, other: &Self) -> Option<Self> {
        let run = other.x.sub(&self.x);
        let slope = if run.is_zero() {
            if !self.y.equals(&other.y) {
                return None;
            }
            self.x.square().times(3).mul(&self.y.times(2).inverse())
        } else {
            other.y.sub(&self.y).mul(&run.inverse())
        };
        let x = slope.square().sub(&self.x).sub(&other.x);
        let y = slope.mul(&self.x.sub(&x)).sub(&self.y);
        Some(Affine { x, y })
    }

    /// Nothing is infinity. `scalar` is any number of 256 bits.
    pub fn mul(&self, scalar: &[u64; 4]) -> Option<Self> {
        let (first, second) = cut(&reduced(scalar));
        let (first, second) = (digits(first), digits(second));
        let table = self.odd_multiples();
        let turned = table.map(|point| Affine { x: point.x.mul(&BETA), y: point.y });
        let mut sum = INFINITY;
        for k in (0..DIGITS).rev() {
            if !sum.is_infinity() {
                sum = sum.double();
            }
            for (digit, table) in [(first[k], &table), (second[k], &turned)] {
                let point = &table[digit.unsigned_abs() as usize / 2];
                match digit {
                    0 => {}
                    1.. => sum = sum.add(point),
                    _ => sum = sum.add(&point.neg()),
                }
            }
        }
        sum.affine()
    }

    /// The point times 1, 3, ..., 15.
    fn odd_multiples(&self) -> [Self; 8] {
        // On the curve that turns the double's z into 1, adding the double costs less; its z is a factor at the end.
        let double = Jacobian::of(self).double();
        let zz = double.z.square();
        let scaled = Affine { x: self.x.mul(&zz), y: self.y.mul(&zz.mul(&double.z)) };
        let step = Affine { x: double.x, y: double.y };
        let mut points = [Jacobian::of(&scaled); 8];
        for k in 1..8 {
            points[k] = points[k - 1].add(&step);
        }
        // One inverse for all: of the product, taken apart from the end.
        let mut before = [double.z; 8];
        for k in 1..8 {
            before[k] = before[k - 1].mul(&points[k].z);
        }
        let mut inverse = before[7].inverse();
        let mut table = [*self; 8];
        for k in (1..8).rev() {
            // Of double.z times the product of z up to k - 1; what is wanted is 1 / (double.z z_k).
            let own = inverse.mul(&before[k - 1]);
            inverse = inverse.mul(&points[k].z);
            table[k] = points[k].over(&own);
        }
        let last = inverse;
        // `own` is 1 / z_k on the other curve; 1 / double.z brings it back.
        let (square, cube) = (last.square(), last.square().mul(&last));
        for point in &mut table[1..] {
            *point = Affine { x: point.x.mul(&square), y: point.y.mul(&cube) };
        }
        table
    }
}
