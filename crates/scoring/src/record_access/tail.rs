//! How rare a count is under the negative binomial distribution: the mixture of Poisson counts whose rates follow a
//! gamma distribution.

/// Iterations of the continued fraction. It needs few where counts lie well above the mean, and near the mean nothing
/// hangs on the last digit.
const ITERATIONS: u32 = 400;
/// Where the fraction is exact enough.
const PRECISION: f64 = 1e-12;
/// Keeps divisors of the fraction from being nothing.
const LEAST: f64 = 1e-300;

/// −ln of the chance of `count` or more, with this mean and squared coefficient of variation of the rate (`spread`), in
/// nats: 0 is usual. Both must be positive.
///
/// P(Y ≥ y) = I(mean / (mean + r); y, r) with r = 1 / spread, the regularised incomplete beta function (NIST Digital
/// Library of Mathematical Functions, 8.17.5 and 8.17.22). In logarithms, so that no count underflows.
pub(super) fn surprise(count: u32, mean: f64, spread: f64) -> f64 {
    let (count, size) = (f64::from(count), 1.0 / spread);
    if count < 1.0 {
        return 0.0;
    }
    let chance = mean / (mean + size);
    let ln = if chance < (count + 1.0) / (count + size + 2.0) {
        ln_incomplete_beta(count, size, chance)
    } else {
        (-ln_incomplete_beta(size, count, 1.0 - chance).exp()).ln_1p()
    };
    // What is no number must not pass as usual.
    if ln.is_nan() { f64::INFINITY } else { (-ln).max(0.0) }
}

/// ln I(x; a, b) by the continued fraction, evaluated forwards (modified Lentz).
fn ln_incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p() - a.ln();
    let least = |value: f64| if value.abs() < LEAST { LEAST } else { value };
    let (mut above, mut below) = (1.0, 1.0 / least(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = below;
    for step in 1..=ITERATIONS {
        let at = f64::from(step);
        let even = at * (b - at) * x / ((a + 2.0 * at - 1.0) * (a + 2.0 * at));
        let odd = -(a + at) * (a + b + at) * x / ((a + 2.0 * at) * (a + 2.0 * at + 1.0));
        let before = fraction;
        for term in [even, odd] {
            below = 1.0 / least(1.0 + term * below);
            above = least(1.0 + term / above);
            fraction *= above * below;
        }
        if (fraction / before - 1.0).abs() < PRECISION {
            break;
        }
    }
    front + fraction.ln()
}

/// ln Γ of a positive number: Stirling's series (DLMF 5.11.1) from 10 on, below by the recurrence.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - f64::ln(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by adding up chances of counts below.
    fn by_sum(count: u32, mean: f64, spread: f64) -> f64 {
        let (size, chance) = (1.0 / spread, mean * spread / (1.0 + mean * spread));
        let (mut each, mut below) = ((1.0 - chance).powf(size), 0.0);
        for y in 0..count {
            below += each;
            each *= chance * (f64::from(y) + size) / f64::from(y + 1);
        }
        1.0 - below
    }

    #[test]
    fn chances_are_those_of_the_sum() {
        for mean in [0.05, 0.7, 4.0, 60.0] {
            for spread in [0.05, 0.5, 1.0, 2.7] {
                for count in [1, 2, 3, 8, 20, 90] {
                    let (ours, exact) = ((-surprise(count, mean, spread)).exp(), by_sum(count, mean, spread));
                    assert!((ours - exact).abs() < 1e-9, "{count} {mean} {spread}: {ours} {exact}");
                }
            }
        }
    }

    #[test]
    fn logarithms_of_the_gamma_function() {
        assert!((ln_gamma(0.5) - 0.5 * std::f64::consts::PI.ln()).abs() < 1e-11);
        assert!((ln_gamma(11.0) - 3_628_800.0_f64.ln()).abs() < 1e-11);
        assert!(ln_gamma(1.0).abs() < 1e-11 && ln_gamma(2.0).abs() < 1e-11);
    }

    #[test]
    fn more_is_never_less_surprising_and_nothing_overflows() {
        for (mean, spread) in [(0.01, 0.3), (2.0, 3.0), (1e6, 0.3), (1e6, 30.0)] {
            let mut last = 0.0;
            for count in [0, 1, 2, 5, 50, 5_000, 1_000_000, u32::MAX] {
                let now = surprise(count, mean, spread);
                assert!(now.is_finite() && now >= last - 1e-9, "{count} {mean} {spread}: {now} after {last}");
                last = now;
            }
        }
    }
}
