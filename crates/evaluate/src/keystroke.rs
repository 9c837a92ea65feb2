//! Typing of a known text.

pub mod poison;
pub mod stream;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use keyward_features::{FixedText, fixed_text};
use keyward_scoring::{KeystrokeModel, TrainError};
use keyward_simulate::recorded;

use crate::report::{Outcome, Report, SubjectScores};
use crate::{Common, Failed};

/// What to evaluate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The CMU benchmark's DSL-StrongPasswordData.csv, or a part of it.
    #[arg(long, value_name = "CSV")]
    pub data: PathBuf,
    /// What is done with it.
    #[arg(long, value_enum, default_value_t = Protocol::KillourhyMaxion)]
    pub protocol: Protocol,
    /// What the protocol `stream` is told; `poison` heeds the learning rule alone.
    #[command(flatten)]
    pub stream: stream::Options,
}

/// The protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Training on repetitions 1 to 200, tested on the rest and on the first five of everybody else.
    KillourhyMaxion,
    /// The product's life: login after login, with attacks, learning as the product learns.
    Stream,
    /// An attacker with the password and some samples, who moves slowly towards herself.
    Poison,
}

/// A subject and their samples, oldest first.
type Person = (String, Vec<FixedText>);

/// Runs the protocol that the options name.
///
/// # Errors
/// [`Failed`], naming the file or the option.
pub fn run(options: &Options, common: &Common, report: &mut Report) -> Result<(), Failed> {
    let failed = |problem: String| Failed::Data { path: options.data.clone(), problem };
    let recordings = recorded::cmu(&options.data).map_err(|e| failed(e.to_string()))?;
    let mut people: Vec<Person> = Vec::new();
    for recording in &recordings {
        let texts: Result<Vec<_>, _> = recording.samples.iter().map(fixed_text).collect();
        people.push((recording.subject.clone(), texts.map_err(|e| failed(e.name().to_owned()))?));
    }
    match options.protocol {
        Protocol::KillourhyMaxion => report.outcome(&killourhy_maxion(&people)?),
        Protocol::Stream => report.outcome(&stream::run(&people, &options.stream, common.seed)?),
        Protocol::Poison => report.outcome(&poison::run(&people, &options.stream, common.seed)?),
    }
}

fn killourhy_maxion(people: &[Person]) -> Result<Outcome, Failed> {
    let mut subjects = Vec::new();
    for (user, (subject, own)) in people.iter().enumerate() {
        let model = KeystrokeModel::train(&own[..200]).map_err(untrained)?;
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
    Ok(Outcome {
        signal: "keystroke",
        protocol: "killourhy-maxion".to_owned(),
        detector: "keyward".to_owned(),
        subjects,
        further: Vec::new(),
    })
}

fn untrained(error: TrainError) -> Failed {
    Failed::Options(error.to_string())
}
