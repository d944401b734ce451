//! Numbers as limbs of `BITS` bits, the lowest first, and the remainder that brings a base into Montgomery's form.

use alloc::vec;
use alloc::vec::Vec;

pub fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len())..]
}

pub const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// As many limbs as the bytes fill.
pub fn read<const BITS: u32>(bytes: &[u8]) -> Vec<u32> {
    let mut limbs = Vec::with_capacity((8 * bytes.len()).div_ceil(BITS as usize));
    let (mut rest, mut held) = (0u64, 0);
    for &byte in bytes.iter().rev() {
        rest |= (byte as u64) << held;
        held += 8;
        if held >= BITS {
            limbs.push((rest & mask(BITS)) as u32);
            rest >>= BITS;
            held -= BITS;
        }
    }
    if held > 0 {
        limbs.push(rest as u32);
    }
    limbs
}

/// Fills the bytes from their end; what they do not hold must be zero.
pub fn write<const BITS: u32>(limbs: &[u32], bytes: &mut [u8]) {
    let mut limbs = limbs.iter();
    let (mut rest, mut held) = (0u64, 0);
    for byte in bytes.iter_mut().rev() {
        if held < 8 {
            rest |= (limbs.next().copied().unwrap_or(0) as u64) << held;
            held += BITS;
        }
        *byte = rest as u8;
        rest >>= 8;
        held -= 8;
    }
}

/// -1 / m modulo 2^32, by Newton: each step doubles the bits that are right, and an odd number is its own inverse modulo 8.
pub fn negative_inverse(m: u32) -> u32 {
    let mut inverse = m;
    for _ in 0..4 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(m.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
}

/// Takes m off where that leaves no less than zero. Both have as many limbs.
pub fn below<const BITS: u32>(limbs: &mut [u32], m: &[u32]) {
    if limbs.iter().rev().lt(m.iter().rev()) {
        return;
    }
    let mut borrow = 0;
    for (limb, &part) in limbs.iter_mut().zip(m) {
        let rest = *limb as i64 - part as i64 + borrow;
        *limb = (rest as u64 & mask(BITS)) as u32;
        borrow = rest >> BITS;
    }
}

/// Shifts up by less than a limb. The highest bits must be free.
fn shift_up<const BITS: u32>(limbs: &mut [u32], shift: u32) {
    let mut carry = 0;
    for limb in limbs {
        let wide = (*limb as u64) << shift | carry;
        *limb = (wide & mask(BITS)) as u32;
        carry = wide >> BITS;
    }
}

/// base 2^(BITS `zeros`) modulo m, in `zeros` limbs, which are at least those of m. The highest limb of m is not zero.
///
/// Source: Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D.
pub fn shifted_remainder<const BITS: u32>(base: &[u8], zeros: usize, m: &[u32]) -> Vec<u32> {
    let n = m.len();
    let mut rest = vec![0; zeros];
    rest.extend(read::<BITS>(base));
    if let [m] = *m {
        let remainder = rest.iter().rev().fold(0, |high, &limb| (high << BITS | limb as u64) % m as u64);
        rest.truncate(zeros);
        rest.fill(0);
        rest[0] = remainder as u32;
        return rest;
    }
    let shift = m[n - 1].leading_zeros() - (32 - BITS);
    let mut m = m.to_vec();
    shift_up::<BITS>(&mut m, shift);
    rest.push(0);
    shift_up::<BITS>(&mut rest, shift);
    let (first, second) = (m[n - 1] as u64, m[n - 2] as u64);
    for at in (0..rest.len() - n).rev() {
        let window = &mut rest[at..=at + n];
        let high = (window[n] as u64) << BITS | window[n - 1] as u64;
        let (mut q, mut r) = (high / first, high % first);
        while q > mask(BITS) || q * second > (r << BITS | window[n - 2] as u64) {
            q -= 1;
            r += first;
            if r > mask(BITS) {
                break;
            }
        }
        if q == 0 {
            continue;
        }
        let mut borrow = 0;
        for (limb, &part) in window.iter_mut().zip(&m) {
            let less = *limb as i64 - (q * part as u64) as i64 + borrow;
            *limb = (less as u64 & mask(BITS)) as u32;
            borrow = less >> BITS;
        }
        // One too many is rare: two of 2^BITS at most.
        if window[n] as i64 + borrow < 0 {
            let mut carry = 0;
            for (limb, &part) in window.iter_mut().zip(&m) {
                let sum = *limb + part + carry;
                *limb = sum & mask(BITS) as u32;
                carry = sum >> BITS;
            }
        }
        window[n] = 0;
    }
    for k in 0..n {
        rest[k] = ((rest[k] as u64 | (rest[k + 1] as u64) << BITS) >> shift & mask(BITS)) as u32;
    }
    rest.truncate(zeros);
    rest
}
