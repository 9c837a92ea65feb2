//! The model of a person of whom little is known: distance from the few samples there are, in units that lean
//! on the population.

use keyward_domain::Maturity;
use keyward_features::Shape;

use super::train::{median, narrow, ticks_of};
use super::{Kind, Parts};

/// How many samples' worth the population counts for in each scale.
const PRIOR_WEIGHT: f64 = 4.0;
/// Usual deviation of a hold time within a person, in seconds.
const PRIOR_HOLD_S: f64 = 0.012;
/// Usual deviation of the time between two keys: this many seconds …
const PRIOR_FLIGHT_S: f64 = 0.015;
/// … and this share of the time from press to press.
const PRIOR_FLIGHT_SHARE: f64 = 0.2;
/// Median of genuine scores: this much of many samples …
const GENUINE: f32 = 0.85;
/// … and so much more of a single one, falling with their number. Measured on samples 2 to 10 of the
/// benchmark.
const GENUINE_FIRST: f32 = 0.7;
/// Their spread.
const GENUINE_SPREAD: f32 = 0.25;

/// The parts of a model of one to nine samples.
pub(super) fn parts(shape: Shape, window: &[&[f32]]) -> Parts {
    let (centre, scale) = (0..shape.features()).map(|f| centre_and_scale(window, f)).unzip();
    Parts {
        shape,
        kind: Kind::Prior,
        maturity: Maturity::Learning,
        centre,
        scale,
        rows: ticks_of(window),
        median: GENUINE + GENUINE_FIRST / window.len() as f32,
        spread: GENUINE_SPREAD,
    }
}

fn centre_and_scale(window: &[&[f32]], feature: usize) -> (f32, f32) {
    let centre = centre(window, feature);
    let usual = match feature % 3 {
        0 => PRIOR_HOLD_S,
        // UD follows the DD of the same two keys.
        flight => PRIOR_FLIGHT_S + PRIOR_FLIGHT_SHARE * self::centre(window, feature + 1 - flight).abs(),
    };
    let n = window.len() as f64;
    let own = window.iter().map(|row| (f64::from(row[feature]) - centre).abs()).sum::<f64>();
    (narrow(centre), narrow((PRIOR_WEIGHT * usual + own) / (PRIOR_WEIGHT + n)))
}

fn centre(window: &[&[f32]], feature: usize) -> f64 {
    median(&mut window.iter().map(|row| f64::from(row[feature])).collect::<Vec<_>>())
}
