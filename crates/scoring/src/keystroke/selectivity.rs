//! Whether a model tells its person from others, estimated without anybody else's data.
//!
//! Somebody whose typing varies much, or whose samples are of very different ages, gets a wide model. It
//! accepts its person, and many others too: it would spare friction to whoever tries. So each new model is
//! shown strangers that never were, always the same ones, and one that lets too many in stays LEARNING.
//!
//! A stranger has hold times and a speed of the population, but the rhythm of this text: some pairs of keys
//! are slow for everybody, and only the owner's samples tell which (`population`).

use keyward_features::MAX_FEATURES;

use super::KeystrokeModel;
use super::population::{FLIGHT_S, FLIGHT_SD, HOLD_S, HOLD_SD};
use super::train::narrow;
use crate::fusion::MEDIUM_LLR;

/// How many strangers. The estimate of a tenth has a standard error of 0.02.
const STRANGERS: u32 = 256;
/// Where their stream of randomness begins.
const SEED: u64 = 7;
/// The share of strangers whom the model would give the band LOW.
pub(super) fn stranger_acceptance(model: &KeystrokeModel) -> f32 {
    let mut random = SplitMix(SEED);
    let mut times_s = [0.0_f32; MAX_FEATURES];
    let times_s = &mut times_s[..model.centre.len()];
    let mut accepted = 0_u16;
    for _ in 0..STRANGERS {
        stranger(model.rhythm.pairs(), &mut random, times_s);
        accepted += u16::from(model.score_times(times_s).llr < MEDIUM_LLR);
    }
    f32::from(accepted) / STRANGERS as f32
}

/// One typing of somebody, in the order of `FixedText`.
fn stranger(rhythm: &[f32], random: &mut SplitMix, times_s: &mut [f32]) {
    let (holds, flights) = (HOLD_SD.0 * random.normal(), FLIGHT_SD.0 * random.normal());
    for (key, times) in times_s.chunks_mut(3).enumerate() {
        let hold = HOLD_S * (holds + HOLD_SD.1 * random.normal()).exp();
        times[0] = narrow(hold);
        // After the last key there is no flight.
        if let ([_, down_down, up_down], Some(pair)) = (times, rhythm.get(key)) {
            let flight = FLIGHT_S * (flights + f64::from(*pair) + FLIGHT_SD.1 * random.normal()).exp();
            (*down_down, *up_down) = (narrow(flight), narrow(flight - hold));
        }
    }
}

/// SplitMix64 (G. Steele et al., "Fast Splittable Pseudorandom Number Generators", 2014): no secret depends
/// on it.
struct SplitMix(u64);

impl SplitMix {
    /// Even in [0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(((z ^ (z >> 31)) >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }

    /// Normal with deviation 1, as twelve even ones less six; never beyond ±6.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
