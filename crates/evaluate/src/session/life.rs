//! One person's shifts under one detector.

use keyward_features::AccessCounts;
use keyward_scoring::fusion::{HIGH_LLR, MEDIUM_LLR};
use keyward_scoring::record_access::{self, AccessHabits, AccessSession, AccessWindow, Ceilings, PeerGroup};
use keyward_simulate::shifts::{Insider, Observed};

use super::{Options, Person};
use crate::report::SubjectScores;

/// Shifts of somebody who is new: one was learned when an insider comes.
pub(super) const NEW_SHIFTS: u32 = 5;
/// The shift from which somebody is established, and at which an insider comes again.
pub(super) const ESTABLISHED_FROM: u32 = 30;
/// What [`ESTABLISHED_FROM`] and the longest attack need.
pub(super) const LEAST_SHIFTS: u32 = 40;

/// What judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detector {
    /// Habits beside the group that is shipped for the role.
    Shipped,
    /// Habits beside a group that was fitted to colleagues.
    Fitted,
    /// Fixed ceilings.
    Ceilings,
}

impl Detector {
    pub(super) const ALL: [Self; 3] = [Self::Shipped, Self::Fitted, Self::Ceilings];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Shipped => "keyward",
            Self::Fitted => "keyward-fitted",
            Self::Ceilings => "ceilings",
        }
    }

    fn judge(
        self,
        habits: &AccessHabits,
        peers: &PeerGroup,
        window: &Observed,
        session: &AccessSession,
    ) -> Judged {
        if self == Self::Ceilings {
            let llr = record_access::signal(&window.access, &Ceilings::default()).llr;
            return Judged { score: llr, llr };
        }
        let score = habits.score(peers, &looked_at(window), session);
        Judged { score: score.surprise, llr: score.llr }
    }
}

pub(super) fn looked_at(window: &Observed) -> AccessWindow {
    let counts = AccessCounts::of(&window.access).with_outside_care(window.outside_care);
    AccessWindow { counts, hour: Some(window.hour) }
}

/// What was said of one window, or most of all of a session.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Judged {
    score: f32,
    llr: f32,
}

impl Judged {
    fn most(self, other: Self) -> Self {
        Self { score: self.score.max(other.score), llr: self.llr.max(other.llr) }
    }

    pub(super) fn medium(self) -> bool {
        self.llr >= MEDIUM_LLR
    }

    pub(super) fn high(self) -> bool {
        self.llr >= HIGH_LLR
    }
}

/// A session of the person's own.
pub(super) struct Session {
    pub(super) nth: u32,
    pub(super) most: Judged,
    pub(super) windows: Vec<Judged>,
}

/// An insider's session, or sessions.
pub(super) struct Attack {
    pub(super) insider: Insider,
    pub(super) on_new: bool,
    pub(super) most: Judged,
    /// Until MEDIUM was reached, in minutes of work, and in how many windows.
    pub(super) noticed: Option<(f64, u32)>,
}

/// Everything that was judged of one person.
pub(super) struct Life {
    name: String,
    pub(super) sessions: Vec<Session>,
    pub(super) attacks: Vec<Attack>,
}

impl Life {
    pub(super) fn of(person: &Person, detector: Detector, options: &Options) -> Self {
        let peers = if detector == Detector::Fitted { &person.fitted } else { &person.shipped };
        let mut habits = AccessHabits::default();
        let mut life = Self { name: person.name.clone(), sessions: Vec::new(), attacks: Vec::new() };
        for nth in 0..options.shifts {
            if nth == 1 || nth == ESTABLISHED_FROM {
                let attack = |insider| attacked(&habits, peers, person, detector, insider, nth);
                life.attacks.extend(Insider::ALL.map(attack));
            }
            life.sessions.push(worked(&mut habits, peers, person, detector, nth, options));
        }
        life
    }

    /// Scores of the person's own sessions, and of an insider's.
    pub(super) fn scores(&self, insider: Insider) -> SubjectScores {
        SubjectScores {
            subject: self.name.clone(),
            genuine: self.sessions.iter().map(|session| session.most.score).collect(),
            impostor: self.against(insider).map(|attack| attack.most.score).collect(),
        }
    }

    pub(super) fn against(&self, insider: Insider) -> impl Iterator<Item = &Attack> {
        self.attacks.iter().filter(move |attack| attack.insider == insider)
    }
}

/// A shift of the person's own: judged, then learned if a passkey proved it, as an alarm makes her do.
fn worked(
    habits: &mut AccessHabits,
    peers: &PeerGroup,
    person: &Person,
    detector: Detector,
    nth: u32,
    options: &Options,
) -> Session {
    let (mut whole, mut session, mut windows) =
        (AccessSession::default(), AccessSession::default(), Vec::new());
    for window in person.worker.shift(nth) {
        (whole, session) = (whole.after(&looked_at(&window)), session.after(&looked_at(&window)));
        let judged = detector.judge(habits, peers, &window, &session);
        if judged.medium() {
            // Her passkey answers for everything until now.
            habits.answered();
            session = AccessSession::default();
        }
        windows.push(judged);
    }
    let most = windows.iter().copied().fold(Judged::default(), Judged::most);
    habits.end(peers, &whole, most.medium() || nth.is_multiple_of(options.proven_every));
    Session { nth, most, windows }
}

/// An insider in the person's session, or in each of several: nothing of it is proven, and nothing learned.
fn attacked(
    habits: &AccessHabits,
    peers: &PeerGroup,
    person: &Person,
    detector: Detector,
    insider: Insider,
    nth: u32,
) -> Attack {
    let mut habits = habits.clone();
    let (mut most, mut noticed) = (Judged::default(), None);
    let (mut minutes, mut windows) = (0.0, 0);
    for nth in nth..nth + insider.shifts() {
        let (shift, from) = insider.shift(&person.worker, nth);
        let mut session = AccessSession::default();
        for (at, window) in shift.iter().enumerate() {
            session = session.after(&looked_at(window));
            let judged = detector.judge(&habits, peers, window, &session);
            if at < from {
                continue;
            }
            most = most.most(judged);
            minutes += f64::from(window.access.window_s) / 60.0;
            windows += 1;
            if noticed.is_none() && judged.medium() {
                noticed = Some((minutes, windows));
            }
        }
        habits.end(peers, &session, false);
    }
    Attack { insider, on_new: nth < NEW_SHIFTS, most, noticed }
}
