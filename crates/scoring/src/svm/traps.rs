//! What linfa-svm 0.8.1 does when it is used without care, trap by trap, and that none of it passes the wrapper. The first
//! half of each test shows that the trap is there: where linfa-svm mends one, its test says so.
//!
//! Traps whose tests stand elsewhere: a kernel with NaN, of no size or of no width, nu out of bounds and queries of another
//! length in `svm`; texts of another length in `keystroke::tests`; samples with NaN in `keyward_features::FixedText`.

use std::time::{Duration, Instant};

use ndarray::{Array1, Axis};

use super::*;

/// Rows of a known pattern, spread over so many columns.
fn rows(n: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, columns), |(i, j)| ((i * (j + 3) * 7919) % 1009) as f64 / 504.5 - 1.0)
}

fn laplacian(rows: &Array2<f64>, gamma: f64) -> Array2<f64> {
    let distance = |i: usize, j: usize| (&rows.row(i) - &rows.row(j)).mapv(f64::abs).sum();
    Array2::from_shape_fn((rows.nrows(), rows.nrows()), |(i, j)| (-gamma * distance(i, j)).exp())
}

fn bare(rows: &Array2<f64>, nu: f64) -> Svm<f64, bool> {
    let machine = Svm::<f64, Pr>::params().nu_weight(nu).gaussian_kernel(1.0).eps(1e-6).shrinking(false);
    machine.fit(&DatasetBase::from(rows.clone())).expect("rows that can be trained on")
}

#[test]
fn a_shrinking_solver_is_not_believed() {
    let (mut wrong, mut believed) = (0, 0);
    for (n, gamma, nu) in [30, 60, 120, 200]
        .into_iter()
        .flat_map(|n| [0.01, 0.1, 1.0].map(|gamma| (n, gamma)))
        .flat_map(|(n, gamma)| [0.05, 0.2, 0.5, 0.8].map(|nu| (n, gamma, nu)))
    {
        let kernel = laplacian(&rows(n, 8), gamma);
        let map = kernel_map(&kernel).unwrap();
        let data = DatasetBase::from(map.clone());
        let shrunk = catch_unwind(AssertUnwindSafe(|| {
            Svm::<f64, Pr>::params().nu_weight(nu).linear_kernel().eps(TOLERANCE).shrinking(true).fit(&data)
        }));
        let right = OneClass::train(&kernel, nu).expect("without shrinking it is right");
        let Ok(Ok(shrunk)) = shrunk else {
            wrong += 1;
            continue;
        };
        let shrunk = OneClass { alpha: shrunk.alpha, rho: shrunk.rho };
        let sound = shrunk.solves(&kernel, nu) && shrunk.is_optimal(&kernel);
        let sums = |machine: &OneClass| -> Vec<f64> {
            let of = |row| {
                machine.weighted_sum(&kernel.row(row).to_vec()).map_or(f64::NAN, |sum| sum - machine.rho)
            };
            (0..n).map(of).collect()
        };
        let same = sums(&shrunk).iter().zip(sums(&right)).all(|(a, b)| (a - b).abs() < 1e-3);
        wrong += u32::from(!same);
        believed += u32::from(sound && !same);
    }
    assert!(wrong > 0, "linfa-svm shrinks rightly now");
    assert_eq!(believed, 0);
}

#[test]
fn what_has_no_values_is_no_query() {
    let machine = bare(&rows(40, 6), 0.5);
    for short in [0, 3] {
        let query = Array1::from_vec(vec![0.0; short]);
        assert!(
            machine.weighted_sum(&query).is_finite(),
            "a query of {short} values is scored without a word"
        );
    }
    let empty = machine.weighted_sum(&Array1::from_vec(vec![])) - machine.rho;
    assert!(empty > 0.0, "an empty one is accepted");
    let ours = OneClass::train(&laplacian(&rows(40, 6), 1.0), 0.5).unwrap();
    for short in [0, 3, 39, 41] {
        assert_eq!(ours.weighted_sum(&vec![1.0; short]), Err(SvmError::QueryLength));
    }
}

#[test]
fn a_kernel_of_no_gamma_accepts_nothing_that_is_far() {
    // Every row is as every other to it.
    let machine = OneClass::train(&laplacian(&rows(30, 4), 0.0), 0.5).unwrap();
    assert!(machine.weighted_sum(&[0.0; 30]).unwrap() < machine.rho - 1.0);
    // Rows without columns are the same.
    let machine = OneClass::train(&laplacian(&rows(30, 0), 1.0), 0.5).unwrap();
    assert!(machine.weighted_sum(&[0.0; 30]).unwrap() < machine.rho - 1.0);
    assert_eq!(OneClass::train(&laplacian(&rows(30, 4), f64::NAN), 0.5), Err(SvmError::Kernel));
    assert_eq!(OneClass::train(&laplacian(&rows(30, 4), -0.1), 0.5), Err(SvmError::Kernel));
    let nowhere = laplacian(&rows(30, 4), f64::INFINITY);
    assert!(OneClass::train(&nowhere, 0.5).map_or(true, |m| m.weighted_sum(&[0.0; 30]).unwrap() < m.rho));
}

#[test]
fn a_row_that_is_no_number_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut rows = rows(30, 4);
        rows[[7, 2]] = bad;
        assert_eq!(OneClass::train(&laplacian(&rows, 1.0), 0.5), Err(SvmError::Kernel), "{bad}");
        let mut map = kernel_map(&laplacian(&rows_without(&rows, 7), 1.0)).unwrap();
        map[[3, 0]] = bad;
        let kernel = laplacian(&rows_without(&rows, 7), 1.0);
        assert!(
            OneClass::train_on_map(&kernel, &map, 0.5).is_err(),
            "a map that is none is not believed either"
        );
    }
}

fn rows_without(rows: &Array2<f64>, row: usize) -> Array2<f64> {
    let others: Vec<usize> = (0..rows.nrows()).filter(|i| *i != row).collect();
    rows.select(Axis(0), &others)
}

#[test]
fn a_panic_of_the_solver_is_an_error() {
    let map = kernel_map(&laplacian(&rows(30, 4), 1.0)).unwrap();
    assert_eq!(
        fit(&map, f64::NAN).map(|_| ()),
        Err(SvmError::Solver),
        "linfa-svm panics at nu that is no number"
    );
    assert!(fit(&Array2::zeros((0, 0)), 0.5).is_ok(), "it makes a model of nothing");
    assert_eq!(OneClass::train(&Array2::zeros((0, 0)), 0.5), Err(SvmError::Kernel));
    assert_eq!(
        OneClass::train(&laplacian(&rows(30, 4), 1.0), f64::NAN),
        Err(SvmError::Nu),
        "it is not even asked"
    );
}

/// In f32 with linfa-svm's own tolerance ten million iterations are run (22 s), and nothing stops it. Ours is f64 with a
/// tolerance, over at most [`MAX_ROWS`] rows.
#[test]
fn the_largest_training_of_every_width_ends_soon() {
    let started = Instant::now();
    for gamma in [1e-4, 0.1, 30.0] {
        let machine = OneClass::train(&laplacian(&rows(MAX_ROWS, 31), gamma), 0.5);
        assert!(machine.is_ok(), "{gamma}: {machine:?}");
    }
    // It takes a fraction of a second on an idle machine.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(OneClass::train(&laplacian(&rows(MAX_ROWS + 1, 4), 1.0), 0.5), Err(SvmError::Kernel));
}

#[test]
fn its_own_threshold_is_no_false_alarm_rate_and_scores_of_trained_rows_are_too_good() {
    let all = rows(100, 6);
    let kernel = laplacian(&all, 0.7);
    let nu = 0.1;
    let (first, second): (Vec<usize>, Vec<usize>) = ((0..50).collect(), (50..100).collect());
    let to_first = kernel.select(Axis(1), &first);
    let (learned, held_out) = (to_first.select(Axis(0), &first), to_first.select(Axis(0), &second));
    let machine = OneClass::train(&learned, nu).unwrap();
    let inside = |row: Vec<f64>| machine.weighted_sum(&row).unwrap() >= machine.rho - 1e-6;
    let rejected = held_out.outer_iter().filter(|row| !inside(row.to_vec())).count();
    assert!(rejected > 10, "rejects {rejected} of 50 of the same kind, where nu says 5");
    let own: f64 = (0..50).map(|i| machine.weighted_sum(&learned.row(i).to_vec()).unwrap()).sum();
    let left_out = leave_one_out(&learned, &machine).unwrap();
    let without: f64 = left_out
        .iter()
        .enumerate()
        .map(|(i, w)| w.iter().zip(learned.row(i)).map(|(a, k)| a * k).sum::<f64>())
        .sum();
    assert!(own > 1.02 * without, "a row that was trained on looks more usual than it is: {own} {without}");
}

/// Weights, and not the solver's list of support vectors, make the score: rows whose weight is rounding are in both.
#[test]
fn every_row_with_weight_supports() {
    let kernel = laplacian(&rows(60, 6), 1.0);
    let map = kernel_map(&kernel).unwrap();
    let fitted = fit(&map, 0.3).unwrap();
    let ours = OneClass::train(&kernel, 0.3).unwrap();
    let supporting = ours.alpha.iter().filter(|alpha| **alpha > 100.0 * f64::EPSILON).count();
    assert_eq!(fitted.nsupport(), supporting);
    assert!(supporting as f64 >= 0.3 * 60.0);
}
