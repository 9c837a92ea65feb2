//! The benchmark's own protocol (K. Killourhy, R. Maxion, DSN 2009) and what is like it: a detector is trained once,
//! and tested on the second half of its owner's repetitions and on everybody else. The classic detectors go
//! beside keyward's.

use keyward_features::FixedText;
use keyward_scoring::KeystrokeModel;
use keyward_scoring::classic::{self, Classic};

use super::{Person, untrained};
use crate::report::{Outcome, Report, SubjectScores};
use crate::{Common, Failed};

/// The repetitions that training may use; the rest are tested.
const TRAINING: usize = 200;
/// The samples of everybody else that attack.
const IMPOSTOR_SAMPLES: usize = 5;
/// The training repetitions of `enrol` unless told.
const FIRST: [usize; 5] = [10, 20, 50, 100, 200];

/// Exact: all 200 repetitions are given, though keyward's model takes the newest 50 of them.
pub(super) fn killourhy_maxion(
    people: &[Person],
    common: &Common,
    report: &mut Report,
) -> Result<(), Failed> {
    let protocol = Protocol { name: "killourhy-maxion".to_owned(), training: TRAINING, practised: false };
    protocol.run(people, common, report)
}

/// Impostors' last samples instead of their first.
pub(super) fn practised(people: &[Person], common: &Common, report: &mut Report) -> Result<(), Failed> {
    let protocol = Protocol { name: "practised".to_owned(), training: TRAINING, practised: true };
    protocol.run(people, common, report)
}

/// A user new to the text, tested hundreds of repetitions later.
pub(super) fn enrol(
    people: &[Person],
    first: Option<usize>,
    common: &Common,
    report: &mut Report,
) -> Result<(), Failed> {
    for training in first.map_or(FIRST.to_vec(), |first| vec![first]) {
        if !(1..=TRAINING).contains(&training) {
            return Err(Failed::Options(format!("--first must lie between 1 and {TRAINING}")));
        }
        let protocol = Protocol { name: format!("enrol-{training}"), training, practised: false };
        protocol.run(people, common, report)?;
    }
    Ok(())
}

struct Protocol {
    name: String,
    training: usize,
    practised: bool,
}

impl Protocol {
    fn run(&self, people: &[Person], common: &Common, report: &mut Report) -> Result<(), Failed> {
        if people.iter().any(|(_, own)| own.len() < TRAINING + IMPOSTOR_SAMPLES) {
            return Err(Failed::Options("some subject has too few repetitions for this protocol".to_owned()));
        }
        let detectors = [Detector::Keyward].into_iter().chain(Classic::ALL.map(Detector::Classic));
        for detector in detectors {
            // Not every detector can be trained from few samples; one that cannot has no line.
            if let Some(outcome) = self.outcome(detector, people, common)? {
                report.outcome(&outcome)?;
            }
        }
        Ok(())
    }

    fn outcome(
        &self,
        detector: Detector,
        people: &[Person],
        common: &Common,
    ) -> Result<Option<Outcome>, Failed> {
        let progress = common.progress(people.len(), detector.name());
        let mut subjects = Vec::new();
        for (user, (subject, own)) in people.iter().enumerate() {
            let Some(trained) = detector.train(&own[..self.training])? else { return Ok(None) };
            let score =
                |samples: &[FixedText]| -> Vec<f32> { samples.iter().map(|s| trained.score(s)).collect() };
            let others =
                people.iter().enumerate().filter(|(other, _)| *other != user).map(|(_, (_, own))| own);
            let attacks = |own: &'_ Vec<FixedText>| {
                let from = if self.practised { own.len() - IMPOSTOR_SAMPLES } else { 0 };
                score(&own[from..from + IMPOSTOR_SAMPLES])
            };
            subjects.push(SubjectScores {
                subject: subject.clone(),
                genuine: score(&own[TRAINING..]),
                impostor: others.flat_map(attacks).collect(),
            });
            progress.inc(1);
        }
        Ok(Some(Outcome {
            signal: "keystroke",
            protocol: self.name.clone(),
            detector: detector.name().to_owned(),
            subjects,
            further: Vec::new(),
        }))
    }
}

#[derive(Debug, Clone, Copy)]
enum Detector {
    Keyward,
    Classic(Classic),
}

impl Detector {
    fn name(self) -> &'static str {
        match self {
            Self::Keyward => "keyward",
            Self::Classic(classic) => classic.name(),
        }
    }

    fn train(self, own: &[FixedText]) -> Result<Option<Trained>, Failed> {
        match self {
            Self::Keyward => {
                Ok(Some(Trained::Keyward(Box::new(KeystrokeModel::train(own).map_err(untrained)?))))
            }
            Self::Classic(classic) => {
                let rows: Vec<&[f32]> = own.iter().map(FixedText::times_s).collect();
                Ok(classic.train(&rows).ok().map(Trained::Classic))
            }
        }
    }
}

enum Trained {
    Keyward(Box<KeystrokeModel>),
    Classic(classic::Trained),
}

impl Trained {
    /// Typing of another text is as unusual as can be.
    fn score(&self, typed: &FixedText) -> f32 {
        match self {
            Self::Keyward(model) => model.score(typed).map_or(f32::INFINITY, |scored| scored.z),
            #[expect(clippy::cast_possible_truncation, reason = "scores are compared, not added up")]
            Self::Classic(trained) => trained.score(typed.times_s()) as f32,
        }
    }
}
