//! Results: one line of figures a detector, and, where a folder is given, tables and plots.

use std::io::Write;

use keyward_scoring::evaluation::{equal_error_rate, frr_at_far};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::{Common, Failed, files};

/// Bootstrap samples of means, which are cheap ...
const RESAMPLES: usize = 2000;
/// ... and of what needs all scores of a sample's subjects together.
const POOLED_RESAMPLES: usize = 200;

/// The scores of one subject's model, higher meaning "someone else".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubjectScores {
    /// The person, as the data names them.
    pub subject: String,
    /// Scores of their own samples.
    pub genuine: Vec<f32>,
    /// Scores of others' samples.
    pub impostor: Vec<f32>,
}

impl SubjectScores {
    /// Equal error rate; FRR at FAR 1 %, 0.1 % and 0. NaN without scores on both sides.
    pub fn rates(&self) -> [f64; 4] {
        let frr = |far| frr_at_far(&self.genuine, &self.impostor, far).unwrap_or(f64::NAN);
        let eer = equal_error_rate(&self.genuine, &self.impostor).unwrap_or(f64::NAN);
        [eer, frr(0.01), frr(0.001), frr(0.0)]
    }
}

/// What one detector did under one protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The signal: `keystroke`, ...
    pub signal: &'static str,
    /// The protocol, in words of `[a-z0-9-]`.
    pub protocol: String,
    /// The detector, in words of `[a-z0-9-]`.
    pub detector: String,
    /// Scores by subject.
    pub subjects: Vec<SubjectScores>,
    /// Further figures of this protocol, printed as they are.
    pub further: Vec<(String, f64)>,
}

impl Outcome {
    /// The name of its files.
    pub fn name(&self) -> String {
        format!("{}-{}-{}", self.signal, self.protocol, self.detector)
    }

    /// The figures that every outcome has, and then its own. `_lo` and `_hi` are the ends of a 95 % interval by
    /// bootstrap over subjects (percentiles), which says how far other subjects may lie from these.
    pub fn figures(&self, seed: u64) -> Vec<(String, f64)> {
        let rates: Vec<[f64; 4]> = self.subjects.iter().map(SubjectScores::rates).collect();
        let each = |rate: usize| -> Vec<f64> { rates.iter().map(|r| r[rate]).collect() };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut figures = vec![("n_subjects".to_owned(), self.subjects.len() as f64)];
        let mut with_interval = |name: &str, value: f64, interval: (f64, f64)| {
            figures.push((name.to_owned(), value));
            figures.push((format!("{name}_lo"), interval.0));
            figures.push((format!("{name}_hi"), interval.1));
        };
        for (rate, name) in ["eer_mean", "frr_at_far_1pct"].into_iter().enumerate() {
            let each = each(rate);
            let interval = bootstrap(each.len(), RESAMPLES, &mut random, |who| {
                mean(&who.iter().map(|i| each[*i]).collect::<Vec<_>>())
            });
            with_interval(name, mean(&each), interval);
        }
        let everybody: Vec<usize> = (0..self.subjects.len()).collect();
        let common = bootstrap(everybody.len(), POOLED_RESAMPLES, &mut random, |who| self.common(who));
        with_interval("eer_common", self.common(&everybody), common);
        figures.push(("eer_sd".to_owned(), deviation(&each(0))));
        figures.push(("frr_at_far_0.1pct".to_owned(), mean(&each(2))));
        figures.push(("zero_miss_far".to_owned(), mean(&each(3))));
        figures.extend(self.further.iter().cloned());
        figures
    }

    /// The equal error rate of these subjects at one threshold for all.
    fn common(&self, who: &[usize]) -> f64 {
        let all = |pick: fn(&SubjectScores) -> &Vec<f32>| -> Vec<f32> {
            who.iter().flat_map(|i| pick(&self.subjects[*i]).iter().copied()).collect()
        };
        equal_error_rate(&all(|s| &s.genuine), &all(|s| &s.impostor)).unwrap_or(f64::NAN)
    }
}

/// What the band MEDIUM of a signal's evidence alone comes to: the share of people's own windows that reach it, averaged over
/// subjects, the share of others' that do not, and the scores that own windows are at half and at 98 % of the time.
pub(crate) fn promise(subjects: &[SubjectScores], llr: fn(f32) -> f32) -> Vec<(String, f64)> {
    let medium = |score: &f32| llr(*score) >= keyward_scoring::fusion::MEDIUM_LLR;
    let share = |scores: &[f32], medium: &dyn Fn(&f32) -> bool| {
        scores.iter().filter(|score| medium(score)).count() as f64 / scores.len().max(1) as f64
    };
    let of = |rate: &dyn Fn(&SubjectScores) -> f64| mean(&subjects.iter().map(rate).collect::<Vec<_>>());
    let all: Vec<f32> = subjects.iter().flat_map(|s| s.genuine.iter().copied()).collect();
    let at = |part| keyward_scoring::evaluation::quantile(&all, part).map_or(f64::NAN, f64::from);
    vec![
        ("medium_frr".to_owned(), of(&|s| share(&s.genuine, &medium))),
        ("medium_far".to_owned(), of(&|s| 1.0 - share(&s.impostor, &medium))),
        ("genuine_score_p50".to_owned(), at(0.5)),
        ("genuine_score_p98".to_owned(), at(0.98)),
    ]
}

/// Where results go.
pub struct Report<'a> {
    common: &'a Common,
    out: &'a mut dyn Write,
}

impl<'a> Report<'a> {
    /// A report to `out`, and into the folder that the options name.
    pub fn new(common: &'a Common, out: &'a mut impl Write) -> Self {
        Self { common, out }
    }

    /// Prints a line that is no outcome.
    ///
    /// # Errors
    /// [`Failed`] when it could not be written.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failed> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Prints the outcome's line, and writes its table and plots.
    ///
    /// # Errors
    /// [`Failed`] when something could not be written.
    pub fn outcome(&mut self, outcome: &Outcome) -> Result<(), Failed> {
        let figures = outcome.figures(self.common.seed);
        let figures: Vec<String> = figures.iter().map(|(name, value)| format!("{name}={value:.4}")).collect();
        let line = format!(
            "signal={} protocol={} detector={} {}",
            outcome.signal,
            outcome.protocol,
            outcome.detector,
            figures.join(" ")
        );
        writeln!(self.out, "{line}")?;
        match &self.common.out {
            Some(folder) => files::write(folder, outcome, &line),
            None => Ok(()),
        }
    }
}

/// The 2.5 and 97.5 percentiles of a figure over samples of subjects, drawn with replacement (B. Efron, R. Tibshirani,
/// "An Introduction to the Bootstrap", 1993, section 13.3).
pub(crate) fn bootstrap(
    subjects: usize,
    samples: usize,
    random: &mut impl RngCore,
    figure: impl Fn(&[usize]) -> f64,
) -> (f64, f64) {
    if subjects < 2 {
        return (f64::NAN, f64::NAN);
    }
    let mut one = || -> f64 {
        let who: Vec<usize> = (0..subjects).map(|_| random.next_u32() as usize % subjects).collect();
        figure(&who)
    };
    let mut figures: Vec<f64> = (0..samples).map(|_| one()).collect();
    figures.sort_by(f64::total_cmp);
    (figures[samples / 40], figures[samples - 1 - samples / 40])
}

/// NaN of none.
pub(crate) fn share(hits: usize, all: usize) -> f64 {
    hits as f64 / all as f64
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation over subjects.
fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(errors: &[f32]) -> Outcome {
        let subject = |(i, error): (usize, &f32)| SubjectScores {
            subject: format!("s{i}"),
            genuine: (0..100).map(|g| g as f32 / 100.0).collect(),
            impostor: (0..100).map(|g| 1.0 - error + g as f32 / 100.0).collect(),
        };
        Outcome {
            signal: "keystroke",
            protocol: "test".to_owned(),
            detector: "none".to_owned(),
            subjects: errors.iter().enumerate().map(subject).collect(),
            further: vec![("own".to_owned(), 7.0)],
        }
    }

    fn figure(figures: &[(String, f64)], name: &str) -> f64 {
        figures.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    #[test]
    fn figures_are_those_of_known_scores() {
        let figures = outcome(&[0.0, 0.2, 0.4]).figures(1);
        assert!((figure(&figures, "eer_mean") - 0.1).abs() < 0.01);
        assert!((figure(&figures, "eer_sd") - 0.1).abs() < 0.01);
        assert!((figure(&figures, "zero_miss_far") - 0.2).abs() < 0.01);
        assert!((figure(&figures, "own") - 7.0).abs() < 1e-9);
        assert!(figure(&figures, "eer_mean_lo") < 0.06 && figure(&figures, "eer_mean_hi") > 0.14);
    }

    #[test]
    fn one_seed_gives_one_line_and_equal_subjects_no_interval() {
        assert_eq!(outcome(&[0.1, 0.3]).figures(5), outcome(&[0.1, 0.3]).figures(5));
        let figures = outcome(&[0.2; 8]).figures(2);
        assert!((figure(&figures, "eer_mean_hi") - figure(&figures, "eer_mean_lo")).abs() < 1e-12);
    }

    #[test]
    fn a_folder_gets_a_table_plots_and_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let common = Common { out: Some(folder.path().join("new")), seed: 1, quiet: true };
        let mut out = Vec::new();
        Report::new(&common, &mut out).outcome(&outcome(&[0.1, 0.3])).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join("new").join(name)).unwrap();
        let table = read("keystroke-test-none.csv");
        assert_eq!(table.lines().count(), 3);
        assert!(table.starts_with("subject,genuine,impostor,eer,") && table.contains("\ns1,100,100,0.1"));
        for plot in ["keystroke-test-none-det.svg", "keystroke-test-none-scores.svg"] {
            assert!(read(plot).starts_with("<svg") && read("index.html").contains(plot), "{plot}");
        }
        assert!(read("index.html").contains("eer_mean"));
    }
}
