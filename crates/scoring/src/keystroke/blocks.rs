//! Distances of a query to all rows, and the kernel mean: the inner loop of scoring.
//!
//! Rows lie feature by feature, so that one query value meets all rows at a time. `fearless_simd` compiles the
//! loops for each set of vector instructions, and which one runs is chosen by what the processor has. Where
//! it has them, multiplications and additions are fused: results differ from those elsewhere by rounding,
//! less than 1e-4 of a z.

#![expect(
    clippy::inline_always,
    reason = "vector code must land in the function compiled for its instructions"
)]

use fearless_simd::{Simd, SimdBase, SimdFloat, SimdMask, f32x16};

use super::lanes::{LANES, exp_of_negative, load, padded};
use super::{CLIP, WINDOW, ticks, train};

/// Vectors that hold a number for each row of a full window.
const VECTORS: usize = WINDOW.div_ceil(LANES);
/// Rows, with those that fill the last vector.
const ROOM: usize = VECTORS * LANES;
/// The scaled times of a row that fills: further away than any row can be, so that it is never nearest.
const FAR: f32 = 1e6;

/// The least mean whose logarithm is taken.
const LEAST: f32 = 1e-18;

/// Scaled rows and their weights, padded to whole vectors, and what scales a query.
#[derive(Clone, PartialEq)]
pub(super) struct Blocks {
    /// For a feature the scaled values of all rows.
    values: Vec<[f32; ROOM]>,
    /// The sum of each row's values.
    totals: Box<[f32; ROOM]>,
    weights: Box<[f32; ROOM]>,
    /// The weights by a shorter memory (`train::fresh`).
    fresh: Box<[f32; ROOM]>,
    centre: Vec<[f32; LANES]>,
    /// 1 / scale; 0 behind the last feature.
    inverse: Vec<[f32; LANES]>,
}

/// Distances of a query, in units of scale.
pub(super) struct Distances<S: Simd> {
    /// L1 from each row.
    rows: [f32x16<S>; VECTORS],
    /// L1 from the centre.
    pub(super) centre: f32,
}

impl Blocks {
    /// What the layout takes in memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.values)
            + size_of_val(&*self.totals)
            + size_of_val(&*self.weights)
            + size_of_val(&*self.fresh)
            + size_of_val(&*self.centre)
            + size_of_val(&*self.inverse)
    }

    /// Lays out rows, given one after the other, at most [`WINDOW`]. Without `weights` no surprise can be
    /// asked for.
    pub(super) fn new(rows_s: &[f32], centre_s: &[f32], scale_s: &[f32], weights: &[f32]) -> Self {
        let features = centre_s.len();
        let inverse: Vec<f32> = scale_s.iter().map(|s| 1.0 / s).collect();
        let mut values = vec![[FAR; ROOM]; features];
        for (row, times) in rows_s.chunks(features).take(ROOM).enumerate() {
            for (feature, time) in times.iter().enumerate() {
                values[feature][row] = ((time - centre_s[feature]) * inverse[feature]).clamp(-CLIP, CLIP);
            }
        }
        let fresh: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
        let fresh: Vec<f32> = train::fresh(&fresh).into_iter().map(train::narrow).collect();
        let totals = std::array::from_fn(|row| values.iter().map(|values| values[row]).sum());
        Self {
            values,
            totals: Box::new(totals),
            weights: Box::new(padded(weights)),
            fresh: Box::new(padded(&fresh)),
            centre: centre_s.chunks(LANES).map(padded).collect(),
            inverse: inverse.chunks(LANES).map(padded).collect(),
        }
    }

    /// L1 distances of a query from the rows, as Σ|a − b| = 2·Σ max(a, b) − Σa − Σb: a maximum and an addition
    /// a value instead of a subtraction, a mask and an addition. Clipped values are small enough for it to
    /// cost no more than 1e-4 of accuracy.
    #[inline(always)]
    pub(super) fn distances<S: Simd>(&self, simd: S, times_s: &[f32]) -> Distances<S> {
        let zero = f32x16::splat(simd, 0.0);
        let (mut sums, mut total, mut size) = ([zero; VECTORS], zero, zero);
        let frame = self.centre.iter().zip(&self.inverse);
        for ((times, (centre, inverse)), values) in
            times_s.chunks(LANES).zip(frame).zip(self.values.chunks(LANES))
        {
            let scaled = (load(simd, times) - load(simd, centre)) * load(simd, inverse);
            let scaled = scaled.max(-CLIP).min(CLIP);
            (total, size) = (total + scaled, size + scaled.abs());
            let mut query = [0.0; LANES];
            scaled.store_slice(&mut query);
            for (values, query) in values.iter().zip(query) {
                let (query, (values, _)) = (f32x16::splat(simd, query), values.as_chunks::<LANES>());
                for (sum, values) in sums.iter_mut().zip(values) {
                    *sum += load(simd, values).max(query);
                }
            }
        }
        let total = f32x16::splat(simd, total.reduce_sum());
        for (sum, of_row) in sums.iter_mut().zip(self.totals.as_chunks::<LANES>().0) {
            *sum = *sum + *sum - load(simd, of_row) - total;
        }
        Distances { rows: sums, centre: size.reduce_sum() }
    }

    /// The mean of two surprises, each −ln of a weighted mean of exp(−gamma·distance): by the weights, and by those of a
    /// shorter memory. Each of the two adds up to 1.
    ///
    /// The least distance is taken out first, so that a query far from every row gets a large finite score
    /// rather than −ln 0.
    #[inline(always)]
    pub(super) fn surprise<S: Simd>(&self, distances: &Distances<S>, least: f32, gamma: f32) -> f32 {
        let simd = distances.rows[0].simd;
        let zero = f32x16::splat(simd, 0.0);
        let (mut all, mut fresh) = (zero, zero);
        let weights = self.weights.as_chunks::<LANES>().0.iter().zip(self.fresh.as_chunks::<LANES>().0);
        for (distance, (weights, newer)) in distances.rows.iter().zip(weights) {
            let similar = exp_of_negative((f32x16::splat(simd, least) - *distance) * gamma);
            all = similar.mul_add(load(simd, weights), all);
            fresh = similar.mul_add(load(simd, newer), fresh);
        }
        // Weights of old rows may vanish by the shorter memory; then it is as surprised as numbers allow.
        let product = all.reduce_sum().max(LEAST) * fresh.reduce_sum().max(LEAST);
        gamma * least - 0.5 * product.ln()
    }
}

impl<S: Simd> Distances<S> {
    /// The least distance from a row.
    #[inline(always)]
    pub(super) fn least(&self) -> f32 {
        self.rows.iter().skip(1).fold(self.rows[0], |least, distance| least.min(*distance)).reduce_min()
    }

    /// The first row at the least distance.
    #[inline(always)]
    pub(super) fn nearest(&self, least: f32) -> usize {
        let mut rows = 0_u64;
        for (at, distance) in self.rows.iter().enumerate() {
            rows |= distance.simd_le(least).to_bitmask() << (at * LANES);
        }
        rows.trailing_zeros() as usize % ROOM
    }
}

/// Mean absolute difference of a query from a row of equal length.
#[inline(always)]
pub(super) fn mean_difference<S: Simd>(simd: S, times_s: &[f32], row: &[i16]) -> f32 {
    let mut sum = f32x16::splat(simd, 0.0);
    for (times, row) in times_s.chunks(LANES).zip(row.chunks(LANES)) {
        let mut row_s = [0.0; LANES];
        for (time, tick) in row_s.iter_mut().zip(row) {
            *time = ticks::to_seconds(*tick);
        }
        // A pause that the row could not keep is as long as it could.
        let times = load(simd, times).max(-ticks::MAX_S).min(ticks::MAX_S);
        sum += (times - load(simd, &row_s)).abs();
    }
    sum.reduce_sum() / times_s.len() as f32
}
