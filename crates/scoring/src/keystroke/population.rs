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

use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat, SimdMask, dispatch, f32x16};
use keyward_features::MAX_KEYS;

use super::lanes::{LANES, ln, load, padded};
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

/// Vectors that hold a time of each key.
const VECTORS: usize = MAX_KEYS.div_ceil(LANES);
/// Which number of a vector each is.
const NUMBERS: [f32; LANES] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];

/// The rhythm of a text: logarithms of the times from press to press over their mean, pair by pair.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rhythm {
    /// Filled up with zeros to whole vectors.
    logs: Box<[[f32; LANES]]>,
    pairs: usize,
}

/// Times of one kind, or their logarithms, in whole vectors: [`VECTORS`] of them, of which `count` numbers are there.
struct Times {
    vectors: [[f32; LANES]; VECTORS],
    count: usize,
}

impl Rhythm {
    /// Of the centre of somebody's samples, in the order of `FixedText`.
    pub(super) fn of(centre_s: &[f32]) -> Self {
        let logs = centre_s.get(1..).unwrap_or_default().chunks(3);
        let logs: Vec<f64> =
            logs.map(|times| f64::from(times[0]).max(MIN_S).ln()).take(MAX_KEYS - 1).collect();
        let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
        let pairs = logs.len();
        let logs: Vec<f32> = logs.iter().map(|log| narrow(log - mean)).collect();
        Self { logs: logs.chunks(LANES).map(padded).collect(), pairs }
    }

    /// Pair by pair.
    pub(super) fn pairs(&self) -> &[f32] {
        &self.logs.as_flattened()[..self.pairs]
    }

    /// What it takes in memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.logs)
    }

    /// How unusual a typing of this text is among people: the negative log density of its hold times and of its times from
    /// press to press, up to a constant, in nats.
    pub(super) fn surprise(&self, times_s: &[f32]) -> f32 {
        dispatch!(Level::new(), simd => self.surprise_with(simd, times_s))
    }

    /// The same with one of the sets of vector instructions.
    #[expect(clippy::inline_always, reason = "must land in the function compiled for its instructions")]
    #[inline(always)]
    pub(super) fn surprise_with<S: Simd>(&self, simd: S, times_s: &[f32]) -> f32 {
        let mut holds = Times::every_third(times_s, self.pairs + 1);
        holds.log(simd, HOLD_S, &[]);
        let mut flights = Times::every_third(times_s.get(1..).unwrap_or_default(), self.pairs);
        flights.log(simd, FLIGHT_S, &self.logs);
        holds.surprise(simd, HOLD_SD) + flights.surprise(simd, FLIGHT_SD)
    }
}

#[expect(clippy::inline_always, reason = "must land in the function compiled for its instructions")]
impl Times {
    #[inline(always)]
    fn every_third(times_s: &[f32], count: usize) -> Self {
        let (mut vectors, count) = ([[0.0; LANES]; VECTORS], count.min(MAX_KEYS));
        for (to, from) in vectors.as_flattened_mut()[..count].iter_mut().zip(times_s.iter().step_by(3)) {
            *to = *from;
        }
        Self { vectors, count }
    }

    #[inline(always)]
    fn there(&self) -> &[[f32; LANES]] {
        &self.vectors[..self.count.div_ceil(LANES)]
    }

    /// Makes of times the logarithms of how many times as long as usual they are.
    #[inline(always)]
    fn log<S: Simd>(&mut self, simd: S, usual_s: f64, rhythm: &[[f32; LANES]]) {
        let usual = narrow(usual_s.ln());
        for (at, times) in self.vectors[..self.count.div_ceil(LANES)].iter_mut().enumerate() {
            // What is no number is taken for the shortest time, on every processor.
            let logs = ln(load(simd, times).max_precise(narrow(MIN_S))) - usual;
            let logs = if let Some(rhythm) = rhythm.get(at) { logs - load(simd, rhythm) } else { logs };
            logs.store_slice(times);
        }
    }

    /// Of normal values around a normal centre of the person's own, which is integrated out.
    #[inline(always)]
    fn surprise<S: Simd>(&self, simd: S, (centre_sd, sd): (f64, f64)) -> f32 {
        if self.count == 0 {
            return 0.0;
        }
        let (centre_sd, sd, n) = (narrow(centre_sd), narrow(sd), self.count as f32);
        let (median, bound) = (self.median(simd), CLIP * sd);
        let zero = f32x16::splat(simd, 0.0);
        let (mut sum, mut squares, mut left) = (zero, zero, n);
        for values in self.there() {
            let clipped = (load(simd, values) - median).max(-bound).min(bound);
            let clipped = load(simd, &NUMBERS).simd_lt(left).select(clipped, zero);
            (sum, squares) = (sum + clipped, clipped.mul_add(clipped, squares));
            left -= LANES as f32;
        }
        // From the median, and so small: nothing is lost by taking the square of the mean away.
        let shift = sum.reduce_sum() / n;
        let squares = (squares.reduce_sum() - n * shift * shift).max(0.0);
        let mean = median + shift;
        let speed = mean * mean / (sd * sd / n + centre_sd * centre_sd);
        0.5 * squares / (sd * sd) + (0.5 * speed).min(MAX_SPEED)
    }

    /// The value that half of the others are not above, or the upper of the two in the middle: faster than sorting, for there
    /// are few.
    #[inline(always)]
    fn median<S: Simd>(&self, simd: S) -> f32 {
        let half = self.count / 2;
        // Loops, for closures would not be compiled for the same instructions.
        for candidate in &self.vectors.as_flattened()[..self.count] {
            let (mut below, mut not_above, mut left) = (0, 0, self.count);
            for values in self.there() {
                let (there, values) = (u64::MAX >> (64 - left.min(LANES)), load(simd, values));
                below += (values.simd_lt(*candidate).to_bitmask() & there).count_ones() as usize;
                not_above += (values.simd_le(*candidate).to_bitmask() & there).count_ones() as usize;
                left -= left.min(LANES);
            }
            if below <= half && half < not_above {
                return *candidate;
            }
        }
        0.0
    }
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

    /// The same by sorting and by the standard library's logarithm.
    fn by_sorting(mut values: Vec<f32>, (centre_sd, sd): (f64, f64)) -> f64 {
        values.sort_unstable_by(f32::total_cmp);
        let (median, bound) = (f64::from(values[values.len() / 2]), f64::from(CLIP) * sd);
        let clipped: Vec<f64> =
            values.iter().map(|v| median + (f64::from(*v) - median).clamp(-bound, bound)).collect();
        let n = clipped.len() as f64;
        let mean = clipped.iter().sum::<f64>() / n;
        let squares: f64 = clipped.iter().map(|v| (v - mean).powi(2)).sum();
        let speed = mean * mean / (sd * sd / n + centre_sd * centre_sd);
        0.5 * squares / (sd * sd) + (0.5 * speed).min(f64::from(MAX_SPEED))
    }

    #[test]
    fn vectors_give_what_sorting_gives_for_texts_of_every_length() {
        for keys in 2..=MAX_KEYS {
            let times: Vec<f32> =
                (0..3 * keys - 2).map(|at| 0.02 + 0.01 * ((at * 37 + keys * 11) % 29) as f32).collect();
            let even = vec![0.1; times.len()];
            let log = |time: &f32, usual: f64| narrow((f64::from(*time) / usual).ln());
            let holds = times.iter().step_by(3).map(|time| log(time, HOLD_S)).collect();
            let flights = times.iter().skip(1).step_by(3).map(|time| log(time, FLIGHT_S)).collect();
            let expected = by_sorting(holds, HOLD_SD) + by_sorting(flights, FLIGHT_SD);
            let got = f64::from(Rhythm::of(&even).surprise(&times));
            assert!((got - expected).abs() < 1e-4 * expected.max(1.0), "{keys} keys: {got} for {expected}");
        }
    }
}
