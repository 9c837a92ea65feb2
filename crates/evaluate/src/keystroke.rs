//! Typing of a known text.

mod benchmark;
mod forgery;
pub mod poison;
pub mod stream;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use keyward_features::{FixedText, fixed_text};
use keyward_scoring::TrainError;
use keyward_simulate::recorded;

use crate::report::Report;
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
    /// Training repetitions of the protocol `enrol`; without it 10, 20, 50, 100 and 200 in turn.
    #[arg(long, value_name = "N")]
    pub first: Option<usize>,
    /// What the protocol `stream` is told; `poison` heeds the learning rule alone.
    #[command(flatten)]
    pub stream: stream::Options,
}

/// The protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Training on repetitions 1 to 200, tested on the rest and on the first five of everybody else.
    KillourhyMaxion,
    /// Training on the first repetitions alone, never learning again; tested as `killourhy-maxion`.
    Enrol,
    /// As `killourhy-maxion`, but impostors have typed the text 395 times before.
    Practised,
    /// The product's life: login after login, with attacks, learning as the product learns.
    Stream,
    /// An attacker with the password and some samples, who moves slowly towards herself.
    Poison,
    /// Recordings sent again, as they were and with jitter.
    Replay,
    /// Statistical forgeries: from the population's moments, and from a few stolen samples.
    Synthetic,
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
    if people.len() < 2 {
        return Err(failed("fewer than two subjects".to_owned()));
    }
    match options.protocol {
        Protocol::KillourhyMaxion => benchmark::killourhy_maxion(&people, common, report),
        Protocol::Enrol => benchmark::enrol(&people, options.first, common, report),
        Protocol::Practised => benchmark::practised(&people, common, report),
        Protocol::Stream => report.outcome(&stream::run(&people, &options.stream, common)?),
        Protocol::Poison => report.outcome(&poison::run(&people, &options.stream, common)?),
        Protocol::Replay => report.outcome(&forgery::replay(&recordings, &people, common)?),
        Protocol::Synthetic => forgery::synthetic(&people, common, report),
    }
}

fn untrained(error: TrainError) -> Failed {
    Failed::Options(error.to_string())
}
