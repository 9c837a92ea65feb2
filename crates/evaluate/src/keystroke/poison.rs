//! An attacker who has the password and some of her victim's samples, and moves slowly towards herself, in
//! the hope that the template follows.
//!
//! The victim's model is of their repetitions 101 to 200. The attacker has ten of the victim's samples. Her
//! n-th login of a hundred is a sample of the victim's blended with one of her own, whose weight rises evenly
//! from 0 to 1, so that the last is all her own typing. She never shows a passkey. After every tenth login it is
//! asked what share of thirty of her own natural samples the model would spare the passkey.

use keyward_domain::{Band, Maturity};
use keyward_features::FixedText;
use keyward_scoring::KeystrokeModel;
use keyward_scoring::friction::{Budget, Event, State};
use keyward_scoring::fusion::{self, Limits};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::stream::{Learn, Options, mean};
use super::{Person, untrained};
use crate::report::{Outcome, SubjectScores};
use crate::{Common, Failed};

/// Logins of an attacker.
const LOGINS: usize = 100;
/// Samples of the victim that she has.
const STOLEN: usize = 10;
/// Attackers of each victim.
const ATTACKERS: usize = 3;
/// Her natural samples that her gain is measured with.
const NATURAL: usize = 30;

/// Runs the protocol.
///
/// # Errors
/// [`Failed::Options`] with fewer than 300 repetitions a person, or fewer than two people.
pub fn run(people: &[Person], options: &Options, common: &Common) -> Result<Outcome, Failed> {
    if people.len() <= ATTACKERS || people.iter().any(|(_, own)| own.len() < 300) {
        return Err(Failed::Options("poison needs four people of 300 repetitions".to_owned()));
    }
    let (mut subjects, mut gains) = (Vec::new(), Vec::new());
    let progress = common.progress(people.len(), "poison");
    for victim in (0..people.len()).filter(|victim| options.half.holds(*victim)) {
        let mut random = ChaCha8Rng::seed_from_u64(common.seed ^ ((victim as u64 + 1) << 32));
        let first = random.next_u32() as usize;
        let mut scores = SubjectScores { subject: people[victim].0.clone(), ..SubjectScores::default() };
        for step in 0..ATTACKERS {
            let attacker = (victim + 1 + (first + step) % (people.len() - 1)) % people.len();
            let mut attack = Attack::new(&people[victim].1, &people[attacker].1, options)?;
            gains.push(attack.run(&mut random)?);
            scores
                .impostor
                .extend(attack.natural().iter().filter_map(|s| Some(attack.model.score(s).ok()?.z)));
            scores
                .genuine
                .extend(people[victim].1[200..].iter().filter_map(|s| Some(attack.model.score(s).ok()?.z)));
        }
        subjects.push(scores);
        progress.inc(1);
    }
    let further = [
        ("acceptance_before", mean(gains.iter().map(|g| g.before))),
        ("acceptance_most", gains.iter().map(|g| g.most).fold(0.0, f64::max)),
        ("gain_most", gains.iter().map(|g| g.most - g.before).fold(0.0, f64::max)),
        ("attackers_gaining_above_20pct", gains.iter().filter(|g| g.most > g.before + 0.2).count() as f64),
        ("attackers", gains.len() as f64),
        ("logins_spared_mean", mean(gains.iter().map(|g| g.spared as f64))),
    ];
    Ok(Outcome {
        signal: "keystroke",
        protocol: "poison".to_owned(),
        detector: "keyward".to_owned(),
        subjects,
        further: further.map(|(name, value)| (name.to_owned(), value)).to_vec(),
    })
}

/// What an attacker came to.
struct Gain {
    /// The share of her natural samples that is spared before she begins.
    before: f64,
    /// The greatest share afterwards.
    most: f64,
    /// How many of her logins were spared.
    spared: usize,
}

struct Attack<'a> {
    options: &'a Options,
    victim: &'a [FixedText],
    attacker: &'a [FixedText],
    learned: Vec<FixedText>,
    model: KeystrokeModel,
    friction: State,
}

impl<'a> Attack<'a> {
    fn new(victim: &'a [FixedText], attacker: &'a [FixedText], options: &'a Options) -> Result<Self, Failed> {
        let learned = victim[100..200].to_vec();
        let model = KeystrokeModel::train(&learned).map_err(untrained)?;
        Ok(Self { options, victim, attacker, learned, model, friction: State::default() })
    }

    fn run(&mut self, random: &mut impl RngCore) -> Result<Gain, Failed> {
        let before = self.acceptance();
        let mut gain = Gain { before, most: before, spared: 0 };
        for login in 0..LOGINS {
            // Her first logins are nearly the stolen samples: those are stopped as replays.
            let stolen = &self.victim[200 - STOLEN + random.next_u32() as usize % STOLEN];
            let own = &self.attacker[random.next_u32() as usize % 100];
            let typed = blend(stolen, own, login as f32 / (LOGINS - 1) as f32)?;
            gain.spared += usize::from(self.login(&typed)?);
            if login % 10 == 9 {
                gain.most = gain.most.max(self.acceptance());
            }
        }
        Ok(gain)
    }

    /// Whether a login was spared the passkey; it then teaches, where the rule lets it.
    fn login(&mut self, typed: &FixedText) -> Result<bool, Failed> {
        let spared = self.spares(typed) && !self.model.score(typed).is_ok_and(|s| s.is_replay());
        if spared {
            let budget = Budget::of(self.options.budget);
            self.friction = self.friction.after(Event::Accepted, budget);
            if self.options.learn == Learn::AcceptedOrProven {
                self.learned.push(typed.clone());
                self.model = KeystrokeModel::train(&self.learned).map_err(untrained)?;
            }
        }
        Ok(spared)
    }

    fn spares(&self, typed: &FixedText) -> bool {
        let limits = if self.options.budget > 0.0 { self.friction.limits() } else { Limits::default() };
        self.model.maturity() == Maturity::Mature
            && self.model.score(typed).is_ok_and(|s| fusion::band_within(s.llr, limits) == Band::Low)
    }

    fn acceptance(&self) -> f64 {
        self.natural().iter().filter(|s| self.spares(s)).count() as f64 / NATURAL as f64
    }

    fn natural(&self) -> &'a [FixedText] {
        &self.attacker[100..100 + NATURAL]
    }
}

/// A typing between two of one text.
fn blend(from: &FixedText, to: &FixedText, weight: f32) -> Result<FixedText, Failed> {
    let times = from.times_s().iter().zip(to.times_s()).map(|(a, b)| a + weight * (b - a)).collect();
    FixedText::new(from.shape().clone(), times).map_err(|e| Failed::Options(format!("{e:?}")))
}
