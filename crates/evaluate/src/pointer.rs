//! Pointer movement: error rates by how many actions are judged.
//!
//! The model is of a subject's training sessions; windows of their test sessions are judged, genuine and not, as the
//! published labels have them. Sessions without a label are left out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use keyward_features::{PointerAction, PointerEvent, actions_of};
use keyward_scoring::evaluation::area_under_curve;
use keyward_scoring::pointer::{MIN_ACTIONS, PointerModel};

use crate::report::{Outcome, Report, SubjectScores, mean, promise};
use crate::{Common, Failed, data};

/// Positions beyond this are a remote desktop's way of saying that it has none, in pixels.
const MAX_POSITION: f64 = 10_000.0;

/// What to evaluate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The Balabit data set's archives (.tar.xz) of `training_files/` and `test_files/`.
    #[arg(long, value_name = "ARCHIVE", required = true, num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// The public labels of test sessions: CSV of file name and 1 where it is not the owner's.
    #[arg(long, value_name = "CSV")]
    pub labels: PathBuf,
    /// Actions in a window; 0: a whole session.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [20, 50, 100, 0])]
    pub actions: Vec<usize>,
}

/// A subject's sessions.
#[derive(Default)]
struct Subject {
    training: Vec<Vec<PointerAction>>,
    /// With whether somebody else moved the pointer.
    test: Vec<(Vec<PointerAction>, bool)>,
}

/// Runs the protocol.
///
/// # Errors
/// [`Failed`], naming the file or the option.
pub fn run(options: &Options, common: &Common, report: &mut Report) -> Result<(), Failed> {
    let labels = labels(&options.labels)?;
    let mut subjects: BTreeMap<String, Subject> = BTreeMap::new();
    for archive in &options.data {
        data::for_each_file(archive, |path, text| {
            let mut names = path.trim_start_matches("./").rsplit('/');
            let (Some(file), Some(subject), Some(part)) = (names.next(), names.next(), names.next()) else {
                return Ok(());
            };
            let (subject, actions) = (subjects.entry(subject.to_owned()).or_default(), || actions_in(text));
            match (part, labels.get(file)) {
                ("training_files", _) => subject.training.push(actions()?),
                ("test_files", Some(other)) => subject.test.push((actions()?, *other)),
                _ => {}
            }
            Ok(())
        })?;
    }
    let failed = |problem: &str| Failed::Data { path: options.labels.clone(), problem: problem.to_owned() };
    let models: Vec<(&String, PointerModel, &Subject)> = subjects
        .iter()
        .map(|(name, subject)| (name, PointerModel::of(subject.training.iter().map(Vec::as_slice)), subject))
        .filter(|(_, model, subject)| model.is_ready() && !subject.test.is_empty())
        .collect();
    if models.len() < 2 {
        return Err(failed("fewer than two subjects with training and labelled test sessions"));
    }
    let progress = common.progress(options.actions.len(), "pointer");
    for length in &options.actions {
        let scores: Vec<_> = models
            .iter()
            .filter_map(|(name, model, subject)| judged(name, model, subject, *length))
            .collect();
        progress.inc(1);
        if scores.len() > 1 {
            report.outcome(&outcome(*length, scores))?;
        }
    }
    Ok(())
}

/// The scores of a subject's windows; `None` without windows of both kinds.
fn judged(name: &str, model: &PointerModel, subject: &Subject, length: usize) -> Option<SubjectScores> {
    let mut scores = SubjectScores { subject: name.to_owned(), ..SubjectScores::default() };
    for (actions, other) in &subject.test {
        let windows =
            if length == 0 { actions.chunks(actions.len().max(MIN_ACTIONS)) } else { actions.chunks(length) };
        let whole = windows.filter(|window| length == 0 || window.len() == length);
        let of = if *other { &mut scores.impostor } else { &mut scores.genuine };
        of.extend(whole.filter_map(|window| model.score(window).ok()));
    }
    (scores.genuine.len() >= 5 && scores.impostor.len() >= 5).then_some(scores)
}

fn outcome(length: usize, subjects: Vec<SubjectScores>) -> Outcome {
    let auc: Vec<f64> = subjects.iter().filter_map(|s| area_under_curve(&s.genuine, &s.impostor)).collect();
    let mut further = vec![("auc_mean".to_owned(), mean(&auc))];
    further.extend(promise(&subjects, keyward_scoring::pointer::llr));
    Outcome {
        signal: "pointer",
        protocol: if length == 0 { "session".to_owned() } else { format!("actions-{length}") },
        detector: "keyward".to_owned(),
        subjects,
        further,
    }
}

/// File names, and whether somebody else moved the pointer.
fn labels(path: &PathBuf) -> Result<BTreeMap<String, bool>, Failed> {
    let failed = |problem: String| Failed::Data { path: path.clone(), problem };
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    let mut labels = BTreeMap::new();
    for (at, line) in text.lines().enumerate().skip(1) {
        let label = match line.trim_end().split_once(',') {
            Some((file, "0")) => (file.to_owned(), false),
            Some((file, "1")) => (file.to_owned(), true),
            _ => return Err(failed(format!("line {}: not a file name and 0 or 1", at + 1))),
        };
        labels.insert(label.0, label.1);
    }
    Ok(labels)
}

/// The actions of a session's file.
fn actions_in(text: &str) -> Result<Vec<PointerAction>, String> {
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("record timestamp,client timestamp,button,state,x,y") {
        return Err("another header than record timestamp,client timestamp,button,state,x,y".to_owned());
    }
    let (mut events, mut pressed): (Vec<PointerEvent>, bool) = (Vec::new(), false);
    for (at, line) in lines.enumerate() {
        let words: Vec<&str> = line.trim_end().split(',').collect();
        let [_, time, button, state, x, y] = words[..] else {
            return Err(format!("line {}: not six columns", at + 2));
        };
        let number = |word: &str| word.parse::<f64>().map_err(|_| format!("line {}: not a number", at + 2));
        let (t_s, x, y) = (number(time)?, number(x)?, number(y)?);
        if button == "Scroll" || x > MAX_POSITION || y > MAX_POSITION {
            continue;
        }
        pressed = match state {
            "Pressed" => true,
            "Drag" => pressed,
            _ => false,
        };
        // A clock that stepped back gives an event that never was.
        if events.last().is_none_or(|last| t_s >= last.t_s) {
            events.push(PointerEvent { t_s, x, y, pressed });
        }
    }
    Ok(actions_of(&events))
}
