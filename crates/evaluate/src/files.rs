//! Tables, plots and a page of both, in a folder that may hold those of earlier runs.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::report::Outcome;
use crate::{Failed, plots};

/// Writes an outcome's files, and the page anew.
pub(crate) fn write(folder: &Path, outcome: &Outcome, line: &str) -> Result<(), Failed> {
    let name = outcome.name();
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{name}.csv")), table(outcome))?;
    fs::write(folder.join(format!("{name}-det.svg")), plots::trade_off(outcome)?)?;
    fs::write(folder.join(format!("{name}-scores.svg")), plots::scores(outcome)?)?;
    fs::write(folder.join(format!("{name}.txt")), format!("{line}\n"))?;
    fs::write(folder.join("index.html"), page(folder)?)?;
    Ok(())
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

/// All outcomes of the folder, by name.
fn page(folder: &Path) -> Result<String, Failed> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".txt")?.to_owned()))
        .collect();
    names.sort();
    let mut sections = String::new();
    for name in &names {
        let line = fs::read_to_string(folder.join(format!("{name}.txt")))?;
        let name = text(name);
        // What is written to a string does not fail.
        let _ = write!(
            sections,
            "<section><h2>{name}</h2><div><img src=\"{name}-det.svg\" alt=\"error trade-off of {name}\">\
             <img src=\"{name}-scores.svg\" alt=\"scores of {name}\"></div>\
             <details><summary>Figures</summary><table>"
        );
        for (figure, value) in line.split_whitespace().filter_map(|word| word.split_once('=')) {
            let _ = write!(sections, "<tr><th>{}</th><td>{}</td></tr>", text(figure), text(value));
        }
        let _ =
            writeln!(sections, "</table></details><p><a href=\"{name}.csv\">by subject</a></p></section>");
    }
    Ok(format!("{HEAD}{sections}</main>\n"))
}

/// Text within HTML.
fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<title>keyward evaluate</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: #f6f7f9; color: #1b2430; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
section { background: #fff; border-radius: 8px; padding: 1rem 1.5rem; margin: 1rem 0; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
div { display: flex; flex-wrap: wrap; gap: 1rem; }
img { flex: 1 1 24rem; max-width: 100%; }
th { text-align: left; font-weight: normal; padding-right: 2rem; }
td { font-variant-numeric: tabular-nums; }
</style>
<main><h1>keyward evaluate</h1>
<p>Error trade-off: one threshold for all (blue) and each subject's own (grey). Scores: people's own samples (blue)
and others' (red), higher meaning &ldquo;someone else&rdquo;. Both axes of the trade-off are logarithmic.</p>
";
