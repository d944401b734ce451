//! Numbers modulo r, the order of bn254, cut in two halves of 127 bits and a sign, and those in digits.

/// r = 36 x^4 + 36 x^3 + 18 x^2 + 6 x + 1.
pub const ORDER: [u64; 4] = [0x43e1_f593_f000_0001, 0x2833_e848_79b9_7091, 0xb850_45b6_8181_585d, 0x3064_4e72_e131_a029];


/// A short basis of the (a, b) with a + b LAMBDA = 0 modulo r, LAMBDA a cube root of 1: (A1, B1) and (B1, -B2). By Euclid's algorithm on r and LAMBDA.
const A1: u128 = 0x6f4d_8248_eeb8_59fd_0be4_e154_1221_250b;
const B1: u128 = 0x89d3_2568_94d2_13e3;
const B2: u128 = 0x6f4d_8248_eeb8_59fc_8211_bbeb_7d4f_1128;

/// 2^256 B2 / r and 2^256 B1 / r, to the nearest.
const G1: [u64; 3] = [0x7a7b_d9d4_391e_b18e, 0x4cce_f014_a773_d2cf, 0x2];
const G2: [u64; 3] = [0xd91d_232e_c7e0_b3d7, 0x2, 0];

/// Modulo r.
pub fn reduced(scalar: &[u64; 4]) -> [u64; 4] {
    let mut rest = *scalar;
    // 2^256 is 5.3 r.
    loop {
        let mut less = [0; 4];
        let mut borrow = false;
        for k in 0..4 {
            let (difference, under) = rest[k].overflowing_sub(ORDER[k]);
            let (difference, again) = difference.overflowing_sub(borrow as u64);
            less[k] = difference;
            borrow = under | again;
        }
        if borrow {
            return rest;
        }
        rest = less;
    }
}

/// a b / 2^256, rounded down, where that has 128 bits.
fn high(a: &[u64; 4], b: &[u64; 3]) -> u128 {
    let mut product = [0u64; 7];
    for i in 0..4 {
        let mut carry = 0;
        for j in 0..3 {
            let x = u128::from(a[i]) * u128::from(b[j]) + u128::from(product[i + j]) + carry;
            product[i + j] = x as u64;
            carry = x >> 64;
        }
        product[i + 3] = carry as u64;
    }
    u128::from(product[4]) | u128::from(product[5]) << 64
}

/// k1 and k2 with k = k1 + k2 LAMBDA modulo r, both below 2^127: so they are right modulo 2^128. k is below r.
pub fn cut(k: &[u64; 4]) -> (i128, i128) {
    let (c1, c2) = (high(k, &G1), high(k, &G2));
    let low = u128::from(k[0]) | u128::from(k[1]) << 64;
    let first = low.wrapping_sub(c1.wrapping_mul(A1)).wrapping_sub(c2.wrapping_mul(B1));
    let second = c2.wrapping_mul(B2).wrapping_sub(c1.wrapping_mul(B1));
    (first as i128, second as i128)
}

/// The most digits.
pub const DIGITS: usize = 129;

/// Digits of base 2, the lowest first: each is 0, or odd and below 16, and then the four after it are 0.
pub fn digits(number: i128) -> [i8; DIGITS] {
    let mut digits = [0; DIGITS];
    let sign = if number < 0 { -1 } else { 1 };
    let mut rest = number.unsigned_abs();
    let mut at = 0;
    while rest != 0 {
        let zeros = rest.trailing_zeros();
        rest >>= zeros;
        at += zeros as usize;
        let digit = (rest & 31) as i8;
        let digit = if digit < 16 { digit } else { digit - 32 };
        digits[at] = sign * digit;
        // Below 2^127 and odd: what the digit takes or adds cannot pass 2^128.
        rest = rest.wrapping_sub(digit as i128 as u128);
    }
    digits
}
