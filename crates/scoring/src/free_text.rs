//! A person's model of typing any text, by key zones.
//!
//! For each kind of time (the hold of a zone, the flight of a pair of zones) the model keeps mean and variance of its
//! logarithm. A window of typing is compared kind by kind: the difference of means in units of its own standard error,
//! clipped, and averaged with the root of how often the kind occurred. It is scaled Manhattan over the means of
//! digraphs (as D. Gunetti, C. Picardi, "Keystroke Analysis of Free Text", ACM TISSEC 8, 2005, compare means of
//! digraphs), with what few observations do not know added to the error.
//!
//! The score is that average: about 0.8 for one's own typing, the mean of a normal distribution's absolute values, up to
//! the clip of 3. It is in standard errors for everybody, and so one threshold serves everybody: dividing by the spread of
//! a person's own windows of one session made that worse, because days differ by more than windows of a day do.

use keyward_features::{FREE_TEXT_FEATURES, Stroke};
use serde::{Deserialize, Serialize};

/// The fewest strokes that a model is trained on.
pub const MIN_TRAINING_STROKES: usize = 1000;
/// The fewest strokes that are judged.
pub const MIN_STROKES: usize = 50;
/// What was learned before so many strokes counts for half: habits change, and a model must not grow stiff.
const MEMORY: f64 = 20_000.0;
/// No lesson counts for more than this many strokes.
pub const MAX_LESSON: usize = 1000;
/// The most that free text says against a person, in nats: MEDIUM, never HIGH.
pub const MAX_FREE_TEXT_LLR: f32 = 2.0;
/// The most that it says for a person.
const MIN_FREE_TEXT_LLR: f32 = -1.0;
/// The score at which typing speaks against a person, and nats for each unit: so cautious that of a person's own windows,
/// weeks after training, none reaches MEDIUM by free text alone on the same keyboard and at most 1.5 % do on another one
/// (Buffalo set). Of other people's windows of 200 strokes three in ten do.
const EVEN: f32 = 1.3;
/// See [`EVEN`].
const NATS: f32 = 5.0;
/// A kind must have been observed so often to be compared.
const MIN_KNOWN: f64 = 5.0;
/// The usual variances of logarithms of holds and flights …
const USUAL_HOLD: f64 = 0.08;
const USUAL_FLIGHT: f64 = 0.25;
/// … and how many observations' worth they count for.
const USUAL_WEIGHT: f64 = 10.0;
/// Variance between days: no window's mean is nearer to a person's than this.
const BETWEEN: f64 = 0.02;
/// Differences are cut off at this many standard errors.
const CLIP: f64 = 3.0;
/// Kinds below are holds.
const HOLDS: usize = 20;

/// What could not be trained or judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FreeTextError {
    /// Fewer than [`MIN_TRAINING_STROKES`].
    #[error("fewer than {MIN_TRAINING_STROKES} strokes to train on")]
    TooFewToTrain,
    /// Fewer than [`MIN_STROKES`].
    #[error("fewer than {MIN_STROKES} strokes to judge")]
    TooFew,
    /// None of what was typed was observed often enough in training.
    #[error("nothing that the model knows was typed")]
    Unknown,
}

/// A person's model. Holds behaviour: seal it before it is stored.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FreeTextModel {
    known: Moments,
}

impl FreeTextModel {
    /// Trains on a person's strokes.
    ///
    /// # Errors
    /// [`FreeTextError::TooFewToTrain`].
    pub fn train(strokes: &[Stroke]) -> Result<Self, FreeTextError> {
        if strokes.len() < MIN_TRAINING_STROKES {
            return Err(FreeTextError::TooFewToTrain);
        }
        Ok(Self { known: Moments::of(strokes) })
    }

    /// Learns the strokes of one more session, [`MAX_LESSON`] at most.
    pub fn learn(&mut self, strokes: &[Stroke]) {
        let lesson = &strokes[..strokes.len().min(MAX_LESSON)];
        self.known.add(&Moments::of(lesson), (-(lesson.len() as f64) / MEMORY).exp2());
    }

    /// How many strokes it knows, those that faded counted for less.
    pub fn strokes(&self) -> u32 {
        let holds: f64 = self.known.0.iter().take(HOLDS).map(|[n, ..]| n).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bounded count")]
        let strokes = holds.clamp(0.0, 1e9).round() as u32;
        strokes
    }

    /// Whether it knows enough to judge.
    pub fn is_ready(&self) -> bool {
        self.strokes() as usize >= MIN_TRAINING_STROKES
    }

    /// How unusual a window of typing is, in standard errors, from 0 to 3.
    ///
    /// # Errors
    /// [`FreeTextError`].
    pub fn score(&self, strokes: &[Stroke]) -> Result<f32, FreeTextError> {
        if strokes.len() < MIN_STROKES {
            return Err(FreeTextError::TooFew);
        }
        if !self.is_ready() {
            return Err(FreeTextError::TooFewToTrain);
        }
        self.known.unusual(&Moments::of(strokes)).ok_or(FreeTextError::Unknown)
    }
}

/// What a score says, as a bounded and cautious natural-log likelihood ratio of "someone else" over "the person".
pub fn llr(score: f32) -> f32 {
    if score.is_nan() {
        return MAX_FREE_TEXT_LLR;
    }
    (NATS * (score - EVEN)).clamp(MIN_FREE_TEXT_LLR, MAX_FREE_TEXT_LLR)
}

impl std::fmt::Debug for FreeTextModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreeTextModel").finish_non_exhaustive()
    }
}

/// Count, sum and sum of squares of each kind of time.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<[f64; 3]>", into = "Vec<[f64; 3]>")]
struct Moments(Vec<[f64; 3]>);

impl Default for Moments {
    fn default() -> Self {
        Self(vec![[0.0; 3]; FREE_TEXT_FEATURES])
    }
}

impl From<Moments> for Vec<[f64; 3]> {
    fn from(moments: Moments) -> Self {
        moments.0
    }
}

impl From<Vec<[f64; 3]>> for Moments {
    /// What is no number, or below zero where none can be, knows nothing.
    fn from(mut kinds: Vec<[f64; 3]>) -> Self {
        kinds.resize(FREE_TEXT_FEATURES, [0.0; 3]);
        for kind in &mut kinds {
            let [n, sum, squares] = *kind;
            if !(n >= 0.0 && squares >= 0.0 && n.is_finite() && sum.is_finite() && squares.is_finite()) {
                *kind = [0.0; 3];
            }
        }
        Self(kinds)
    }
}

impl Moments {
    fn of(strokes: &[Stroke]) -> Self {
        let mut moments = vec![[0.0; 3]; FREE_TEXT_FEATURES];
        for time in strokes.iter().flat_map(Stroke::times) {
            let value = f64::from(time.ln_s);
            let [n, sum, squares] = &mut moments[time.feature];
            *n += 1.0;
            *sum += value;
            *squares += value * value;
        }
        Self(moments)
    }

    /// What is known fades by a factor, and more is added.
    fn add(&mut self, more: &Self, fading: f64) {
        for (known, more) in self.0.iter_mut().zip(&more.0) {
            for (known, more) in known.iter_mut().zip(more) {
                *known = *known * fading + more;
            }
        }
    }

    /// The clipped, weighted mean difference of a window; `None` when nothing can be compared.
    fn unusual(&self, window: &Self) -> Option<f32> {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (kind, (known, seen)) in self.0.iter().zip(&window.0).enumerate() {
            let ([n, ..], [m, seen_sum, _]) = (known, seen);
            if *n < MIN_KNOWN || *m < 1.0 {
                continue;
            }
            let mean = known[1] / n;
            let squares = (known[2] - n * mean * mean).max(0.0);
            let usual = if kind < HOLDS { USUAL_HOLD } else { USUAL_FLIGHT };
            let variance = (squares + USUAL_WEIGHT * usual) / (n + USUAL_WEIGHT);
            let error = (variance / m + variance / n + BETWEEN).sqrt();
            sum += m.sqrt() * ((seen_sum / m - mean).abs() / error).min(CLIP);
            weights += m.sqrt();
        }
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 3")]
        let mean = (sum / weights) as f32;
        (weights > 0.0).then_some(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_domain::KeyZone;

    const ZONES: [KeyZone; 5] =
        [KeyZone::LeftHome, KeyZone::RightTop, KeyZone::Space, KeyZone::LeftTop, KeyZone::RightHome];

    /// Strokes of hands of this pace, varied without chance.
    fn typing(pace: f32, from: usize, count: usize) -> Vec<Stroke> {
        let zone = |i: usize| ZONES[(i * 7 + i / 3) % ZONES.len()];
        let varied = |i: usize| 1.0 + 0.3 * ((i * 37 % 101) as f32 / 50.0 - 1.0);
        (from..from + count)
            .map(|i| {
                Stroke::new(zone(i), 0.1 * pace * varied(i), Some((zone(i + 1), 0.2 * pace * varied(i + 5))))
                    .unwrap()
            })
            .collect()
    }

    #[test]
    fn own_windows_are_usual_and_other_hands_are_not() {
        let model = FreeTextModel::train(&typing(1.0, 0, 3000)).unwrap();
        for length in [50, 100, 250, 600] {
            let (own, other) = (
                model.score(&typing(1.0, 5000, length)).unwrap(),
                model.score(&typing(1.6, 5000, length)).unwrap(),
            );
            assert!(own < 1.0 && other > 1.5 && other <= 3.0, "{length}: {own} {other}");
        }
    }

    #[test]
    fn too_little_is_said_so() {
        assert_eq!(FreeTextModel::train(&typing(1.0, 0, 999)), Err(FreeTextError::TooFewToTrain));
        let model = FreeTextModel::train(&typing(1.0, 0, 1000)).unwrap();
        assert_eq!(model.score(&typing(1.0, 0, 49)), Err(FreeTextError::TooFew));
        let mut habit = FreeTextModel::default();
        assert_eq!(habit.score(&typing(1.0, 0, 60)), Err(FreeTextError::TooFewToTrain));
        for lesson in 0..4 {
            habit.learn(&typing(1.0, 300 * lesson, 300));
        }
        assert!(habit.is_ready() && habit.score(&typing(1.0, 5000, 100)).unwrap() < 1.0);
        habit.learn(&typing(1.6, 0, 100_000));
        assert!(habit.score(&typing(1.0, 5000, 100)).unwrap() < 1.5, "one lesson is bounded");
        assert!(llr(0.7) < 0.0 && (llr(f32::NAN) - MAX_FREE_TEXT_LLR).abs() < 1e-6);
        let damaged = Moments::from(vec![[f64::NAN, 0.0, 1.0], [-1.0, 0.0, 0.0]]);
        assert!(damaged == Moments::default());
        let keypad = Stroke::new(KeyZone::Keypad, 0.1, None).unwrap();
        assert_eq!(model.score(&[keypad; 60]), Err(FreeTextError::Unknown));
    }
}
