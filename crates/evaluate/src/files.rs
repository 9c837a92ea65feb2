//! Tables, plots and a page of both, in a folder that may hold those of earlier runs.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::report::Outcome;
use crate::{Failed, page, plots};

/// Writes an outcome's files, and the page anew.
pub(crate) fn write(folder: &Path, outcome: &Outcome, line: &str) -> Result<(), Failed> {
    let name = outcome.name();
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{name}.csv")), table(outcome))?;
    fs::write(folder.join(format!("{name}-det.svg")), plots::trade_off(outcome)?)?;
    fs::write(folder.join(format!("{name}-scores.svg")), plots::scores(outcome)?)?;
    fs::write(folder.join(format!("{name}.txt")), format!("{line}\n"))?;
    page(folder, &[])
}

/// Writes the page of a folder, with what was not evaluated.
pub(crate) fn page(folder: &Path, skipped: &[String]) -> Result<(), Failed> {
    Ok(fs::write(folder.join("index.html"), page::of(folder, skipped)?)?)
}

fn table(outcome: &Outcome) -> String {
    let mut table =
        "subject,genuine,impostor,eer,frr_at_far_1pct,frr_at_far_0.1pct,zero_miss_far\n".to_owned();
    for subject in &outcome.subjects {
        let [eer, one, tenth, zero] = subject.rates();
        let (genuine, impostor) = (subject.genuine.len(), subject.impostor.len());
        // What is written to a string does not fail.
        let _ = writeln!(
            table,
            "{},{genuine},{impostor},{eer:.4},{one:.4},{tenth:.4},{zero:.4}",
            field(&subject.subject)
        );
    }
    table
}

/// A CSV field (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
