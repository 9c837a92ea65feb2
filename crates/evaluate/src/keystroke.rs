//! Typing of a known text.

use std::path::PathBuf;

use clap::Args;
use keyward_features::{FixedText, fixed_text};
use keyward_scoring::KeystrokeModel;
use keyward_simulate::recorded;

use crate::report::{Outcome, Report, SubjectScores};
use crate::{Common, Failed};

/// What to evaluate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The CMU benchmark's DSL-StrongPasswordData.csv, or a part of it.
    #[arg(long, value_name = "CSV")]
    pub data: PathBuf,
}

/// Runs the protocol that the options name.
///
/// # Errors
/// [`Failed`], naming the file or the option.
pub fn run(options: &Options, _common: &Common, report: &mut Report) -> Result<(), Failed> {
    let failed = |problem: String| Failed::Data { path: options.data.clone(), problem };
    let recordings = recorded::cmu(&options.data).map_err(|e| failed(e.to_string()))?;
    let mut people: Vec<(String, Vec<FixedText>)> = Vec::new();
    for recording in &recordings {
        let texts: Result<Vec<_>, _> = recording.samples.iter().map(fixed_text).collect();
        people.push((recording.subject.clone(), texts.map_err(|e| failed(e.name().to_owned()))?));
    }
    let mut subjects = Vec::new();
    for (user, (subject, own)) in people.iter().enumerate() {
        let model = KeystrokeModel::train(&own[..200]).map_err(|e| failed(e.to_string()))?;
        let score = |samples: &[FixedText]| -> Vec<f32> {
            samples.iter().filter_map(|s| Some(model.score(s).ok()?.z)).collect()
        };
        let others = people.iter().enumerate().filter(|(other, _)| *other != user);
        subjects.push(SubjectScores {
            subject: subject.clone(),
            genuine: score(&own[200..]),
            impostor: others.flat_map(|(_, (_, own))| score(&own[..5])).collect(),
        });
    }
    report.outcome(&Outcome {
        signal: "keystroke",
        protocol: "killourhy-maxion".to_owned(),
        detector: "keyward".to_owned(),
        subjects,
        further: Vec::new(),
    })
}
