//! Powers by a window that slides over the exponent.

use alloc::vec;

/// What multiplies in Montgomery's form. Numbers are below 2 m.
pub trait Modulus {
    type Number: Clone;
    /// base R modulo m.
    fn enter(&self, base: &[u8]) -> Self::Number;
    /// a becomes a b / R.
    fn multiply(&mut self, a: &mut Self::Number, b: &Self::Number);
    /// a becomes a^2 / R.
    fn square(&mut self, a: &mut Self::Number);
    /// a / R modulo m, below m, into the last bytes.
    fn leave(&mut self, a: Self::Number, bytes: &mut [u8]);
}

/// Bits of a window, by what the products come to: those of a table of odd powers and one for each window, where bits are
/// as often set as not. Without a table it is one for each bit that is set, which for 65,537 is one.
fn width(bits: usize, ones: usize) -> usize {
    let cost = |width: usize| (1 << (width - 1)) + bits / (width + 1);
    (2..=6).filter(|&width| cost(width) < ones).min_by_key(|&width| cost(width)).unwrap_or(1)
}

/// The exponent has no leading zeros and is not zero.
pub fn power<M: Modulus>(mut modulus: M, base: &[u8], exponent: &[u8], result: &mut [u8]) {
    let bits = 8 * exponent.len() - exponent[0].leading_zeros() as usize;
    let bit = |k: usize| exponent[exponent.len() - 1 - k / 8] as usize >> (k % 8) & 1;
    let ones = exponent.iter().map(|byte| byte.count_ones() as usize).sum();
    let width = width(bits, ones);

    let base = modulus.enter(base);
    let mut odd = vec![base];
    if width > 1 {
        let mut square = odd[0].clone();
        modulus.square(&mut square);
        for k in 1..1 << (width - 1) {
            let mut next = odd[k - 1].clone();
            modulus.multiply(&mut next, &square);
            odd.push(next);
        }
    }

    // The highest bit is set, so a window begins there.
    let mut power: Option<M::Number> = None;
    let mut above = bits;
    while above > 0 {
        let mut low = above - 1;
        if bit(low) == 1 {
            low = above.saturating_sub(width);
            while bit(low) == 0 {
                low += 1;
            }
        }
        let window = (low..above).rev().fold(0, |window, k| window << 1 | bit(k));
        match &mut power {
            None => power = Some(odd[window >> 1].clone()),
            Some(power) => {
                for _ in low..above {
                    modulus.square(power);
                }
                if window != 0 {
                    modulus.multiply(power, &odd[window >> 1]);
                }
            }
        }
        above = low;
    }
    if let Some(power) = power {
        modulus.leave(power, result);
    }
}
