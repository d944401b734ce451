//! Fq6 = Fq2[v] with v^3 = xi, and Fq12 = Fq6[w] with w^2 = v: what a pairing's value is in.
//!
//! Numbers kept have magnitude 1.

use crate::quadratic::{sum_of_products, Fq2};

/// a + b v + c v^2.
#[derive(Clone, Copy, Debug)]
pub struct Fq6(pub [Fq2; 3]);

/// a + b w.
#[derive(Clone, Copy, Debug)]
pub struct Fq12 {
    pub a: Fq6,
    pub b: Fq6,
}

/// xi to the power (p - 1) / 6: what the p-th power makes of w, w^p = GAMMA w.
pub const GAMMA: Fq2 = Fq2::of_words(
    &[0xd60b_35da_dcc9_e470, 0x5c52_1e08_292f_2176, 0xe8b9_9fdd_76e6_8b60, 0x1284_b71c_2865_a7df],
    &[0xca5c_f05f_80f3_62ac, 0x7479_9277_8eee_c7e5, 0xa632_7cfe_1215_0b8e, 0x2469_96f3_b4fa_e7e6],
);

/// Powers 0 to 5.
const fn powers(base: &Fq2) -> [Fq2; 6] {
    let mut powers = [Fq2::ONE; 6];
    let mut k = 1;
    while k < 6 {
        powers[k] = powers[k - 1].mul(base);
        k += 1;
    }
    powers
}

pub const GAMMAS: [Fq2; 6] = powers(&GAMMA);

/// The same for the power p^2: norms, so their imaginary part is zero.
pub const NORMS: [Fq2; 6] = powers(&GAMMA.mul(&GAMMA.conjugate()));

impl Fq6 {
    const ZERO: Self = Fq6([Fq2::ZERO; 3]);
    const ONE: Self = Fq6([Fq2::ONE, Fq2::ZERO, Fq2::ZERO]);

    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        Fq6(core::array::from_fn(|k| self.0[k].add(&other.0[k])))
    }

    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        Fq6(core::array::from_fn(|k| self.0[k].sub(&other.0[k])))
    }

    fn neg(&self) -> Self {
        Fq6(core::array::from_fn(|k| self.0[k].neg()))
    }

    fn carry(&self) -> Self {
        Fq6(core::array::from_fn(|k| self.0[k].carry()))
    }

    /// Times v, and `other` added; leaves magnitude 1.
    #[inline(always)]
    fn times_v_plus(&self, other: &Self) -> Self {
        let [a, b, c] = &self.0;
        Fq6([c.times_xi().add(&other.0[0]).carry(), a.add(&other.0[1]).carry(), b.add(&other.0[2]).carry()])
    }

    /// Takes magnitudes 2 and 1, leaves 1.
    #[inline(never)]
    fn mul(&self, other: &Self) -> Self {
        let ([a, b, c], [d, e, f]) = (&self.0, &other.0);
        let (xe, xf) = (e.times_xi(), f.times_xi());
        Fq6([products([a, b, c], [d, &xf, &xe]), products([a, b, c], [e, d, &xf]), products([a, b, c], [f, e, d])])
    }

    /// Of a number that is not zero.
    fn inverse(&self) -> Self {
        let [a, b, c] = &self.0;
        let (xb, xc) = (b.times_xi(), c.times_xi());
        // The product of the two conjugates, and then the norm.
        let d = a.square().sub(&b.mul(&xc));
        let e = c.mul(&xc).sub(&a.mul(b));
        let f = b.square().sub(&a.mul(c));
        let (d, e, f) = (d.carry(), e.carry(), f.carry());
        let norm = products([&d, &e, &f], [a, &xc, &xb]);
        let inverse = norm.inverse();
        Fq6([d.mul(&inverse), e.mul(&inverse), f.mul(&inverse)])
    }
}

/// The sum of three products; magnitudes as `sum_of_products` has it.
#[inline(never)]
fn products(a: [&Fq2; 3], b: [&Fq2; 3]) -> Fq2 {
    sum_of_products(a, b)
}

impl Fq12 {
    pub const ONE: Self = Fq12 { a: Fq6::ONE, b: Fq6::ZERO };

    pub fn mul(&self, other: &Self) -> Self {
        let low = self.a.mul(&other.a);
        let high = self.b.mul(&other.b);
        let both = self.a.add(&self.b).mul(&other.a.add(&other.b).carry());
        Fq12 { a: high.times_v_plus(&low), b: both.sub(&low).sub(&high).carry() }
    }

    pub fn square(&self) -> Self {
        // (a + b) (a + v b) = a^2 + v b^2 + (1 + v) a b.
        let product = self.a.mul(&self.b);
        let both = self.a.add(&self.b).mul(&self.b.times_v_plus(&self.a));
        Fq12 { a: product.neg().times_v_plus(&both.sub(&product)), b: product.add(&product).carry() }
    }

    /// Times c + (d + e v) w: a line. All of magnitude 1.
    pub fn mul_line(&self, c: &Fq2, d: &Fq2, e: &Fq2) -> Self {
        let ([a0, a1, a2], [b0, b1, b2]) = (&self.a.0, &self.b.0);
        let (xd, xe) = (d.times_xi(), e.times_xi());
        Fq12 {
            a: Fq6([
                products([a0, b1, b2], [c, &xe, &xd]),
                products([a1, b0, b2], [c, d, &xe]),
                products([a2, b0, b1], [c, e, d]),
            ]),
            b: Fq6([
                products([a0, a2, b0], [d, &xe, c]),
                products([a0, a1, b1], [e, d, c]),
                products([a1, a2, b2], [e, d, c]),
            ]),
        }
    }

    /// The power p^6. In the cyclotomic subgroup it is the inverse.
    pub fn conjugate(&self) -> Self {
        Fq12 { a: self.a, b: self.b.neg() }
    }

    /// Of a number that is not zero.
    pub fn inverse(&self) -> Self {
        let high = self.b.mul(&self.b).neg();
        let norm = high.times_v_plus(&self.a.mul(&self.a));
        let inverse = norm.inverse();
        Fq12 { a: self.a.mul(&inverse), b: self.b.neg().mul(&inverse) }
    }

    /// The power p.
    pub fn frobenius(&self) -> Self {
        let part = |part: &Fq6, odd: usize| {
            Fq6(core::array::from_fn(|k| part.0[k].conjugate().mul(&GAMMAS[2 * k + odd])))
        };
        Fq12 { a: part(&self.a, 0), b: part(&self.b, 1) }
    }

    /// The power p^2.
    pub fn frobenius2(&self) -> Self {
        let part = |part: &Fq6, odd: usize| Fq6(core::array::from_fn(|k| part.0[k].scale(&NORMS[2 * k + odd].re)));
        Fq12 { a: part(&self.a, 0), b: part(&self.b, 1) }
    }

    /// The square of a number of the cyclotomic subgroup.
    ///
    /// Source: Granger and Scott, "Faster squaring in the cyclotomic subgroup of sixth degree extensions", PKC 2010.
    pub fn cyclotomic_square(&self) -> Self {
        let ([a0, a1, a2], [b0, b1, b2]) = (&self.a.0, &self.b.0);
        let (s0, t0) = fourth_square(a0, b1);
        let (s1, t1) = fourth_square(b0, a2);
        let (s2, t2) = fourth_square(a1, b2);
        let t2 = t2.times_xi();
        Fq12 {
            a: Fq6([
                s0.times_plus_reduced::<3>(&a0.times(-2)),
                s1.times_plus_reduced::<3>(&a1.times(-2)),
                s2.times_plus_reduced::<3>(&a2.times(-2)),
            ]),
            b: Fq6([
                t2.times_plus_reduced::<3>(&b0.times(2)),
                t0.times_plus_reduced::<3>(&b1.times(2)),
                t1.times_plus_reduced::<3>(&b2.times(2)),
            ]),
        }
    }

    /// To the power of digits, the highest first, each 0 or odd and below 8. In the cyclotomic subgroup only.
    pub fn cyclotomic_power(&self, digits: &[i8]) -> Self {
        let square = self.cyclotomic_square();
        let mut odd = [*self; 4];
        for k in 1..4 {
            odd[k] = odd[k - 1].mul(&square);
        }
        let mut power = odd[digits[0] as usize / 2];
        for digit in &digits[1..] {
            power = power.cyclotomic_square();
            let factor = &odd[digit.unsigned_abs() as usize / 2];
            match digit {
                0 => {}
                1.. => power = power.mul(factor),
                _ => power = power.mul(&factor.conjugate()),
            }
        }
        power
    }

    pub fn is_one(&self) -> bool {
        let [a0, a1, a2] = &self.a.0;
        self.b.0.iter().all(Fq2::is_zero) && a1.is_zero() && a2.is_zero() && a0.equals(&Fq2::ONE)
    }
}

/// (a + b s)^2 with s^2 = xi, as a^2 + xi b^2 and 2 a b.
#[inline(never)]
fn fourth_square(a: &Fq2, b: &Fq2) -> (Fq2, Fq2) {
    (sum_of_products([a, b], [a, &b.times_xi()]), a.times(2).mul(b))
}
