//! Vectors of numbers: loading them, and the exponential and the logarithm of all their numbers at once.
//!
//! `fearless_simd` compiles what calls these for each set of vector instructions, and which one runs is chosen by what the
//! processor has.

#![expect(
    clippy::inline_always,
    reason = "vector code must land in the function compiled for its instructions"
)]

use fearless_simd::{Select, Simd, SimdBase, SimdFloat, f32x16};

/// Numbers in a vector: one register of AVX-512, two of AVX2, four of SSE2 or NEON.
pub(super) const LANES: usize = 16;

/// Up to [`LANES`] numbers, filled up with zeros.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, values: &[f32]) -> f32x16<S> {
    if values.len() == LANES {
        f32x16::from_slice(simd, values)
    } else {
        f32x16::from_slice(simd, &padded::<LANES>(values))
    }
}

#[inline(always)]
pub(super) fn padded<const N: usize>(values: &[f32]) -> [f32; N] {
    let mut padded = [0.0; N];
    for (padded, value) in padded.iter_mut().zip(values) {
        *padded = *value;
    }
    padded
}

/// e^x for x ≤ 0, within 3e-7 of it relatively; below −87 as at −87, and above 0 as at 0.
///
/// x = k·ln 2 + r with |r| ≤ ln 2 / 2; e^r by its Taylor series to r⁶, 2^k by the exponent bits.
#[inline(always)]
pub(super) fn exp_of_negative<S: Simd>(x: f32x16<S>) -> f32x16<S> {
    /// 1.5·2²³: added and taken away, it rounds to an integer, which also stands in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let number = |value| f32x16::splat(x.simd, value);
    let x = x.max(-87.0).min(0.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    // ln 2 in two parts, so that k·ln 2 loses nothing.
    let r = k.mul_add(2.121_944_4e-4, k.mul_add(-0.693_359_4, x));
    let series = [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = series.into_iter().fold(number(1.0 / 720.0), |power, term| power.mul_add(r, term));
    let two_to_k = f32x16::from_bits((shifted.to_bits() + 127) << 23);
    power * two_to_k
}

/// ln x for normal x > 0, within 2e-7 of it, relatively where it is large.
///
/// x = 2^k·(1 + f) with 1 + f between √½ and √2, and ln (1 + f) = 2·artanh(f / (2 + f)) by its series to the ninth power.
#[inline(always)]
pub(super) fn ln<S: Simd>(x: f32x16<S>) -> f32x16<S> {
    /// 2²³, whose bits take an integer below.
    const MAGIC: u32 = 0x4b00_0000;
    let number = |value| f32x16::splat(x.simd, value);
    let bits = x.to_bits();
    let exponent = f32x16::from_bits((bits >> 23) | MAGIC) - (8_388_608.0 + 127.0);
    let mantissa: f32x16<S> = f32x16::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    let upper = mantissa.simd_gt(std::f32::consts::SQRT_2);
    let mantissa = upper.select(mantissa * 0.5, mantissa);
    let exponent = upper.select(exponent + 1.0, exponent);
    let f = mantissa - 1.0;
    let s = f / (f + 2.0);
    let square = s * s;
    let series = [2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0];
    let sum = series.into_iter().fold(number(2.0 / 9.0), |sum, term| sum.mul_add(square, term));
    exponent.mul_add(std::f32::consts::LN_2, sum * s)
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};

    use super::*;

    #[test]
    fn logarithms_are_those_of_the_standard_library() {
        for from in (0..400).map(|step| 0.01 * 1.03_f32.powi(step)) {
            let given: [f32; LANES] = std::array::from_fn(|lane| from * (1.0 + 0.002 * lane as f32));
            let mut logs = [0.0; LANES];
            dispatch!(Level::new(), simd => ln(load(simd, &given)).store_slice(&mut logs));
            for (given, log) in given.iter().zip(logs) {
                assert!((log - given.ln()).abs() <= 3e-7_f32.max(2e-7 * log.abs()), "ln {given} = {log}");
            }
        }
    }
}
