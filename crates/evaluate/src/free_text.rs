//! Typing of any text: error rates by how much was typed, on one keyboard and on changing ones.
//!
//! The model is of a subject's first session (two tasks), and judges windows of their last one; impostors' windows are the
//! first five of everybody else's last session.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use keyward_domain::KeyZone;
use keyward_features::Stroke;
use keyward_scoring::free_text::FreeTextModel;

use crate::report::{Outcome, Report, SubjectScores, promise};
use crate::{Common, Failed, data};

/// Windows of everybody else that attack.
const IMPOSTOR_WINDOWS: usize = 5;

/// What to evaluate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The Buffalo data set by key zones: an archive (.tar.xz) of `baseline/` and `rotation/`, a CSV a task.
    #[arg(long, value_name = "ARCHIVE")]
    pub data: PathBuf,
    /// Strokes in a window.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [50, 100, 200, 500])]
    pub strokes: Vec<usize>,
}

/// Sessions of a subject, oldest first.
type Sessions = BTreeMap<u8, Vec<Stroke>>;

/// Runs the protocol on both parts of the data.
///
/// # Errors
/// [`Failed`], naming the file or the option.
pub fn run(options: &Options, common: &Common, report: &mut Report) -> Result<(), Failed> {
    let mut parts: BTreeMap<String, BTreeMap<String, Sessions>> = BTreeMap::new();
    data::for_each_file(&options.data, |path, text| {
        let Some(task) = Task::of(path) else { return Ok(()) };
        let strokes = strokes(text)?;
        parts
            .entry(task.part)
            .or_default()
            .entry(task.subject)
            .or_default()
            .entry(task.session)
            .or_default()
            .extend(strokes);
        Ok(())
    })?;
    let failed = |problem: &str| Failed::Data { path: options.data.clone(), problem: problem.to_owned() };
    if parts.is_empty() {
        return Err(failed("no file is named PART/SUBJECT/SSSskt.csv"));
    }
    for (part, subjects) in &parts {
        if subjects.len() < 2 || subjects.values().any(|sessions| sessions.len() < 2) {
            return Err(failed("fewer than two subjects, or one with fewer than two sessions"));
        }
        for length in &options.strokes {
            report.outcome(&outcome(part, subjects, *length, common)?)?;
        }
    }
    Ok(())
}

fn outcome(
    part: &str,
    subjects: &BTreeMap<String, Sessions>,
    length: usize,
    common: &Common,
) -> Result<Outcome, Failed> {
    let refused = |e: keyward_scoring::free_text::FreeTextError| Failed::Options(e.to_string());
    let progress = common.progress(subjects.len(), part);
    let last = |sessions: &Sessions| sessions.values().next_back().cloned().unwrap_or_default();
    let windows: Vec<Vec<Stroke>> = subjects.values().map(last).collect();
    let windows: Vec<Vec<&[Stroke]>> =
        windows.iter().map(|w| w.chunks_exact(length.max(1)).collect()).collect();
    let mut scores = Vec::new();
    for (user, (subject, sessions)) in subjects.iter().enumerate() {
        let first = sessions.values().next().map_or(&[][..], Vec::as_slice);
        let model = FreeTextModel::train(first).map_err(refused)?;
        let score = |window: &&[Stroke]| model.score(window).map_err(refused);
        let others = windows.iter().enumerate().filter(|(other, _)| *other != user);
        let attacks = others.flat_map(|(_, windows)| windows.iter().take(IMPOSTOR_WINDOWS));
        scores.push(SubjectScores {
            subject: subject.clone(),
            genuine: windows[user].iter().map(score).collect::<Result<_, _>>()?,
            impostor: attacks.map(score).collect::<Result<_, _>>()?,
        });
        progress.inc(1);
    }
    let mut further = vec![("strokes".to_owned(), length as f64)];
    further.extend(promise(&scores, keyward_scoring::free_text::llr));
    Ok(Outcome {
        signal: "free-text",
        protocol: format!("{part}-{length}"),
        detector: "keyward".to_owned(),
        subjects: scores,
        further,
    })
}

/// What a file's name says: `PART/SUBJECT/SSSskt.csv`, with subject, session, keyboard and task.
struct Task {
    part: String,
    subject: String,
    session: u8,
}

impl Task {
    fn of(path: &str) -> Option<Self> {
        let mut names = path.trim_start_matches("./").rsplit('/');
        let (file, subject, part) = (names.next()?, names.next()?, names.next()?);
        let name = file.strip_suffix(".csv")?;
        let session = name.strip_prefix(subject)?.chars().next()?.to_digit(10)?;
        let plain = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        (plain(part) && plain(subject)).then_some(())?;
        Some(Self {
            part: part.to_owned(),
            subject: subject.to_owned(),
            session: u8::try_from(session).ok()?,
        })
    }
}

fn strokes(text: &str) -> Result<Vec<Stroke>, String> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    if header.trim_end() != "zone1,zone2,hold1_s,hold2_s,down_down_s,up_down_s" {
        return Err("another header than zone1,zone2,hold1_s,hold2_s,down_down_s,up_down_s".to_owned());
    }
    let mut strokes = Vec::new();
    for (at, line) in lines.enumerate() {
        let (from, hold, to, flight) =
            digraph(line).ok_or_else(|| format!("line {}: not a digraph", at + 2))?;
        // A clock that stepped back gives a time that never was, and no stroke.
        strokes.extend(Stroke::new(from, hold, Some((to, flight))));
    }
    Ok(strokes)
}

/// A line's first key and how long it was held, the next key and the time between their presses.
fn digraph(line: &str) -> Option<(KeyZone, f32, KeyZone, f32)> {
    let mut words = line.trim_end().split(',');
    let (from, to) = (zone(words.next()?)?, zone(words.next()?)?);
    let mut seconds = || words.next()?.parse::<f32>().ok();
    let (hold, _, flight) = (seconds()?, seconds()?, seconds()?);
    Some((from, hold, to, flight))
}

fn zone(name: &str) -> Option<KeyZone> {
    Some(match name {
        "L_TOP" => KeyZone::LeftTop,
        "L_HOME" => KeyZone::LeftHome,
        "L_BOTTOM" => KeyZone::LeftBottom,
        "R_TOP" => KeyZone::RightTop,
        "R_HOME" => KeyZone::RightHome,
        "R_BOTTOM" => KeyZone::RightBottom,
        "DIGIT_L" => KeyZone::DigitLeft,
        "DIGIT_R" => KeyZone::DigitRight,
        "SPACE" => KeyZone::Space,
        "ENTER" => KeyZone::Enter,
        "BACKSPACE" => KeyZone::Backspace,
        "TAB" => KeyZone::Tab,
        "SHIFT" => KeyZone::Shift,
        "CONTROL" => KeyZone::Control,
        "NAVIGATION" => KeyZone::Navigation,
        "PUNCTUATION" => KeyZone::Punctuation,
        "KEYPAD" => KeyZone::Keypad,
        "OTHER" => KeyZone::Other,
        _ => return None,
    })
}
