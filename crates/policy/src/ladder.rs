//! The evidence ladder, and what holds whatever the policies say.

use std::time::Duration;

use keyward_domain::{Evidence, Obligation, Outcome, PolicyId, ReasonCode};
use serde::{Deserialize, Serialize};

use crate::PolicySet;
use crate::request::Person;
use crate::set::Ruling;
use crate::situation::Situation;

/// How long an ALLOW holds whose policies do not say.
const DEFAULT_VALID_FOR: Duration = Duration::from_mins(5);
/// How long emergency access holds whose policies do not say.
const BREAK_GLASS_VALID_FOR: Duration = Duration::from_mins(15);
/// The longest that emergency access holds, whatever the policies say.
const MAX_BREAK_GLASS_VALID_FOR: Duration = Duration::from_hours(1);
/// What emergency access always brings with it.
const BREAK_GLASS_OBLIGATIONS: [Obligation; 4] =
    [Obligation::NotifyUser, Obligation::AlertSecurity, Obligation::Review, Obligation::TimeBox];

/// What the policies make of the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What must happen next.
    pub outcome: Outcome,
    /// With [`Outcome::StepUp`]: the weakest evidence that would be enough.
    pub evidence: Option<Evidence>,
    /// Why, as far as policies decide; the first says how it came out. Reasons of signals are the engine's to
    /// add.
    pub reasons: Vec<ReasonCode>,
    /// ALLOW: the permits that hold. STEP_UP: the forbids in the way, then the permits that the evidence
    /// would open. DENY: the forbids that no evidence lifts; none where no policy permits.
    pub policies: Vec<PolicyId>,
    /// What the caller must do besides.
    pub obligations: Vec<Obligation>,
    /// How long the caller may act on it; zero unless it is [`Outcome::Allow`].
    pub valid_for: Duration,
}

/// Denied without a policy to name.
pub(crate) fn forbidden() -> Verdict {
    Verdict {
        outcome: Outcome::Deny,
        evidence: None,
        reasons: vec![ReasonCode::PolicyForbids],
        policies: Vec::new(),
        obligations: Vec::new(),
        valid_for: Duration::ZERO,
    }
}

/// Climbs the ladder, and holds at STEP_UP what observations alone would deny.
pub(crate) fn decide(set: &PolicySet, person: &Person, situation: Situation) -> Verdict {
    let ladder = Ladder { set, person };
    let verdict = ladder.climb(situation);
    if verdict.outcome != Outcome::Deny {
        return verdict;
    }
    // INVARIANT: behaviour alone never denies. The worst that observations can cause is STEP_UP.
    let neutral = situation.without_observations();
    if neutral == situation {
        return verdict;
    }
    let without = ladder.climb(neutral);
    if without.outcome == Outcome::Deny {
        return verdict;
    }
    capped(verdict, without.evidence.unwrap_or(Evidence::Passkey))
}

fn capped(denied: Verdict, evidence: Evidence) -> Verdict {
    let caused_by = denied.reasons.into_iter().skip(1);
    Verdict {
        outcome: Outcome::StepUp,
        evidence: Some(evidence),
        reasons: [ReasonCode::PolicyNeedsEvidence, ReasonCode::BehaviourCapped]
            .into_iter()
            .chain(caused_by)
            .collect(),
        ..denied
    }
}

struct Ladder<'a> {
    set: &'a PolicySet,
    person: &'a Person,
}

impl Ladder<'_> {
    fn climb(&self, situation: Situation) -> Verdict {
        // Who may pass without emergency access needs no review for having asked for it.
        let plain = situation.without_break_glass();
        let now = self.rule(&plain);
        if now.permit {
            return self.allow(&now);
        }
        if situation.break_glass {
            let opened = self.rule(&situation);
            if opened.permit {
                return self.allow_emergency(&opened);
            }
        }
        let mut lasting = now.by.clone();
        for rung in Evidence::ALL {
            let then = self.rule(&plain.with(*rung));
            if then.permit {
                return self.step_up(*rung, &now, &then);
            }
            lasting.retain(|policy| then.by.contains(policy));
        }
        self.deny(&lasting)
    }

    /// INVARIANT: behaviour never stands in for a factor. Where the factors do not reach the assurance that
    /// the action needs, a permit must hold without the typing model's say.
    fn rule(&self, situation: &Situation) -> Ruling {
        let ruling = self.set.rule(self.person, situation);
        if !ruling.permit || situation.proven() >= situation.assurance_to_be_spared() {
            return ruling;
        }
        let silent = situation.without_model();
        if silent == *situation { ruling } else { self.set.rule(self.person, &silent) }
    }

    fn allow(&self, ruling: &Ruling) -> Verdict {
        Verdict {
            outcome: Outcome::Allow,
            evidence: None,
            reasons: vec![ReasonCode::PolicyPermits],
            policies: self.set.ids(&ruling.by),
            obligations: self.obligations(&ruling.by, &[]),
            valid_for: self.valid_for(ruling).unwrap_or(DEFAULT_VALID_FOR),
        }
    }

    fn allow_emergency(&self, ruling: &Ruling) -> Verdict {
        let valid_for = self.valid_for(ruling).unwrap_or(BREAK_GLASS_VALID_FOR);
        Verdict {
            reasons: vec![ReasonCode::BreakGlassGranted],
            obligations: self.obligations(&ruling.by, &BREAK_GLASS_OBLIGATIONS),
            valid_for: valid_for.min(MAX_BREAK_GLASS_VALID_FOR),
            ..self.allow(ruling)
        }
    }

    fn step_up(&self, rung: Evidence, now: &Ruling, then: &Ruling) -> Verdict {
        Verdict {
            outcome: Outcome::StepUp,
            evidence: Some(rung),
            reasons: self.reasons(ReasonCode::PolicyNeedsEvidence, &now.by),
            policies: self.set.ids(&[now.by.as_slice(), then.by.as_slice()].concat()),
            obligations: self.obligations(&now.by, &[]),
            valid_for: Duration::ZERO,
        }
    }

    fn deny(&self, lasting: &[usize]) -> Verdict {
        Verdict {
            reasons: self.reasons(ReasonCode::PolicyForbids, lasting),
            policies: self.set.ids(lasting),
            obligations: self.obligations(lasting, &[]),
            ..forbidden()
        }
    }

    fn reasons(&self, first: ReasonCode, forbids: &[usize]) -> Vec<ReasonCode> {
        let told = forbids.iter().filter_map(|policy| self.set.meta(*policy).reason);
        distinct(std::iter::once(first).chain(told))
    }

    fn obligations(&self, policies: &[usize], always: &[Obligation]) -> Vec<Obligation> {
        let told = policies.iter().flat_map(|policy| self.set.meta(*policy).obligations.iter());
        distinct(always.iter().chain(told).copied())
    }

    fn valid_for(&self, ruling: &Ruling) -> Option<Duration> {
        ruling.by.iter().filter_map(|policy| self.set.meta(*policy).valid_for).min()
    }
}

/// The first of each, in order.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}
