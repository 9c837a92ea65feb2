//! Typing that nobody typed: recordings sent again, and times drawn from distributions.

use keyward_domain::Band;
use keyward_features::{FixedText, fixed_text, integrity::machine_like};
use keyward_scoring::recent::{KEPT, Recent};
use keyward_scoring::{KeystrokeModel, Scored, fusion};
use keyward_simulate::recorded::Recording;
use keyward_simulate::typist::jittered;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::stream::{mean, share};
use super::{Person, untrained};
use crate::report::{Outcome, Report, SubjectScores};
use crate::{Common, Failed};

/// The repetitions that models are of; forgers have seen those, and genuine logins are the rest.
const TRAINING: usize = 200;
/// Jitter of replays, in milliseconds; at 0 they are exact.
const JITTER_MS: [(&str, f64); 5] =
    [("exact", 0.0), ("jitter_0.5ms", 0.5), ("jitter_1ms", 1.0), ("jitter_2ms", 2.0), ("jitter_4ms", 4.0)];
/// Forgeries of each subject, by each forger.
const FORGERIES: usize = 200;
/// Samples of the victim that a forger has.
const STOLEN: usize = 5;

/// Replays of what the model was trained on, of what was typed lately and never trained it, and, as a limit, of what is
/// neither any more.
/// Scores are minus the distance to the nearest sample of the model, in milliseconds.
pub(super) fn replay(
    recordings: &[Recording],
    people: &[Person],
    common: &Common,
) -> Result<Outcome, Failed> {
    check(people)?;
    let progress = common.progress(people.len(), "replay");
    let mut subjects = Vec::new();
    let (mut caught, mut false_alarms) = (vec![Vec::new(); JITTER_MS.len()], Vec::new());
    let (mut unlearned, mut unlearned_moved, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
    for (user, (recording, (subject, own))) in recordings.iter().zip(people).enumerate() {
        let model = KeystrokeModel::train(&own[..TRAINING]).map_err(untrained)?;
        let window = TRAINING - model.samples() as usize;
        let mut scores = SubjectScores { subject: subject.clone(), ..SubjectScores::default() };
        for (jitter, caught) in JITTER_MS.iter().zip(&mut caught) {
            for (i, sample) in recording.samples[window..TRAINING].iter().enumerate() {
                let seed = common.seed ^ ((user * TRAINING + i) as u64) << 8;
                let sent = jittered(sample, jitter.1, seed);
                let typed = fixed_text(&sent).ok();
                let Some(found) = typed.and_then(|typed| model.score(&typed).ok()) else { continue };
                caught.push(found.is_replay() || machine_like(&sent).is_some());
                scores.impostor.push(-found.nearest_ms);
            }
        }
        let mut lately = Recent::default();
        for (at, (typed, sample)) in own.iter().zip(&recording.samples).enumerate().skip(TRAINING) {
            let Ok(found) = model.score(typed) else { continue };
            let repeats = found.is_replay() || lately.repeats(typed, None);
            false_alarms.push(repeats || machine_like(sample).is_some());
            scores.genuine.push(-found.nearest_ms);
            lately.note(typed, at as u64);
            // One of the last that were typed and never learned is sent again.
            let sent = at - (at * 7) % KEPT.min(at + 1 - TRAINING);
            unlearned.push(lately.repeats(&own[sent], None));
            let moved =
                jittered(&recording.samples[sent], 2.0, common.seed ^ ((user * 1000 + at) as u64) << 8);
            unlearned_moved.push(fixed_text(&moved).is_ok_and(|moved| lately.repeats(&moved, None)));
        }
        let older = own[..window].iter().map(|typed| {
            lately.repeats(typed, None) || model.score(typed).is_ok_and(|found| found.is_replay())
        });
        forgotten.extend(older);
        subjects.push(scores);
        progress.inc(1);
    }
    let of = |flags: &[bool]| share(flags.iter(), |flag| *flag);
    let mut further: Vec<(String, f64)> = JITTER_MS
        .iter()
        .zip(&caught)
        .map(|(jitter, caught)| (format!("caught_{}", jitter.0), of(caught)))
        .collect();
    further.push(("false_alarms".to_owned(), of(&false_alarms)));
    further.push(("caught_exact_of_unlearned".to_owned(), of(&unlearned)));
    further.push(("caught_jitter_2ms_of_unlearned".to_owned(), of(&unlearned_moved)));
    further.push(("caught_exact_of_forgotten".to_owned(), of(&forgotten)));
    Ok(outcome("replay", subjects, further))
}

/// Statistical forgeries: hold and release-to-press times drawn independently and normally, with the moments of
/// other people's samples of the same text, or of a few of the victim's.
pub(super) fn synthetic(people: &[Person], common: &Common, report: &mut Report) -> Result<(), Failed> {
    check(people)?;
    for forger in [Forger::Population, Forger::Stolen] {
        let progress = common.progress(people.len(), forger.name());
        let (mut subjects, mut spared, mut replays) = (Vec::new(), Vec::new(), Vec::new());
        for (user, (subject, own)) in people.iter().enumerate() {
            let model = KeystrokeModel::train(&own[..TRAINING]).map_err(untrained)?;
            let mut random = ChaCha8Rng::seed_from_u64(common.seed ^ ((user as u64 + 1) << 32));
            let known = forger.knows(people, user);
            let forged: Vec<_> =
                (0..FORGERIES).map(|_| draw(&known, &mut random)).collect::<Result<_, _>>()?;
            let scored: Vec<_> = forged.iter().filter_map(|typed| model.score(typed).ok()).collect();
            let low = |s: &Scored| fusion::band(s.llr) == Band::Low;
            spared.push(share(scored.iter(), |s| low(s) && !s.is_replay()));
            replays.push(share(scored.iter(), Scored::is_replay));
            let z = |s: &FixedText| Some(model.score(s).ok()?.z);
            subjects.push(SubjectScores {
                subject: subject.clone(),
                genuine: own[TRAINING..].iter().filter_map(z).collect(),
                impostor: scored.iter().map(|s| s.z).collect(),
            });
            progress.inc(1);
        }
        let further = vec![
            ("forgeries_in_band_low".to_owned(), mean(spared.iter().copied())),
            ("forgeries_in_band_low_worst_user".to_owned(), spared.iter().copied().fold(0.0, f64::max)),
            ("flagged_as_replay".to_owned(), mean(replays.iter().copied())),
        ];
        report.outcome(&outcome(forger.name(), subjects, further))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Forger {
    Population,
    Stolen,
}

impl Forger {
    const fn name(self) -> &'static str {
        match self {
            Self::Population => "synthetic-population",
            Self::Stolen => "synthetic-stolen-5",
        }
    }

    fn knows(self, people: &[Person], victim: usize) -> Vec<&FixedText> {
        match self {
            Self::Population => {
                let others = people.iter().enumerate().filter(|(other, _)| *other != victim);
                others.flat_map(|(_, (_, own))| &own[TRAINING - STOLEN..TRAINING]).collect()
            }
            Self::Stolen => people[victim].1[TRAINING - STOLEN..TRAINING].iter().collect(),
        }
    }
}

/// One forgery. Press-to-press times are the sums that real ones are.
fn draw(known: &[&FixedText], random: &mut impl RngCore) -> Result<FixedText, Failed> {
    let shape = known[0].shape();
    let mut times = vec![0.0_f32; shape.features()];
    for column in (0..times.len()).filter(|column| column % 3 != 1) {
        let values = known.iter().map(|typed| f64::from(typed.times_s()[column]));
        let centre = mean(values.clone());
        let deviation = mean(values.map(|v| (v - centre).powi(2))).sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "times of some seconds at most")]
        let drawn = (centre + deviation * normal(random)) as f32;
        // Keys are held for 10 ms at the least, as hands hold them.
        times[column] = if column % 3 == 0 { drawn.max(0.01) } else { drawn };
    }
    for column in (1..times.len()).step_by(3) {
        times[column] = times[column - 1] + times[column + 1];
    }
    FixedText::new(shape.clone(), times).map_err(|e| Failed::Options(e.to_string()))
}

/// A standard normal number (Box and Muller 1958).
fn normal(random: &mut impl RngCore) -> f64 {
    let mut uniform = || (f64::from(random.next_u32()) + 1.0) / (f64::from(u32::MAX) + 1.0);
    (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
}

fn check(people: &[Person]) -> Result<(), Failed> {
    if people.iter().any(|(_, own)| own.len() <= TRAINING) {
        return Err(Failed::Options(format!("every subject needs more than {TRAINING} repetitions")));
    }
    Ok(())
}

fn outcome(protocol: &str, subjects: Vec<SubjectScores>, further: Vec<(String, f64)>) -> Outcome {
    Outcome {
        signal: "keystroke",
        protocol: protocol.to_owned(),
        detector: "keyward".to_owned(),
        subjects,
        further,
    }
}
