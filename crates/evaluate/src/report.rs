//! Results: one line of figures a detector, and, where a folder is given, tables and plots.

use std::io::Write;

use keyward_scoring::evaluation::{equal_error_rate, frr_at_far};

use crate::{Common, Failed};

/// The scores of one subject's model, higher meaning "someone else".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubjectScores {
    /// The person, as the data names them.
    pub subject: String,
    /// Scores of their own samples.
    pub genuine: Vec<f32>,
    /// Scores of others' samples.
    pub impostor: Vec<f32>,
}

/// What one detector did under one protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The signal: `keystroke`, `free_text`, ...
    pub signal: &'static str,
    /// The protocol, in words of `[a-z0-9-]`.
    pub protocol: String,
    /// The detector, in words of `[a-z0-9-]`.
    pub detector: String,
    /// Scores by subject.
    pub subjects: Vec<SubjectScores>,
    /// Further figures of this protocol, printed as they are.
    pub further: Vec<(String, f64)>,
}

/// Where results go.
pub struct Report<'a> {
    #[expect(dead_code, reason = "tables and plots are written next")]
    common: &'a Common,
    out: &'a mut dyn Write,
}

impl<'a> Report<'a> {
    /// A report to `out`, and into the folder that the options name.
    pub fn new(common: &'a Common, out: &'a mut impl Write) -> Self {
        Self { common, out }
    }

    /// Prints the outcome's line, and writes its table and plots.
    ///
    /// # Errors
    /// [`Failed`] when something could not be written.
    pub fn outcome(&mut self, outcome: &Outcome) -> Result<(), Failed> {
        let each: Vec<f64> =
            outcome.subjects.iter().filter_map(|s| equal_error_rate(&s.genuine, &s.impostor)).collect();
        let frr: Vec<f64> =
            outcome.subjects.iter().filter_map(|s| frr_at_far(&s.genuine, &s.impostor, 0.01)).collect();
        let all = |pick: fn(&SubjectScores) -> &Vec<f32>| -> Vec<f32> {
            outcome.subjects.iter().flat_map(|s| pick(s).iter().copied()).collect()
        };
        let common = equal_error_rate(&all(|s| &s.genuine), &all(|s| &s.impostor)).unwrap_or(f64::NAN);
        write!(
            self.out,
            "signal={} protocol={} detector={} n_subjects={} eer_mean={:.4} eer_common={common:.4} frr_at_far_1pct={:.4}",
            outcome.signal,
            outcome.protocol,
            outcome.detector,
            outcome.subjects.len(),
            mean(&each),
            mean(&frr),
        )?;
        for (name, value) in &outcome.further {
            write!(self.out, " {name}={value:.4}")?;
        }
        writeln!(self.out)?;
        Ok(())
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
