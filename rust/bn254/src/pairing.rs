//! The optimal ate pairing of bn254, as a question: is the product of some pairings one?
//!
//! Sources: Vercauteren, "Optimal pairings" (2010); Costello, Lange and Naehrig, "Faster pairing computations on curves
//! with high-degree twists" (PKC 2010) for the steps; Fuentes-Castaneda, Knapp and Rodriguez-Henriquez, "Faster hashing
//! to G2" (SAC 2011) for the last power.
//! All pairs share the squares of the loop and the last power. Nothing is allocated but their points.
//!
//! The loop leaves T = [6 x + 2] Q + psi(Q) - psi^2(Q), and Q is in the subgroup of order r exactly where T is
//! -psi^3(Q) and not infinity: so whether it is costs three products. Why exactly: psi is p on the subgroup, and
//! 6 x + 2 + p - p^2 + p^3 is a multiple of r. Elsewhere, with psi^2 - t psi + p = 0, the sum is an endomorphism
//! b0 + b1 psi of degree b0^2 + t b0 b1 + p b1^2, which has no factor in common with the cofactor 2 p - r
//! (tests.rs computes both), so it kills nothing but that subgroup. The steps' formulas are
//! incomplete: they make T (0, 0, 0) where T is Q, or infinity meets Q, and that stays so. On the subgroup neither happens,
//! since every multiple of Q on the way is between 1 and r and not Q.

use crate::field::Fq;
use crate::point::Affine;
use crate::quadratic::Fq2;
use crate::tower::{Fq12, GAMMAS, NORMS};
use crate::Error;
use alloc::vec::Vec;

/// 3 / xi, the constant of the twist y^2 = x^3 + 3 / xi.
pub const TWIST: Fq2 = Fq2::of_words(
    &[0x3267_e6dc_24a1_38e5, 0xb5b4_c5e5_59db_efa3, 0x81be_1899_1be0_6ac3, 0x2b14_9d40_ceb8_aaae],
    &[0xe4a2_bd06_85c3_15d2, 0xa74f_a084_e52d_1852, 0xcd2c_afad_eed8_fdf4, 0x0097_13b0_3af0_fed4],
);
const TWIST_TIMES_3: Fq2 = TWIST.times(3).carry();

/// 6 x + 2 in signed digits, no two neighbours of which are other than 0; the highest first, which is 1, left out.
pub const LOOP: [i8; 65] = [
    0, -1, 0, 1, 0, 0, 0, -1, 0, -1, 0, 0, 0, -1, 0, 1, 0, -1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 0, -1, 0, 1, 0, 0, -1,
    0, 0, 0, 0, -1, 0, 1, 0, 0, 0, -1, 0, -1, 0, 0, 1, 0, 0, 0, -1, 0, 0, -1, 0, 1, 0, 1, 0, 0, 0,
];

/// x in signed digits below 8, the highest first.
pub const X: [i8; 63] = [
    1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, -3, 0, 0, 0, 3, 0, 0, 0, 0, 5, 0, 0, 0, -5, 0, 0, 0, -3, 0, 0, 0, 1, 0, 0, 0, 0,
    5, 0, 0, 0, 0, 7, 0, 0, 0, -7, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, -1, 0, 0, 0, 1,
];

/// A point of the twist that is not infinity.
#[derive(Clone, Copy)]
pub struct Twist {
    pub x: Fq2,
    pub y: Fq2,
}

impl Twist {
    pub fn is_on_curve(&self) -> bool {
        self.y.square().equals(&self.x.square().mul(&self.x).add(&TWIST))
    }

    /// The p-th power, seen from the twist.
    fn psi(&self) -> Self {
        Twist { x: self.x.conjugate().mul(&GAMMAS[2]), y: self.y.conjugate().mul(&GAMMAS[3]) }
    }

    fn psi2(&self) -> Self {
        Twist { x: self.x.scale(&NORMS[2].re), y: self.y.scale(&NORMS[3].re) }
    }

    fn neg(&self) -> Self {
        Twist { x: self.x, y: self.y.neg() }
    }
}

/// A line through two points, without the coordinates of the third: a y + b x w + c v w.
struct Line {
    a: Fq2,
    b: Fq2,
    c: Fq2,
}

/// A point (x / z, y / z) of the twist.
struct Running {
    x: Fq2,
    y: Fq2,
    z: Fq2,
}

impl Running {
    /// Twice the point, and the tangent. Coordinates are four times those of the paper, which spares halves.
    #[inline(never)]
    fn double(&mut self) -> Line {
        let Running { x, y, z } = &*self;
        let xy = x.mul(y);
        let b = y.square();
        let yz = y.mul(z);
        let e = TWIST_TIMES_3.mul(&z.square());
        let xx = x.square();
        let f = e.times(3);
        let line = Line { a: yz.times(-2), b: xx.times(3).carry(), c: e.sub(&b).carry() };
        let sum = b.add(&f).carry();
        let next_x = xy.times(2).mul(&b.sub(&f).carry());
        let next_y = sum.square().add(&e.square().times_plus::<-12>(&Fq2::ZERO)).carry();
        let next_z = yz.mul(&b).times_plus::<8>(&Fq2::ZERO);
        *self = Running { x: next_x, y: next_y, z: next_z };
        line
    }

    /// Adds a point, and gives the line through both.
    #[inline(never)]
    fn add(&mut self, q: &Twist) -> Line {
        let Running { x, y, z } = &*self;
        let theta = y.sub(&q.y.mul(z)).carry();
        let lambda = x.sub(&q.x.mul(z)).carry();
        let c = theta.square();
        let d = lambda.square();
        let e = lambda.mul(&d);
        let f = z.mul(&c);
        let g = x.mul(&d);
        let h = e.add(&f).sub(&g.times(2)).carry();
        let next_x = lambda.mul(&h);
        let next_y = two_products([&theta, &e.neg()], [&g.sub(&h), y]);
        let next_z = z.mul(&e);
        let j = two_products([&theta, &lambda.neg()], [&q.x, &q.y]);
        *self = Running { x: next_x, y: next_y, z: next_z };
        Line { a: lambda, b: theta.neg(), c: j }
    }

    /// Whether it is this point, and neither infinity nor what no point is.
    fn is(&self, q: &Twist) -> bool {
        !self.z.is_zero() && self.x.equals(&q.x.mul(&self.z)) && self.y.equals(&q.y.mul(&self.z))
    }
}

#[inline(never)]
fn two_products(a: [&Fq2; 2], b: [&Fq2; 2]) -> Fq2 {
    crate::quadratic::sum_of_products(a, b)
}

struct Pair {
    /// Nothing where it is infinity: then only the other point is looked at.
    p: Option<Affine>,
    q: Twist,
    t: Running,
}

impl Pair {
    fn meet(&self, f: &mut Fq12, line: &Line) {
        if let Some(p) = &self.p {
            *f = f.mul_line(&line.a.scale(&p.y), &line.b.scale(&p.x), &line.c);
        }
    }
}

/// Points of the twist by points of the curve, none of the twist's infinity, none of both outside its curve.
pub struct Pairs(Vec<Pair>);

impl Pairs {
    pub fn with_capacity(count: usize) -> Self {
        Pairs(Vec::with_capacity(count))
    }

    pub fn push(&mut self, p: Option<Affine>, q: Twist) {
        let t = Running { x: q.x, y: q.y, z: Fq2::ONE };
        self.0.push(Pair { p, q, t });
    }

    /// Whether the product of the pairings is one.
    ///
    /// # Errors
    /// Where a point of the twist is outside its subgroup.
    pub fn check(mut self) -> Result<bool, Error> {
        let mut f = Fq12::ONE;
        for (k, digit) in LOOP.iter().enumerate() {
            if k > 0 {
                f = f.square();
            }
            for pair in &mut self.0 {
                let line = pair.t.double();
                pair.meet(&mut f, &line);
                if *digit != 0 {
                    let q = if *digit > 0 { pair.q } else { pair.q.neg() };
                    let line = pair.t.add(&q);
                    pair.meet(&mut f, &line);
                }
            }
        }
        for pair in &mut self.0 {
            let (first, second) = (pair.q.psi(), pair.q.psi2());
            for q in [first, second.neg()] {
                let line = pair.t.add(&q);
                pair.meet(&mut f, &line);
            }
            if !pair.t.is(&second.psi().neg()) {
                return Err(Error::NotInGroup);
            }
        }
        Ok(self.0.iter().all(|pair| pair.p.is_none()) || last_power(&f).is_one())
    }
}

/// f to the power 2 x (6 x^2 + 3 x + 1) (p^12 - 1) / r: one exactly where f is a power r.
fn last_power(f: &Fq12) -> Fq12 {
    // p^6 - 1, then p^2 + 1: what follows is in the cyclotomic subgroup.
    let f = f.conjugate().mul(&f.inverse());
    let f = f.frobenius2().mul(&f);
    // The rest is l0 + l1 p + l2 p^2 + l3 p^3 with l3 = 12 x^3 + 6 x^2 + 4 x - 1, l2 = l3 + 2 x + 1,
    // l1 = l3 + 1 and l0 = l1 + 6 x^2 + 2 x + 1.
    let fx = f.cyclotomic_power(&X);
    let fx2 = fx.cyclotomic_square();
    let fx6 = fx2.cyclotomic_square().mul(&fx2);
    let fxx6 = fx6.cyclotomic_power(&X);
    let fxxx12 = fxx6.cyclotomic_square().cyclotomic_power(&X);
    let l2 = fxxx12.mul(&fxx6).mul(&fx6);
    let l1 = l2.mul(&fx2.conjugate());
    let l0 = l2.mul(&fxx6).mul(&f);
    let l3 = l1.mul(&f.conjugate());
    l0.mul(&l1.frobenius()).mul(&l2.frobenius2()).mul(&l3.frobenius2().frobenius())
}

impl Affine {
    /// The constant of the curve: y^2 = x^3 + 3.
    pub fn is_on_curve(&self) -> bool {
        self.y.square().equals(&self.x.square().mul(&self.x).add(&Fq::ONE.times(3)))
    }
}
