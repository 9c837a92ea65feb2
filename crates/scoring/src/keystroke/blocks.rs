//! Distances of a query to all rows, and the kernel mean: the inner loop of scoring.
//!
//! Rows lie in groups of [`GROUP`], within a group feature by feature, so that one query value meets a whole
//! group at a time and the compiler makes vector instructions of the loops (SSE2 on baseline x86-64).

use super::WINDOW;

/// Rows whose distances are summed at a time: seven vectors of four, enough independent sums to hide the
/// latency of an addition, and few enough to stay in registers. Two groups hold a full window and little
/// more.
const GROUP: usize = 28;
/// Rows whose kernel values are computed at a time.
const LANES: usize = 8;
/// Room for the distances of every row, in whole groups.
const ROOM: usize = WINDOW.div_ceil(GROUP) * GROUP;
/// What fills the last group: further away than any row can be, so that it is never nearest and weighs
/// nothing.
const FAR: f32 = 1e6;

/// A distance to each row.
pub(super) type Distances = [f32; ROOM];

/// Scaled rows and their weights, padded to whole groups and lanes.
#[derive(Clone, PartialEq, Default)]
pub(super) struct Blocks {
    features: usize,
    /// A group after the other; in a group feature by feature; for a feature the values of [`GROUP`] rows.
    values: Vec<[f32; GROUP]>,
    /// The sum of each row's values.
    totals: Vec<[f32; GROUP]>,
    weights: Vec<[f32; LANES]>,
    /// 0 for a row with weight, [`FAR`] for one without.
    weightless: Vec<[f32; LANES]>,
}

impl Blocks {
    /// What the layout takes in memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.values)
            + size_of_val(&*self.totals)
            + size_of_val(&*self.weights)
            + size_of_val(&*self.weightless)
    }

    /// Lays out rows, given one after the other, at most [`WINDOW`]. Without `weights` no surprise can be
    /// asked for.
    pub(super) fn new(scaled: &[f32], features: usize, weights: &[f32]) -> Self {
        let rows = scaled.len() / features;
        let mut values = vec![[FAR; GROUP]; rows.div_ceil(GROUP) * features];
        for (row, times) in scaled.chunks(features).enumerate() {
            for (feature, value) in times.iter().enumerate() {
                values[row / GROUP * features + feature][row % GROUP] = *value;
            }
        }
        let total =
            |group: &[[f32; GROUP]]| std::array::from_fn(|row| group.iter().map(|values| values[row]).sum());
        let totals = values.chunks(features).map(total).collect();
        let mut padded = vec![[0.0; LANES]; rows.div_ceil(LANES)];
        for (row, weight) in weights.iter().enumerate() {
            padded[row / LANES][row % LANES] = *weight;
        }
        let weightless = padded.iter().map(|lanes| lanes.map(|w| if w > 0.0 { 0.0 } else { FAR })).collect();
        Self { features, values, totals, weights: padded, weightless }
    }

    /// L1 distances of a scaled query to the rows, as Σ|a − b| = 2·Σ max(a, b) − Σa − Σb: a maximum and an
    /// addition a value instead of a subtraction, a mask and an addition. Clipped values are small enough for
    /// it to cost no more than 1e-4 of accuracy.
    pub(super) fn distances(&self, query: &[f32]) -> Distances {
        let query_total = sum(query);
        let mut distances = [FAR; ROOM];
        let (out, _) = distances.as_chunks_mut::<GROUP>();
        for ((group, totals), out) in self.values.chunks_exact(self.features).zip(&self.totals).zip(out) {
            let mut sums = [0.0_f32; GROUP];
            for (values, query) in group.iter().zip(query) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += greater(*value, *query);
                }
            }
            for ((out, sum), total) in out.iter_mut().zip(sums).zip(totals) {
                *out = 2.0 * sum - total - query_total;
            }
        }
        distances
    }

    /// −ln of the weighted mean of exp(−gamma·distance). Weights add up to 1.
    ///
    /// The least distance of a row with weight is taken out first, so that a query far from every row gets a
    /// large finite score rather than −ln 0.
    pub(super) fn surprise(&self, distances: &Distances, gamma: f32) -> f32 {
        let (distances, _) = distances.as_chunks::<LANES>();
        let mut least = [f32::INFINITY; LANES];
        for (distances, weightless) in distances.iter().zip(&self.weightless) {
            for ((least, distance), weightless) in least.iter_mut().zip(distances).zip(weightless) {
                *least = lesser(*least, distance + weightless);
            }
        }
        let least = least.into_iter().fold(f32::INFINITY, lesser);
        let mut sums = [0.0_f32; LANES];
        for (distances, weights) in distances.iter().zip(&self.weights) {
            for ((sum, distance), weight) in sums.iter_mut().zip(distances).zip(weights) {
                *sum += weight * exp_of_negative(gamma * (least - distance));
            }
        }
        gamma * least - sum(&sums).ln()
    }

    /// The row with the least distance.
    pub(super) fn nearest(distances: &Distances) -> usize {
        let (lanes, _) = distances.as_chunks::<LANES>();
        let mut least = [f32::INFINITY; LANES];
        for distances in lanes {
            for (least, distance) in least.iter_mut().zip(distances) {
                *least = lesser(*least, *distance);
            }
        }
        let least = least.into_iter().fold(f32::INFINITY, lesser);
        distances.iter().position(|d| *d <= least).unwrap_or(0)
    }
}

/// The sum in lanes: additions one after the other would each wait for the last.
fn sum(values: &[f32]) -> f32 {
    let (lanes, rest) = values.as_chunks::<4>();
    let mut sums = [0.0_f32; 4];
    for values in lanes {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest.iter().sum::<f32>()
}

/// Mean absolute difference of two rows of equal length, in lanes as above.
pub(super) fn mean_difference(a: &[f32], b: &[f32]) -> f32 {
    let ((a_lanes, a_rest), (b_lanes, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b).abs();
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b).abs()).sum();
    (sum(&sums) + rest) / a.len() as f32
}

/// As `f32::min` where nothing is NaN, in one instruction.
#[inline]
fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// As `f32::max` where nothing is NaN, in one instruction.
#[inline]
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// e^x for x ≤ 0, within 3e-7 of it relatively; below −87 as at −87, and above 0 (a row without weight that
/// lies nearer than any with weight) as at 0.
///
/// x = k·ln 2 + r with |r| ≤ ln 2 / 2; e^r by its Taylor series to r⁶, 2^k by the exponent bits.
#[inline]
fn exp_of_negative(x: f32) -> f32 {
    /// 1.5·2²³: added and taken away, it rounds to an integer, which also stands in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let x = lesser(greater(x, -87.0), 0.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    // ln 2 in two parts, so that k·ln 2 loses nothing.
    let r = (x - k * 0.693_359_4) + k * 2.121_944_4e-4;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0));
    let power = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    let two_to_k = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    power * two_to_k
}
