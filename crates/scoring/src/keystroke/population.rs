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
        let (mut holds, mut flights) = ([0.0_f32; MAX_KEYS], [0.0_f32; MAX_KEYS]);
        let log = |time_s: f32, usual_s: f64| time_s.max(narrow(MIN_S)).ln() - narrow(usual_s.ln());
        let keys = self.0.len() + 1;
        for (hold, time) in holds.iter_mut().zip(times_s.iter().step_by(3)) {
            *hold = log(*time, HOLD_S);
        }
        let pairs = times_s.get(1..).unwrap_or_default().chunks(3).zip(&*self.0);
        for (flight, (times, pair)) in flights.iter_mut().zip(pairs) {
            *flight = log(times[0], FLIGHT_S) - pair;
        }
        surprise(&mut holds[..keys.min(MAX_KEYS)], HOLD_SD)
            + surprise(&mut flights[..self.0.len().min(MAX_KEYS)], FLIGHT_SD)
    }
}

/// Of normal values around a normal centre of the person's own, which is integrated out.
fn surprise(values: &mut [f32], (centre_sd, sd): (f64, f64)) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let (centre_sd, sd, n) = (narrow(centre_sd), narrow(sd), values.len() as f32);
    values.sort_unstable_by(f32::total_cmp);
    let median = values[values.len() / 2];
    let clipped = |value: &f32| median + (value - median).clamp(-CLIP * sd, CLIP * sd);
    let mean = values.iter().map(clipped).sum::<f32>() / n;
    let squares: f32 = values.iter().map(|value| (clipped(value) - mean).powi(2)).sum();
    let speed = mean * mean / (sd * sd / n + centre_sd * centre_sd);
    0.5 * squares / (sd * sd) + (0.5 * speed).min(MAX_SPEED)
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
}
