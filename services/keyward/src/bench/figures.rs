//! Figures by name: one value a round, medians at the end, and ratios beside what they must reach.

use std::io::{self, Write};

/// Values by name, in the order in which names first came.
#[derive(Default)]
pub(super) struct Figures(Vec<(String, Vec<f64>)>);

/// What a figure must reach.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

impl Figures {
    /// Notes a value of this round.
    pub(super) fn note(&mut self, name: impl AsRef<str>, value: f64) {
        let name = name.as_ref();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name.to_owned(), vec![value])),
        }
    }

    /// The newest value, if there is one.
    pub(super) fn latest(&self, name: &str) -> Option<f64> {
        self.values(name).last().copied()
    }

    /// The median of its values; not a number without any.
    pub(super) fn median(&self, name: &str) -> f64 {
        median(self.values(name))
    }

    fn values(&self, name: &str) -> &[f64] {
        self.0.iter().find(|(known, _)| known == name).map_or(&[], |(_, values)| values)
    }

    /// One `name=median` line a figure.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for (name, values) in &self.0 {
            writeln!(out, "{name}={}", shown(median(values)))?;
        }
        Ok(())
    }

    /// One line for a ratio that need not reach anything, if both figures were measured.
    pub(super) fn ratio(&self, out: &mut impl Write, name: &str, (a, b): (&str, &str)) -> io::Result<()> {
        let values: Vec<f64> = self.values(a).iter().zip(self.values(b)).map(|(a, b)| a / b).collect();
        if values.is_empty() { Ok(()) } else { writeln!(out, "{name}={}", shown(median(&values))) }
    }

    /// One line for what two figures make together, if both were measured: the median over rounds, so that a machine
    /// that is slow for a while is slow for both.
    pub(super) fn compare(
        &self,
        out: &mut impl Write,
        name: &str,
        (a, b): (&str, &str),
        together: impl Fn(f64, f64) -> f64,
        bar: Bar,
    ) -> io::Result<()> {
        let pairs = self.values(a).iter().zip(self.values(b));
        let values: Vec<f64> = pairs.map(|(a, b)| together(*a, *b)).collect();
        if values.is_empty() {
            return Ok(());
        }
        let value = median(&values);
        let (limit, reached) = match bar {
            Bar::AtMost(limit) => (limit, value <= limit),
            Bar::AtLeast(limit) => (limit, value >= limit),
        };
        let verdict = if reached { "ok" } else { "MISS" };
        writeln!(out, "{name}={} bar={limit} {verdict}", shown(value))
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// Three digits that count, or all before the point.
fn shown(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 100.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else if magnitude >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(bar: Bar) -> String {
        let mut figures = Figures::default();
        for (a, b) in [(9.0, 3.0), (4.0, 2.0), (50.0, 10.0)] {
            figures.note("a", a);
            figures.note("b", b);
        }
        let mut out = Vec::new();
        figures.compare(&mut out, "a_over_b", ("a", "b"), |a, b| a / b, bar).unwrap();
        figures.compare(&mut out, "a_over_c", ("a", "c"), |a, b| a / b, bar).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ratios_are_medians_of_rounds_and_say_whether_they_hold() {
        assert_eq!(compared(Bar::AtMost(3.0)), "a_over_b=3.00 bar=3 ok\n");
        assert_eq!(compared(Bar::AtMost(2.9)), "a_over_b=3.00 bar=2.9 MISS\n");
        assert_eq!(compared(Bar::AtLeast(3.5)), "a_over_b=3.00 bar=3.5 MISS\n");
    }

    #[test]
    fn medians_of_even_counts_lie_between() {
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert_eq!(
            [shown(1234.5), shown(12.34), shown(1.234), shown(0.1234)],
            ["1234", "12.3", "1.23", "0.123"]
        );
    }
}
