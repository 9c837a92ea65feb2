//! One page of everything that a folder holds: an overview, then each outcome with its plots. Plain HTML and SVG without
//! scripts, light or dark as the reader's device is.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Failed;

/// An outcome as its file of figures has it.
struct Shown {
    name: String,
    figures: Vec<(String, String)>,
}

impl Shown {
    fn word(&self, name: &str) -> &str {
        self.figures.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// A figure; `None` where it is missing or no number.
    fn figure(&self, name: &str) -> Option<f64> {
        self.word(name).parse().ok().filter(|value: &f64| value.is_finite())
    }
}

/// The page of a folder, with what could not be evaluated, if anything.
pub(crate) fn of(folder: &Path, skipped: &[String]) -> Result<String, Failed> {
    let outcomes = outcomes(folder)?;
    let mut signals: Vec<&str> = outcomes.iter().map(|outcome| outcome.word("signal")).collect();
    signals.dedup();
    let mut page = HEAD.to_owned();
    for signal in &signals {
        let of: Vec<&Shown> = outcomes.iter().filter(|o| o.word("signal") == *signal).collect();
        overview(&mut page, signal, &of);
    }
    for line in skipped {
        // What is written to a string does not fail.
        let _ = writeln!(page, "<p class=\"skipped\">{}</p>", text(line));
    }
    for outcome in &outcomes {
        section(&mut page, outcome);
    }
    Ok(page + "</main>\n")
}

/// All outcomes of the folder, by name.
fn outcomes(folder: &Path) -> Result<Vec<Shown>, Failed> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".txt")?.to_owned()))
        .collect();
    names.sort_by_cached_key(|name| natural(name));
    let read = |name: String| {
        let line = fs::read_to_string(folder.join(format!("{name}.txt")))?;
        let figures = line.split_whitespace().filter_map(|word| word.split_once('='));
        let figures = figures.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Shown { name, figures })
    };
    names.into_iter().map(read).collect()
}

/// A name by which numbers stand in their order, and the product before what it is compared with.
fn natural(name: &str) -> (Vec<(String, u64)>, String) {
    let protocol = name.rsplit_once("-keyward").map_or(name, |(protocol, _)| protocol);
    let words = protocol.split('-').map(|word| match word.parse() {
        Ok(number) => (String::new(), number),
        Err(_) => (word.to_owned(), 0),
    });
    (words.collect(), name.to_owned())
}

/// A signal's outcomes in one table.
fn overview(page: &mut String, signal: &str, outcomes: &[&Shown]) {
    let insiders = outcomes.iter().any(|outcome| outcome.figure("detected_medium").is_some());
    let further = if insiders { "<th>noticed</th><th>false alarms in 100 sessions</th>" } else { "" };
    let _ = write!(
        page,
        "<section><h2>{}</h2><div class=\"wide\"><table><thead><tr><th>protocol</th><th>detector</th><th>subjects</th>\
         <th>equal error rate, 95 % interval</th><th></th><th>one threshold for all</th><th>FRR at FAR 1 %</th>{further}\
         </tr></thead><tbody>",
        text(signal)
    );
    for outcome in outcomes {
        let number = |name: &str, digits: usize| {
            outcome.figure(name).map_or("–".to_owned(), |value| format!("{value:.digits$}"))
        };
        let _ = write!(
            page,
            "<tr><td><a href=\"#{name}\">{protocol}</a></td><td>{detector}</td><td>{subjects}</td><td>{bar}</td>\
             <td>{eer}</td><td>{common}</td><td>{frr}</td>",
            name = text(&outcome.name),
            protocol = text(outcome.word("protocol")),
            detector = text(outcome.word("detector")),
            subjects = number("n_subjects", 0),
            bar = interval(outcome),
            eer = number("eer_mean", 3),
            common = number("eer_common", 3),
            frr = number("frr_at_far_1pct", 3),
        );
        if insiders {
            let noticed = outcome.figure("detected_medium").map_or(0.0, |share| 100.0 * share);
            let alarms = number("false_alarms_per_100_sessions_medium", 1);
            let _ = write!(page, "<td>{noticed:.0} %</td><td>{alarms}</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div></section>\n");
}

/// The equal error rate and its interval on a scale from 0 to a half.
fn interval(outcome: &Shown) -> String {
    let at = |rate: f64| 4.0 + 192.0 * (2.0 * rate).clamp(0.0, 1.0);
    let Some(mean) = outcome.figure("eer_mean").map(at) else { return String::new() };
    let end = |name: &str| outcome.figure(name).map_or(mean, at);
    let (low, high) = (end("eer_mean_lo"), end("eer_mean_hi"));
    format!(
        "<svg viewBox=\"0 0 200 14\" width=\"200\" height=\"14\" role=\"img\" aria-label=\"between 0 and 0.5\">\
         <path class=\"scale\" d=\"M4 7H196\"/><path class=\"interval\" d=\"M{low:.1} 7H{high:.1}\"/>\
         <circle cx=\"{mean:.1}\" cy=\"7\" r=\"4\"/></svg>"
    )
}

fn section(page: &mut String, outcome: &Shown) {
    let name = text(&outcome.name);
    let _ = write!(
        page,
        "<section id=\"{name}\"><h2>{name}</h2><div class=\"plots\"><img src=\"{name}-det.svg\" \
         alt=\"error trade-off of {name}\" loading=\"lazy\"><img src=\"{name}-scores.svg\" alt=\"scores of {name}\" \
         loading=\"lazy\"></div><details><summary>Figures</summary><table>"
    );
    for (figure, value) in &outcome.figures {
        let _ = write!(page, "<tr><th>{}</th><td>{}</td></tr>", text(figure), text(value));
    }
    let _ = writeln!(page, "</table></details><p><a href=\"{name}.csv\">by subject</a></p></section>");
}

/// Text within HTML.
fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>keyward evaluate</title>
<style>
:root { --ground: #f6f7f9; --card: #fff; --ink: #1b2430; --quiet: #5d6978; --line: #dfe3e8; --own: #005caf; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #10151b; --card: #1a212a; --ink: #e4e9ef; --quiet: #9aa7b5; --line: #303a46; --own: #6db3f2; }
  .plots img { filter: invert(.9) hue-rotate(180deg); }
}
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: var(--ground); color: var(--ink); }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
section { background: var(--card); border-radius: 8px; padding: 1rem 1.5rem; margin: 1rem 0; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
a { color: var(--own); }
.wide { overflow-x: auto; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots img { flex: 1 1 24rem; max-width: 100%; border-radius: 4px; }
table { border-collapse: collapse; }
th { text-align: left; font-weight: normal; color: var(--quiet); padding: .15rem 1.5rem .15rem 0; }
td { font-variant-numeric: tabular-nums; padding: .15rem 1.5rem .15rem 0; white-space: nowrap; }
tbody tr { border-top: 1px solid var(--line); }
svg { vertical-align: middle; }
.scale { stroke: var(--line); stroke-width: 2; }
.interval { stroke: var(--own); stroke-width: 5; stroke-opacity: .4; }
circle { fill: var(--own); }
.skipped { color: var(--quiet); }
</style>
<main><h1>keyward evaluate</h1>
<p>Error trade-off: one threshold for all (blue) and each subject's own (grey). Scores: people's own samples (blue)
and others' (red), higher meaning &ldquo;someone else&rdquo;. Both axes of the trade-off are logarithmic. The scale of
equal error rates goes from 0 to 0.5. Sessions and their insiders are synthetic.</p>
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_in_their_order_and_the_product_first() {
        let mut names = [
            "x-enrol-20-euclidean",
            "x-enrol-100-keyward",
            "x-enrol-20-keyward-fitted",
            "x-enrol-20-keyward",
        ];
        names.sort_by_cached_key(|name| natural(name));
        let sorted = [
            "x-enrol-20-keyward",
            "x-enrol-20-keyward-fitted",
            "x-enrol-20-euclidean",
            "x-enrol-100-keyward",
        ];
        assert_eq!(names, sorted);
    }
}
