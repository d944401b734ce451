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

pub const ROUNDS: usize = 24;

const ROUND_CONSTANTS: [u64; ROUNDS] = [
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

/// What theta adds to the lanes of each column.
#[inline(always)]
fn theta<L: Lane>(a: &[L; 25]) -> [L; 5] {
    let c0 = xor5(a[0], a[5], a[10], a[15], a[20]);
    let c1 = xor5(a[1], a[6], a[11], a[16], a[21]);
    let c2 = xor5(a[2], a[7], a[12], a[17], a[22]);
    let c3 = xor5(a[3], a[8], a[13], a[18], a[23]);
    let c4 = xor5(a[4], a[9], a[14], a[19], a[24]);
    [
        c4.xor(c1.rotate::<1>()),
        c0.xor(c2.rotate::<1>()),
        c1.xor(c3.rotate::<1>()),
        c2.xor(c4.rotate::<1>()),
        c3.xor(c0.rotate::<1>()),
    ]
}

/// The first row after rho and pi, for lanes to which `d` is not added yet.
#[inline(always)]
fn first_row<L: Lane>(a: &[L; 25], d: &[L; 5]) -> [L; 5] {
    [
        a[0].xor(d[0]),
        a[6].xor(d[1]).rotate::<44>(),
        a[12].xor(d[2]).rotate::<43>(),
        a[18].xor(d[3]).rotate::<21>(),
        a[24].xor(d[4]).rotate::<14>(),
    ]
}

/// One of the 24 rounds.
#[inline(always)]
fn round<L: Lane>(a: &[L; 25], constant: u64) -> [L; 25] {
    let d = theta(a);
    let [b0, b1, b2, b3, b4] = first_row(a, &d);
    let e0 = a[3].xor(d[3]).rotate::<28>();
    let e1 = a[9].xor(d[4]).rotate::<20>();
    let e2 = a[10].xor(d[0]).rotate::<3>();
    let e3 = a[16].xor(d[1]).rotate::<45>();
    let e4 = a[22].xor(d[2]).rotate::<61>();
    let f0 = a[1].xor(d[1]).rotate::<1>();
    let f1 = a[7].xor(d[2]).rotate::<6>();
    let f2 = a[13].xor(d[3]).rotate::<25>();
    let f3 = a[19].xor(d[4]).rotate::<8>();
    let f4 = a[20].xor(d[0]).rotate::<18>();
    let g0 = a[4].xor(d[4]).rotate::<27>();
    let g1 = a[5].xor(d[0]).rotate::<36>();
    let g2 = a[11].xor(d[1]).rotate::<10>();
    let g3 = a[17].xor(d[2]).rotate::<15>();
    let g4 = a[23].xor(d[3]).rotate::<56>();
    let h0 = a[2].xor(d[2]).rotate::<62>();
    let h1 = a[8].xor(d[3]).rotate::<55>();
    let h2 = a[14].xor(d[4]).rotate::<39>();
    let h3 = a[15].xor(d[0]).rotate::<41>();
    let h4 = a[21].xor(d[1]).rotate::<2>();
    [
        chi(b0, b1, b2).xor(L::splat(constant)),
        chi(b1, b2, b3),
        chi(b2, b3, b4),
        chi(b3, b4, b0),
        chi(b4, b0, b1),
        chi(e0, e1, e2),
        chi(e1, e2, e3),
        chi(e2, e3, e4),
        chi(e3, e4, e0),
        chi(e4, e0, e1),
        chi(f0, f1, f2),
        chi(f1, f2, f3),
        chi(f2, f3, f4),
        chi(f3, f4, f0),
        chi(f4, f0, f1),
        chi(g0, g1, g2),
        chi(g1, g2, g3),
        chi(g2, g3, g4),
        chi(g3, g4, g0),
        chi(g4, g0, g1),
        chi(h0, h1, h2),
        chi(h1, h2, h3),
        chi(h2, h3, h4),
        chi(h3, h4, h0),
        chi(h4, h0, h1),
    ]
}

/// The first `count` rounds. The 25 lanes are locals for all of them; what does not fit into registers V8 spills.
/// One round a pass of the loop: with two or four it spills more (216, 283 and 394 ns a digest in pairs), and so it does
/// with the sums of columns kept from the round before (308; all 2026-11-21, `npm run bench -- --only hash`).
#[inline(always)]
pub fn rounds<L: Lane>(state: &[L; 25], count: usize) -> [L; 25] {
    let mut a = *state;
    for constant in &ROUND_CONSTANTS[..count] {
        a = round(&a, *constant);
    }
    a
}

/// What a digest needs of the last round: its first four lanes, from the state that the rounds before it left. A fifth of
/// a round, 2 ns a digest. The rounds before it must be the loop above, through memory: a loop of its own, left for this,
/// V8 orders so that it spills (312 ns).
#[inline(always)]
pub fn last_round<L: Lane>(a: &[L; 25]) -> [L; 4] {
    let [b0, b1, b2, b3, b4] = first_row(a, &theta(a));
    [chi(b0, b1, b2).xor(L::splat(ROUND_CONSTANTS[ROUNDS - 1])), chi(b1, b2, b3), chi(b2, b3, b4), chi(b3, b4, b0)]
}
