//! 1 / a modulo p by divisions by two, 29 of them at a time.
//!
//! Source: Bernstein and Yang, "Fast constant-time gcd computation and modular inversion", TCHES 2019(3), section 11; here
//! as many steps at once as there are zeros, since nothing is secret.
//! Cost: a fiftieth of the power p - 2 in limb products.

use crate::field::{low, Fq, INVERSE, LIMBS, P, R_CUBED};

const STEPS: u32 = 29;

/// What 29 steps make of f and g: (u f + v g) / 2^29 and (q f + r g) / 2^29.
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// 29 steps on the lowest bits of f and g, f odd. `eta` is the opposite of the paper's delta.
fn steps(eta: &mut i32, mut f: i32, mut g: i32) -> Matrix {
    let (mut u, mut v, mut q, mut r) = (1i32, 0i32, 0i32, 1i32);
    let mut left = STEPS;
    loop {
        let zeros = (g | 1 << left).trailing_zeros();
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        *eta -= zeros as i32;
        left -= zeros;
        if left == 0 {
            return Matrix { u: u.into(), v: v.into(), q: q.into(), r: r.into() };
        }
        if *eta < 0 {
            *eta = -*eta;
            (f, g) = (g, f.wrapping_neg());
            (u, q) = (q, -u);
            (v, r) = (r, -v);
        }
        // As many bits of g as can go before f and g change places again: 1 / f is f (2 - f^2) modulo 64.
        let bits = (*eta as u32 + 1).min(left).min(6);
        let inverse = f.wrapping_mul(2i32.wrapping_sub(f.wrapping_mul(f)));
        let w = g.wrapping_mul(inverse).wrapping_neg() & ((1 << bits) - 1);
        g = g.wrapping_add(f.wrapping_mul(w));
        q += u * w;
        r += v * w;
    }
}

/// (u a + v b + m p) / 2^29, where m is 0 or what makes it whole.
fn combined(a: &[i32; LIMBS], b: &[i32; LIMBS], u: i64, v: i64, modulo: bool) -> [i32; LIMBS] {
    let at = |k: usize| u * i64::from(a[k]) + v * i64::from(b[k]);
    let m = if modulo { low((at(0) as i32).wrapping_mul(INVERSE).wrapping_neg().into()) } else { 0 };
    let mut limbs = [0; LIMBS];
    let mut x = (at(0) + m * P[0]) >> STEPS;
    for k in 1..LIMBS {
        x += at(k) + m * P[k];
        let limb = low(x);
        limbs[k - 1] = limb as i32;
        x = (x - limb) >> STEPS;
    }
    limbs[LIMBS - 1] = x as i32;
    limbs
}

impl Fq {
    /// Of a number that is not zero. Leaves magnitude 1.
    pub fn inverse(&self) -> Self {
        let mut f = P.map(|limb| limb as i32);
        let mut g = self.carry().mul(&Fq::ONE).0;
        // f = d a and g = e a modulo p; each turn adds at most p / 2 to their sizes.
        let (mut d, mut e) = ([0; LIMBS], [0; LIMBS]);
        e[0] = 1;
        let mut eta = -1;
        while g != [0; LIMBS] {
            let Matrix { u, v, q, r } = steps(&mut eta, f[0], g[0]);
            (d, e) = (combined(&d, &e, u, v, true), combined(&d, &e, q, r, true));
            (f, g) = (combined(&f, &g, u, v, false), combined(&f, &g, q, r, false));
        }
        // f is 1 or -1 now, and a was a R.
        let inverse = Fq(d).mul(&R_CUBED);
        if f[0] < 0 { inverse.neg() } else { inverse }
    }
}
