//! From observations to an answer: facts, the policy's verdict, a challenge where one is needed, the record, the token.

use keyward_audit::{BandLimits, DecisionRecord, Event, Record, hex};
use keyward_domain::{
    Band, Claim, ClaimKind, Decision, DecisionId, Evidence, Maturity, Outcome, Proofs, Reason, ReasonCode,
    StepUp, Timestamp,
};
use keyward_passkeys::Passkeys;
use keyward_policy::{
    AuthenticatorFacts, ClaimAges, Facts, IntegrityFacts, MissingFacts, NonceState, PasskeyFact, PolicySet,
    Verdict,
};
use keyward_scoring::fusion::{Limits, habit_accuses};
use tokio::time::timeout_at;

use crate::assertions::Shown;
use crate::assess::{Case, Read};
use crate::ceremonies::{Ceremony, Purpose};
use crate::observe::Observed;
use crate::{Engine, EngineError};

/// Reading the profile was skipped for want of time.
const LATE: &str = "stores";

/// An answer that is not recorded yet.
pub(crate) struct Answer {
    pub facts: Facts,
    pub policy_digest: [u8; 32],
    pub decision: Decision,
    /// The person's own limits, where they differ from the fixed ones.
    pub limits: Option<BandLimits>,
    /// Whether it asks for more because of behaviour alone.
    pub asked: bool,
}

/// What the policy made of the facts.
struct Ruled {
    /// As the policy was asked.
    facts: Facts,
    verdict: Verdict,
    /// Whether behaviour alone asks for more.
    asked: bool,
    /// After how many false alarms behaviour was left out.
    spared_after: Option<u32>,
}

impl Engine {
    /// Asks the policy and puts the answer together.
    pub(crate) async fn answer(
        &self,
        case: &Case,
        read: &Read,
        observed: &Observed,
        nonce: NonceState,
        now: Timestamp,
    ) -> Answer {
        let policy = self.policy.load();
        let ruled = self.rule(&policy, self.facts(case, read, observed, nonce, now), read, observed);
        let Ruled { facts, verdict, .. } = ruled;
        let step_up = match verdict.evidence {
            Some(evidence) => Some(self.challenge(case, read, evidence, nonce).await),
            None => None,
        };
        let mut decision = self.decision(case, read, observed, &facts, verdict, step_up, now);
        if let Some(count) = ruled.spared_after {
            decision.reasons.insert(1, Reason::new(ReasonCode::FrictionCapped).with("count", &count));
        }
        let own = observed.limits;
        let limits = (own != Limits::default()).then_some(BandLimits { medium: own.medium, high: own.high });
        Answer { facts, policy_digest: policy.digest(), decision, limits, asked: ruled.asked }
    }

    /// Asks the policy; where behaviour alone asks for more, and did so in vain too often, asks again without it.
    ///
    /// INVARIANT: what is spared is behaviour's say and nothing else, so that the answer is never laxer than the policy's
    /// for a person of whom no behaviour is known.
    fn rule(&self, policy: &PolicySet, facts: Facts, read: &Read, observed: &Observed) -> Ruled {
        let verdict = policy.decide(&facts);
        let ruled = |facts, verdict, asked| Ruled { facts, verdict, asked, spared_after: None };
        let alarmed = facts.behaviour.is_some_and(|band| band != Band::Low);
        if verdict.outcome != Outcome::StepUp || !alarmed || facts.break_glass {
            return ruled(facts, verdict, false);
        }
        let silent = Facts { behaviour: None, ..facts.clone() };
        let without = policy.decide(&silent);
        if without.outcome != Outcome::Allow {
            return ruled(facts, verdict, false);
        }
        match self.spared_after(&facts, read, observed) {
            None => ruled(facts, verdict, true),
            count => Ruled { spared_after: count, ..ruled(silent, without, false) },
        }
    }

    /// After how many false alarms a person is spared another one; `None` when they are not.
    ///
    /// Only alarms count that the person answered with a passkey, so that an impostor cannot use them up. Very unusual
    /// typing is never spared, nor is anything that accuses besides, nor anyone while someone fails as them.
    fn spared_after(&self, facts: &Facts, read: &Read, observed: &Observed) -> Option<u32> {
        let (view, limit) = (read.hot.as_ref()?, self.settings.false_alarms_limit);
        let accused = facts.integrity.replayed
            || facts.integrity.machine_like
            || facts.record_access_burst
            || observed.signals.iter().any(habit_accuses)
            || facts.attempts_limited
            || facts.recent_failures > 0
            || view.attempts > 0;
        let mild = facts.behaviour == Some(Band::Medium) && facts.maturity == Maturity::Mature;
        (limit > 0 && view.false_alarms >= limit && mild && !accused).then_some(view.false_alarms)
    }

    fn facts(
        &self,
        case: &Case,
        read: &Read,
        observed: &Observed,
        nonce: NonceState,
        now: Timestamp,
    ) -> Facts {
        let a = &case.assessment;
        let proof = Self::proof(case, read);
        let (counter_regressed, backup_changed) = match case.shown {
            Shown::Verified { counter_regressed, backup_changed, .. } => (counter_regressed, backup_changed),
            _ => (false, false),
        };
        let fresh_passkey = matches!(case.shown, Shown::Verified { proof, .. } if proof.user_verified);
        Facts {
            who: a.who.clone(),
            roles: a.roles.clone(),
            action: a.action.clone(),
            device_class: a.device.class,
            device_known: observed.device_known,
            network_known: observed.network_known,
            travel_impossible: observed.travel_impossible,
            passkey: proof.map(|proof| PasskeyFact {
                age_s: now.since(proof.at).as_secs(),
                user_verified: proof.user_verified,
                hardware_bound: proof.hardware_bound,
            }),
            claims: claim_ages(&a.claims, now),
            behaviour: observed.behaviour,
            maturity: observed.maturity,
            typing_proof_due: observed.proof_due,
            integrity: IntegrityFacts {
                replayed: observed.replayed,
                machine_like: observed.machine_like,
                nonce,
            },
            authenticator: AuthenticatorFacts { counter_regressed, backup_changed },
            recent_failures: a.client.recent_failures,
            attempts_limited: self.attempts_limited(read).next().is_some(),
            record_access_burst: observed.burst,
            missing: MissingFacts {
                hot_store: read.hot.is_none() || read.counts.is_none(),
                model: observed.model_missing,
            },
            break_glass: a.break_glass.is_some() && fresh_passkey,
        }
    }

    /// A challenge that the person can answer. Without one (no passkey, or a store that does not answer) the step-up still
    /// stands, and the caller sees that there is nothing to prompt for.
    async fn challenge(&self, case: &Case, read: &Read, evidence: Evidence, nonce: NonceState) -> StepUp {
        // A challenge is kept in the hot store. When that did not answer just now, the time left is the record's.
        if read.hot.is_none() {
            return without_challenge(evidence);
        }
        let begun = timeout_at(case.wait_until(), self.begin_step_up(case, evidence, nonce)).await;
        match begun {
            Ok(Ok(Some(step_up))) => step_up,
            Ok(Ok(None)) | Err(_) => without_challenge(evidence),
            Ok(Err(error)) => {
                tracing::warn!(%error, "no challenge could be made for a step-up");
                without_challenge(evidence)
            }
        }
    }

    async fn begin_step_up(
        &self,
        case: &Case,
        evidence: Evidence,
        nonce: NonceState,
    ) -> Result<Option<StepUp>, EngineError> {
        let a = &case.assessment;
        let credentials = self.credentials_for(&a.who, evidence == Evidence::HardwarePasskey).await?;
        if credentials.is_empty() {
            return Ok(None);
        }
        let begun = self.passkeys.begin_authentication(&credentials).map_err(crate::assertions::rejected)?;
        let expires_at = self.clock.now().plus(self.settings.ceremony_ttl);
        let mut assessment = a.clone();
        assessment.assertion = None;
        let ceremony = Ceremony {
            tenant: a.who.tenant.clone(),
            subject: Some(a.who.subject.clone()),
            session: a.session.clone(),
            expires_at,
            state: begun.state,
            purpose: Purpose::StepUp { assessment: Box::new(assessment), nonce },
        };
        let id = self.put_ceremony(&ceremony).await?;
        Ok(Some(StepUp {
            evidence,
            ceremony: Some(id),
            options_json: Some(begun.options_json),
            expires_at: Some(expires_at),
        }))
    }

    /// The person's passkeys in the form that ceremonies take.
    pub(crate) async fn credentials_for(
        &self,
        who: &keyward_domain::SubjectKey,
        hardware: bool,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        let rows = self.durable.credentials(who).await.map_err(crate::people::durable)?;
        let fits =
            |credential: &[u8]| !hardware || Passkeys::describe(credential).is_ok_and(|c| c.hardware_bound);
        Ok(rows.into_iter().map(|row| row.credential).filter(|c| fits(c)).collect())
    }

    #[expect(clippy::too_many_arguments, reason = "puts together what seven steps found, and nothing else")]
    fn decision(
        &self,
        case: &Case,
        read: &Read,
        observed: &Observed,
        facts: &Facts,
        verdict: Verdict,
        step_up: Option<StepUp>,
        now: Timestamp,
    ) -> Decision {
        let proofs = Proofs { passkey: Self::proof(case, read), claims: case.assessment.claims.clone() };
        let valid_for = match verdict.outcome {
            Outcome::StepUp => self.settings.ceremony_ttl,
            Outcome::Allow | Outcome::Deny => verdict.valid_for,
        };
        Decision {
            id: self.new_decision_id(now),
            outcome: verdict.outcome,
            risk: observed.risk,
            signals: observed.signals.clone(),
            reasons: reasons(&verdict, facts, observed, read),
            step_up,
            obligations: verdict.obligations,
            assurance: proofs.assurance(),
            policies: verdict.policies,
            at: now,
            valid_for,
            audit_index: None,
            token: None,
        }
    }

    pub(crate) fn new_decision_id(&self, now: Timestamp) -> DecisionId {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        let millis = u64::try_from(now.micros / 1000).unwrap_or(0);
        DecisionId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Records the answer and, for an ALLOW, signs it while the record is being made durable.
    ///
    /// INVARIANT: no ALLOW comes out of here whose record is not durable.
    pub(crate) async fn record(
        &self,
        case: &Case,
        read: &Read,
        answer: Answer,
    ) -> Result<Decision, EngineError> {
        let Answer { facts, policy_digest, mut decision, limits, .. } = answer;
        let Some(person) = &read.person else { return Ok(self.unrecorded(decision)) };
        let record = record_of(case, facts, &policy_digest, &decision, limits);
        let sent =
            timeout_at(case.deadline, self.log.send(&record, Some(decision.id), Some(&person.data_key)))
                .await;
        let token = match decision.outcome {
            Outcome::Allow => Some(self.signer.sign(&self.settings.issuer, &case.assessment, &decision)?),
            Outcome::StepUp | Outcome::Deny => None,
        };
        let index = match sent {
            Ok(Ok(accepted)) => timeout_at(case.deadline, accepted.index()).await,
            Ok(Err(error)) => Ok(Err(error)),
            Err(elapsed) => Err(elapsed),
        };
        match index {
            Ok(Ok(index)) => {
                decision.audit_index = Some(index);
                decision.token = token;
                Ok(decision)
            }
            Ok(Err(_)) | Err(_) => Ok(self.unrecorded(decision)),
        }
    }

    /// What an answer becomes that could not be recorded.
    fn unrecorded(&self, mut decision: Decision) -> Decision {
        decision.reasons.insert(0, ReasonCode::AuditUnavailable.into());
        if decision.outcome == Outcome::Allow {
            decision.outcome = self.settings.audit_failure.outcome();
            decision.valid_for = std::time::Duration::ZERO;
            decision.obligations.clear();
            decision.step_up =
                (decision.outcome == Outcome::StepUp).then(|| without_challenge(Evidence::Passkey));
        }
        decision
    }
}

const fn without_challenge(evidence: Evidence) -> StepUp {
    StepUp { evidence, ceremony: None, options_json: None, expires_at: None }
}

fn claim_ages(claims: &[Claim], now: Timestamp) -> ClaimAges {
    let age = |kind| claims.iter().find(|c| c.kind == kind).map(|c| now.since(c.verified_at).as_secs());
    ClaimAges {
        password_age_s: age(ClaimKind::Password),
        badge_age_s: age(ClaimKind::Badge),
        sso_age_s: age(ClaimKind::SingleSignOn),
    }
}

/// Why, the most telling first: how the policy came out, what is proven, what is missing, and what was observed, with the
/// observations that the deciding policies name before the others. That a policy names an observation does not make it:
/// a replay is no unusual typing, though one policy may stand against both.
fn reasons(verdict: &Verdict, facts: &Facts, observed: &Observed, read: &Read) -> Vec<Reason> {
    let came_out = |code: &&ReasonCode| {
        use ReasonCode as R;
        let outcome = [R::PolicyPermits, R::PolicyNeedsEvidence, R::PolicyForbids];
        outcome.contains(code) || [R::BreakGlassGranted, R::BehaviourCapped].contains(code)
    };
    let mut reasons: Vec<Reason> =
        verdict.reasons.iter().filter(came_out).map(|code| policy_reason(*code, verdict)).collect();
    if let Some(passkey) = facts.passkey.filter(|p| p.user_verified) {
        reasons.push(Reason::new(ReasonCode::PasskeyVerified).with("age_s", &passkey.age_s));
    }
    if facts.missing.hot_store {
        reasons.push(ReasonCode::HotStoreUnavailable.into());
    }
    if let Some(cause) = read.key_fault {
        reasons.push(Reason::new(ReasonCode::KeyUnavailable).with("cause", cause));
    }
    if read.late {
        reasons.push(Reason::new(ReasonCode::DeadlineShort).with("skipped", LATE));
    }
    let (named, others): (Vec<&Reason>, Vec<&Reason>) =
        observed.reasons.iter().partition(|reason| verdict.reasons.contains(&reason.code));
    reasons.extend(named.into_iter().chain(others).cloned());
    reasons
}

fn policy_reason(code: ReasonCode, verdict: &Verdict) -> Reason {
    let reason = Reason::new(code);
    match (code, verdict.evidence) {
        (ReasonCode::PolicyNeedsEvidence, Some(evidence)) => reason.with("evidence", &evidence),
        (ReasonCode::BreakGlassGranted, _) => reason.with("minutes", &(verdict.valid_for.as_secs() / 60)),
        _ => reason,
    }
}

fn record_of(
    case: &Case,
    facts: Facts,
    policy_digest: &[u8; 32],
    decision: &Decision,
    limits: Option<BandLimits>,
) -> Record {
    let a = &case.assessment;
    let record = DecisionRecord {
        id: decision.id,
        request: a.request.clone(),
        session: a.session.clone(),
        facts,
        policy_digest: hex(policy_digest),
        outcome: decision.outcome,
        evidence: decision.step_up.as_ref().map(|s| s.evidence),
        policies: decision.policies.clone(),
        reasons: decision.reasons.clone(),
        obligations: decision.obligations.clone(),
        signals: decision.signals.clone(),
        limits,
        risk: decision.risk,
        assurance: decision.assurance.clone(),
        valid_for: decision.valid_for,
        break_glass: a.break_glass.clone(),
    };
    Record { who: a.who.clone(), at: decision.at, event: Event::Decision(Box::new(record)) }
}
