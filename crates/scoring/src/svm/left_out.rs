//! Leave-one-out without a fit for each row.
//!
//! The machine without row i has the same dual problem with that weight held at zero: minimise αᵀKα / 2 under
//! 0 ≤ α ≤ 1 and Σα = nu·n. From the full machine's weights, with the weight of row i handed to the others,
//! it is a few steps of sequential minimal optimisation away (J. Platt 1998; pairs of greatest violation as in
//! R.-E. Fan, P.-H. Chen, C.-J. Lin, JMLR 6, 2005). The problem is convex: where no pair violates the
//! conditions of optimality, the weights are those that a fit from nothing would have found.

use ndarray::Array2;

use super::{OneClass, SvmError, check_kernel};

/// How far a pair may violate the conditions of optimality. Sums are as accurate as this.
const TOLERANCE: f64 = 1e-5;
/// Steps for one row: a hundred times what was seen on recordings.
const MAX_STEPS: usize = 20_000;
/// The least curvature of a pair, for rows that are equal.
const MIN_CURVATURE: f64 = 1e-9;

/// For each row, the weights of the machine trained without it, which add up to the same total
/// (nu' = nu·n/(n−1)); its own is 0.
pub(crate) fn leave_one_out(kernel: &Array2<f64>, full: &OneClass) -> Result<Vec<Vec<f64>>, SvmError> {
    let n = check_kernel(kernel)?;
    if full.alpha.len() != n {
        return Err(SvmError::QueryLength);
    }
    let alpha: Vec<f64> = full.alpha.iter().map(|a| a.clamp(0.0, 1.0)).collect();
    let rows: Vec<&[f64]> = kernel.outer_iter().filter_map(|row| row.to_slice()).collect();
    if rows.len() != n {
        return Err(SvmError::Kernel);
    }
    (0..n).map(|left_out| weights_without(&rows, &alpha, left_out)).collect()
}

fn weights_without(rows: &[&[f64]], full: &[f64], left_out: usize) -> Result<Vec<f64>, SvmError> {
    let mut alpha = handed_over(full, left_out)?;
    let mut sums: Vec<f64> =
        rows.iter().map(|row| row.iter().zip(&alpha).map(|(k, a)| k * a).sum()).collect();
    for _ in 0..MAX_STEPS {
        let Some((up, down)) = worst_pair(&alpha, &sums, left_out) else { return Ok(alpha) };
        let curvature = (2.0 - 2.0 * rows[up][down]).max(MIN_CURVATURE);
        let step = ((sums[down] - sums[up]) / curvature).min(1.0 - alpha[up]).min(alpha[down]);
        alpha[up] += step;
        alpha[down] -= step;
        for ((sum, more), less) in sums.iter_mut().zip(rows[up]).zip(rows[down]) {
            *sum += step * (more - less);
        }
    }
    Err(SvmError::Solver)
}

/// The weights with that of one row handed to the others, each in proportion to its room.
fn handed_over(full: &[f64], left_out: usize) -> Result<Vec<f64>, SvmError> {
    let room = full.iter().map(|a| 1.0 - a).sum::<f64>() - (1.0 - full[left_out]);
    if room < full[left_out] {
        return Err(SvmError::Nu);
    }
    let share = if room > 0.0 { full[left_out] / room } else { 0.0 };
    let mut alpha: Vec<f64> = full.iter().map(|a| a + share * (1.0 - a)).collect();
    alpha[left_out] = 0.0;
    Ok(alpha)
}

/// The row that should gain most and the one that should lose most; `None` at the optimum.
fn worst_pair(alpha: &[f64], sums: &[f64], left_out: usize) -> Option<(usize, usize)> {
    let rows = || (0..alpha.len()).filter(|row| *row != left_out);
    let by_sum = |a: &usize, b: &usize| sums[*a].total_cmp(&sums[*b]);
    let up = rows().filter(|row| alpha[*row] < 1.0).min_by(by_sum)?;
    let down = rows().filter(|row| alpha[*row] > 0.0).max_by(by_sum)?;
    (sums[down] - sums[up] > TOLERANCE).then_some((up, down))
}
