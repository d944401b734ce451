//! Numbers modulo n, the order of the group: inverses of many at once, a scalar in two halves.

use alloc::vec::Vec;
use ruint::aliases::{U256, U512};

/// n.
pub const ORDER: U256 =
    U256::from_limbs([0xBFD2_5E8C_D036_4141, 0xBAAE_DCE6_AF48_A03B, 0xFFFF_FFFF_FFFF_FFFE, 0xFFFF_FFFF_FFFF_FFFF]);

/// -1/n modulo 2^64.
const MONTGOMERY: u64 = 0x4B0D_FF66_5588_B13F;

/// 2^512 modulo n.
const SQUARED_RADIX: U256 =
    U256::from_limbs([0x896C_F214_67D7_D140, 0x7414_96C2_0E7C_F878, 0xE697_F5E4_5BCD_07C6, 0x9D67_1CD5_81C6_9BC5]);

/// a b / 2^256 modulo n, of factors below n.
pub fn mul(a: U256, b: U256) -> U256 {
    a.mul_redc(b, ORDER, MONTGOMERY)
}

/// 2^256 / v modulo n for each value: what `mul` needs to divide by it. One inversion for all (Montgomery's trick).
///
/// Values are above 0 and below n.
pub fn inverses(values: &[U256]) -> Vec<U256> {
    let mut products = Vec::with_capacity(values.len());
    let mut product = U256::ONE;
    for &value in values {
        products.push(product);
        product = if products.len() == 1 { value } else { mul(product, value) };
    }
    // n is prime and the product not 0, so it has an inverse. `mul` has taken a radix from each product, which all the
    // steps back put in again; one more is added here.
    let mut inverse = mul(product.inv_mod(ORDER).unwrap_or(U256::ZERO), SQUARED_RADIX);
    for k in (1..values.len()).rev() {
        let before = products[k];
        products[k] = mul(inverse, before);
        inverse = mul(inverse, values[k]);
    }
    if let Some(first) = products.first_mut() {
        *first = inverse;
    }
    products
}

/// A number of at most 128 bits with its sign.
#[derive(Clone, Copy, Default)]
pub struct Half {
    pub size: u128,
    pub is_negative: bool,
}

/// Short vectors (A1, -B1) and (A2, A1) of the lattice of all (x, y) with x + y lambda = 0 modulo n.
const A1: U256 = U256::from_limbs([0xE86C_90E4_9284_EB15, 0x3086_D221_A7D4_6BCD, 0, 0]);
const B1: U256 = U256::from_limbs([0x6F54_7FA9_0ABF_E4C3, 0xE443_7ED6_010E_8828, 0, 0]);
const A2: U256 = U256::from_limbs([0x57C1_108D_9D44_CFD8, 0x14CA_50F7_A8E2_F3F6, 1, 0]);

/// 2^384 A1 / n and 2^384 B1 / n, rounded.
const A1_BY_ORDER: U256 =
    U256::from_limbs([0xE893_209A_45DB_B031, 0x3DAA_8A14_71E8_CA7F, 0xE86C_90E4_9284_EB15, 0x3086_D221_A7D4_6BCD]);
const B1_BY_ORDER: U256 =
    U256::from_limbs([0x1571_B4AE_8AC4_7F71, 0x2212_08AC_9DF5_06C6, 0x6F54_7FA9_0ABF_E4C4, 0xE443_7ED6_010E_8828]);

/// (x, y) with x + y lambda = `scalar` modulo n, each within 128 bits.
///
/// Source: Gallant, Lambert, Vanstone, Faster point multiplication on elliptic curves with efficient endomorphisms (2001):
/// the point of the lattice nearest to (scalar, 0), taken from it. (A1 + A2) / 2 and (A1 + B1) / 2, and what rounding adds,
/// are below 2^128.
pub fn halves(scalar: U256) -> [Half; 2] {
    let first = times_by_2_384(scalar, A1_BY_ORDER);
    let second = times_by_2_384(scalar, B1_BY_ORDER);
    // Modulo 2^256, as signed numbers, these are what they are over the integers: they are small.
    let x = scalar.wrapping_sub(first.wrapping_mul(A1)).wrapping_sub(second.wrapping_mul(A2));
    let y = first.wrapping_mul(B1).wrapping_sub(second.wrapping_mul(A1));
    [half(x), half(y)]
}

fn half(value: U256) -> Half {
    let is_negative = value.bit(255);
    let limbs = if is_negative { value.wrapping_neg() } else { value };
    let limbs = limbs.as_limbs();
    Half { size: u128::from(limbs[0]) | u128::from(limbs[1]) << 64, is_negative }
}

/// a b / 2^384, rounded to the nearest.
fn times_by_2_384(a: U256, b: U256) -> U256 {
    let product: U512 = a.widening_mul(b);
    let limbs = product.as_limbs();
    let rounded = u128::from(limbs[6]) | u128::from(limbs[7]) << 64;
    U256::from(rounded + u128::from(limbs[5] >> 63))
}
