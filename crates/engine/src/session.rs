//! What is remembered of a session between assessments, and of a reply for repetitions of its request.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use keyward_domain::{
    Assessment, Assurance, Decision, DecisionId, Entropy, Outcome, PasskeyProof, Risk, SubjectKey,
    TelemetryHash, Timestamp,
};
use keyward_seal::{Bound, DataKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::EngineError;

/// A session between assessments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionState {
    /// The newest passkey proof of the session.
    pub passkey: Option<PasskeyProof>,
    /// What the last assessment found.
    pub last: Option<LastDecision>,
    /// Whether behaviour alone asked for a step-up since a passkey was last shown.
    pub asked: bool,
}

impl SessionState {
    /// The same without a proof that lies ahead: the clock stepped back, and for as long as it stays behind, the proof
    /// would not age.
    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.passkey = self.passkey.filter(|proof| proof.at <= now.plus(AHEAD));
        self
    }
}

/// What the last assessment of a session found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastDecision {
    pub id: DecisionId,
    pub outcome: Outcome,
    pub risk: Option<Risk>,
    pub assurance: Assurance,
    pub at: Timestamp,
}

/// A reply with what it replied to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// [`fingerprint`] of the request.
    pub fingerprint: [u8; 32],
    /// The decision that was given; absent for ceremonies that end without one.
    pub decision: Option<Decision>,
}

/// A [`Reply`] about to be written.
#[derive(Serialize)]
pub(crate) struct ReplyTo<'a> {
    pub fingerprint: [u8; 32],
    pub decision: Option<&'a Decision>,
}

/// How far ahead a time may lie: clocks of replicas differ a little.
pub(crate) const AHEAD: Duration = Duration::from_mins(1);

/// The form of hot values, which is part of what they are bound to. Raise it when a type below changes: values of another
/// form then do not open, and count as lost, rather than being read wrong.
const FORM: u64 = 5;

/// Seals a hot value.
pub(crate) fn seal<T: Serialize>(
    key: &DataKey,
    who: &SubjectKey,
    kind: &'static str,
    name: &str,
    value: &T,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, EngineError> {
    let bytes = postcard::to_stdvec(value).map_err(|e| EngineError::Internal(e.to_string()))?;
    Ok(key.seal(&Bound { who, kind, name, version: FORM }, &bytes, entropy))
}

/// Opens a hot value. One that does not open is as if it were not there: hot state may be lost.
pub(crate) fn open<T: DeserializeOwned>(
    key: &DataKey,
    who: &SubjectKey,
    kind: &'static str,
    name: &str,
    sealed: &[u8],
) -> Option<T> {
    let opened = key.open(&Bound { who, kind, name, version: FORM }, sealed);
    let value = opened.ok().and_then(|bytes| postcard::from_bytes(&bytes).ok());
    if value.is_none() {
        tracing::warn!(kind, "a hot value did not open and counts as lost");
    }
    value
}

/// SHA-256 over everything that a request says, to tell a repetition from another request under the same id.
pub(crate) fn fingerprint(a: &Assessment, telemetry: &TelemetryHash) -> Result<[u8; 32], EngineError> {
    let parts = (
        (&a.who, &a.roles, &a.session, &a.device, &a.action),
        (&a.client, &a.claims, telemetry, &a.assertion, &a.break_glass),
    );
    let bytes = postcard::to_stdvec(&parts).map_err(|e| EngineError::Internal(e.to_string()))?;
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    Ok(out)
}
