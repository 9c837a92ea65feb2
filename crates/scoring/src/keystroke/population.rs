//! What typing is like in general: moments of many people, and how unusual a typing is among them.
//!
//! A typing that is odd for its person but ordinary for people speaks more for somebody else than one that is odd for
//! everybody. So a score is the person's surprise less a part of the population's: a log likelihood ratio against a
//! background model, as in speaker verification (D. Reynolds et al., "Speaker Verification Using Adapted Gaussian Mixture
//! Models", Digital Signal Processing 10, 2000) and for typing in Y. Deng, Y. Zhong, ISRN Signal Processing 2013. Unlike
//! theirs, the background knows no other person's samples of the text: it has the hold times and speeds of people, and
//! the rhythm of this text as its owner's samples tell it, since some pairs of keys are slow for everybody.
//!
//! Moments are those of the 34 development subjects of the CMU benchmark (repetitions 1 to 50 and 351 to 400 together).

#![expect(
    clippy::inline_always,
    reason = "vector code must land in the function compiled for its instructions"
)]

use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat, dispatch, f32x16, u32x16};
use keyward_features::MAX_KEYS;

use super::train::narrow;

/// Median hold time, in seconds.
pub(super) const HOLD_S: f64 = 0.09;
/// Median time from press to press, in seconds, of practised people: one in twenty is faster than 110 ms.
pub(super) const FLIGHT_S: f64 = 0.19;
/// Deviations of logarithms: of a person's hold times together, and of each press's (from person to person
/// 0.17 a key, from press to press 0.15).
pub(super) const HOLD_SD: (f64, f64) = (0.23, 0.23);
/// The same of times from press to press (0.27 a pair, 0.26 from press to press).
pub(super) const FLIGHT_SD: (f64, f64) = (0.31, 0.37);
/// The shortest time whose logarithm is taken, in seconds.
const MIN_S: f64 = 0.01;
/// Times are cut off at this many deviations from a typing's own median: one hesitation must not make a typing odd for
/// everybody, and so excuse it.
const CLIP: f32 = 1.5;
/// The most that a person's own speed counts for, in nats: nobody is excused by being the slowest of all.
const MAX_SPEED: f32 = 3.0;

/// The rhythm of a text: logarithms of the times from press to press over their mean, pair by pair.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rhythm(Box<[f32]>);

impl Rhythm {
    /// Of the centre of somebody's samples, in the order of `FixedText`.
    pub(super) fn of(centre_s: &[f32]) -> Self {
        let logs = centre_s.get(1..).unwrap_or_default().chunks(3);
        let logs: Vec<f64> = logs.map(|times| f64::from(times[0]).max(MIN_S).ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
        Self(logs.iter().map(|log| narrow(log - mean)).collect())
    }

    /// Pair by pair.
    pub(super) fn pairs(&self) -> &[f32] {
        &self.0
    }

    /// What it takes in memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// How unusual a typing of this text is among people: the negative log density of its hold times and of its times from
    /// press to press, up to a constant, in nats.
    pub(super) fn surprise(&self, times_s: &[f32]) -> f32 {
        dispatch!(Level::new(), simd => self.surprise_with(simd, times_s))
    }

    /// The same with one of the sets of vector instructions.
    #[inline(always)]
    pub(super) fn surprise_with<S: Simd>(&self, simd: S, times_s: &[f32]) -> f32 {
        // Most texts need one vector, which then stays in its register.
        if self.0.len() < LANES {
            self.surprise_in::<S, 1>(simd, times_s)
        } else {
            self.surprise_in::<S, VECTORS>(simd, times_s)
        }
    }

    #[inline(always)]
    fn surprise_in<S: Simd, const N: usize>(&self, simd: S, times_s: &[f32]) -> f32 {
        let (mut holds, mut flights) = ([[FILL; LANES]; N], [[FILL; LANES]; N]);
        let mut rhythm = [[0.0; LANES]; N];
        let pairs = self.0.len().min(N * LANES - 1);
        let kinds = holds.as_flattened_mut().iter_mut().zip(flights.as_flattened_mut());
        for ((hold, flight), times) in kinds.zip(times_s.chunks(3)).take(pairs + 1) {
            *hold = times[0];
            *flight = times.get(1).copied().unwrap_or(FILL);
        }
        rhythm.as_flattened_mut()[..pairs].copy_from_slice(&self.0[..pairs]);
        surprise(simd, &holds, &[[0.0; LANES]; N], pairs + 1, HOLD_S, HOLD_SD)
            + surprise(simd, &flights, &rhythm, pairs, FLIGHT_S, FLIGHT_SD)
    }
}

/// Numbers in a vector.
const LANES: usize = 16;
/// Vectors that hold the longest text.
const VECTORS: usize = MAX_KEYS / LANES;
/// A time that fills, in seconds: longer than any that is typed.
const FILL: f32 = 1e6;
/// A logarithm that only a time that fills is above.
const FILLED: f32 = 10.0;

/// Of normal logarithms of so many times around a normal centre of the person's own, which is integrated out. The text's rhythm
/// is taken off each.
#[inline(always)]
fn surprise<S: Simd, const N: usize>(
    simd: S,
    times_s: &[[f32; LANES]; N],
    rhythm: &[[f32; LANES]; N],
    n: usize,
    usual_s: f64,
    (centre_sd, sd): (f64, f64),
) -> f32 {
    if n == 0 {
        return 0.0;
    }
    let (centre_sd, sd, count) = (narrow(centre_sd), narrow(sd), n as f32);
    let (zero, usual) = (f32x16::splat(simd, 0.0), narrow(usual_s.ln()));
    let mut logs = [zero; N];
    for ((log, times), rhythm) in logs.iter_mut().zip(times_s).zip(rhythm) {
        let times = f32x16::from_slice(simd, times).max_precise(narrow(MIN_S));
        *log = ln(times) - usual - f32x16::from_slice(simd, rhythm);
    }
    let median = median(simd, &logs, n);
    let mut sum = zero;
    for log in &mut logs {
        let clipped = (*log - median).max(-CLIP * sd).min(CLIP * sd);
        let filled = log.simd_gt(FILLED);
        sum += filled.select(zero, clipped);
        *log = filled.select(f32x16::splat(simd, FILL), clipped);
    }
    let off = sum.reduce_sum() / count;
    let mut squares = zero;
    for log in &logs {
        let apart = log.simd_gt(FILLED).select(zero, *log - off);
        squares = apart.mul_add(apart, squares);
    }
    let mean = median + off;
    let speed = mean * mean / (sd * sd / count + centre_sd * centre_sd);
    0.5 * squares.reduce_sum() / (sd * sd) + (0.5 * speed).min(MAX_SPEED)
}

/// The upper median of the first values: the greatest that no more than half of them lie below.
#[inline(always)]
fn median<S: Simd, const N: usize>(simd: S, vectors: &[f32x16<S>; N], n: usize) -> f32 {
    let (mut values, half) = ([[0.0; LANES]; N], u32::try_from(n / 2).unwrap_or(u32::MAX));
    for (values, vector) in values.iter_mut().zip(vectors) {
        vector.store_slice(values);
    }
    let (none, one) = (u32x16::splat(simd, 0), u32x16::splat(simd, 1));
    let mut less = [none; N];
    for value in &values.as_flattened()[..n] {
        for (less, vector) in less.iter_mut().zip(vectors) {
            *less += vector.simd_gt(*value).select(one, none);
        }
    }
    let mut greatest = f32x16::splat(simd, -FILL);
    for (less, vector) in less.iter().zip(vectors) {
        greatest = greatest.max(less.simd_le(half).select(*vector, f32x16::splat(simd, -FILL)));
    }
    greatest.reduce_max()
}

/// The natural logarithm of numbers from 0.001 to a billion, within 1e-6.
///
/// x·2¹⁰ = m·2^k with m from √½ to √2; ln m = 2·artanh((m − 1) / (m + 1)) by its Taylor series.
#[inline(always)]
fn ln<S: Simd>(x: f32x16<S>) -> f32x16<S> {
    /// The bits of √½.
    const ROOT_OF_HALF: u32 = 0x3f35_04f3;
    /// The bits of 2²³, whose low bits count ones.
    const COUNT: u32 = 0x4b00_0000;
    let bits = (x * 1024.0).to_bits();
    let k = (bits - ROOT_OF_HALF) >> 23;
    let mantissa = f32x16::from_bits(bits - (k << 23));
    let k = f32x16::from_bits(k + COUNT) - (8_388_608.0 + 10.0);
    let part = (mantissa - 1.0) / (mantissa + 1.0);
    let square = part * part;
    let series = [1.0 / 5.0, 1.0 / 3.0, 1.0];
    let power = f32x16::splat(x.simd, 1.0 / 7.0);
    let series = series.into_iter().fold(power, |power, term| power.mul_add(square, term));
    k.mul_add(std::f32::consts::LN_2, part * series * 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds and flights of six keys, so many times as long as usual, in an even rhythm.
    fn typed(times: f32) -> Vec<f32> {
        let (hold, flight) = (0.09 * times, 0.19 * times);
        let mut typed = [hold, flight, flight - hold].repeat(6);
        typed.truncate(16);
        typed
    }

    /// As it is defined, one by one.
    fn by_definition(rhythm: &Rhythm, times_s: &[f32]) -> f64 {
        let logs = |values: Vec<f64>, usual: f64| -> Vec<f64> {
            values.iter().map(|time| (time.max(MIN_S) / usual).ln()).collect()
        };
        let holds = logs(times_s.iter().step_by(3).map(|t| f64::from(*t)).collect(), HOLD_S);
        let flights = logs(times_s[1..].chunks(3).map(|t| f64::from(t[0])).collect(), FLIGHT_S);
        let flights = flights.iter().zip(rhythm.pairs()).map(|(log, pair)| log - f64::from(*pair)).collect();
        let one = |mut values: Vec<f64>, (centre_sd, sd): (f64, f64)| {
            values.sort_by(f64::total_cmp);
            let (n, median, clip) = (values.len() as f64, values[values.len() / 2], f64::from(CLIP) * sd);
            for value in &mut values {
                *value = median + (*value - median).clamp(-clip, clip);
            }
            let mean = values.iter().sum::<f64>() / n;
            let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            let speed = mean * mean / (sd * sd / n + centre_sd * centre_sd);
            0.5 * squares / (sd * sd) + (0.5 * speed).min(f64::from(MAX_SPEED))
        };
        one(holds, HOLD_SD) + one(flights, FLIGHT_SD)
    }

    #[test]
    fn vectors_say_what_the_definition_says() {
        for keys in [4, 11, 15, 16, 17, 32, 33, 48, 49, 64] {
            let times: Vec<f32> = (0..3 * keys - 2)
                .map(|i| {
                    0.02 + 0.3 * ((i * 7919 % 101) as f32 / 101.0).powi(2)
                        + if i % 31 == 4 { 2.0 } else { 0.0 }
                })
                .collect();
            let centre: Vec<f32> = (0..3 * keys - 2).map(|i| 0.05 + (i * 31 % 17) as f32 / 60.0).collect();
            let rhythm = Rhythm::of(&centre);
            let (ours, exact) = (f64::from(rhythm.surprise(&times)), by_definition(&rhythm, &times));
            assert!((ours - exact).abs() < 1e-4 * (1.0 + exact), "{keys}: {ours} {exact}");
        }
    }

    #[test]
    fn usual_typing_surprises_nobody_and_odd_typing_a_little() {
        let rhythm = Rhythm::of(&typed(1.0));
        assert!(rhythm.pairs().iter().all(|pair| pair.abs() < 1e-6));
        assert!(rhythm.surprise(&typed(1.0)) < 1e-6);
        assert!(rhythm.surprise(&typed(1.3)) > 0.3);
        let slowest = rhythm.surprise(&typed(30.0));
        assert!((slowest - 2.0 * MAX_SPEED).abs() < 1e-3, "nobody is excused for more: {slowest}");
    }

    #[test]
    fn one_hesitation_excuses_little() {
        let rhythm = Rhythm::of(&typed(1.0));
        let mut hesitant = typed(1.0);
        (hesitant[7], hesitant[8]) = (60.0, 59.9);
        assert!(rhythm.surprise(&hesitant) < 1.2);
        assert!(rhythm.surprise(&[f32::NAN; 16]).is_finite());
    }

    #[test]
    fn a_text_that_is_slow_for_its_owner_is_slow_for_everybody() {
        let mut slow = typed(1.0);
        slow[7] = 0.6;
        assert!(Rhythm::of(&slow).surprise(&slow) < Rhythm::of(&typed(1.0)).surprise(&slow));
    }
}
