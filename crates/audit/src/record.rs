//! What happened, in the words that will be read in six years.

use std::time::Duration;

use keyward_domain::{
    Assurance, BreakGlass, DecisionId, Evidence, Obligation, Outcome, PolicyId, Reason, RequestId, Risk,
    SessionId, Signal, SubjectKey, Timestamp,
};
use keyward_policy::Facts;
use serde::{Deserialize, Serialize};

use crate::signals;

/// Why a record could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It cannot be written as JSON.
    #[error("record cannot be encoded: {0}")]
    Encode(String),
    /// It is not a record.
    #[error("record cannot be decoded: {0}")]
    Decode(String),
    /// The bytes are not those that the leaf committed to.
    #[error("record is not the one that was committed to")]
    NotCommitted,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Whom it is about.
    pub who: SubjectKey,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A decision was made.
    Decision(Box<DecisionRecord>),
    /// A decision turned out to be something.
    OutcomeReported {
        /// The decision.
        decision: DecisionId,
        /// What it turned out to be.
        outcome: String,
        /// Training samples that were taken back.
        retracted_samples: u32,
    },
    /// A passkey was registered, renamed or revoked, or proved a person outside a decision.
    Passkey {
        /// What happened to it.
        change: PasskeyChange,
        /// Its credential id, base64url.
        credential: String,
    },
    /// A profile was changed by hand.
    Profile {
        /// What happened to it.
        change: ProfileChange,
        /// The document's name; empty for all.
        name: String,
    },
    /// Everything of the person was erased, and the data key destroyed.
    Erased,
}

/// What happened to a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasskeyChange {
    /// It was registered.
    Registered,
    /// It was renamed.
    Renamed,
    /// It was revoked.
    Revoked,
    /// It proved who the person is, without a decision.
    Authenticated,
}

/// What happened to a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileChange {
    /// It was forgotten.
    Reset,
    /// An earlier version was made current.
    RolledBack {
        /// That version.
        to: u64,
    },
    /// Samples were imported.
    Imported {
        /// How many.
        samples: u32,
    },
}

/// A decision with everything that it was made from. Written down, what is absent is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// Its id.
    pub id: DecisionId,
    /// The caller's request.
    pub request: RequestId,
    /// The session.
    pub session: SessionId,
    /// What the policy was asked.
    pub facts: Facts,
    /// SHA-256 of the policy text that was asked, in hexadecimal.
    pub policy_digest: String,
    /// The answer.
    pub outcome: Outcome,
    /// What would have been enough, with STEP_UP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What the caller must do besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Obligation>,
    /// What every signal said.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "signals")]
    pub signals: Vec<Signal>,
    /// What they added up to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// What was proven.
    pub assurance: Assurance,
    /// How long the answer was good for.
    pub valid_for: Duration,
    /// The justification of emergency access, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
}
