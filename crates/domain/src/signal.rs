//! What is merely observed: signals, how much they know, and the risk they add up to.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::context::named;

named! {
    /// A source of observations.
    SignalKind {
        /// Typing of a known text, against the person's own template.
        KeystrokeFixed = "keystroke_fixed",
        /// Whether telemetry looks recorded, replayed or generated.
        Integrity = "integrity",
        /// Device, network and recent failures, against what is known of the person.
        Context = "context",
        /// What an authenticator says of itself: counter and backup state.
        Authenticator = "authenticator",
        /// Rates of record access, against the ceilings of the tenant's policy.
        RecordAccess = "record_access",
        /// Typing of any text within a session, by key zones, against the person's own habits.
        FreeText = "free_text",
        /// Pointer movement within a session, against the person's own habits.
        Pointer = "pointer",
        /// The hour of the day and of the week, against when the person was proven before.
        Rhythm = "rhythm",
    }
}

named! {
    /// How much a model knows of a person, from evidence and not from a count alone.
    Maturity {
        /// Below the first model. May never ask for a step-up.
        Learning = "learning",
        /// A first model with uncertain limits.
        Provisional = "provisional",
        /// Enough recent evidence, and calibration that held.
        Mature = "mature",
    }
}

named! {
    /// Risk in words. Ordered.
    Band {
        /// As the person usually is.
        Low = "low",
        /// Unusual: a few genuine logins in a hundred look so.
        Medium = "medium",
        /// Very unusual: about one genuine login in a hundred looks so.
        High = "high",
    }
}

named! {
    /// What became of a signal in this assessment.
    SignalStatus {
        /// It was scored.
        Scored = "scored",
        /// The caller sent nothing for it.
        Absent = "absent",
        /// There is no model of this person for it yet.
        NoModel = "no_model",
        /// What was sent does not fit the template (another length, corrections, autofill, paste, an input method).
        NotComparable = "not_comparable",
        /// The model or the store it lies in could not be asked in time.
        Unavailable = "unavailable",
    }
}

/// One signal's part in a risk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Which signal.
    pub kind: SignalKind,
    /// What became of it.
    pub status: SignalStatus,
    /// Natural-log likelihood ratio of "someone else" over "the person", bounded; positive raises risk. 0 unless scored.
    pub llr: f32,
    /// The raw score in units of the person's own spread (robust z); only for scored model signals.
    pub score: Option<f32>,
    /// How much the model knows.
    pub maturity: Maturity,
    /// Samples that the model was trained on.
    pub samples: u32,
    /// Version of the profile that scored; 0 without one.
    pub profile_version: u64,
}

impl Signal {
    /// A signal that was not scored.
    pub const fn unscored(kind: SignalKind, status: SignalStatus) -> Self {
        Self {
            kind,
            status,
            llr: 0.0,
            score: None,
            maturity: Maturity::Learning,
            samples: 0,
            profile_version: 0,
        }
    }
}

/// The fused risk of an assessment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// Probability-like, in [0, 1].
    pub score: f32,
    /// The band that the score falls into.
    pub band: Band,
    /// When it was computed.
    pub at: Timestamp,
}
