//! The answer.

use keyward_domain as domain;
use keyward_engine::{IssuedNonce, SessionRisk, acr};

use super::WireEnum;
use super::enums::aal_to_wire;
use super::time::{duration_to_wire, timestamp_to_wire};
use crate::v1;

/// A nonce.
pub fn issued_nonce(issued: IssuedNonce) -> v1::IssueNonceResponse {
    v1::IssueNonceResponse {
        nonce: issued.nonce.into(),
        expires_at: Some(timestamp_to_wire(issued.expires_at)),
    }
}

/// A decision.
pub fn decision(decision: domain::Decision) -> v1::Decision {
    v1::Decision {
        id: decision.id.to_string(),
        outcome: decision.outcome.number(),
        risk: decision.risk.map(fused_risk),
        signals: decision.signals.iter().map(signal).collect(),
        reasons: decision.reasons.into_iter().map(reason).collect(),
        step_up: decision.step_up.map(step_up),
        obligations: decision.obligations.into_iter().map(WireEnum::number).collect(),
        assurance: Some(assurance(decision.assurance)),
        policies: decision.policies.into_iter().map(String::from).collect(),
        decided_at: Some(timestamp_to_wire(decision.at)),
        valid_for: Some(duration_to_wire(decision.valid_for)),
        token: decision.token.unwrap_or_default(),
        audit_index: decision.audit_index,
    }
}

/// What the last assessment of a session found.
pub fn risk(risk: SessionRisk) -> v1::GetRiskResponse {
    v1::GetRiskResponse {
        risk: risk.risk.map(fused_risk),
        outcome: risk.outcome.number(),
        decision_id: risk.decision.to_string(),
        assurance: Some(assurance(risk.assurance)),
    }
}

pub(super) fn fused_risk(risk: domain::Risk) -> v1::Risk {
    v1::Risk { score: risk.score, band: risk.band.number(), computed_at: Some(timestamp_to_wire(risk.at)) }
}

pub(super) fn signal(signal: &domain::Signal) -> v1::Signal {
    v1::Signal {
        kind: signal.kind.number(),
        status: signal.status.number(),
        contribution: signal.llr,
        score: signal.score,
        maturity: signal.maturity.number(),
        samples: signal.samples,
        profile_version: signal.profile_version,
    }
}

pub(super) fn reason(reason: domain::Reason) -> v1::Reason {
    v1::Reason {
        code: reason.code.number(),
        admin_text: reason.code.admin_text().to_owned(),
        user_text: reason.code.user_text().to_owned(),
        metadata: reason.metadata.into_iter().collect(),
    }
}

fn step_up(step_up: domain::StepUp) -> v1::StepUp {
    v1::StepUp {
        evidence: step_up.evidence.number(),
        ceremony_id: step_up.ceremony.map(String::from).unwrap_or_default(),
        options_json: step_up.options_json.unwrap_or_default(),
        expires_at: step_up.expires_at.map(timestamp_to_wire),
    }
}

pub(super) fn assurance(assurance: domain::Assurance) -> v1::Assurance {
    v1::Assurance {
        aal: aal_to_wire(assurance.aal).into(),
        acr: acr(assurance.aal).unwrap_or_default(),
        amr: assurance.amr,
        authenticated_at: assurance.at.map(timestamp_to_wire),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keyward_domain::{
        Aal, Assurance, Band, CeremonyId, Decision, DecisionId, Evidence, Obligation, Outcome, PolicyId,
        Reason, ReasonCode, Risk, Signal, SignalKind, SignalStatus, StepUp, Timestamp,
    };

    use super::*;

    fn stepped_up() -> Decision {
        Decision {
            id: DecisionId(uuid::Uuid::from_u128(7)),
            outcome: Outcome::StepUp,
            risk: Some(Risk { score: 0.5, band: Band::High, at: Timestamp::from_secs(3) }),
            signals: vec![Signal::unscored(SignalKind::Integrity, SignalStatus::Absent)],
            reasons: vec![Reason::new(ReasonCode::TypingDiffers).with("field", "password")],
            step_up: Some(StepUp {
                evidence: Evidence::HardwarePasskey,
                ceremony: Some(CeremonyId::parse("c").unwrap()),
                options_json: Some("{}".into()),
                expires_at: Some(Timestamp::from_secs(9)),
            }),
            obligations: vec![Obligation::Review, Obligation::TimeBox],
            assurance: Assurance { aal: Aal::None, amr: vec![], at: None },
            policies: vec![PolicyId::parse("p").unwrap()],
            at: Timestamp::from_secs(4),
            valid_for: Duration::from_mins(1),
            audit_index: Some(0),
            token: None,
        }
    }

    #[test]
    fn a_decision_is_written_whole() {
        let wire = decision(stepped_up());
        assert_eq!(wire.id, "00000000-0000-0000-0000-000000000007");
        assert_eq!(
            (wire.outcome(), wire.token.as_str(), wire.audit_index),
            (v1::Outcome::StepUp, "", Some(0))
        );
        assert_eq!(wire.risk.map(|risk| (risk.score, risk.band())), Some((0.5, v1::Band::High)));
        assert_eq!((wire.signals[0].kind(), wire.signals[0].score), (v1::SignalKind::Integrity, None));
        assert_eq!(
            (wire.reasons[0].code(), wire.reasons[0].metadata["field"].as_str()),
            (v1::ReasonCode::TypingDiffers, "password")
        );
        assert_eq!(wire.obligations().collect::<Vec<_>>(), [v1::Obligation::Review, v1::Obligation::TimeBox]);
        let step_up = wire.step_up.unwrap();
        assert_eq!((step_up.evidence(), step_up.ceremony_id.as_str()), (v1::Evidence::HardwarePasskey, "c"));
        assert_eq!((wire.policies, wire.valid_for.unwrap().seconds), (vec!["p".to_owned()], 60));
        assert_eq!((wire.decided_at.unwrap().seconds, step_up.expires_at.unwrap().seconds), (4, 9));
    }

    #[test]
    fn every_reason_carries_its_two_texts() {
        for code in ReasonCode::ALL {
            let wire = reason(Reason::new(*code));
            assert_eq!(
                (wire.admin_text.as_str(), wire.user_text.as_str()),
                (code.admin_text(), code.user_text())
            );
            assert!(!wire.admin_text.is_empty(), "{}", code.code());
        }
    }

    #[test]
    fn levels_are_named_after_keyward() {
        let wire =
            |aal| assurance(Assurance { aal, amr: vec!["hwk".into()], at: Some(Timestamp::from_secs(1)) });
        assert_eq!(wire(Aal::None).acr, "");
        for aal in &Aal::ALL[1..] {
            assert_eq!(wire(*aal).acr, format!("urn:keyward:{}", aal.name()));
        }
        let wire = wire(Aal::Aal3);
        assert_eq!(wire.aal(), v1::AuthenticatorAssuranceLevel::AuthenticatorAssuranceLevel3);
        assert_eq!((wire.amr, wire.authenticated_at.unwrap().seconds), (vec!["hwk".to_owned()], 1));
    }
}
