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

/// The fewest strokes that a model is trained on.
pub const MIN_TRAINING_STROKES: usize = 1000;
/// The fewest strokes that are judged.
pub const MIN_STROKES: usize = 50;
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
#[derive(Clone, PartialEq)]
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

    /// How unusual a window of typing is, in standard errors, from 0 to 3.
    ///
    /// # Errors
    /// [`FreeTextError::TooFew`], [`FreeTextError::Unknown`].
    pub fn score(&self, strokes: &[Stroke]) -> Result<f32, FreeTextError> {
        if strokes.len() < MIN_STROKES {
            return Err(FreeTextError::TooFew);
        }
        self.known.unusual(&Moments::of(strokes)).ok_or(FreeTextError::Unknown)
    }
}

impl std::fmt::Debug for FreeTextModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreeTextModel").finish_non_exhaustive()
    }
}

/// Count, sum and sum of squares of each kind of time.
#[derive(Clone, PartialEq)]
struct Moments(Vec<[f64; 3]>);

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
        let keypad = Stroke::new(KeyZone::Keypad, 0.1, None).unwrap();
        assert_eq!(model.score(&[keypad; 60]), Err(FreeTextError::Unknown));
    }
}
