//! Products and quotients of 256-bit numbers, for a machine whose products have 64 bits: WebAssembly.
//!
//! ruint multiplies 64-bit limbs to 128 bits, which is a call of `__multi3` there, through memory. Here halves of 32 bits
//! are multiplied and divided, in the place of use, and limbs that are zero are passed over: most numbers that contracts
//! compute with are short.

#![cfg_attr(not(test), no_std)]

#[cfg(test)]
mod tests;

use ruint::aliases::U256;

const LOW: u64 = u32::MAX as u64;

/// a b + c + d, as low and high half. It cannot pass 2^128.
#[inline(always)]
fn multiply(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let (a0, a1, b0, b1) = (a & LOW, a >> 32, b & LOW, b >> 32);
    let cross = a0 * b1 + (a0 * b0 >> 32);
    let other = a1 * b0 + (cross & LOW);
    let high = a1 * b1 + (cross >> 32) + (other >> 32);
    let (low, over) = a.wrapping_mul(b).overflowing_add(c);
    let (low, again) = low.overflowing_add(d);
    (low, high + over as u64 + again as u64)
}

/// a b modulo 2^256.
#[inline]
pub fn mul(a: &U256, b: &U256) -> U256 {
    let (a, b) = (a.as_limbs(), b.as_limbs());
    // The shorter one outside: its zeros spare whole rows.
    let (a, b) = if a[1] | a[2] | a[3] == 0 { (a, b) } else { (b, a) };
    let mut product = [0; 4];
    let mut carry;
    if a[0] != 0 {
        (product[0], carry) = multiply(a[0], b[0], 0, 0);
        (product[1], carry) = multiply(a[0], b[1], carry, 0);
        (product[2], carry) = multiply(a[0], b[2], carry, 0);
        product[3] = a[0].wrapping_mul(b[3]).wrapping_add(carry);
    }
    if a[1] != 0 {
        (product[1], carry) = multiply(a[1], b[0], product[1], 0);
        (product[2], carry) = multiply(a[1], b[1], product[2], carry);
        product[3] = a[1].wrapping_mul(b[2]).wrapping_add(product[3]).wrapping_add(carry);
    }
    if a[2] != 0 {
        (product[2], carry) = multiply(a[2], b[0], product[2], 0);
        product[3] = a[2].wrapping_mul(b[1]).wrapping_add(product[3]).wrapping_add(carry);
    }
    product[3] = a[3].wrapping_mul(b[0]).wrapping_add(product[3]);
    U256::from_limbs(product)
}

/// a to the power of `exponent` modulo 2^256.
pub fn pow(a: &U256, exponent: &U256) -> U256 {
    let mut power = U256::ONE;
    for bit in (0..exponent.bit_len()).rev() {
        power = mul(&power, &power);
        if exponent.bit(bit) {
            power = mul(&power, a);
        }
    }
    power
}

/// The quotient, rounded down; zero where `b` is zero.
#[inline]
pub fn div(a: &U256, b: &U256) -> U256 {
    divide(a, b).0
}

/// What the quotient leaves; zero where `b` is zero.
#[inline]
pub fn rem(a: &U256, b: &U256) -> U256 {
    divide(a, b).1
}

/// Quotient and remainder, both zero where `b` is zero.
pub fn divide(a: &U256, b: &U256) -> (U256, U256) {
    if b.is_zero() {
        return (U256::ZERO, U256::ZERO);
    }
    if a < b {
        return (U256::ZERO, *a);
    }
    let (x, y) = (a.as_limbs(), b.as_limbs());
    if x[1] | x[2] | x[3] == 0 {
        return (U256::from(x[0] / y[0]), U256::from(x[0] % y[0]));
    }
    let mut digits = [0; 9];
    digits[..8].copy_from_slice(&digits_of(x));
    let mut quotient = [0; 9];
    long_division(&mut digits, &digits_of(y), &mut quotient);
    (number_of(&quotient), number_of(&digits))
}

/// a b modulo `modulus`; zero where that is zero.
pub fn mul_mod(a: &U256, b: &U256, modulus: &U256) -> U256 {
    if modulus.is_zero() {
        return U256::ZERO;
    }
    let (x, y) = (a.as_limbs(), b.as_limbs());
    let mut product = [0u64; 8];
    for i in 0..4 {
        if x[i] != 0 {
            let mut carry = 0;
            for j in 0..4 {
                (product[i + j], carry) = multiply(x[i], y[j], product[i + j], carry);
            }
            product[i + 4] = carry;
        }
    }
    let mut digits = [0; 17];
    for (k, limb) in product.iter().enumerate() {
        digits[2 * k] = *limb as u32;
        digits[2 * k + 1] = (limb >> 32) as u32;
    }
    let mut quotient = [0; 17];
    long_division(&mut digits, &digits_of(modulus.as_limbs()), &mut quotient);
    number_of(&digits)
}

#[inline(always)]
fn digits_of(limbs: &[u64; 4]) -> [u32; 8] {
    core::array::from_fn(|k| (limbs[k / 2] >> (k % 2 * 32)) as u32)
}

/// The lowest eight digits.
#[inline(always)]
fn number_of(digits: &[u32]) -> U256 {
    U256::from_limbs(core::array::from_fn(|k| u64::from(digits[2 * k]) | u64::from(digits[2 * k + 1]) << 32))
}

#[inline(always)]
fn length(digits: &[u32]) -> usize {
    digits.iter().rposition(|&digit| digit != 0).map_or(0, |top| top + 1)
}

/// Divides in place: `a`, whose topmost digit is zero, becomes the remainder. `b` is not zero.
///
/// Source: Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm D, in base 2^32.
fn long_division(a: &mut [u32], b: &[u32; 8], quotient: &mut [u32]) {
    let (m, n) = (length(a), length(b));
    if n == 1 {
        let mut rest = 0;
        for k in (0..m).rev() {
            let with = rest << 32 | u64::from(a[k]);
            quotient[k] = (with / u64::from(b[0])) as u32;
            rest = with % u64::from(b[0]);
            a[k] = 0;
        }
        a[0] = rest as u32;
        return;
    }
    if m < n {
        return;
    }
    // The divisor's topmost bit is moved to the top of its digit, so that a digit is guessed at most 2 too high.
    let shift = b[n - 1].leading_zeros();
    let mut divisor = [0u32; 8];
    shift_left(b, shift, &mut divisor, n);
    let mut above = 0;
    for digit in a[..=m].iter_mut() {
        let moved = u64::from(*digit) << shift | above;
        *digit = moved as u32;
        above = moved >> 32;
    }
    let (first, second) = (u64::from(divisor[n - 1]), u64::from(divisor[n - 2]));
    for k in (0..=m - n).rev() {
        let top = u64::from(a[k + n]) << 32 | u64::from(a[k + n - 1]);
        let (mut guess, mut rest) = if u64::from(a[k + n]) >= first {
            (LOW, top - LOW * first)
        } else {
            (top / first, top % first)
        };
        while rest <= LOW && guess * second > (rest << 32 | u64::from(a[k + n - 2])) {
            guess -= 1;
            rest += first;
        }
        if guess == 0 {
            continue;
        }
        let (mut carry, mut borrow) = (0u64, 0i64);
        for j in 0..n {
            let product = guess * u64::from(divisor[j]) + carry;
            carry = product >> 32;
            let difference = i64::from(a[k + j]) - (product & LOW) as i64 + borrow;
            a[k + j] = difference as u32;
            borrow = difference >> 32;
        }
        let difference = i64::from(a[k + n]) - carry as i64 + borrow;
        a[k + n] = difference as u32;
        if difference < 0 {
            // Seldom: one too high still.
            guess -= 1;
            let mut carry = 0;
            for j in 0..n {
                let sum = u64::from(a[k + j]) + u64::from(divisor[j]) + carry;
                a[k + j] = sum as u32;
                carry = sum >> 32;
            }
            a[k + n] = a[k + n].wrapping_add(carry as u32);
        }
        quotient[k] = guess as u32;
    }
    for k in 0..n {
        a[k] = (u64::from(a[k]) | u64::from(a[k + 1]) << 32).wrapping_shr(shift) as u32;
    }
    for digit in a[n..].iter_mut() {
        *digit = 0;
    }
}

#[inline(always)]
fn shift_left(from: &[u32; 8], shift: u32, to: &mut [u32; 8], length: usize) {
    let mut below = 0;
    for k in 0..length {
        let moved = u64::from(from[k]) << shift | below;
        to[k] = moved as u32;
        below = moved >> 32;
    }
}
