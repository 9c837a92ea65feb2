//! The product's life: enrolment under passkeys, then login after login in order, with attacks mixed in.
//!
//! A login is spared the passkey when the model is MATURE and the band LOW, as the shipped policy does on a
//! shared workstation, unless too many were spared in a row; any other is stepped up. A genuine user answers a step-up with the probability
//! `--prove`, an attacker never. Every lesson trains the model anew.
//!
//! What attackers would be let in is counted twice: attacks at `--attack-rate` live in the stream and may
//! teach it; probes, all impostors' samples at every fifth login, leave no trace and give the error rates.

use clap::{Args, ValueEnum};
use keyward_domain::{Band, Maturity};
use keyward_features::FixedText;
use keyward_scoring::friction::{Budget, Event, State};
use keyward_scoring::fusion::{self, Limits};
use keyward_scoring::{KeystrokeModel, Scored};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Person, untrained};
use crate::report::{Outcome, SubjectScores};
use crate::{Common, Failed};

/// The samples of everybody else that attack: the first ones, typed without practice.
const IMPOSTOR_SAMPLES: usize = 5;
/// Probes after every so many logins.
const PROBE_EVERY: usize = 5;
/// The samples that the product keeps (`keyward_store::KEPT_SAMPLES`).
const KEPT: usize = 200;
/// Logins over which the worst user's false-alarm rate is taken.
const RATE_LOGINS: usize = 100;
/// Logins over which it is asked whether a user is above three times the promise now.
const NOW_LOGINS: usize = 20;

/// What the stream is told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// First repetitions, each proven by a passkey.
    #[arg(long, default_value_t = 10)]
    pub enrol: usize,
    /// The share of all logins that are attacks.
    #[arg(long, default_value_t = 0.1)]
    pub attack_rate: f64,
    /// How often a genuine user who is stepped up shows the passkey.
    #[arg(long, default_value_t = 1.0)]
    pub prove: f64,
    /// The login after so many that were spared in a row, less one, is asked for a passkey all the same, as
    /// `assessment.typing_proof_every` has it; 1: each, 0: none.
    #[arg(long, default_value_t = 10)]
    pub ask_every: usize,
    /// What trains.
    #[arg(long, value_enum, default_value_t = Learn::Proven)]
    pub learn: Learn,
    /// The share of genuine logins that behaviour may cost a step-up; 0 holds the fixed limits.
    #[arg(long, default_value_t = 0.02)]
    pub budget: f32,
    /// The repetition from which on logins count in the figures; the first is 1.
    #[arg(long, default_value_t = 201)]
    pub from: usize,
    /// Whose lives: of all subjects, or of every second one. Everybody attacks.
    #[arg(long, value_enum, default_value_t = Half::All)]
    pub half: Half,
}

/// A rule of learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Learn {
    /// Typing under a passkey alone: what the product does.
    Proven,
    /// What was spared the passkey as well. Not what the product does: the cost of its rule is the difference.
    AcceptedOrProven,
}

/// A part of the subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Half {
    /// Everybody.
    All,
    /// The first, third, ...
    Odd,
    /// The second, fourth, ...
    Even,
}

impl Half {
    pub(super) fn holds(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Odd => index.is_multiple_of(2),
            Self::Even => !index.is_multiple_of(2),
        }
    }
}

/// One login of the owner, or one attack.
#[derive(Debug, Clone, Copy)]
struct Login {
    /// The owner's repetition that it is, or that comes next; from 0.
    at: usize,
    maturity: Maturity,
    scored: Scored,
    band: Band,
    /// Whether proof is due, however usual it is.
    due: bool,
}

impl Login {
    /// Whether its typing would spare the passkey.
    fn usual(&self) -> bool {
        self.maturity == Maturity::Mature && self.band == Band::Low
    }

    fn spared(&self) -> bool {
        self.usual() && !self.due
    }
}

/// A user's life.
#[derive(Default)]
struct Life {
    genuine: Vec<Login>,
    attacks: Vec<Login>,
    probes: Vec<Login>,
    /// Evidence of three probes of one impostor in a row, with the band that mature typing has from it.
    probe_runs: Vec<f32>,
    /// Shares of the model's window that are an attacker's, after each lesson.
    contamination: Vec<f64>,
}

/// Runs the protocol.
///
/// # Errors
/// [`Failed::Options`] where the options make no sense together or with these people.
pub fn run(people: &[Person], options: &Options, common: &Common) -> Result<Outcome, Failed> {
    check(people, options)?;
    let mut lives = Vec::new();
    let progress = common.progress(people.len(), "stream");
    for user in (0..people.len()).filter(|user| options.half.holds(*user)) {
        let mut random = ChaCha8Rng::seed_from_u64(common.seed ^ ((user as u64 + 1) << 32));
        lives.push((user, Stream::new(people, user, options)?.live(&mut random)?));
        progress.inc(1);
    }
    let from = options.from - 1;
    let counts = |logins: &[Login]| logins.iter().filter(|l| l.at >= from).map(|l| l.scored.z).collect();
    let subjects = lives.iter().map(|(user, life)| SubjectScores {
        subject: people[*user].0.clone(),
        genuine: counts(&life.genuine),
        impostor: counts(&life.probes),
    });
    let subjects = subjects.collect();
    let lives: Vec<Life> = lives.into_iter().map(|(_, life)| life).collect();
    Ok(Outcome {
        signal: "keystroke",
        protocol: "stream".to_owned(),
        detector: "keyward".to_owned(),
        subjects,
        further: figures(&lives, options),
    })
}

fn check(people: &[Person], options: &Options) -> Result<(), Failed> {
    let share = |s: f64| (0.0..=1.0).contains(&s);
    let sound = options.enrol >= 1
        && (0.0..=0.9).contains(&options.attack_rate)
        && share(options.prove)
        && share(f64::from(options.budget))
        && options.from > options.enrol
        && people.len() > 1
        && people.iter().all(|(_, own)| own.len() >= options.from.max(IMPOSTOR_SAMPLES));
    if sound {
        Ok(())
    } else {
        Err(Failed::Options("options out of range, or too few repetitions".to_owned()))
    }
}

struct Stream<'a> {
    options: &'a Options,
    own: &'a [FixedText],
    /// First samples of everybody else, person by person.
    impostors: Vec<&'a FixedText>,
    /// What was learned, and whether an attacker typed it.
    learned: Vec<(FixedText, bool)>,
    model: KeystrokeModel,
    friction: State,
    spared: usize,
    life: Life,
}

impl<'a> Stream<'a> {
    fn new(people: &'a [Person], user: usize, options: &'a Options) -> Result<Self, Failed> {
        let own = &people[user].1;
        let others = people.iter().enumerate().filter(|(other, _)| *other != user);
        let enrolled = &own[..options.enrol];
        Ok(Self {
            options,
            own,
            impostors: others.flat_map(|(_, (_, samples))| &samples[..IMPOSTOR_SAMPLES]).collect(),
            learned: enrolled.iter().map(|text| (text.clone(), false)).collect(),
            model: KeystrokeModel::train(enrolled).map_err(untrained)?,
            friction: State::default(),
            spared: 0,
            life: Life::default(),
        })
    }

    fn live(mut self, random: &mut impl RngCore) -> Result<Life, Failed> {
        for at in self.options.enrol..self.own.len() {
            while chance(random, self.options.attack_rate) {
                self.attack(at, random)?;
            }
            if at % PROBE_EVERY == 0 {
                self.probe(at);
            }
            self.login(at, random)?;
        }
        Ok(self.life)
    }

    fn login(&mut self, at: usize, random: &mut impl RngCore) -> Result<(), Failed> {
        let own = self.own;
        let login = self.judge(&own[at], at);
        self.life.genuine.push(login);
        let proven = !login.spared() && chance(random, self.options.prove);
        self.count(&login, proven);
        self.calibrate(&login, proven);
        self.learn(&own[at], &login, proven, false)
    }

    fn attack(&mut self, at: usize, random: &mut impl RngCore) -> Result<(), Failed> {
        let typed = self.impostors[random.next_u32() as usize % self.impostors.len()];
        let login = self.judge(typed, at);
        self.life.attacks.push(login);
        self.count(&login, false);
        self.calibrate(&login, false);
        self.learn(typed, &login, false, true)
    }

    fn probe(&mut self, at: usize) {
        let probes: Vec<Login> = self.impostors.iter().map(|typed| self.judge(typed, at)).collect();
        if self.model.maturity() == Maturity::Mature && at + 1 >= self.options.from {
            for run in probes.chunks(IMPOSTOR_SAMPLES) {
                self.life.probe_runs.extend(over_three(&run[..3]));
            }
        }
        self.life.probes.extend(probes);
    }

    /// Spared logins since the last proof: an attacker's count as well, since nobody knows that they are.
    fn count(&mut self, login: &Login, proven: bool) {
        if proven {
            self.spared = 0;
        } else if login.spared() {
            self.spared += 1;
        }
    }

    fn judge(&self, typed: &FixedText, at: usize) -> Login {
        let scored = self.model.score(typed).expect("all type one text");
        let maturity = self.model.maturity();
        let own_limits = maturity == Maturity::Mature && self.options.budget > 0.0;
        let limits = if own_limits { self.friction.limits() } else { Limits::default() };
        let due = self.options.ask_every > 0 && self.spared + 1 >= self.options.ask_every;
        Login { at, maturity, scored, band: fusion::band_within(scored.llr, limits), due }
    }

    /// As `scoring::friction` has it: only mature models are judged, and only a passkey makes an alarm false.
    fn calibrate(&mut self, login: &Login, proven: bool) {
        if login.maturity != Maturity::Mature || !(proven || login.spared()) {
            return;
        }
        let event = if proven { Event::FalseAlarm(login.band) } else { Event::Accepted };
        let budget = Budget::of(self.options.budget);
        self.friction = self.friction.after(event, budget);
    }

    fn learn(
        &mut self,
        typed: &FixedText,
        login: &Login,
        proven: bool,
        attacker: bool,
    ) -> Result<(), Failed> {
        let accepted = self.options.learn == Learn::AcceptedOrProven && login.spared();
        if !(proven || accepted) || login.scored.is_replay() {
            return Ok(());
        }
        self.learned.push((typed.clone(), attacker));
        let kept = &self.learned[self.learned.len().saturating_sub(KEPT)..];
        let texts: Vec<FixedText> = kept.iter().map(|(text, _)| text.clone()).collect();
        self.model = KeystrokeModel::train(&texts).map_err(untrained)?;
        let window = kept.iter().rev().take(self.model.samples() as usize);
        let theirs = window.filter(|(_, attacker)| *attacker).count();
        self.life.contamination.push(theirs as f64 / f64::from(self.model.samples()));
        Ok(())
    }
}

/// True with a probability.
pub(super) fn chance(random: &mut impl RngCore, probability: f64) -> bool {
    f64::from(random.next_u32()) < probability * (f64::from(u32::MAX) + 1.0)
}

fn over_three(logins: &[Login]) -> Option<f32> {
    fusion::over_logins(&logins.iter().map(|l| l.scored.llr).collect::<Vec<_>>())
}

/// The figures of lives together, from the repetition that the options name.
fn figures(lives: &[Life], options: &Options) -> Vec<(String, f64)> {
    let from = options.from - 1;
    let of = |pick: fn(&Life) -> &Vec<Login>| -> Vec<Login> {
        lives.iter().flat_map(|l| pick(l).iter().filter(|l| l.at >= from).copied()).collect()
    };
    let (genuine, attacks, probes) = (of(|l| &l.genuine), of(|l| &l.attacks), of(|l| &l.probes));
    let mature = |l: &&Login| l.maturity == Maturity::Mature;
    let alarmed = |l: &Login| l.band >= Band::Medium;
    let fixed = |l: &Login| fusion::band(l.scored.llr) >= Band::Medium;
    let contamination = || lives.iter().map(|l| &l.contamination);
    let runs = runs_of_three(lives, from);
    let probe_runs: Vec<f32> = lives.iter().flat_map(|l| l.probe_runs.iter().copied()).collect();
    let calibration = Calibration::of(lives, options);
    let all = [
        ("live_frr", share(genuine.iter(), alarmed)),
        ("live_far", share(probes.iter(), |l| !alarmed(l))),
        ("mature_frr", share(genuine.iter().filter(mature), alarmed)),
        ("mature_far", share(probes.iter().filter(mature), |l| !alarmed(l))),
        ("mature_frr_fixed", share(genuine.iter().filter(mature), fixed)),
        ("mature_far_fixed", share(probes.iter().filter(mature), |l| !fixed(l))),
        ("attacks_spared", share(attacks.iter(), Login::spared)),
        ("step_ups_per_100", 100.0 * share(genuine.iter(), |l| !l.spared())),
        ("step_ups_due_per_100", 100.0 * share(genuine.iter(), |l| l.usual() && l.due)),
        (
            "step_ups_by_behaviour_per_100",
            100.0 * share(genuine.iter(), |l| l.maturity == Maturity::Mature && alarmed(l)),
        ),
        ("time_mature", share(genuine.iter(), |l| l.maturity == Maturity::Mature)),
        ("time_learning", share(genuine.iter(), |l| l.maturity == Maturity::Learning)),
        ("contamination_max", contamination().flatten().copied().fold(0.0, f64::max)),
        ("contamination_end", mean(contamination().map(|c| c.last().copied().unwrap_or(0.0)))),
        ("three_logins_frr", share(runs.iter(), |llr| fusion::band(*llr) >= Band::Medium)),
        ("three_logins_far", share(probe_runs.iter(), |llr| fusion::band(*llr) == Band::Low)),
        ("medium_observed", calibration.medium),
        ("medium_observed_over_promised", calibration.medium_ratio),
        ("high_observed_over_promised", calibration.high_ratio),
        ("medium_worst_user_ratio", calibration.worst_ratio),
        ("longest_above_3x_logins", calibration.longest),
    ];
    all.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Evidence of three consecutive genuine logins that a mature model judged.
fn runs_of_three(lives: &[Life], from: usize) -> Vec<f32> {
    let mature = |run: &&[Login]| run.iter().all(|l| l.at >= from && l.maturity == Maturity::Mature);
    lives.iter().flat_map(|l| l.genuine.windows(3).filter(mature).filter_map(over_three)).collect()
}

/// What the bands promise, and what came of it.
struct Calibration {
    /// Share of mature genuine logins at MEDIUM or above, averaged over users.
    medium: f64,
    medium_ratio: f64,
    high_ratio: f64,
    /// The most that any user saw over [`RATE_LOGINS`] consecutive ones.
    worst_ratio: f64,
    /// The most consecutive logins of a user at which the rate of the last [`NOW_LOGINS`] was above
    /// three times the promise.
    longest: f64,
}

impl Calibration {
    fn of(lives: &[Life], options: &Options) -> Self {
        // The fixed limits promise nothing.
        let promised = if options.budget > 0.0 { f64::from(options.budget) } else { f64::NAN };
        let (mut medium, mut high, mut worst, mut longest) = (Vec::new(), Vec::new(), 0.0_f64, 0_usize);
        for life in lives {
            let counts = |l: &&Login| l.at + 1 >= options.from && l.maturity == Maturity::Mature;
            let bands: Vec<Band> = life.genuine.iter().filter(counts).map(|l| l.band).collect();
            if bands.len() < NOW_LOGINS {
                continue;
            }
            medium.push(share(bands.iter(), |b| *b >= Band::Medium));
            high.push(share(bands.iter(), |b| *b >= Band::High));
            let mut run = 0;
            let ratio = |window: &[Band]| share(window.iter(), |b| *b >= Band::Medium) / promised;
            worst = bands.windows(RATE_LOGINS).map(ratio).fold(worst, f64::max);
            for window in bands.windows(NOW_LOGINS) {
                run = if ratio(window) > 3.0 { run + 1 } else { 0 };
                longest = longest.max(run);
            }
        }
        let (medium, high) = (mean(medium.into_iter()), mean(high.into_iter()));
        Self {
            medium,
            medium_ratio: medium / promised,
            high_ratio: 4.0 * high / promised,
            worst_ratio: worst,
            longest: longest as f64,
        }
    }
}

pub(super) fn share<T>(of: impl Iterator<Item = T> + Clone, holds: impl Fn(T) -> bool) -> f64 {
    of.clone().filter_map(|x| holds(x).then_some(())).count() as f64 / of.count().max(1) as f64
}

pub(super) fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count().max(1) as f64
}
