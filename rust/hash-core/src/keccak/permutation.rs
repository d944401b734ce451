//! Keccak-f[1600], once for all widths: a lane is 64 bits of one state, or of two states side by side.
//!
//! Source: FIPS 202, sections 3.2 and 3.3; lane (x, y) is number x + 5y.

/// 64 bits of one state or more, each on its own.
pub trait Lane: Copy {
    /// The same 64 bits for every state.
    fn splat(word: u64) -> Self;
    fn xor(self, other: Self) -> Self;
    /// `other`, where `self` is not set: the product of chi.
    fn not_and(self, other: Self) -> Self;
    fn rotate<const BITS: u32>(self) -> Self;
}

impl Lane for u64 {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        word
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }
    #[inline(always)]
    fn not_and(self, other: Self) -> Self {
        !self & other
    }
    #[inline(always)]
    fn rotate<const BITS: u32>(self) -> Self {
        self.rotate_left(BITS)
    }
}

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a, 0x8000_0000_8000_8000,
    0x0000_0000_0000_808b, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
    0x0000_0000_0000_008a, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
    0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
    0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
    0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
];

#[inline(always)]
fn xor5<L: Lane>(a: L, b: L, c: L, d: L, e: L) -> L {
    a.xor(b).xor(c.xor(d)).xor(e)
}

/// One row of chi.
#[inline(always)]
fn chi<L: Lane>(a: L, b: L, c: L) -> L {
    a.xor(b.not_and(c))
}

/// The permutation. Its 25 lanes are locals for all of the 24 rounds; what does not fit into registers V8 spills.
/// One round a pass of the loop: with two or four it spills more (216, 283 and 394 ns a digest in pairs), and so it does
/// with the sums of columns kept from the round before (308; all 2026-11-21, `npm run bench -- --only hash`).
#[inline(always)]
pub fn f1600<L: Lane>(s: &mut [L; 25]) {
    let [mut a0, mut a1, mut a2, mut a3, mut a4, mut a5, mut a6, mut a7, mut a8, mut a9, mut a10, mut a11, mut a12, mut a13, mut a14, mut a15, mut a16, mut a17, mut a18, mut a19, mut a20, mut a21, mut a22, mut a23, mut a24] =
        *s;
    for constant in ROUND_CONSTANTS {
        let c0 = xor5(a0, a5, a10, a15, a20);
        let c1 = xor5(a1, a6, a11, a16, a21);
        let c2 = xor5(a2, a7, a12, a17, a22);
        let c3 = xor5(a3, a8, a13, a18, a23);
        let c4 = xor5(a4, a9, a14, a19, a24);
        let d0 = c4.xor(c1.rotate::<1>());
        let d1 = c0.xor(c2.rotate::<1>());
        let d2 = c1.xor(c3.rotate::<1>());
        let d3 = c2.xor(c4.rotate::<1>());
        let d4 = c3.xor(c0.rotate::<1>());

        let b0 = a0.xor(d0);
        let b1 = a6.xor(d1).rotate::<44>();
        let b2 = a12.xor(d2).rotate::<43>();
        let b3 = a18.xor(d3).rotate::<21>();
        let b4 = a24.xor(d4).rotate::<14>();
        let e0 = a3.xor(d3).rotate::<28>();
        let e1 = a9.xor(d4).rotate::<20>();
        let e2 = a10.xor(d0).rotate::<3>();
        let e3 = a16.xor(d1).rotate::<45>();
        let e4 = a22.xor(d2).rotate::<61>();
        let f0 = a1.xor(d1).rotate::<1>();
        let f1 = a7.xor(d2).rotate::<6>();
        let f2 = a13.xor(d3).rotate::<25>();
        let f3 = a19.xor(d4).rotate::<8>();
        let f4 = a20.xor(d0).rotate::<18>();
        let g0 = a4.xor(d4).rotate::<27>();
        let g1 = a5.xor(d0).rotate::<36>();
        let g2 = a11.xor(d1).rotate::<10>();
        let g3 = a17.xor(d2).rotate::<15>();
        let g4 = a23.xor(d3).rotate::<56>();
        let h0 = a2.xor(d2).rotate::<62>();
        let h1 = a8.xor(d3).rotate::<55>();
        let h2 = a14.xor(d4).rotate::<39>();
        let h3 = a15.xor(d0).rotate::<41>();
        let h4 = a21.xor(d1).rotate::<2>();

        a0 = chi(b0, b1, b2).xor(L::splat(constant));
        a1 = chi(b1, b2, b3);
        a2 = chi(b2, b3, b4);
        a3 = chi(b3, b4, b0);
        a4 = chi(b4, b0, b1);
        a5 = chi(e0, e1, e2);
        a6 = chi(e1, e2, e3);
        a7 = chi(e2, e3, e4);
        a8 = chi(e3, e4, e0);
        a9 = chi(e4, e0, e1);
        a10 = chi(f0, f1, f2);
        a11 = chi(f1, f2, f3);
        a12 = chi(f2, f3, f4);
        a13 = chi(f3, f4, f0);
        a14 = chi(f4, f0, f1);
        a15 = chi(g0, g1, g2);
        a16 = chi(g1, g2, g3);
        a17 = chi(g2, g3, g4);
        a18 = chi(g3, g4, g0);
        a19 = chi(g4, g0, g1);
        a20 = chi(h0, h1, h2);
        a21 = chi(h1, h2, h3);
        a22 = chi(h2, h3, h4);
        a23 = chi(h3, h4, h0);
        a24 = chi(h4, h0, h1);
    }
    *s = [
        a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24,
    ];
}
