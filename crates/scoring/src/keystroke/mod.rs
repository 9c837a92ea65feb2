//! A person's model of typing one text.

mod blocks;
mod calibration;
mod format;
mod lanes;
mod population;
mod prior;
mod selectivity;
#[cfg(test)]
mod tests;
mod ticks;
mod train;

use fearless_simd::{Level, Simd, dispatch};
use keyward_domain::Maturity;
use keyward_features::{FixedText, Shape};

use blocks::{Blocks, mean_difference};
pub(crate) use calibration::is_replay;
pub use calibration::{MAX_TYPING_LLR, REPLAY_NEAREST_MS};
pub use format::ModelError;
use population::Rhythm;
pub use train::TrainError;

/// The most recent samples that a model is trained on. People speed up, so that older ones hurt.
pub const WINDOW: usize = 50;
/// From this many samples on the model is a support vector machine; below it leans on the population.
pub const SVM_SAMPLES: usize = 10;
/// From this many different samples on a model may be mature.
pub const MATURE_SAMPLES: usize = 30;
/// Scaled times are cut off at this many units of scale.
const CLIP: f32 = 3.0;

/// What a model says of one typing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// How unusual it is in units of the person's own spread: robust z of leave-one-out scores; 0 is usual.
    pub z: f32,
    /// Natural-log likelihood ratio of "someone else" over "the person", within ± [`MAX_TYPING_LLR`].
    pub llr: f32,
    /// Mean absolute difference of its times to those of the most similar sample of the model, in
    /// milliseconds.
    pub nearest_ms: f32,
    /// Keys of the text.
    keys: usize,
}

impl Scored {
    /// Whether it lies too close to a sample of the model to have been typed anew.
    pub fn is_replay(&self) -> bool {
        calibration::is_replay(self.nearest_ms, self.keys)
    }
}

/// A typing of another text than the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the typed text has another shape than the model's")]
pub struct ShapeDiffers;

/// A person's model of typing one text. Holds behaviour: seal it before it is stored.
///
/// INVARIANT: 1 to [`WINDOW`] rows of `shape.features()` finite times; positive scales; weights in [0, 1]
/// that add up to 1 in a support vector machine and are absent below; positive `spread`.
#[derive(Clone, PartialEq)]
pub struct KeystrokeModel {
    shape: Shape,
    kind: Kind,
    maturity: Maturity,
    /// Centre of each time, in seconds.
    centre: Vec<f32>,
    /// Scale of each time, in seconds.
    scale: Vec<f32>,
    /// Samples as they were, in `ticks`, oldest first.
    rows: Vec<i16>,
    /// Median of leave-one-out scores.
    median: f32,
    /// Their median absolute deviation, times 1.4826.
    spread: f32,
    /// The rows scaled and clipped, laid out for scoring. Derived.
    blocks: Blocks,
    /// The text's rhythm, as the centre tells it. Derived.
    rhythm: Rhythm,
}

/// How a model scores.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// Mean clipped distance from the centre.
    Prior,
    /// Weighted means of the kernel exp(−gamma·L1) with each row, less a part of the population's surprise.
    Svm { gamma: f32, weights: Vec<f32> },
}

impl KeystrokeModel {
    /// Trains on a person's samples, oldest first.
    ///
    /// The template is that of the text which the newest samples share: it restarts when the last three are
    /// of a new shape, and a single odd one changes nothing. At most [`WINDOW`] samples of that shape are
    /// used.
    ///
    /// # Errors
    /// [`TrainError`] without samples, or when they are too alike to learn from.
    pub fn train(samples_oldest_first: &[FixedText]) -> Result<Self, TrainError> {
        train::train(samples_oldest_first)
    }

    /// Reads a model back.
    ///
    /// # Errors
    /// [`ModelError`] when the bytes are of another version or do not hold the invariant of this type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        format::read(bytes)
    }

    /// The model's compact form, about 3.6 kB for 50 samples of 11 keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        format::write(self)
    }

    /// The text that it is of.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How much it knows.
    pub fn maturity(&self) -> Maturity {
        self.maturity
    }

    /// The share of strangers, typing this text with the speeds and deviations of the population, to whom
    /// this model would give the band LOW: an estimate of how many other people it lets in. Computed anew
    /// each time, in the time of 256 scores and the strangers' making.
    pub fn stranger_acceptance(&self) -> f32 {
        selectivity::stranger_acceptance(self)
    }

    /// How many samples it was trained on.
    pub fn samples(&self) -> u32 {
        u32::try_from(self.row_count()).unwrap_or(u32::MAX)
    }

    /// What it takes in memory, in bytes, without its own fixed size.
    pub fn memory_bytes(&self) -> usize {
        let floats = self.centre.len() + self.scale.len();
        let weights = match &self.kind {
            Kind::Prior => 0,
            Kind::Svm { weights, .. } => weights.len(),
        };
        (floats + weights) * size_of::<f32>()
            + size_of_val(&*self.rows)
            + self.shape.keys()
            + self.blocks.memory_bytes()
            + self.rhythm.memory_bytes()
    }

    /// What its numbers would take as f32, each of them once, in bytes: what [`KeystrokeModel::memory_bytes`] is held
    /// against.
    pub fn payload_bytes(&self) -> usize {
        let weights = self.weights().len();
        (self.centre.len() + self.scale.len() + self.rows.len() + weights) * size_of::<f32>()
    }

    /// Scores one typing. Allocates nothing.
    ///
    /// # Errors
    /// [`ShapeDiffers`] when it is not of this model's text.
    pub fn score(&self, sample: &FixedText) -> Result<Scored, ShapeDiffers> {
        if *sample.shape() != self.shape {
            return Err(ShapeDiffers);
        }
        Ok(self.score_times(sample.times_s()))
    }

    fn score_times(&self, times_s: &[f32]) -> Scored {
        self.score_with(Level::new(), times_s)
    }

    /// Scores with one of the sets of vector instructions that this processor has.
    fn score_with(&self, level: Level, times_s: &[f32]) -> Scored {
        let (raw, nearest_s) = dispatch!(level, simd => self.raw_score(simd, times_s));
        let z = ((raw - self.median) / self.spread).clamp(-calibration::MAX_Z, calibration::MAX_Z);
        Scored { z, llr: calibration::llr(z), nearest_ms: 1e3 * nearest_s, keys: self.shape.keys() }
    }

    /// The score before normalisation, higher being more unusual, and the mean absolute difference to the most
    /// similar row, in seconds.
    #[expect(clippy::inline_always, reason = "must land in the function compiled for its instructions")]
    #[inline(always)]
    fn raw_score<S: Simd>(&self, simd: S, times_s: &[f32]) -> (f32, f32) {
        let distances = self.blocks.distances(simd, times_s);
        let least = distances.least();
        let raw = match &self.kind {
            Kind::Prior => distances.centre / times_s.len() as f32,
            Kind::Svm { gamma, .. } => {
                let own = self.blocks.surprise(&distances, least, *gamma);
                own - calibration::POPULATION_SHARE * self.rhythm.surprise_with(simd, times_s)
            }
        };
        (raw, mean_difference(simd, times_s, self.row(distances.nearest(least))))
    }

    fn from_parts(parts: Parts) -> Self {
        let Parts { shape, kind, maturity, centre, scale, rows, median, spread } = parts;
        let weights = match &kind {
            Kind::Prior => &[][..],
            Kind::Svm { weights, .. } => weights,
        };
        let times_s: Vec<f32> = rows.iter().map(|tick| ticks::to_seconds(*tick)).collect();
        let blocks = Blocks::new(&times_s, &centre, &scale, weights);
        let rhythm = Rhythm::of(&centre);
        Self { shape, kind, maturity, centre, scale, rows, median, spread, blocks, rhythm }
    }

    fn weights(&self) -> &[f32] {
        match &self.kind {
            Kind::Prior => &[],
            Kind::Svm { weights, .. } => weights,
        }
    }

    fn row_count(&self) -> usize {
        self.rows.len() / self.centre.len()
    }

    fn row(&self, index: usize) -> &[i16] {
        let features = self.centre.len();
        &self.rows[index * features..(index + 1) * features]
    }
}

/// Mean absolute difference of a typing from one that is kept in ticks, in seconds.
pub(crate) fn mean_difference_s(times_s: &[f32], ticks: &[i16]) -> f32 {
    dispatch!(Level::new(), simd => mean_difference(simd, times_s, ticks))
}

/// A typing's times as models keep them.
pub(crate) fn ticks_of_text(text: &FixedText) -> Vec<i16> {
    text.times_s().iter().map(|time| ticks::from_seconds(*time)).collect()
}

impl std::fmt::Debug for KeystrokeModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeystrokeModel")
            .field("maturity", &self.maturity)
            .field("samples", &self.samples())
            .finish_non_exhaustive()
    }
}

/// What a model is made of, without what is derived.
struct Parts {
    shape: Shape,
    kind: Kind,
    maturity: Maturity,
    centre: Vec<f32>,
    scale: Vec<f32>,
    rows: Vec<i16>,
    median: f32,
    spread: f32,
}
