//! The answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::named;
use crate::{Assurance, CeremonyId, DecisionId, PolicyId, Reason, Risk, Signal, Timestamp};

named! {
    /// What must happen next.
    Outcome {
        /// Go on.
        Allow = "allow",
        /// Bring the evidence that is named, then ask again.
        StepUp = "step_up",
        /// No.
        Deny = "deny",
    }
}

named! {
    /// The rungs of the evidence ladder, weakest first.
    Evidence {
        /// A fresh passkey assertion with user verification.
        Passkey = "passkey",
        /// The same from a hardware-bound, attested passkey.
        HardwarePasskey = "hardware_passkey",
        /// Emergency access: a fresh passkey and a justification.
        BreakGlass = "break_glass",
    }
}

named! {
    /// What the caller must do besides following the outcome.
    Obligation {
        /// Tell the person that emergency access is recorded and reviewed.
        NotifyUser = "notify_user",
        /// Raise an alert with the security officer.
        AlertSecurity = "alert_security",
        /// Put this decision on the review list.
        Review = "review",
        /// End the access when the decision's validity ends.
        TimeBox = "time_box",
        /// End other sessions of this person.
        EndOtherSessions = "end_other_sessions",
    }
}

/// What would be enough, with a challenge that is ready to be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepUp {
    /// The weakest evidence that would be enough.
    pub evidence: Evidence,
    /// The ceremony to complete; absent when the person has no passkey that could answer.
    pub ceremony: Option<CeremonyId>,
    /// `CredentialRequestOptions` as JSON: `{"publicKey": …}`, to hand to the browser.
    pub options_json: Option<String>,
    /// When the challenge expires.
    pub expires_at: Option<Timestamp>,
}

/// The answer to an assessment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// What must happen next.
    pub outcome: Outcome,
    /// The fused risk; absent when no signal could be scored.
    pub risk: Option<Risk>,
    /// Every signal's part.
    pub signals: Vec<Signal>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What would be enough; only with [`Outcome::StepUp`].
    pub step_up: Option<StepUp>,
    /// What the caller must do besides.
    pub obligations: Vec<Obligation>,
    /// What is proven. Behaviour is never in it.
    pub assurance: Assurance,
    /// The policies that decided.
    pub policies: Vec<PolicyId>,
    /// When it was made.
    pub at: Timestamp,
    /// How long the caller may act on it.
    pub valid_for: Duration,
    /// Index of its record in the audit log; absent when the log could not accept it (never with ALLOW).
    pub audit_index: Option<u64>,
    /// A signed token (JWT) that other services verify offline; only with ALLOW.
    pub token: Option<String>,
}
