//! `keyward evaluate keystroke` as tests call it.

use std::path::{Path, PathBuf};

use clap::Parser;
use keyward_evaluate::{Common, Failed, Signal, run};

#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    signal: Signal,
    #[command(flatten)]
    common: Common,
}

/// What was printed.
#[derive(Debug, PartialEq)]
pub(crate) struct Lines(String);

impl Lines {
    /// A figure of the first line.
    pub(crate) fn first(&self, name: &str) -> f64 {
        Self::of(self.0.lines().next().expect("a line"), name)
    }

    /// A figure of a detector.
    pub(crate) fn figure(&self, detector: &str, name: &str) -> f64 {
        let mark = format!(" detector={detector} ");
        let line = self.0.lines().find(|line| line.contains(&mark));
        Self::of(line.unwrap_or_else(|| panic!("no {detector}")), name)
    }

    fn of(line: &str, name: &str) -> f64 {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    }
}

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("KEYWARD_DATA").map_or_else(beside, PathBuf::from);
    let file = folder.join("cmu/DSL-StrongPasswordData.csv");
    if !file.exists() {
        println!("skipped: no data");
        return None;
    }
    Some(file)
}

fn ran(data: &Path, options: &str) -> Result<String, Failed> {
    let words = ["evaluate", "keystroke", "--quiet", "--data"].map(str::to_owned).into_iter();
    let words = words.chain([data.display().to_string()]).chain(options.split(' ').map(str::to_owned));
    let command = Command::parse_from(words);
    let mut out = Vec::new();
    run(&command.signal, &command.common, &mut out)?;
    Ok(String::from_utf8(out).expect("figures are ASCII"))
}

/// Runs on the data; `None` where there is none.
pub(crate) fn evaluated(options: &str) -> Option<Lines> {
    let lines = ran(&data()?, options).expect("the published format");
    println!("{options}:\n{lines}");
    Some(Lines(lines))
}

/// The message of a run that must fail; `None` without data.
pub(crate) fn failed(options: &str) -> Option<String> {
    Some(ran(&data()?, options).expect_err("options that make no sense").to_string())
}

/// The message of a run on a file that must fail.
pub(crate) fn failed_on(file: &str, options: &str) -> String {
    ran(Path::new(file), options).expect_err("no recordings").to_string()
}
