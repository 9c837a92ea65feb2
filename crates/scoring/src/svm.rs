//! linfa-svm behind a strict wrapper.
//!
//! linfa-svm knows the linear, Gaussian and polynomial kernels. Any other positive definite kernel is trained
//! with it exactly through the empirical kernel map: with K = L·Lᵀ, the rows of L under the linear kernel
//! have the Gram matrix K, and the dual problem sees nothing but K. The weights that come back belong to the
//! true kernel.
//!
//! The solver gives right answers in f64 without shrinking, and silently wrong ones or a panic in many other
//! uses, so a fit is accepted only after it was checked against what a solution must satisfy.

mod left_out;
#[cfg(test)]
mod traps;

use std::panic::{AssertUnwindSafe, catch_unwind};

use linfa::dataset::{DatasetBase, Pr};
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::Array2;

pub(crate) use left_out::leave_one_out;

/// The fewest rows that are trained on.
pub(crate) const MIN_ROWS: usize = 9;
/// The most: the factorisation costs n³ and the solver has no limit of its own.
pub(crate) const MAX_ROWS: usize = 400;
/// The solver's tolerance on the gradient.
const TOLERANCE: f64 = 1e-6;
/// How far our decision values may lie from the solver's on the training rows.
const AGREEMENT: f64 = 1e-5;
/// How far a row may lie on the wrong side of the limit for its weight.
const OPTIMALITY: f64 = 1e-4;
/// Added to the diagonal so that rounding does not make K indefinite; raised tenfold up to [`MAX_JITTER`]
/// when needed.
const JITTER: f64 = 1e-10;
/// Beyond this the weights would no longer belong to the kernel.
const MAX_JITTER: f64 = 1e-6;

/// Why nothing was trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SvmError {
    /// Too few or too many rows, or a kernel that is not square, symmetric, finite and one on its diagonal.
    #[error("the kernel matrix is not one that can be trained on")]
    Kernel,
    /// `nu` outside (0, 1), or so small that no row would carry a full weight. At 1 no limit is determined.
    #[error("nu must lie between 0 and 1 and give at least one row full weight")]
    Nu,
    /// The kernel matrix is not positive definite.
    #[error("the kernel matrix is not positive definite")]
    NotPositiveDefinite,
    /// The solver panicked or reported an error.
    #[error("the solver failed")]
    Solver,
    /// The solver's answer is not a solution.
    #[error("the solver's answer does not satisfy the conditions of a solution")]
    Rejected,
    /// A query of another length than the training rows.
    #[error("the query has another length than the training rows")]
    QueryLength,
}

/// A one-class SVM (Schölkopf et al. 2001) in terms of its kernel: who it accepts has Σ alpha·k ≥ rho.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OneClass {
    /// A weight in [0, 1] for each training row; they add up to nu·n.
    pub(crate) alpha: Vec<f64>,
    /// The limit.
    pub(crate) rho: f64,
}

impl OneClass {
    /// Trains on a kernel matrix (n × n, ones on the diagonal).
    pub(crate) fn train(kernel: &Array2<f64>, nu: f64) -> Result<Self, SvmError> {
        Self::train_on_map(kernel, &kernel_map(kernel)?, nu)
    }

    /// Trains on a kernel matrix and rows whose Gram matrix it is.
    fn train_on_map(kernel: &Array2<f64>, map: &Array2<f64>, nu: f64) -> Result<Self, SvmError> {
        let n = check_kernel(kernel)?;
        if !(nu > 0.0 && nu < 1.0 && nu * n as f64 >= 1.0) {
            return Err(SvmError::Nu);
        }
        let fitted = fit(map, nu)?;
        let ours = Self { alpha: fitted.alpha.clone(), rho: fitted.rho };
        if ours.solves(kernel, nu) && ours.is_optimal(kernel) && ours.agrees(kernel, map, &fitted) {
            Ok(ours)
        } else {
            Err(SvmError::Rejected)
        }
    }

    /// Σ alpha·k of a query, given by its kernel with each training row.
    pub(crate) fn weighted_sum(&self, query: &[f64]) -> Result<f64, SvmError> {
        if query.len() != self.alpha.len() || query.is_empty() {
            return Err(SvmError::QueryLength);
        }
        Ok(self.alpha.iter().zip(query).map(|(a, k)| a * k).sum())
    }

    /// Whether the weights can be a solution, and reject what is far from every row (there Σ alpha·k = 0).
    fn solves(&self, kernel: &Array2<f64>, nu: f64) -> bool {
        let total = nu * kernel.nrows() as f64;
        let within = |a: &f64| a.is_finite() && (-1e-9..=1.0 + 1e-9).contains(a);
        self.alpha.len() == kernel.nrows()
            && self.alpha.iter().all(within)
            && (self.alpha.iter().sum::<f64>() - total).abs() <= 1e-6 * total
            && self.rho.is_finite()
            && self.rho > 0.0
    }

    /// The conditions of optimality (Karush, Kuhn and Tucker), which a solver that shrinks is known to break without a word:
    /// only rows of full weight lie outside the limit, and only rows without weight inside.
    fn is_optimal(&self, kernel: &Array2<f64>) -> bool {
        kernel.outer_iter().zip(&self.alpha).all(|(row, alpha)| {
            let over = row.iter().zip(&self.alpha).map(|(k, a)| k * a).sum::<f64>() - self.rho;
            (*alpha > 1.0 - 1e-6 || over > -OPTIMALITY) && (*alpha < 1e-6 || over < OPTIMALITY)
        })
    }

    /// Whether the true kernel with these weights decides as the solver does on its map.
    fn agrees(&self, kernel: &Array2<f64>, map: &Array2<f64>, fitted: &Svm<f64, bool>) -> bool {
        kernel.outer_iter().zip(map.outer_iter()).all(|(query, mapped)| {
            let query: Vec<f64> = query.to_vec();
            let ours = self.weighted_sum(&query).map_or(f64::NAN, |sum| sum - self.rho);
            (ours - (fitted.weighted_sum(&mapped) - fitted.rho)).abs() <= AGREEMENT
        })
    }
}

fn check_kernel(kernel: &Array2<f64>) -> Result<usize, SvmError> {
    let n = kernel.nrows();
    let sound = (MIN_ROWS..=MAX_ROWS).contains(&n)
        && kernel.ncols() == n
        && kernel.indexed_iter().all(|((i, j), k)| {
            (0.0..=1.0).contains(k) && (*k - kernel[[j, i]]).abs() <= 1e-12 && (i != j || *k >= 1.0)
        });
    if sound { Ok(n) } else { Err(SvmError::Kernel) }
}

fn fit(map: &Array2<f64>, nu: f64) -> Result<Svm<f64, bool>, SvmError> {
    let data = DatasetBase::from(map.clone());
    catch_unwind(AssertUnwindSafe(|| {
        Svm::<f64, Pr>::params().nu_weight(nu).linear_kernel().eps(TOLERANCE).shrinking(false).fit(&data)
    }))
    .map_err(|_| SvmError::Solver)?
    .map_err(|_| SvmError::Solver)
}

/// The rows of L, where K + jitter·I = L·Lᵀ.
fn kernel_map(kernel: &Array2<f64>) -> Result<Array2<f64>, SvmError> {
    check_kernel(kernel)?;
    let mut jitter = JITTER;
    while jitter <= MAX_JITTER {
        if let Some(map) = cholesky(kernel, jitter) {
            return Ok(map);
        }
        jitter *= 10.0;
    }
    Err(SvmError::NotPositiveDefinite)
}

fn cholesky(kernel: &Array2<f64>, jitter: f64) -> Option<Array2<f64>> {
    let n = kernel.nrows();
    let mut l = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let sum = kernel[[i, j]] - (0..j).map(|k| l[[i, k]] * l[[j, k]]).sum::<f64>();
            if i == j {
                let pivot = sum + jitter;
                if pivot <= 0.0 {
                    return None;
                }
                l[[i, i]] = pivot.sqrt();
            } else {
                l[[i, j]] = sum / l[[j, j]];
            }
        }
    }
    Some(l)
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::*;

    /// Points on a line, the last one far away, under the Laplacian kernel.
    fn kernel(n: usize, gamma: f64) -> Array2<f64> {
        let at = |i: usize| if i + 1 == n { 30.0 } else { (i as f64 * 0.7).sin() };
        Array2::from_shape_fn((n, n), |(i, j)| (-gamma * (at(i) - at(j)).abs()).exp())
    }

    #[test]
    fn a_fit_is_a_solution() {
        for (n, nu) in [(10, 0.5), (50, 0.5), (50, 0.1), (50, 0.9)] {
            let machine = OneClass::train(&kernel(n, 1.0), nu).unwrap();
            assert!((machine.alpha.iter().sum::<f64>() - nu * n as f64).abs() < 1e-6);
            let nowhere = machine.weighted_sum(&vec![0.0; n]).unwrap();
            assert!(nowhere < machine.rho, "what is far from every row is rejected");
        }
    }

    /// The conditions of optimality (Karush, Kuhn and Tucker), which shrinking is known to break: rows without weight lie
    /// inside the limit, rows of full weight outside, and the others on it.
    #[test]
    fn a_fit_is_optimal_for_kernels_of_every_width() {
        for gamma in [0.01, 0.3, 3.0, 30.0] {
            for nu in [0.1, 0.5, 0.8] {
                let kernel = kernel(40, gamma);
                let machine = OneClass::train(&kernel, nu).unwrap();
                for (row, alpha) in machine.alpha.iter().enumerate() {
                    let over = machine.weighted_sum(&kernel.row(row).to_vec()).unwrap() - machine.rho;
                    assert!(*alpha > 1e-6 || over > -1e-4, "{gamma} {nu} {row}: {over}");
                    assert!(*alpha < 1.0 - 1e-6 || over < 1e-4, "{gamma} {nu} {row}: {over}");
                }
            }
        }
    }

    #[test]
    fn rows_that_have_nothing_in_common_accept_nothing_but_themselves() {
        let kernel = Array2::from_shape_fn((20, 20), |(i, j)| if i == j { 1.0 } else { 0.0 });
        let machine = OneClass::train(&kernel, 0.5).unwrap();
        assert!(machine.rho > 0.0, "a width of nothing must not let in what is far");
        assert!(machine.alpha.iter().all(|alpha| (alpha - 0.5).abs() < 1e-6));
    }

    #[test]
    fn nu_is_no_rate_of_false_alarms() {
        // With nu = 0.5 half of the training rows lie outside, which is why nothing is judged by the machine's own limit.
        let kernel = kernel(50, 1.0);
        let machine = OneClass::train(&kernel, 0.5).unwrap();
        let outside =
            |row: &usize| machine.weighted_sum(&kernel.row(*row).to_vec()).unwrap() <= machine.rho + 1e-6;
        assert!((0..50).filter(outside).count() >= 25);
    }

    #[test]
    fn what_is_no_solution_is_rejected() {
        let (kernel, nu) = (kernel(20, 1.0), 0.5);
        let good = OneClass::train(&kernel, nu).unwrap();
        assert!(good.solves(&kernel, nu));
        let with = |change: &dyn Fn(&mut OneClass)| {
            let mut machine = good.clone();
            change(&mut machine);
            machine.solves(&kernel, nu)
        };
        for rho in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert!(!with(&|m| m.rho = rho), "a limit of {rho} lets in what is far from every row");
        }
        for alpha in [f64::NAN, -0.5, 2.0] {
            assert!(!with(&|m| m.alpha[3] = alpha), "{alpha}");
        }
        assert!(!with(&|m| m.alpha.iter_mut().for_each(|a| *a *= 0.99)), "weights add up to nu·n");
        assert!(!with(&|m| m.alpha.truncate(19)));
    }

    #[test]
    fn weights_of_other_rows_do_not_pass_for_the_solvers() {
        let (kernel, nu) = (kernel(20, 1.0), 0.5);
        let map = kernel_map(&kernel).unwrap();
        let fitted = fit(&map, nu).unwrap();
        let mut ours = OneClass { alpha: fitted.alpha.clone(), rho: fitted.rho };
        assert!(ours.agrees(&kernel, &map, &fitted), "within 1e-5 on every training row");
        ours.alpha.rotate_left(1);
        assert!(!ours.agrees(&kernel, &map, &fitted));
    }

    #[test]
    fn nu_bounds_the_share_of_rows_outside() {
        let kernel = kernel(50, 1.0);
        let machine = OneClass::train(&kernel, 0.2).unwrap();
        let outside =
            |i: &usize| machine.weighted_sum(&kernel.row(*i).to_vec()).unwrap() < machine.rho - 1e-5;
        assert!((0..50).filter(outside).count() <= 10);
        assert!(machine.alpha.iter().filter(|a| **a > 1e-9).count() >= 10);
    }

    #[test]
    fn kernels_that_are_none_are_refused() {
        let good = kernel(12, 1.0);
        let with = |at: (usize, usize), value: f64| {
            let mut kernel = good.clone();
            kernel[[at.0, at.1]] = value;
            OneClass::train(&kernel, 0.5)
        };
        assert!(OneClass::train(&good, 0.5).is_ok());
        for (at, value) in
            [((0, 1), f64::NAN), ((0, 1), 0.123), ((3, 3), 0.5), ((3, 3), f64::INFINITY), ((2, 1), -0.1)]
        {
            assert_eq!(with(at, value), Err(SvmError::Kernel), "{at:?} {value}");
        }
        assert_eq!(OneClass::train(&Array2::zeros((0, 0)), 0.5), Err(SvmError::Kernel));
        assert_eq!(OneClass::train(&kernel(MIN_ROWS - 1, 1.0), 0.5), Err(SvmError::Kernel));
        assert_eq!(OneClass::train(&kernel(MAX_ROWS + 1, 1.0), 0.5), Err(SvmError::Kernel));
        assert_eq!(OneClass::train(&Array2::ones((12, 11)), 0.5), Err(SvmError::Kernel));
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_is_refused() {
        let far = |i: usize, j: usize| {
            i != j && (i, j) != (0, 1) && (i, j) != (1, 0) && (i, j) != (1, 2) && (i, j) != (2, 1)
        };
        let kernel = Array2::from_shape_fn((10, 10), |(i, j)| if far(i, j) { 0.0 } else { 1.0 });
        assert_eq!(OneClass::train(&kernel, 0.5), Err(SvmError::NotPositiveDefinite));
    }

    #[test]
    fn rows_that_are_equal_are_trained_on_with_jitter() {
        let machine = OneClass::train(&Array2::ones((12, 12)), 0.5).unwrap();
        assert!((machine.weighted_sum(&[1.0; 12]).unwrap() - machine.rho).abs() < 1e-3);
    }

    #[test]
    fn nu_out_of_bounds_is_refused() {
        for nu in [f64::NAN, 0.0, -0.5, 1.0, 1.1, 0.05, f64::INFINITY] {
            assert_eq!(OneClass::train(&kernel(12, 1.0), nu), Err(SvmError::Nu), "{nu}");
        }
    }

    #[test]
    fn a_query_of_another_length_is_refused() {
        let machine = OneClass::train(&kernel(12, 1.0), 0.5).unwrap();
        for length in [0, 11, 13] {
            assert_eq!(machine.weighted_sum(&vec![1.0; length]), Err(SvmError::QueryLength));
        }
    }

    #[test]
    fn leaving_one_out_equals_training_without_it() {
        for (full, nu) in [(kernel(30, 0.3), 0.2), (kernel(30, 3.0), 0.5), (kernel(30, 0.01), 0.9)] {
            let machine = OneClass::train(&full, nu).unwrap();
            let left_out = leave_one_out(&full, &machine).unwrap();
            for (i, weights) in left_out.iter().enumerate() {
                let sum: f64 = weights.iter().zip(full.row(i)).map(|(a, k)| a * k).sum();
                let others: Vec<usize> = (0..30).filter(|j| *j != i).collect();
                let smaller = full.select(Axis(0), &others).select(Axis(1), &others);
                let without = OneClass::train(&smaller, nu * 30.0 / 29.0).unwrap();
                let query: Vec<f64> = others.iter().map(|j| full[[i, *j]]).collect();
                assert!((without.weighted_sum(&query).unwrap() - sum).abs() < 1e-4, "{i}");
            }
        }
    }
}
