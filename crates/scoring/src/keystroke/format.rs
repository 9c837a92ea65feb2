//! The stored form of a model.
//!
//! Version 3, little endian: `"kwks"`, version u8 = 3, kind u8 (0 prior, 1 support vector machine), maturity
//! u8 (0 learning, 1 provisional, 2 mature), keys u8, a zone code u8 for each, rows n u8; f32 from here:
//! gamma (0 for a prior), median, spread; centre and scale for each of the d = 3·keys − 2 times; a weight for
//! each row (0 for all of a prior). Then n × d times in tenths of milliseconds as i16, oldest row first. Nothing
//! follows. Versions 1 (times as f32 in seconds) and 2 are still read; their median and spread are of another score, so
//! that such a model is trained anew from its rows.
//!
//! There is no checksum: the form is stored sealed, and the seal notices damage. Reading checks everything
//! that scoring relies on, so that bytes from elsewhere give an error or a model that scores.

use keyward_domain::Maturity;
use keyward_features::{Shape, zone_code, zone_from_code};

use super::{KeystrokeModel, Kind, MATURE_SAMPLES, Parts, SVM_SAMPLES, WINDOW, ticks, train};

const MAGIC: &[u8; 4] = b"kwks";
const VERSION: u8 = 3;
/// Had the same form, with median and spread of an earlier score.
const VERSION_2: u8 = 2;
/// Had rows of f32.
const VERSION_1: u8 = 1;
/// No time of a sample is longer, in seconds.
const MAX_TIME_S: f32 = 600.0;
/// Scales are at least the clock's resolution, in seconds; a little less for rounding.
const MIN_SCALE_S: f32 = 0.99e-3;

/// Why bytes are no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// They do not begin as a model does.
    #[error("not a keystroke model")]
    NotAModel,
    /// Written by another version.
    #[error("keystroke model of version {0} is not supported")]
    Version(u8),
    /// Too short, too long, or with values that no model has.
    #[error("keystroke model is damaged")]
    Damaged,
}

pub(super) fn write(model: &KeystrokeModel) -> Vec<u8> {
    let zones = model.shape.zones();
    let mut bytes =
        Vec::with_capacity(32 + zones.len() + 2 * model.rows.len() + 4 * (2 * model.centre.len() + WINDOW));
    bytes.extend_from_slice(MAGIC);
    let (kind, gamma) = match &model.kind {
        Kind::Prior => (0, 0.0),
        Kind::Svm { gamma, .. } => (1, *gamma),
    };
    // Keys and rows are bounded by the invariants of `Shape` and of the model.
    #[expect(clippy::cast_possible_truncation, reason = "at most 64 keys and 50 rows")]
    let (keys, rows) = (zones.len() as u8, model.row_count() as u8);
    bytes.extend([VERSION, kind, maturity_code(model.maturity), keys]);
    bytes.extend(zones.iter().map(|zone| zone_code(*zone)));
    bytes.push(rows);
    let no_weights = vec![0.0; model.row_count()];
    let weights = if kind == 0 { &no_weights[..] } else { model.weights() };
    let head = [gamma, model.median, model.spread];
    for part in [&head[..], &model.centre, &model.scale, weights] {
        bytes.extend(part.iter().flat_map(|v| v.to_le_bytes()));
    }
    bytes.extend(model.rows.iter().flat_map(|tick| tick.to_le_bytes()));
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<KeystrokeModel, ModelError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ModelError::NotAModel)?;
    let (version, rest) = rest.split_first().ok_or(ModelError::NotAModel)?;
    if ![VERSION, VERSION_2, VERSION_1].contains(version) {
        return Err(ModelError::Version(*version));
    }
    let model = read_parts(*version, rest).map(KeystrokeModel::from_parts).ok_or(ModelError::Damaged)?;
    if *version == VERSION { Ok(model) } else { train::anew(&model).map_err(|_| ModelError::Damaged) }
}

fn read_parts(version: u8, bytes: &[u8]) -> Option<Parts> {
    let (&[kind, maturity, keys], rest) = bytes.split_first_chunk()?;
    let (zones, rest) = rest.split_at_checked(usize::from(keys))?;
    let zones = zones.iter().map(|code| zone_from_code(*code)).collect::<Option<Vec<_>>>()?;
    let shape = Shape::new(zones).ok()?;
    let (&rows, rest) = rest.split_first()?;
    let (rows, features) = (usize::from(rows), shape.features());
    let (floats, times) = rest.split_at_checked(4 * (3 + 2 * features + rows))?;
    let times = if version == VERSION_1 { read_seconds(times)? } else { read_ticks(times) };
    if !(1..=WINDOW).contains(&rows) || times.len() != rows * features {
        return None;
    }
    let mut values = floats_of(floats);
    let mut take = |n: usize| values.by_ref().take(n).collect::<Vec<f32>>();
    let (head, centre, scale, weights) = (take(3), take(features), take(features), take(rows));
    let kind = read_kind(kind, head[0], weights)?;
    let maturity = read_maturity(maturity, &kind)?;
    let parts = Parts { shape, kind, maturity, centre, scale, rows: times, median: head[1], spread: head[2] };
    sound(&parts).then_some(parts)
}

fn floats_of(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(4).map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]]))
}

/// Times of which a byte is missing are too few.
fn read_ticks(bytes: &[u8]) -> Vec<i16> {
    let whole = if bytes.len().is_multiple_of(2) { bytes } else { &[] };
    whole.chunks_exact(2).map(|v| i16::from_le_bytes([v[0], v[1]])).collect()
}

fn read_seconds(bytes: &[u8]) -> Option<Vec<i16>> {
    let sound = |time: f32| (time.abs() <= MAX_TIME_S).then(|| ticks::from_seconds(time));
    if bytes.len().is_multiple_of(4) { floats_of(bytes).map(sound).collect() } else { None }
}

fn read_kind(kind: u8, gamma: f32, weights: Vec<f32>) -> Option<Kind> {
    match kind {
        0 if weights.len() < SVM_SAMPLES => Some(Kind::Prior),
        1 if weights.len() >= SVM_SAMPLES => {
            let total: f32 = weights.iter().sum();
            let valid = weights.iter().all(|w| (0.0..=1.0).contains(w)) && (total - 1.0).abs() < 1e-3;
            (valid && gamma > 0.0 && gamma <= 1e6).then_some(Kind::Svm { gamma, weights })
        }
        _ => None,
    }
}

/// A maturity that a model of this kind can have.
fn read_maturity(code: u8, kind: &Kind) -> Option<Maturity> {
    match (code, kind) {
        (0, _) => Some(Maturity::Learning),
        (1, Kind::Svm { .. }) => Some(Maturity::Provisional),
        (2, Kind::Svm { weights, .. }) if weights.len() >= MATURE_SAMPLES => Some(Maturity::Mature),
        _ => None,
    }
}

const fn maturity_code(maturity: Maturity) -> u8 {
    match maturity {
        Maturity::Learning => 0,
        Maturity::Provisional => 1,
        Maturity::Mature => 2,
    }
}

/// Whether every number is one that scoring can rely on. A comparison with NaN is false.
fn sound(parts: &Parts) -> bool {
    let time = |t: &f32| t.abs() <= MAX_TIME_S;
    parts.centre.iter().all(time)
        && parts.scale.iter().all(|s| (MIN_SCALE_S..=2.0 * MAX_TIME_S).contains(s))
        && parts.median.abs() <= 1e3
        && (1e-3..=1e3).contains(&parts.spread)
}
