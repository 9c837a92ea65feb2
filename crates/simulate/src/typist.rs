//! A generator of typing: people that never were, and forgers. What is measured with it is synthetic.
//!
//! A typist has a median hold time for each key and a median time from press to press for each pair of keys.
//! They are log-normal around those of the text, which are the same for everybody, since some pairs are hard
//! for all. Practice shortens the times between keys, every session shifts all of them a little, and every
//! press has its own jitter and now and then a hesitation. Sizes were chosen so that typists differ about as
//! much as the people of the CMU benchmark; `crates/scoring/tests/synthetic.rs` measures it.

use keyward_domain::{InputQuality, KeyEvents, KeyZone, KeystrokeSample};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use crate::recorded::password;

/// The most keys that are typed in one go.
pub const MAX_TYPED_KEYS: usize = 256;

/// Median hold time of the population, in seconds.
const HOLD_S: f64 = 0.090;
/// Median time from press to press of the population after practice, in seconds.
const PRESS_TO_PRESS_S: f64 = 0.190;
/// Deviations of logarithms between people: of all holds together and of each key's, of all flights and of
/// each pair's.
const BETWEEN: Between = Between { holds: 0.23, hold: 0.17, flights: 0.31, flight: 0.27 };
/// Deviation of the logarithm of a pair's difficulty, the same for everybody.
const DIFFICULTY: f64 = 0.45;
/// Deviations of logarithms from session to session.
const SESSION: (f64, f64) = (0.07, 0.09);
/// Deviations of logarithms from press to press.
const JITTER: (f64, f64) = (0.18, 0.22);
/// One press in so many hesitates.
const HESITATION_ONE_IN: u32 = 25;
/// Samples in a session.
const SESSION_SAMPLES: u64 = 50;
/// How much slower the first samples are, and after how many samples a third of that is left.
const UNPRACTISED: (f64, f64) = (0.5, 40.0);

/// The seed of the text that everybody types.
const TEXT_SEED: u64 = 0x7e78_7400;
/// Keep the randomness of sessions and of presses apart from that of the person.
const SESSION_SALT: u64 = 0x5e55_1000_0000_0000;
const PRESS_SALT: u64 = 0x9e55_0000_0000_0000;

struct Between {
    holds: f64,
    hold: f64,
    flights: f64,
    flight: f64,
}

/// A synthetic person, the same for the same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typist {
    seed: u64,
}

impl Typist {
    /// The person of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Types a text of so many keys (1 to [`MAX_TYPED_KEYS`]; more are cut off), the last of them Enter. `at`
    /// counts what the person typed before: the same `at` gives the same sample, a greater one a later and
    /// more practised one.
    pub fn type_text(&self, n_keys: usize, at: u64) -> KeystrokeSample {
        let n_keys = n_keys.clamp(1, MAX_TYPED_KEYS);
        let mut person = stream(self.seed, 0);
        let mut text = stream(TEXT_SEED, 0);
        let mut session = stream(self.seed ^ SESSION_SALT, at / SESSION_SAMPLES);
        let mut now = stream(self.seed ^ PRESS_SALT, at);
        let (holds, flights) = (BETWEEN.holds * normal(&mut person), BETWEEN.flights * normal(&mut person));
        let practice = (1.0 + UNPRACTISED.0 * (-(at as f64) / UNPRACTISED.1).exp()).ln();
        let mut downs_s = vec![0.0];
        let mut holds_s = Vec::with_capacity(n_keys);
        for _ in 0..n_keys {
            let usual = holds + BETWEEN.hold * normal(&mut person) + SESSION.0 * normal(&mut session);
            holds_s.push(HOLD_S * (usual + JITTER.0 * normal(&mut now)).exp());
            let difficulty = DIFFICULTY * normal(&mut text);
            let usual = flights
                + difficulty
                + BETWEEN.flight * normal(&mut person)
                + SESSION.1 * normal(&mut session);
            let flight = PRESS_TO_PRESS_S * (usual + practice + JITTER.1 * normal(&mut now)).exp();
            downs_s.push(downs_s[downs_s.len() - 1] + flight * hesitation(&mut now));
        }
        let ups_s: Vec<f64> = downs_s.iter().zip(&holds_s).map(|(down, hold)| down + hold).collect();
        sample(&downs_s[..n_keys], &ups_s)
    }
}

/// A recording sent again as it was.
pub fn replay(sample: &KeystrokeSample) -> KeystrokeSample {
    sample.clone()
}

/// A recording sent again with every press and release moved by normal noise of so many milliseconds.
pub fn jittered(sample: &KeystrokeSample, sigma_ms: f64, seed: u64) -> KeystrokeSample {
    let mut rng = stream(seed, 2);
    let mut moved = |times: &[u32]| -> Vec<f64> {
        times.iter().map(|t| f64::from(*t) / 1e6 + sigma_ms / 1e3 * normal(&mut rng)).collect()
    };
    let (mut downs, mut ups) = (moved(sample.events.down_us()), moved(sample.events.up_us()));
    let first = downs.first().copied().unwrap_or(0.0);
    let mut last = 0.0_f64;
    for (down, up) in downs.iter_mut().zip(&mut ups) {
        *down = (*down - first).max(last);
        last = *down;
        *up = (*up - first).max(*down + 0.001);
    }
    let events = events(sample.events.position().to_vec(), sample.events.zone().to_vec(), &downs, &ups);
    KeystrokeSample { events, ..sample.clone() }
}

/// What a script types: every key held for 40 ms, a press each 100 ms.
pub fn machine(n_keys: usize) -> KeystrokeSample {
    let n_keys = n_keys.clamp(1, MAX_TYPED_KEYS);
    let downs: Vec<f64> = (0..n_keys).map(|key| 0.1 * key as f64).collect();
    let ups: Vec<f64> = downs.iter().map(|down| down + 0.04).collect();
    sample(&downs, &ups)
}

/// A stream of randomness of its own for each purpose.
fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// By how much a press is late.
fn hesitation(rng: &mut ChaCha8Rng) -> f64 {
    let extra = 0.5 * normal(rng).abs();
    if rng.next_u32().is_multiple_of(HESITATION_ONE_IN) { 1.4 + extra } else { 1.0 }
}

fn sample(downs_s: &[f64], ups_s: &[f64]) -> KeystrokeSample {
    let mut zones = vec![KeyZone::Character; downs_s.len()];
    if let Some(last) = zones.last_mut() {
        *last = KeyZone::Enter;
    }
    let position = (0..).take(downs_s.len()).collect();
    KeystrokeSample {
        field: password(),
        events: events(position, zones, downs_s, ups_s),
        quality: InputQuality::default(),
    }
}

fn events(position: Vec<u16>, zones: Vec<KeyZone>, downs_s: &[f64], ups_s: &[f64]) -> KeyEvents {
    let micros = |times: &[f64]| times.iter().map(|t| microseconds(*t)).collect();
    KeyEvents::new(position, zones, micros(downs_s), micros(ups_s))
        .expect("presses are made in order, releases after them, and all within the limits")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by the limit of a sample"
)]
fn microseconds(seconds: f64) -> u32 {
    (seconds * 1e6).round().clamp(0.0, f64::from(keyward_domain::MAX_SAMPLE_US)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_types_the_same() {
        assert_eq!(Typist::new(7).type_text(11, 3), Typist::new(7).type_text(11, 3));
        assert_ne!(Typist::new(7).type_text(11, 3), Typist::new(7).type_text(11, 4));
        assert_ne!(Typist::new(7).type_text(11, 3), Typist::new(8).type_text(11, 3));
    }

    #[test]
    fn practice_makes_faster() {
        let duration =
            |seed, at| u64::from(*Typist::new(seed).type_text(11, at).events.down_us().last().unwrap());
        let total = |from: u64| {
            (0..20).map(|seed| (from..from + 20).map(|at| duration(seed, at)).sum::<u64>()).sum::<u64>()
        };
        let (first, later) = (total(0), total(300));
        assert!(first * 10 > later * 12, "{first} {later}");
    }

    #[test]
    fn forgeries_stay_as_close_as_asked() {
        let original = Typist::new(1).type_text(11, 0);
        assert_eq!(replay(&original), original);
        let forged = jittered(&original, 2.0, 5);
        assert_ne!(forged, original);
        let off = |a: &[u32], b: &[u32]| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(off(original.events.up_us(), forged.events.up_us()) < 15_000);
        assert!(off(original.events.down_us(), forged.events.down_us()) < 15_000);
        assert_eq!(machine(5).events.down_us(), [0, 100_000, 200_000, 300_000, 400_000]);
    }

    #[test]
    fn the_longest_text_is_still_a_sample() {
        assert_eq!(Typist::new(2).type_text(100_000, u64::MAX).events.len(), MAX_TYPED_KEYS);
        assert_eq!(Typist::new(2).type_text(0, 0).events.len(), 1);
    }
}
