//! A person's habits of record access, beside those of their peers.
//!
//! Each class of counts has a rate that follows a gamma distribution: at first that of the peers, then, as hours of work
//! are learned, more and more the person's own (gamma-Poisson shrinkage: W. DuMouchel, "Bayesian Data Mining in Large
//! Frequency Tables", The American Statistician 53, 1999; in insurance, the credibility of H. Bühlmann and E. Straub,
//! 1970). The predictive distribution of a count is then negative binomial, and its upper tail says how rare so much is.
//! Half hours and days differ by more than chance, so that the distribution is widened by how much they do.
//!
//! Three spans are looked at: the window since the last checkpoint, the session so far, and the last five sessions, where
//! what was taken slowly adds up. These are nineteen questions with the hour of the day, and they depend on each other. So
//! they are not multiplied: the rarest answer is taken, at the price of having asked all of them (weighted Bonferroni, which
//! holds whatever the dependence; for alternatives V. Vovk, R. Wang, "Combining p-values via averaging", Biometrika 107, 2020).

use keyward_domain::Maturity;
use keyward_features::{ACCESS_CLASSES, AccessClass, AccessCounts};
use serde::{Deserialize, Serialize};

use super::MAX_RECORD_ACCESS_LLR;
use super::peers::{DAY, PeerGroup, Usual};
use super::tail::surprise;

/// Surprise from which access speaks against a person, in nats. Counts spread wider than the model's distributions, so that
/// a nat of surprise is less than a nat of evidence ([`LLR_A_NAT`]); both were chosen so that of usual windows of synthetic
/// staff, beside a group that was fitted to colleagues, about [`PROMISED`] reach MEDIUM and HIGH.
pub const EVEN_NATS: f64 = 7.1;
/// Evidence for each nat of surprise beyond [`EVEN_NATS`].
pub const LLR_A_NAT: f64 = 0.6;
/// The share of usual windows that may reach MEDIUM, and HIGH.
pub const PROMISED: (f64, f64) = (1.0e-3, 1.2e-4);
/// Sessions that are added up, the running one among them.
pub const RECENT_SESSIONS: usize = 5;

/// A shorter window counts as this long, in hours: five records opened at once are no rate of an hour.
const MIN_WINDOW_H: f64 = 0.25;
/// Windows that [`Usual::within`] is about, in hours.
const HALF_HOUR: f64 = 0.5;
/// What of that lasts for a session, as a squared coefficient of variation too: busy days.
const LASTING: f64 = 0.25;
/// What was learned counts for half after so many hours of work: twenty shifts.
const HALF_LIFE_H: f64 = 160.0;
/// A person's usual rate is never believed to lie further above the peers' than this many standard deviations of people.
const MOST_ABOVE_PEERS: f64 = 4.0;
/// A session teaches no more than its mean and this many standard deviations: one burst is no habit.
const MOST_LEARNED: f64 = 3.0;
/// How many sessions the peers' hours of the day count for.
const HOURS_WORTH: f64 = 3.0;
/// The hour of the day's part of the one chance that is shared by all questions; the rest is shared evenly by classes and spans.
const HOUR_PART: f64 = 0.25;
/// Spans of time that are looked at.
const SPANS: usize = 3;
/// From so many learned sessions on a model is provisional, and mature.
const RIPE: (f64, f64) = (3.0, 15.0);

/// What is looked at in one assessment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessWindow {
    /// What was done since the last checkpoint.
    pub counts: AccessCounts,
    /// The hour of the day at the place of work, 0 to 23, where it is known.
    pub hour: Option<u8>,
}

/// A session's windows, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessSession {
    counts: AccessCounts,
    /// A bit for each hour of the day with a window.
    hours: u32,
}

impl AccessSession {
    /// The session after one more window.
    #[must_use]
    pub fn after(self, window: &AccessWindow) -> Self {
        let hour = window.hour.map_or(0, |hour| 1 << (u32::from(hour) % 24));
        Self { counts: self.counts.plus(&window.counts), hours: self.hours | hour }
    }
}

/// What was rarest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rarest {
    /// A count of the window.
    Window(AccessClass),
    /// A count of the session so far.
    Session(AccessClass),
    /// A count of the last sessions together.
    Sessions(AccessClass),
    /// The hour of the day.
    Hour,
}

/// What the habits say of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccessScore {
    /// How rare the rarest of all that was looked at is, in nats: −ln of an upper bound of its chance.
    pub surprise: f32,
    /// Bounded natural-log likelihood ratio of "someone else, or somebody who takes too much"; it can only accuse.
    pub llr: f32,
    /// What was rarest; `None` where nothing was done.
    pub rarest: Option<Rarest>,
}

/// A person's habits. Holds behaviour: seal it before it is stored.
///
/// INVARIANT: every number is finite and not negative; kept by learning, checked when it is read.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct AccessHabits {
    own: [Own; ACCESS_CLASSES],
    /// Learned sessions by hour of the day.
    hours: [f64; DAY],
    /// Learned sessions; older ones count for less.
    sessions: f64,
    /// The sessions before the running one, oldest first, learned or not.
    recent: Vec<AccessCounts>,
}

/// What is known of one class: counts over hours, both weighed by age and by how much hours differ.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Own {
    count: f64,
    hours: f64,
}

/// Habits as they are stored, not yet checked.
#[derive(Deserialize)]
struct Stored {
    own: [Own; ACCESS_CLASSES],
    hours: [f64; DAY],
    sessions: f64,
    recent: Vec<AccessCounts>,
}

/// Stored habits that cannot have been learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored habits of record access hold a number that cannot be")]
pub struct InvalidHabits;

impl TryFrom<Stored> for AccessHabits {
    type Error = InvalidHabits;
    fn try_from(stored: Stored) -> Result<Self, InvalidHabits> {
        let Stored { own, hours, sessions, recent } = stored;
        let numbers = own.iter().flat_map(|own| [own.count, own.hours]).chain(hours).chain([sessions]);
        let sound = numbers.into_iter().all(|number| (0.0..1e12).contains(&number));
        if sound && recent.len() < RECENT_SESSIONS {
            Ok(Self { own, hours, sessions, recent })
        } else {
            Err(InvalidHabits)
        }
    }
}

impl AccessHabits {
    /// What a window says, within the session that it belongs to (this window included).
    pub fn score(&self, peers: &PeerGroup, window: &AccessWindow, session: &AccessSession) -> AccessScore {
        let together = self.recent.iter().fold(session.counts, |sum, past| past.plus(&sum));
        let sessions = (self.recent.len() + 1) as f64;
        // Every class and span has an even part of the one chance.
        let price = -((1.0 - HOUR_PART) / (SPANS * ACCESS_CLASSES) as f64).ln();
        let mut rarest: Option<(f64, Rarest)> = None;
        let mut look = |nats: f64, price: f64, what: Rarest| {
            if nats > 0.0 && rarest.is_none_or(|(most, _)| nats - price > most) {
                rarest = Some((nats - price, what));
            }
        };
        for class in AccessClass::ALL {
            let (usual, rate) = (&peers.usual[class as usize], self.rate(peers, class));
            let nats = |counts: &AccessCounts, hours: f64, sessions: f64| {
                rate.surprise(usual, counts.count(class), hours, sessions)
            };
            let hours = |counts: &AccessCounts| counts.hours().max(MIN_WINDOW_H);
            look(nats(&window.counts, hours(&window.counts), 1.0), price, Rarest::Window(class));
            look(nats(&session.counts, hours(&session.counts), 1.0), price, Rarest::Session(class));
            look(nats(&together, hours(&together), sessions), price, Rarest::Sessions(class));
        }
        if let Some(hour) = window.hour {
            look(self.hour_surprise(peers, hour), -HOUR_PART.ln(), Rarest::Hour);
        }
        let nats = rarest.map_or(0.0, |(nats, _)| nats.max(0.0));
        AccessScore { surprise: narrow(nats), llr: llr(nats), rarest: rarest.map(|(_, what)| what) }
    }

    /// What is learned of a session that has ended. Only one whose person was proven by a passkey may teach; it counts
    /// towards the last sessions either way.
    pub fn end(&mut self, peers: &PeerGroup, session: &AccessSession, proven: bool) {
        if session.counts.hours() <= 0.0 {
            return;
        }
        if proven {
            self.learn(peers, session);
        }
        if self.recent.len() + 1 >= RECENT_SESSIONS {
            self.recent.remove(0);
        }
        self.recent.push(session.counts);
    }

    /// Forgets the last sessions, after a passkey answered for what they added up to. Habits stay as they are.
    pub fn answered(&mut self) {
        self.recent.clear();
    }

    /// How much is known of the person, as other models have it. The peers speak from the first day.
    pub fn maturity(&self) -> Maturity {
        match self.sessions {
            sessions if sessions >= RIPE.1 => Maturity::Mature,
            sessions if sessions >= RIPE.0 => Maturity::Provisional,
            _ => Maturity::Learning,
        }
    }

    /// Sessions that it learned from, older ones counting for less.
    pub fn sessions(&self) -> f64 {
        self.sessions
    }

    fn learn(&mut self, peers: &PeerGroup, session: &AccessSession) {
        let hours = session.counts.hours();
        let kept = 0.5_f64.powf(hours / HALF_LIFE_H);
        for class in AccessClass::ALL {
            let (usual, rate) = (&peers.usual[class as usize], self.rate(peers, class));
            let within = within_over(usual.within, hours, 1.0);
            let mean = rate.per_hour * hours;
            let deviation = (mean + mean * mean * widened(rate.spread, within)).sqrt();
            let count = f64::from(session.counts.count(class)).min(mean + MOST_LEARNED * deviation);
            // What half hours differ by makes an hour tell less of a rate than a Poisson count's would.
            let weight = 1.0 / (1.0 + mean * within);
            let own = &mut self.own[class as usize];
            *own = Own { count: kept * own.count + weight * count, hours: kept * own.hours + weight * hours };
        }
        let worked = f64::from(session.hours.count_ones());
        for (hour, learned) in self.hours.iter_mut().enumerate() {
            let here = if (session.hours >> hour) & 1 == 1 { 1.0 / worked } else { 0.0 };
            *learned = kept * *learned + here;
        }
        self.sessions = kept * self.sessions + 1.0;
    }

    /// The person's rate of a class, shrunk to the peers'.
    ///
    /// INVARIANT: it never lies above what the peers' most active people do, however long somebody walks there.
    fn rate(&self, peers: &PeerGroup, class: AccessClass) -> Rate {
        let (usual, own) = (&peers.usual[class as usize], &self.own[class as usize]);
        let shape = 1.0 / usual.between;
        let (count, hours) = (shape + own.count, shape / usual.per_hour + own.hours);
        let most = usual.per_hour * (1.0 + MOST_ABOVE_PEERS * usual.between.sqrt());
        Rate { per_hour: (count / hours).min(most), spread: 1.0 / count }
    }

    /// −ln of the share of activity that falls into hours as rare as this one or rarer.
    fn hour_surprise(&self, peers: &PeerGroup, hour: u8) -> f64 {
        let (own, worth): (f64, f64) = (self.hours.iter().sum(), HOURS_WORTH);
        let share = |hour: usize| {
            let at = |hour: usize| self.hours[hour % DAY];
            // People come earlier and stay longer: an hour lends half of itself to its neighbours.
            let smooth = 0.5 * at(hour) + 0.25 * (at(hour + 1) + at(hour + DAY - 1));
            (smooth + worth * peers.hours[hour]) / (own + worth)
        };
        let now = share(usize::from(hour) % DAY);
        let rare: f64 = (0..DAY).map(share).filter(|share| *share <= now * (1.0 + 1e-9)).sum();
        -rare.min(1.0).ln()
    }
}

impl std::fmt::Debug for AccessHabits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessHabits").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

/// A person's rate of one class.
#[derive(Clone, Copy)]
struct Rate {
    per_hour: f64,
    /// How uncertain it is: squared coefficient of variation.
    spread: f64,
}

impl Rate {
    fn surprise(self, usual: &Usual, count: u32, hours: f64, sessions: f64) -> f64 {
        let within = within_over(usual.within, hours / sessions, sessions);
        surprise(count, self.per_hour * hours, widened(self.spread, within))
    }
}

/// What half hours differ by, averaged over sessions of so many hours: part of it lasts for each session, and the rest
/// evens out.
pub(super) fn within_over(within: f64, hours: f64, sessions: f64) -> f64 {
    let lasting = within.min(LASTING);
    (lasting + (within - lasting) * (HALF_HOUR / hours).min(1.0)) / sessions
}

/// Two independent spreads of a rate together.
fn widened(spread: f64, within: f64) -> f64 {
    spread + within + spread * within
}

fn llr(nats: f64) -> f32 {
    if nats.is_nan() {
        MAX_RECORD_ACCESS_LLR
    } else {
        narrow(LLR_A_NAT * (nats - EVEN_NATS)).clamp(0.0, MAX_RECORD_ACCESS_LLR)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "f32 holds every surprise well enough; infinity stays infinity"
)]
fn narrow(nats: f64) -> f32 {
    nats as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::{self, HIGH_LLR, MEDIUM_LLR};
    use keyward_domain::{Band, RecordAccess};

    const ROLES: [&str; 6] = ["clinician", "nurse", "pharmacist", "front_desk", "administrator", "astronaut"];

    fn window(minutes: u32, access: RecordAccess) -> AccessWindow {
        AccessWindow {
            counts: AccessCounts::of(&RecordAccess { window_s: 60 * minutes, ..access }),
            hour: Some(10),
        }
    }

    fn reads(minutes: u32, reads: u32) -> AccessWindow {
        window(minutes, RecordAccess { reads, ..RecordAccess::default() })
    }

    /// What a window says that is the whole session.
    fn alone(habits: &AccessHabits, peers: &PeerGroup, window: &AccessWindow) -> AccessScore {
        habits.score(peers, window, &AccessSession::default().after(window))
    }

    /// The least number of reads in an hour that speaks against somebody.
    fn limit(habits: &AccessHabits, peers: &PeerGroup) -> u32 {
        (1..100_000)
            .find(|n| alone(habits, peers, &reads(60, *n)).llr >= MEDIUM_LLR)
            .expect("some number does")
    }

    /// Somebody who has read so much an hour in so many shifts of eight hours.
    fn known(peers: &PeerGroup, shifts: u32, reads_an_hour: u32) -> AccessHabits {
        let mut habits = AccessHabits::default();
        for _ in 0..shifts {
            habits.end(peers, &AccessSession::default().after(&reads(480, 8 * reads_an_hour)), true);
            habits.answered();
        }
        habits
    }

    #[test]
    fn usual_work_is_usual_from_the_first_day() {
        let peers = PeerGroup::of_role("nurse");
        let usual = RecordAccess {
            reads: 16,
            distinct_patients: 6,
            searches: 1,
            changes: 12,
            ..RecordAccess::default()
        };
        let score = alone(&AccessHabits::default(), &peers, &window(60, usual));
        assert!(score.llr <= 0.0 && score.surprise < 1.0, "{score:?}");
        assert_eq!(
            alone(&AccessHabits::default(), &peers, &AccessWindow::default()).rarest,
            None,
            "nothing was done"
        );
    }

    #[test]
    fn a_burst_is_high_within_one_window_whatever_the_role_and_however_new() {
        for role in ROLES {
            let peers = PeerGroup::of_role(role);
            let changes = window(5, RecordAccess { changes: 300, ..RecordAccess::default() });
            let exports = window(5, RecordAccess { exports: 60, ..RecordAccess::default() });
            for (burst, class) in [(changes, AccessClass::Changes), (exports, AccessClass::Exports)] {
                let score = alone(&AccessHabits::default(), &peers, &burst);
                assert_eq!(
                    (score.llr, fusion::band(score.llr)),
                    (MAX_RECORD_ACCESS_LLR, Band::High),
                    "{role} {class:?}"
                );
                assert!(
                    score.llr > HIGH_LLR && score.rarest == Some(Rarest::Window(class)),
                    "{role} {score:?}"
                );
            }
        }
    }

    #[test]
    fn own_habits_move_the_limit_both_ways() {
        let peers = PeerGroup::of_role("clinician");
        let new = limit(&AccessHabits::default(), &peers);
        let (quiet, busy) = (limit(&known(&peers, 30, 6), &peers), limit(&known(&peers, 30, 30), &peers));
        assert!(2 * quiet < new && quiet < busy, "{quiet} {new} {busy}");
        let few = limit(&known(&peers, 1, 6), &peers);
        assert!(quiet < few && few < new, "one shift tells something: {quiet} {few} {new}");
        assert_eq!(
            [0, 4, 30].map(|shifts| known(&peers, shifts, 6).maturity()),
            [Maturity::Learning, Maturity::Provisional, Maturity::Mature]
        );
    }

    #[test]
    fn nobody_walks_beyond_what_peers_do() {
        let peers = PeerGroup::of_role("clinician");
        let (mut habits, mut rate) = (AccessHabits::default(), 14.0_f64);
        for _ in 0..300 {
            rate *= 1.05;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let count = rate.min(20_000.0) as u32;
            habits.end(&peers, &AccessSession::default().after(&reads(480, 8 * count)), true);
        }
        assert!(habits.rate(&peers, AccessClass::Reads).per_hour <= 14.0 * 5.0);
        assert!(alone(&habits, &peers, &reads(60, 14 * 80)).llr >= HIGH_LLR, "eighty times the peers");
    }

    #[test]
    fn one_session_teaches_a_bounded_step_and_an_unproven_one_nothing() {
        let peers = PeerGroup::of_role("clinician");
        let rate = |habits: &AccessHabits| habits.rate(&peers, AccessClass::Reads).per_hour;
        let mut habits = known(&peers, 30, 14);
        let before = rate(&habits);
        let burst = AccessSession::default().after(&reads(480, 900_000));
        habits.end(&peers, &burst, false);
        assert!((rate(&habits) - before).abs() < 1e-12);
        habits.end(&peers, &burst, true);
        assert!(rate(&habits) > before && rate(&habits) < 1.2 * before, "{} after {before}", rate(&habits));
    }

    #[test]
    fn what_is_taken_slowly_adds_up_until_a_passkey_answers_for_it() {
        let peers = PeerGroup::of_role("nurse");
        let mut habits = known(&peers, 30, 14);
        // Two records are taken out each hour, where peers take out one a day.
        let hourly = window(60, RecordAccess { exports: 2, reads: 14, ..RecordAccess::default() });
        let first = alone(&habits, &peers, &hourly);
        assert!(first.llr <= 0.0, "{first:?}");
        let session = (0..8).fold(AccessSession::default(), |session, _| session.after(&hourly));
        for _ in 1..RECENT_SESSIONS {
            habits.end(&peers, &session, false);
        }
        let fifth = habits.score(&peers, &hourly, &session);
        assert!(
            fifth.llr >= HIGH_LLR && fifth.rarest == Some(Rarest::Sessions(AccessClass::Exports)),
            "{fifth:?}"
        );
        habits.answered();
        assert!(alone(&habits, &peers, &hourly).llr <= 0.0);
    }

    #[test]
    fn the_night_speaks_against_who_and_whose_peers_work_by_day() {
        let night = |habits: &AccessHabits, peers: &PeerGroup| {
            alone(habits, peers, &AccessWindow { hour: Some(3), ..reads(60, 5) })
        };
        let (desk, nurse) = (PeerGroup::of_role("front_desk"), PeerGroup::of_role("nurse"));
        let known_desk = night(&known(&desk, 60, 11), &desk);
        assert!(known_desk.llr >= MEDIUM_LLR && known_desk.rarest == Some(Rarest::Hour), "{known_desk:?}");
        assert!(
            night(&AccessHabits::default(), &desk).llr <= 0.0,
            "nothing is known of a new colleague's hours"
        );
        assert!(night(&known(&nurse, 60, 11), &nurse).llr <= 0.0, "nurses change shifts");
        let unknown = AccessWindow { hour: None, ..reads(60, 5) };
        assert!(alone(&known(&desk, 60, 11), &desk, &unknown).llr <= 0.0);
    }

    /// Weighted Bonferroni: what is looked at costs what it may cost, and no more.
    #[test]
    fn nothing_is_multiplied() {
        let peers = PeerGroup::of_role("clinician");
        let one = alone(&AccessHabits::default(), &peers, &reads(60, 90));
        let both = RecordAccess { reads: 90, distinct_patients: 32, ..RecordAccess::default() };
        let both = alone(&AccessHabits::default(), &peers, &window(60, both));
        assert!(
            both.surprise < one.surprise + 0.5,
            "two counts that say the same are no two witnesses: {one:?} {both:?}"
        );
        let habits = AccessHabits::default();
        let single = habits.rate(&peers, AccessClass::Reads).surprise(&peers.usual[0], 90, 1.0, 1.0);
        assert!((f64::from(one.surprise) - (single - 24.0_f64.ln())).abs() < 1e-4, "{single} {one:?}");
    }

    #[test]
    fn what_cannot_have_been_learned_is_refused() {
        let sound =
            || Stored { own: [Own::default(); 6], hours: [0.0; DAY], sessions: 1.0, recent: Vec::new() };
        assert!(AccessHabits::try_from(sound()).is_ok());
        for number in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            let hours = std::array::from_fn(|hour| if hour == 3 { number } else { 0.0 });
            assert_eq!(AccessHabits::try_from(Stored { hours, ..sound() }), Err(InvalidHabits), "{number}");
            let own = [Own { count: 1.0, hours: number }; 6];
            assert_eq!(AccessHabits::try_from(Stored { own, ..sound() }), Err(InvalidHabits), "{number}");
            assert!(AccessHabits::try_from(Stored { sessions: number, ..sound() }).is_err(), "{number}");
        }
        let recent = vec![AccessCounts::default(); RECENT_SESSIONS];
        assert!(AccessHabits::try_from(Stored { recent, ..sound() }).is_err());
        assert!(llr(f64::NAN) >= MAX_RECORD_ACCESS_LLR, "what is no number is no harmless one");
        assert_eq!(format!("{:?}", AccessHabits::default()), "AccessHabits { sessions: 0.0, .. }");
    }
}
