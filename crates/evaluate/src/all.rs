//! Everything that can be evaluated with the data at hand, on one page.

use std::path::{Path, PathBuf};

use clap::{Args, Parser};

use crate::report::Report;
use crate::{Common, Failed, Signal, evaluate, files};

/// What to evaluate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// A folder with the data sets in their published forms: `cmu/DSL-StrongPasswordData.csv`,
    /// `buffalo/free-text-zones.tar.xz`, `balabit/mouse-training.tar.xz`, `mouse-test.tar.xz` and `labels.csv`. What is
    /// missing is skipped, and said so.
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
}

/// Protocols on recordings of a known text.
const KEYSTROKE: [&str; 7] =
    ["killourhy-maxion", "enrol", "practised", "stream", "poison", "replay", "synthetic"];

/// Evaluations as they would be told on the command line, so that they are the very same.
#[derive(Parser)]
struct Told {
    #[command(subcommand)]
    signal: Signal,
}

/// Runs everything.
///
/// # Errors
/// [`Failed`] of the first that failed; missing data is none.
pub fn run(options: &Options, common: &Common, report: &mut Report) -> Result<(), Failed> {
    let folder = common.out.as_ref();
    let folder = folder.ok_or_else(|| Failed::Options("all needs a folder: --out FOLDER".to_owned()))?;
    let mut skipped = Vec::new();
    for (signal, needs, words) in plan(&options.data) {
        if let Some(missing) = needs.iter().find(|file| !file.exists()) {
            let file = missing.strip_prefix(&options.data).unwrap_or(missing).display();
            let line = format!("signal={signal} skipped: no data ({file})");
            report.line(&line)?;
            skipped.push(line);
            continue;
        }
        let told = Told::try_parse_from(words).map_err(|e| Failed::Options(e.to_string()))?;
        evaluate(&told.signal, common, report)?;
    }
    std::fs::create_dir_all(folder)?;
    files::page(folder, &skipped)
}

/// Each evaluation: its signal, the files that it needs, and how it is told.
fn plan(data: &Path) -> Vec<(&'static str, Vec<PathBuf>, Vec<String>)> {
    let said = |files: &[PathBuf], before: &[&str], after: &[&str]| -> Vec<String> {
        let words = before.iter().map(|&word| word.to_owned());
        let files = files.iter().map(|file| file.display().to_string());
        words.chain(files).chain(after.iter().map(|&word| word.to_owned())).collect()
    };
    let cmu = vec![data.join("cmu/DSL-StrongPasswordData.csv")];
    let buffalo = vec![data.join("buffalo/free-text-zones.tar.xz")];
    let balabit = data.join("balabit");
    let mouse = vec![balabit.join("mouse-training.tar.xz"), balabit.join("mouse-test.tar.xz")];
    let labels = balabit.join("labels.csv");
    let mut plan: Vec<_> = KEYSTROKE
        .iter()
        .map(|protocol| {
            let words = said(&cmu, &["evaluate", "keystroke", "--data"], &["--protocol", protocol]);
            ("keystroke", cmu.clone(), words)
        })
        .collect();
    let words = said(&buffalo, &["evaluate", "free-text", "--data"], &[]);
    plan.push(("free-text", buffalo, words));
    let told = labels.display().to_string();
    let words = said(&mouse, &["evaluate", "pointer", "--data"], &["--labels", &told]);
    plan.push(("pointer", [mouse, vec![labels]].concat(), words));
    plan.push(("session", Vec::new(), said(&[], &["evaluate", "session"], &[])));
    plan
}
