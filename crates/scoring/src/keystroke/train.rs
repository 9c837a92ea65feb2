//! From samples to a model.

use keyward_domain::Maturity;
use keyward_features::{FixedText, Shape};
use ndarray::Array2;

use super::{
    CLIP, KeystrokeModel, Kind, MATURE_SAMPLES, Parts, Rhythm, SVM_SAMPLES, WINDOW, calibration, prior, ticks,
};
use crate::fusion::MEDIUM_LLR;
use crate::svm::{self, OneClass, SvmError};

/// The share of support vectors at least, and of training rows outside the limit at most. With a kernel as
/// narrow as ours nearly every row supports, and nu evens out their weights.
const NU: f64 = 0.5;
/// Kernel width: this over the median distance of two rows.
const GAMMA_OVER_MEDIAN: f64 = 5.0;
/// The least scale of a time, in seconds: a clock's resolution.
const MIN_SCALE_S: f64 = 1e-3;
/// √(π/2): makes the mean absolute deviation of normal data its standard deviation.
const MEAN_DEVIATION_TO_SD: f64 = 1.2533;
/// Makes the median absolute deviation of normal data its standard deviation (Iglewicz and Hoaglin 1993).
const MEDIAN_DEVIATION_TO_SD: f64 = 1.4826;
/// The least spread of leave-one-out scores, in nats.
const MIN_SPREAD: f64 = 0.05;
/// The spread of many people's scores, in nats …
const USUAL_SPREAD: f64 = 0.6;
/// … and how many samples' worth it counts for.
const USUAL_SPREAD_ROWS: f64 = 20.0;
/// A sample counts for half when so many newer ones have come: half a window.
const HALF_LIFE: f64 = 25.0;
/// The same for a second opinion that follows the last days, which is averaged with the first.
const FRESH_HALF_LIFE: f64 = 6.0;
/// How many newest samples of one shape make a template restart.
const RESTART_RUN: usize = 3;

/// Why no model was trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// No samples.
    #[error("there are no samples to train on")]
    Empty,
    /// The samples hardly differ from each other: recordings or generated ones.
    #[error("the samples are too alike to have been typed")]
    TooAlike,
    /// The support vector machine could not be trained.
    #[error("the support vector machine could not be trained: {0}")]
    Svm(#[from] SvmError),
}

pub(super) fn train(samples: &[FixedText]) -> Result<KeystrokeModel, TrainError> {
    let shape = template_shape(samples).ok_or(TrainError::Empty)?.clone();
    let newest = samples.iter().rev().filter(|s| *s.shape() == shape).take(WINDOW);
    // What is kept is what is trained on, so that a stored model scores as the trained one did.
    let mut kept: Vec<Vec<f32>> =
        newest.map(|s| s.times_s().iter().map(|time| ticks::kept(*time)).collect()).collect();
    kept.reverse();
    of_rows(shape, &kept)
}

/// The model that is trained on the rows of this one.
pub(super) fn anew(model: &KeystrokeModel) -> Result<KeystrokeModel, TrainError> {
    let rows =
        (0..model.row_count()).map(|row| model.row(row).iter().map(|t| ticks::to_seconds(*t)).collect());
    of_rows(model.shape.clone(), &rows.collect::<Vec<Vec<f32>>>())
}

fn of_rows(shape: Shape, rows: &[Vec<f32>]) -> Result<KeystrokeModel, TrainError> {
    let window: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let mut model = KeystrokeModel::from_parts(train_window(shape, &window)?);
    model.maturity = maturity(&model, &window)?;
    Ok(model)
}

/// The shape of the newest run of [`RESTART_RUN`] samples; without such a run the most frequent one, newest
/// first.
fn template_shape(samples: &[FixedText]) -> Option<&Shape> {
    let run = samples.windows(RESTART_RUN).rev().find(|run| run.iter().all(|s| s.shape() == run[0].shape()));
    let count = |shape: &Shape| samples.iter().filter(|s| s.shape() == shape).count();
    // `max_by_key` gives the last of equals, which is the newest.
    run.map(|run| run[0].shape())
        .or_else(|| samples.iter().map(FixedText::shape).max_by_key(|shape| count(shape)))
}

/// A window's times, row after row.
pub(super) fn ticks_of(window: &[&[f32]]) -> Vec<i16> {
    window.iter().flat_map(|row| row.iter().map(|time| ticks::from_seconds(*time))).collect()
}

fn train_window(shape: Shape, window: &[&[f32]]) -> Result<Parts, TrainError> {
    if window.len() < SVM_SAMPLES { Ok(prior::parts(shape, window)) } else { svm_parts(shape, window) }
}

fn svm_parts(shape: Shape, window: &[&[f32]]) -> Result<Parts, TrainError> {
    let (centre, scale): (Vec<f32>, Vec<f32>) =
        (0..shape.features()).map(|f| centre_and_scale(window, f)).unzip();
    let scaled = scale_rows(window, &centre, &scale);
    let distances = distances(&scaled);
    let gamma = GAMMA_OVER_MEDIAN / median_distance(&distances).ok_or(TrainError::TooAlike)?;
    let kernel = distances.mapv(|d| (-gamma * d).exp());
    let machine = OneClass::train(&kernel, NU)?;
    let recent = recency(window.len());
    let rhythm = Rhythm::of(&centre);
    let left_out: Vec<f64> = svm::leave_one_out(&kernel, &machine)?
        .iter()
        .zip(kernel.outer_iter().zip(window))
        .map(|(alpha, (query, times_s))| {
            let weights = weights(alpha, &recent);
            let surprise = |weights: &[f64]| -weights.iter().zip(query).map(|(w, k)| w * k).sum::<f64>().ln();
            let own = f64::midpoint(surprise(&weights), surprise(&fresh(&weights)));
            own - f64::from(calibration::POPULATION_SHARE * rhythm.surprise(times_s))
        })
        .collect();
    let (median, spread) = centre_and_spread(&left_out);
    Ok(Parts {
        shape,
        kind: Kind::Svm {
            gamma: narrow(gamma),
            weights: weights(&machine.alpha, &recent).into_iter().map(narrow).collect(),
        },
        maturity: Maturity::Provisional,
        centre,
        scale,
        rows: ticks_of(window),
        median: narrow(median),
        spread: narrow(spread),
    })
}

/// Median, and 1.2533 × mean absolute deviation from it, of one time.
fn centre_and_scale(window: &[&[f32]], feature: usize) -> (f32, f32) {
    let mut column: Vec<f64> = window.iter().map(|row| f64::from(row[feature])).collect();
    let centre = median(&mut column);
    let deviation = column.iter().map(|v| (v - centre).abs()).sum::<f64>() / column.len() as f64;
    (narrow(centre), narrow((MEAN_DEVIATION_TO_SD * deviation).max(MIN_SCALE_S)))
}

fn scale_rows(window: &[&[f32]], centre: &[f32], scale: &[f32]) -> Array2<f64> {
    Array2::from_shape_fn((window.len(), centre.len()), |(row, f)| {
        let value = (f64::from(window[row][f]) - f64::from(centre[f])) / f64::from(scale[f]);
        value.clamp(-f64::from(CLIP), f64::from(CLIP))
    })
}

fn distances(rows: &Array2<f64>) -> Array2<f64> {
    let n = rows.nrows();
    let mut distances = Array2::zeros((n, n));
    for i in 0..n {
        for j in 0..i {
            let distance = rows.row(i).iter().zip(rows.row(j)).map(|(a, b)| (a - b).abs()).sum::<f64>();
            distances[[i, j]] = distance;
            distances[[j, i]] = distance;
        }
    }
    distances
}

/// The median distance of two rows; `None` when it is not above zero.
fn median_distance(distances: &Array2<f64>) -> Option<f64> {
    let mut pairs: Vec<f64> = distances.indexed_iter().filter(|((i, j), _)| i > j).map(|(_, d)| *d).collect();
    let median = median(&mut pairs);
    (median > 1e-6).then_some(median)
}

/// How much each row counts by its age, the newest for 1.
fn recency(rows: usize) -> Vec<f64> {
    (0..rows).rev().map(|age| (-(age as f64) / HALF_LIFE).exp2()).collect()
}

/// Weights of a machine, each less by its row's age; they add up to 1.
fn weights(alpha: &[f64], recency: &[f64]) -> Vec<f64> {
    let weighted = |(a, r): (&f64, &f64)| if *a <= 1e-9 { 0.0 } else { a.min(1.0) * r };
    let weights: Vec<f64> = alpha.iter().zip(recency).map(weighted).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

/// A machine's weights as the second opinion has them: newer rows count for still more. They add up to 1.
pub(super) fn fresh(weights: &[f64]) -> Vec<f64> {
    let steeper = 1.0 / FRESH_HALF_LIFE - 1.0 / HALF_LIFE;
    let by_age = |(age, weight): (usize, &f64)| weight * (-(age as f64) * steeper).exp2();
    let mut fresh: Vec<f64> = weights.iter().rev().enumerate().map(by_age).collect();
    fresh.reverse();
    let total: f64 = fresh.iter().sum();
    fresh.iter().map(|weight| weight / total).collect()
}

/// Median and scaled median absolute deviation of leave-one-out scores; the deviation leans on the
/// population's, since that of a few samples says little.
fn centre_and_spread(values: &[f64]) -> (f64, f64) {
    let centre = median(&mut values.to_vec());
    let mut deviations: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
    let own = (MEDIAN_DEVIATION_TO_SD * median(&mut deviations)).max(MIN_SPREAD);
    let n = values.len() as f64;
    (centre, (n * own + USUAL_SPREAD_ROWS * USUAL_SPREAD) / (n + USUAL_SPREAD_ROWS))
}

/// The median; of an even number the mean of the two in the middle. Sorts the values, of which there is at
/// least one.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[expect(clippy::cast_possible_truncation, reason = "models are stored and scored in f32")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

/// A model that lets strangers in has no right to spare friction, however many samples it has.
fn maturity(model: &KeystrokeModel, window: &[&[f32]]) -> Result<Maturity, TrainError> {
    let strangers = model.stranger_acceptance();
    if model.kind == Kind::Prior || strangers > calibration::MAX_STRANGERS {
        Ok(Maturity::Learning)
    } else if strangers <= calibration::MATURE_MAX_STRANGERS && is_mature(model, window)? {
        Ok(Maturity::Mature)
    } else {
        Ok(Maturity::Provisional)
    }
}

/// A model is mature when it has enough samples that differ from each other, and the limits drawn from its
/// older part hold for its newer part: calibration on samples of one time says little of another time,
/// because people drift.
fn is_mature(model: &KeystrokeModel, window: &[&[f32]]) -> Result<bool, TrainError> {
    if different(window) < MATURE_SAMPLES {
        return Ok(false);
    }
    let (older, newer) = window.split_at(window.len() * 2 / 3);
    let earlier = KeystrokeModel::from_parts(train_window(model.shape.clone(), older)?);
    let unusual = newer.iter().filter(|row| earlier.score_times(row).llr >= MEDIUM_LLR).count();
    Ok(unusual as f64 <= calibration::MATURE_MAX_UNUSUAL * newer.len() as f64)
}

/// Mean absolute difference of two rows of equal length.
fn mean_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32
}

/// How many rows are no near repetition of an earlier one.
fn different(window: &[&[f32]]) -> usize {
    let repeats = |row: usize| {
        window[..row]
            .iter()
            .any(|earlier| 1e3 * mean_difference(earlier, window[row]) < calibration::REPLAY_NEAREST_MS)
    };
    (0..window.len()).filter(|row| !repeats(*row)).count()
}
