//! What happened, in the words that will be read in six years.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_domain::{
    Assurance, BreakGlass, CallerId, DecisionId, Evidence, Obligation, Outcome, PolicyId, Reason, RequestId,
    Risk, SessionId, Signal, SubjectKey, Timestamp,
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
    Erased {
        /// Passkeys that were removed.
        #[serde(default)]
        passkeys: u64,
        /// Sealed documents that were removed, each version counted.
        #[serde(default)]
        documents: u64,
        /// Training samples that were removed.
        #[serde(default)]
        samples: u64,
        /// Records that nobody can open any more.
        #[serde(default)]
        records: u64,
    },
    /// Everything held on the person was given out.
    Exported,
    /// The person's word on whether behaviour may be looked at was taken.
    BehaviourConsent {
        /// Whether it may not.
        opted_out: bool,
        /// Profiles that were erased with it.
        erased_profiles: u32,
    },
    /// Something happened to the keys that wrap data keys.
    Keys(KeyChange),
    /// Decisions are made by another policy from here on.
    PolicyChanged {
        /// SHA-256 of its text, in hexadecimal.
        digest: String,
        /// That of the policy before; absent where none is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<String>,
    },
    /// Somebody read the log.
    AdministratorRead(AdministratorRead),
    /// Records at the end of their retention were removed. Their hashes remain.
    Pruned {
        /// The first index that was removed.
        from: u64,
        /// The first index that remains.
        below: u64,
        /// They were older than this.
        before: Timestamp,
    },
}

/// Who read what in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdministratorRead {
    /// The calling service.
    pub caller: CallerId,
    /// The call, such as `QueryRecords`.
    pub call: String,
    /// What was asked for, as words and values; empty ones are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
}

impl Event {
    /// The kind of the event: the word under which the log's rows are found, and under which it is written down.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Decision(_) => "decision",
            Self::OutcomeReported { .. } => "outcome_reported",
            Self::Passkey { .. } => "passkey",
            Self::Profile { .. } => "profile",
            Self::Erased { .. } => "erased",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::AdministratorRead(_) => "administrator_read",
            Self::Pruned { .. } => "pruned",
            Self::Exported => "exported",
            Self::BehaviourConsent { .. } => "behaviour_consent",
            Self::Keys(_) => "keys",
        }
    }
}

/// Where bands begin, in nats of evidence above the prior.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandLimits {
    /// Where MEDIUM begins.
    pub medium: f32,
    /// Where HIGH begins.
    pub high: f32,
}

/// What happened to wrapping keys. Ids, never keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum KeyChange {
    /// A key was added that does not wrap yet.
    Prepared {
        /// Its id.
        key: String,
    },
    /// A key was made current.
    Rotated {
        /// Its id.
        key: String,
    },
    /// Data keys were wrapped anew.
    Rewrapped {
        /// Under this key.
        key: String,
        /// How many.
        data_keys: u64,
        /// How many could not be unwrapped and stayed as they were.
        stuck: u64,
    },
    /// A key that no data key needed was taken out of the ring.
    Retired {
        /// Its id.
        key: String,
    },
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
    /// Where the person's own limits of the bands stood; absent where the fixed ones held. With them the bands follow from
    /// the signals (`keyward_scoring::fuse`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<BandLimits>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_the_words_that_records_are_written_with() {
        let read = AdministratorRead {
            caller: CallerId::parse("officer").unwrap(),
            call: "QueryRecords".to_owned(),
            filter: BTreeMap::new(),
        };
        let (id, digest) = (DecisionId(uuid::Uuid::nil()), "00".to_owned());
        let events = [
            Event::OutcomeReported { decision: id, outcome: String::new(), retracted_samples: 0 },
            Event::Passkey { change: PasskeyChange::Renamed, credential: String::new() },
            Event::Profile { change: ProfileChange::Reset, name: String::new() },
            Event::Erased { passkeys: 1, documents: 2, samples: 3, records: 4 },
            Event::Exported,
            Event::BehaviourConsent { opted_out: true, erased_profiles: 1 },
            Event::Keys(KeyChange::Rotated { key: "2".to_owned() }),
            Event::PolicyChanged { digest, previous: None },
            Event::AdministratorRead(read),
            Event::Pruned { from: 0, below: 256, before: Timestamp::from_secs(0) },
        ];
        for event in events {
            let record = Record { who: SubjectKey::of_deployment(), at: Timestamp::from_secs(1), event };
            let json = serde_json::to_value(&record).unwrap();
            assert_eq!(json["event"]["kind"], record.event.kind());
            assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
        }
    }
}
