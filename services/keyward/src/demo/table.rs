//! Rows that a person reads.

use std::io::{self, Write};
use std::time::Duration;

use keyward_api::v1;

use super::portal::Answer;

/// The widest line.
const WIDTH: usize = 110;
/// Widths of the columns, two blanks between each.
const WIDTHS: [usize; 6] = [12, 38, 8, 11, 24, 7];
const HEADER: [&str; 6] = ["WHO", "SENT", "TYPING z", "MODEL", "DECISION", "µs"];
/// Reasons of a row that are shown, where there is room.
const REASONS: usize = 4;
/// The column of the decision, which is coloured.
const DECISION: usize = 4;

/// Writes the story.
pub(super) struct Table<W> {
    out: W,
    colour: bool,
}

/// Logins of a kind, one or many.
#[derive(Default)]
pub(super) struct Logins(Vec<Answer>);

impl Logins {
    pub(super) fn add(&mut self, answer: Answer) {
        self.0.push(answer);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn allowed(&self) -> usize {
        self.0.iter().filter(|a| a.allows()).count()
    }

    /// A count for each outcome that occurred.
    fn outcomes(&self) -> String {
        let count = |outcome| {
            let n = self.0.iter().filter(|a| a.decision.outcome() == outcome).count();
            (n > 0).then(|| format!("{} {n}", word(outcome.as_str_name(), "OUTCOME_")))
        };
        let all = [v1::Outcome::Allow, v1::Outcome::StepUp, v1::Outcome::Deny];
        all.into_iter().filter_map(count).collect::<Vec<_>>().join(", ")
    }

    fn median_z(&self) -> Option<f32> {
        let mut scores: Vec<f32> = self.0.iter().filter_map(|a| a.typing().and_then(|t| t.score)).collect();
        scores.sort_by(f32::total_cmp);
        scores.get(scores.len() / 2).copied()
    }

    fn median_micros(&self) -> u128 {
        let mut took: Vec<Duration> = self.0.iter().map(|a| a.took).collect();
        took.sort();
        took.get(took.len() / 2).map_or(0, Duration::as_micros)
    }

    /// The reasons that most of them share.
    fn common_reasons(&self) -> Vec<&'static str> {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for reason in self.0.iter().flat_map(reasons) {
            match counts.iter_mut().find(|(name, _)| *name == reason) {
                Some((_, n)) => *n += 1,
                None => counts.push((reason, 1)),
            }
        }
        counts.retain(|(_, n)| 2 * n > self.0.len());
        counts.into_iter().map(|(name, _)| name).collect()
    }
}

impl<W: Write> Table<W> {
    pub(super) fn new(out: W, colour: bool) -> Self {
        Self { out, colour }
    }

    /// A line or more of text.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// The names of the columns.
    pub(super) fn header(&mut self) -> io::Result<()> {
        let line = cells(HEADER.map(str::to_owned));
        writeln!(self.out, "\n{}\n{}", line.join("  "), "-".repeat(WIDTH))
    }

    /// What happens next, in words.
    pub(super) fn chapter(&mut self, title: &str) -> io::Result<()> {
        let (on, off) = self.paint("\x1b[1m");
        writeln!(self.out, "\n{on}{title}{off}")
    }

    /// One answer.
    pub(super) fn one(&mut self, who: &str, sent: &str, answer: &Answer) -> io::Result<()> {
        let scored = answer.typing().and_then(|t| t.score);
        let row = [
            who.to_owned(),
            sent.to_owned(),
            z(scored),
            maturity(answer),
            decision(answer),
            answer.took.as_micros().to_string(),
        ];
        self.row(row, answer.decision.outcome())?;
        let mut codes: Vec<&str> = Vec::new();
        for code in reasons(answer) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        self.because(&codes[..codes.len().min(REASONS)])
    }

    /// Many answers in one row: counts of outcomes, medians of score and time.
    pub(super) fn many(&mut self, who: &str, sent: &str, logins: &Logins) -> io::Result<()> {
        let Some(last) = logins.0.last() else { return Ok(()) };
        let row = [
            who.to_owned(),
            format!("{} x {sent}", logins.count()),
            z(logins.median_z()),
            maturity(last),
            logins.outcomes(),
            logins.median_micros().to_string(),
        ];
        let alike = logins.allowed() == logins.count() || logins.allowed() == 0;
        let outcome = if alike { last.decision.outcome() } else { v1::Outcome::Unspecified };
        self.row(row, outcome)?;
        let reasons = logins.common_reasons();
        self.because(&reasons[..reasons.len().min(REASONS)])
    }

    fn row(&mut self, row: [String; 6], outcome: v1::Outcome) -> io::Result<()> {
        let mut cells = cells(row);
        let (on, off) = self.paint(match outcome {
            v1::Outcome::Allow => "\x1b[32m",
            v1::Outcome::StepUp => "\x1b[33m",
            v1::Outcome::Deny => "\x1b[31m",
            v1::Outcome::Unspecified => "",
        });
        cells[DECISION] = format!("{on}{}{off}", cells[DECISION]);
        writeln!(self.out, "{}", cells.join("  "))
    }

    fn because(&mut self, reasons: &[&str]) -> io::Result<()> {
        let mut line = format!("{:14}because", "");
        for (reason, gap) in reasons.iter().zip([" "].into_iter().chain(std::iter::repeat(", "))) {
            if line.chars().count() + gap.len() + reason.len() <= WIDTH {
                line.push_str(gap);
                line.push_str(reason);
            }
        }
        if reasons.is_empty() { Ok(()) } else { writeln!(self.out, "{line}") }
    }

    fn paint(&self, code: &'static str) -> (&'static str, &'static str) {
        if self.colour && !code.is_empty() { (code, "\x1b[0m") } else { ("", "") }
    }
}

/// Fills up to the widths; numbers stand to the right.
fn cells(row: [String; 6]) -> Vec<String> {
    let numbers = [2, 5];
    row.into_iter()
        .zip(WIDTHS)
        .enumerate()
        .map(|(column, (cell, width))| {
            let cell: String = cell.chars().take(width).collect();
            if numbers.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        })
        .collect()
}

fn z(score: Option<f32>) -> String {
    score.map_or_else(|| "-".to_owned(), |z| format!("{z:.1}"))
}

/// What the model knows that was asked; none is where there was nothing to compare.
fn maturity(answer: &Answer) -> String {
    let asked = |signal: &&v1::Signal| {
        matches!(signal.status(), v1::SignalStatus::Scored | v1::SignalStatus::NoModel)
    };
    match answer.typing().filter(asked) {
        None => "-".to_owned(),
        Some(signal) => word(signal.maturity().as_str_name(), "MATURITY_").to_owned(),
    }
}

fn decision(answer: &Answer) -> String {
    let outcome = word(answer.decision.outcome().as_str_name(), "OUTCOME_");
    match &answer.decision.step_up {
        Some(step_up) => {
            let evidence = word(step_up.evidence().as_str_name(), "EVIDENCE_");
            format!("{outcome} {}", evidence.to_lowercase().replace('_', " "))
        }
        None => outcome.to_owned(),
    }
}

/// Codes, less what the outcome says already.
fn reasons(answer: &Answer) -> impl Iterator<Item = &'static str> {
    let said = [v1::ReasonCode::PolicyPermits, v1::ReasonCode::PolicyNeedsEvidence];
    answer
        .decision
        .reasons
        .iter()
        .map(v1::Reason::code)
        .filter(move |code| !said.contains(code))
        .map(|code| word(code.as_str_name(), "REASON_CODE_"))
}

fn word(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_at_most_110_columns_wide() {
        let row = cells(std::array::from_fn(|_| "x".repeat(200)));
        assert_eq!(row.join("  ").chars().count(), WIDTH);
    }
}
