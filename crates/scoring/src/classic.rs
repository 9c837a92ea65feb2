//! The classic detectors, to be compared with: keyward decides nothing by them.
//!
//! As in K. Killourhy, R. Maxion, "Comparing Anomaly-Detection Algorithms for Keystroke Dynamics", DSN 2009.

use ndarray::{Array1, Array2, Axis};

use crate::svm::{OneClass, SvmError};

/// The nu of the paper's one-class SVM.
const NU: f64 = 0.5;
/// A deviation is at least this, in seconds: a time that never varied must not divide by zero.
const MIN_DEVIATION_S: f64 = 1e-6;
/// The share of a column's variance that the columns before must leave unexplained for it to count.
const MIN_SHARE: f64 = 1e-6;

/// Which detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classic {
    /// Squared distance from the mean.
    Euclidean,
    /// Σ |x − mean| / mean absolute deviation: the best of the paper.
    ScaledManhattan,
    /// The Mahalanobis distance to the nearest sample.
    MahalanobisNearest,
    /// z-scores, a Gaussian kernel of gamma = 1 / dimensions, nu = 0.5.
    OneClassSvm,
}

impl Classic {
    /// All of them, the paper's order of rank last to first.
    pub const ALL: [Self; 4] =
        [Self::Euclidean, Self::OneClassSvm, Self::MahalanobisNearest, Self::ScaledManhattan];

    /// The name, as figures carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Euclidean => "euclidean",
            Self::ScaledManhattan => "scaled-manhattan",
            Self::MahalanobisNearest => "mahalanobis-nn",
            Self::OneClassSvm => "one-class-svm",
        }
    }

    /// Trains on rows of equal length.
    ///
    /// # Errors
    /// [`Untrained`] when the rows are too few or of different lengths, or too alike for this detector.
    pub fn train(self, rows: &[&[f32]]) -> Result<Trained, Untrained> {
        let d = rows.first().map_or(0, |row| row.len());
        let flat = rows.iter().flat_map(|row| row.iter().map(|t| f64::from(*t))).collect();
        let rows = Array2::from_shape_vec((rows.len(), d), flat).map_err(|_| Untrained)?;
        let mean = rows.mean_axis(Axis(0)).filter(|_| d > 0).ok_or(Untrained)?;
        let way = match self {
            Self::Euclidean => Way::Euclidean,
            Self::ScaledManhattan => {
                let deviation = (&rows - &mean).mapv(f64::abs).mean_axis(Axis(0)).ok_or(Untrained)?;
                Way::ScaledManhattan { deviation: deviation.mapv(|d| d.max(MIN_DEVIATION_S)) }
            }
            Self::MahalanobisNearest => nearest(&rows, &mean)?,
            Self::OneClassSvm => one_class(&rows, &mean)?,
        };
        Ok(Trained { mean, way })
    }
}

/// Rows from which this detector cannot be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too few samples, or too alike, for this detector")]
pub struct Untrained;

impl From<SvmError> for Untrained {
    fn from(_: SvmError) -> Self {
        Self
    }
}

/// A classic detector of one person.
pub struct Trained {
    mean: Array1<f64>,
    way: Way,
}

enum Way {
    Euclidean,
    ScaledManhattan { deviation: Array1<f64> },
    MahalanobisNearest { factor: Factor, whitened: Vec<Array1<f64>> },
    OneClassSvm { deviation: Array1<f64>, rows: Array2<f64>, machine: OneClass },
}

impl Trained {
    /// How unusual a vector is, higher meaning "someone else"; infinite when it has another length.
    pub fn score(&self, times_s: &[f32]) -> f64 {
        if times_s.len() != self.mean.len() {
            return f64::INFINITY;
        }
        let x: Array1<f64> = times_s.iter().map(|t| f64::from(*t)).collect();
        let apart = &x - &self.mean;
        match &self.way {
            Way::Euclidean => apart.dot(&apart),
            Way::ScaledManhattan { deviation } => (apart.mapv(f64::abs) / deviation).sum(),
            Way::MahalanobisNearest { factor, whitened } => {
                let x = factor.whitened(&apart);
                let square = |apart: Array1<f64>| apart.dot(&apart);
                whitened.iter().map(|row| square(&x - row)).fold(f64::INFINITY, f64::min)
            }
            Way::OneClassSvm { deviation, rows, machine } => {
                let x = apart / deviation;
                let kernel: Vec<f64> = rows.outer_iter().map(|row| gaussian(&x, &row.to_owned())).collect();
                machine.weighted_sum(&kernel).map_or(f64::INFINITY, |sum| machine.rho - sum)
            }
        }
    }
}

fn nearest(rows: &Array2<f64>, mean: &Array1<f64>) -> Result<Way, Untrained> {
    let apart = rows - mean;
    let covariance = apart.t().dot(&apart) / (rows.nrows() as f64 - 1.0);
    let factor = Factor::of(&covariance).ok_or(Untrained)?;
    // Fewer samples than dimensions span no space in which a distance says anything.
    if rows.nrows() <= factor.columns.len() + 1 {
        return Err(Untrained);
    }
    let whitened = apart.outer_iter().map(|row| factor.whitened(&row.to_owned())).collect();
    Ok(Way::MahalanobisNearest { factor, whitened })
}

/// L of a covariance L·Lᵀ, over columns that do not follow from those before. A press-to-press time is the sum
/// of two others, so that the whole covariance has no inverse; leaving such columns out gives the distances
/// that its pseudo-inverse gives.
struct Factor {
    columns: Vec<usize>,
    rows: Vec<Vec<f64>>,
}

impl Factor {
    fn of(covariance: &Array2<f64>) -> Option<Self> {
        let mut factor = Self { columns: Vec::new(), rows: Vec::new() };
        for column in 0..covariance.ncols() {
            let with: Vec<f64> = factor.columns.iter().map(|other| covariance[[column, *other]]).collect();
            let mut row = factor.solved(&with);
            let left = covariance[[column, column]] - row.iter().map(|l| l * l).sum::<f64>();
            if left > MIN_SHARE * covariance[[column, column]] {
                row.push(left.sqrt());
                factor.columns.push(column);
                factor.rows.push(row);
            }
        }
        (!factor.columns.is_empty()).then_some(factor)
    }

    fn whitened(&self, x: &Array1<f64>) -> Array1<f64> {
        let x: Vec<f64> = self.columns.iter().map(|column| x[*column]).collect();
        self.solved(&x).into()
    }

    /// L⁻¹x.
    fn solved(&self, x: &[f64]) -> Vec<f64> {
        let mut y: Vec<f64> = Vec::with_capacity(x.len());
        for (x, row) in x.iter().zip(&self.rows) {
            let known: f64 = row.iter().zip(&y).map(|(l, y)| l * y).sum();
            y.push((x - known) / row[y.len()]);
        }
        y
    }
}

fn one_class(rows: &Array2<f64>, mean: &Array1<f64>) -> Result<Way, Untrained> {
    let deviation = rows.std_axis(Axis(0), 1.0).mapv(|d| d.max(MIN_DEVIATION_S));
    let rows = (rows - mean) / &deviation;
    let kernel = Array2::from_shape_fn((rows.nrows(), rows.nrows()), |(i, j)| {
        gaussian(&rows.row(i).to_owned(), &rows.row(j).to_owned())
    });
    let machine = OneClass::train(&kernel, NU)?;
    Ok(Way::OneClassSvm { deviation, rows, machine })
}

/// exp(−|a − b|² / d).
fn gaussian(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    let apart = a - b;
    (-apart.dot(&apart) / a.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve points about (1, 2), whose second time varies twice as much.
    fn rows() -> Vec<[f32; 2]> {
        (0..12_u8)
            .map(|i| {
                let turn = f32::from(i) * std::f32::consts::PI / 6.0;
                [1.0 + 0.1 * turn.cos(), 2.0 + 0.2 * turn.sin()]
            })
            .collect()
    }

    fn trained(which: Classic) -> Trained {
        let rows = rows();
        which.train(&rows.iter().map(<[f32; 2]>::as_slice).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn distances_are_those_of_the_formulas() {
        assert!((trained(Classic::Euclidean).score(&[2.0, 2.0]) - 1.0).abs() < 1e-5);
        // The mean of |cos| over these twelve angles is 0.62201.
        let scaled = trained(Classic::ScaledManhattan).score(&[1.5, 2.0]);
        assert!((scaled - 0.5 / 0.062_201).abs() < 1e-3, "{scaled}");
        // Variances are 6/11 of the squared radii, without covariance; the nearest sample is (1.1, 2).
        let nearest = trained(Classic::MahalanobisNearest).score(&[1.5, 2.0]);
        assert!((nearest - 0.16 / (0.01 * 6.0 / 11.0)).abs() < 1e-2, "{nearest}");
    }

    #[test]
    fn what_is_far_is_more_unusual_and_another_length_most() {
        for which in Classic::ALL {
            let trained = trained(which);
            assert!(trained.score(&[3.0, 9.0]) > trained.score(&[1.1, 2.0]), "{}", which.name());
            assert!(trained.score(&[1.0]).is_infinite() && trained.score(&[]).is_infinite());
        }
    }

    #[test]
    fn what_cannot_be_trained_says_so() {
        for which in Classic::ALL {
            assert!(which.train(&[]).is_err() && which.train(&[&[1.0, 2.0], &[1.0]]).is_err());
        }
        assert!(Classic::MahalanobisNearest.train(&[&[1.0, 2.0], &[1.0, 2.0], &[1.0, 2.0]]).is_err());
    }

    #[test]
    fn a_time_that_follows_from_others_changes_no_distance() {
        let (two, rows) = (trained(Classic::MahalanobisNearest), rows());
        let three: Vec<[f32; 3]> = rows.iter().map(|[a, b]| [*a, a + b, *b]).collect();
        let three: Vec<&[f32]> = three.iter().map(<[f32; 3]>::as_slice).collect();
        let three = Classic::MahalanobisNearest.train(&three).unwrap();
        let (a, b) = (two.score(&[1.3, 2.1]), three.score(&[1.3, 3.4, 2.1]));
        assert!((a - b).abs() < 1e-3 * a, "{a} {b}");
    }
}
