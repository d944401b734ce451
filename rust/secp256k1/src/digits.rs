//! Scalars in signed digits, and how wide these are.

/// Bits of a digit of R's scalars. With 4 or 6 recovery takes 7 % longer: more sums, or a larger table.
pub const WIDTH: usize = 5;
/// Digits of half a scalar: 128 bits, and one that the topmost digit passes on. An even number, since G's are twice as wide.
pub const PLACES: usize = 129usize.div_ceil(WIDTH).next_multiple_of(2);

/// Digit `place` of a number in base 2^width with digits from -2^(width - 1) to 2^(width - 1) (Booth): the bits there
/// and what the place below passes on. The number is `limbs`, the lowest first; whatever is above them is zero.
#[inline(always)]
pub fn digit(limbs: &[u64], place: usize, width: usize) -> i32 {
    let at = place * width;
    let bits = if at == 0 { limbs[0] << 1 } else { bits_from(limbs, at - 1) } as i32 & ((2 << width) - 1);
    (bits >> 1) + (bits & 1) - (bits >> width << width)
}

#[inline(always)]
fn bits_from(limbs: &[u64], at: usize) -> u64 {
    let (word, bit) = (at / 64, at % 64);
    let limb = |k: usize| limbs.get(k).copied().unwrap_or(0);
    if bit == 0 { limb(word) } else { limb(word) >> bit | limb(word + 1) << (64 - bit) }
}
