//! The friction budget: how often a person's own behaviour may cost them a step-up.
//!
//! Both limits of the bands are a promise of a false-alarm rate: of the genuine logins that a mature model
//! judges, [`Budget::medium`] reach MEDIUM or above, and [`Budget::high`] reach HIGH. One limit for everybody
//! keeps neither, because people differ and drift. So each person's limits move: up a little at each false
//! alarm, down by less at each login that raised none, so that they rest where the promised share lies above
//! (the Robbins–Monro quantile; as adaptive conformal inference, I. Gibbs and E. Candès, NeurIPS 2021, whose
//! bound on the long-run rate needs no assumption on how people drift, as long as no bound is met).
//!
//! What it costs: a limit that moves up lets more impostors in. [`MAX_OFFSET`] bounds that, and `keyward
//! evaluate keystroke --protocol stream` prints it. Nobody moves a limit up without a passkey: an impostor who is let in moves
//! it down, one who is stopped does not move it.
//!
//! # How the engine uses it
//!
//! A [`State`] belongs to a person and a text, as their model does; it is written with each version of the model,
//! sealed as it is, and starts as [`State::default`] whenever the template restarts.
//!
//! 1. Assess: the typing of a MATURE model is judged within `state.limits()`, of several fields within the strictest.
//!    What integrity and record access accuse of, and anything less mature, is judged by the fixed limits as well; the
//!    higher of the two bands stands (`fusion`).
//! 2. After the decision is recorded, off the request path, and for MATURE models only: [`Event::Accepted`]
//!    when the band was LOW and the answer ALLOW; [`Event::FalseAlarm`] with the band when a passkey bound to the same
//!    typing proved the person. A step-up that nobody answered is no event.
//! 3. Each proven login writes a version. Quiet logins since the last one are counted in memory ([`State::after_quiet`])
//!    and go in with the next: a restart forgets them, which leaves a limit where the last proven login put it.

use keyward_domain::Band;
use serde::{Deserialize, Serialize};

use crate::fusion::{HIGH_LLR, Limits, MEDIUM_LLR};
use crate::keystroke::MAX_TYPING_LLR;

/// How far a limit may move up, in nats: at most this much evidence against a person is forgiven.
pub const MAX_OFFSET: f32 = 2.0;
/// How far a limit may move down, in nats.
pub const MIN_OFFSET: f32 = -1.5;
/// How far a limit moves up at a false alarm, in nats.
const STEP: f32 = 0.5;
/// More quiet logins than this count for no more.
const MAX_QUIET: u32 = 100_000;
/// HIGH stays at least this far above MEDIUM, in nats.
const MIN_GAP: f32 = 0.5;

/// The shares of genuine logins that may be alarmed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// MEDIUM or above: what costs a step-up.
    pub medium: f32,
    /// HIGH.
    pub high: f32,
}

impl Budget {
    /// A share of logins, one in four of them for HIGH.
    pub const fn of(medium: f32) -> Self {
        Self { medium, high: medium / 4.0 }
    }
}

impl Default for Budget {
    /// One step-up in fifty logins.
    fn default() -> Self {
        Self::of(0.02)
    }
}

/// What happened to a login that a mature model judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// LOW, and let in. Nobody proved who it was.
    Accepted,
    /// Of this band, and then proven genuine by a passkey. LOW means a passkey was shown all the same.
    FalseAlarm(Band),
}

/// Where a person's limits stand, in nats from the fixed ones.
///
/// INVARIANT: finite, within the bounds; kept by [`State::after`] and restored by [`State::limits`] whatever was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    medium: f32,
    high: f32,
}

impl State {
    /// The state after one more login.
    #[must_use]
    pub fn after(self, event: Event, budget: Budget) -> Self {
        let band = match event {
            Event::Accepted => Band::Low,
            Event::FalseAlarm(band) => band,
        };
        Self {
            medium: moved(self.medium, band >= Band::Medium, budget.medium),
            high: moved(self.high, band >= Band::High, budget.high),
        }
    }

    /// The state after so many more logins that raised no alarm.
    #[must_use]
    pub fn after_quiet(self, logins: u32, budget: Budget) -> Self {
        // Quiet moves both limits by the same step each time, down to the bound.
        let logins = logins.min(MAX_QUIET) as f32;
        let moved = |offset, budget| bounded(bounded(offset) - logins * STEP * within(budget));
        Self { medium: moved(self.medium, budget.medium), high: moved(self.high, budget.high) }
    }

    /// The limits of the bands for this person. The strongest evidence of typing is HIGH within all of them.
    pub fn limits(self) -> Limits {
        let medium = MEDIUM_LLR + bounded(self.medium);
        Limits { medium, high: (HIGH_LLR + bounded(self.high)).max(medium + MIN_GAP).min(MAX_TYPING_LLR) }
    }
}

/// The budget's share of logins moving up and the rest down are in balance where the share is kept.
fn moved(offset: f32, alarmed: bool, budget: f32) -> f32 {
    let alarmed = if alarmed { 1.0 } else { 0.0 };
    bounded(bounded(offset) + STEP * (alarmed - within(budget)))
}

fn within(budget: f32) -> f32 {
    if budget.is_nan() { 0.0 } else { budget.clamp(0.0, 1.0) }
}

fn bounded(offset: f32) -> f32 {
    // What is no number must not loosen anything.
    if offset.is_nan() { MIN_OFFSET } else { offset.clamp(MIN_OFFSET, MAX_OFFSET) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::band_within;

    /// Evenly spread evidence in [-4, 4), in an order without runs.
    fn evidence(at: u32) -> f32 {
        (at * 37 % 100) as f32 * 0.08 - 4.0
    }

    fn judge(state: State, evidence: f32, budget: Budget) -> (Band, State) {
        let band = band_within(evidence, state.limits());
        let event = if band == Band::Low { Event::Accepted } else { Event::FalseAlarm(band) };
        (band, state.after(event, budget))
    }

    #[test]
    fn the_promised_share_is_kept_while_no_bound_is_met() {
        for share in [0.35_f32, 0.4, 0.5] {
            let budget = Budget { medium: share, high: 0.1 };
            let (mut state, mut alarms) = (State::default(), 0.0);
            for at in 0..2000 {
                let (band, next) = judge(state, evidence(at), budget);
                alarms += f32::from(u8::from(band >= Band::Medium)) / 2000.0;
                state = next;
            }
            assert!((alarms - share).abs() < 0.02, "{share}: {alarms}");
        }
    }

    #[test]
    fn quiet_logins_count_one_by_one_and_never_loosen() {
        let (budget, loose) =
            (Budget::default(), State::default().after(Event::FalseAlarm(Band::High), Budget::default()));
        let mut one_by_one = loose;
        for _ in 0..7 {
            one_by_one = one_by_one.after(Event::Accepted, budget);
        }
        let (at_once, each) = (loose.after_quiet(7, budget).limits(), one_by_one.limits());
        assert!((at_once.medium - each.medium).abs() < 1e-5 && (at_once.high - each.high).abs() < 1e-5);
        let far = loose.after_quiet(u32::MAX, budget);
        assert!(
            far.limits().medium < loose.limits().medium && far.limits().medium >= MEDIUM_LLR + MIN_OFFSET
        );
    }

    #[test]
    fn limits_stay_within_bounds_and_in_order() {
        let mut state = State::default();
        for _ in 0..100 {
            state = state.after(Event::FalseAlarm(Band::Medium), Budget::default());
        }
        assert!((state.limits().medium - MEDIUM_LLR - MAX_OFFSET).abs() < 1e-6);
        assert!(state.limits().high >= state.limits().medium + MIN_GAP);
        for _ in 0..10_000 {
            state = state.after(Event::Accepted, Budget::default());
        }
        assert!((state.limits().medium - MEDIUM_LLR - MIN_OFFSET).abs() < 1e-6);
    }

    #[test]
    fn the_strongest_evidence_is_high_whatever_the_state() {
        let mut state = State::default();
        for _ in 0..100 {
            state = state.after(Event::FalseAlarm(Band::High), Budget::default());
        }
        assert_eq!(band_within(MAX_TYPING_LLR, state.limits()), Band::High);
        assert_eq!(band_within(f32::NAN, state.limits()), Band::High);
    }

    #[test]
    fn nobody_loosens_a_limit_without_a_passkey() {
        let state = State::default();
        let after = state.after(Event::Accepted, Budget::default());
        assert!(after.limits().medium < state.limits().medium && after.limits().high < state.limits().high);
    }

    #[test]
    fn what_is_no_number_loosens_nothing() {
        let damaged = State { medium: f32::NAN, high: f32::INFINITY };
        assert!(damaged.limits().medium < MEDIUM_LLR && damaged.limits().high <= HIGH_LLR + MAX_OFFSET);
        let strict = Budget { medium: f32::NAN, high: -1.0 };
        assert_eq!(State::default().after(Event::Accepted, strict), State::default());
    }
}
