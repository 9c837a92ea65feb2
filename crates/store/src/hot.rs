//! What may be lost.
//!
//! Consistency: [`HotStore::write`] is atomic and [`HotStore::take_ceremony`] hands a ceremony out once, whoever races.
//! Durability: none is promised. Every value has a time to live. Values are opaque and sealed by the caller.
//! Retries: a write that ended in `Unavailable` may have happened; repeated, it answers with the reply that it stored.
//! All keys of one subject lie together, so that an adapter can serve each call in one round trip.

use std::time::Duration;

use async_trait::async_trait;
use keyward_domain::{CeremonyId, RequestId, SessionId, SubjectKey, TelemetryNonce, TenantId};

use crate::StoreResult;

/// What to read before a decision.
#[derive(Debug, Clone)]
pub struct HotRead {
    /// Whose state.
    pub who: SubjectKey,
    /// The session.
    pub session: SessionId,
    /// The request, whose reply may be there already.
    pub request: RequestId,
    /// The nonce, which may have been used.
    pub nonce: Option<TelemetryNonce>,
}

/// What was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HotView {
    /// The session's value with its version.
    pub session: Option<(u64, Vec<u8>)>,
    /// The reply that this request got before.
    pub reply: Option<Vec<u8>>,
    /// Whether the nonce was used.
    pub nonce_used: bool,
    /// Attempts counted against the subject in the running window.
    pub attempts: u32,
}

/// What to write after a decision, all or nothing.
#[derive(Debug, Clone)]
pub struct HotWrite {
    /// Whose state.
    pub who: SubjectKey,
    /// The session.
    pub session: SessionId,
    /// The version of the session that was read; 0 if there was none.
    pub session_expected: u64,
    /// The session's new value; its version becomes `session_expected + 1`.
    pub session_value: Vec<u8>,
    /// How long the session's value is kept.
    pub session_ttl: Duration,
    /// The request.
    pub request: RequestId,
    /// The reply to keep for repetitions.
    pub reply: Vec<u8>,
    /// How long it is kept.
    pub reply_ttl: Duration,
    /// A nonce that is used up, and how long that is remembered.
    pub use_nonce: Option<(TelemetryNonce, Duration)>,
    /// Whether to count an attempt, and in which window (which begins with its first attempt).
    pub count_attempt: Option<Duration>,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HotWritten {
    /// All of it was written.
    Done,
    /// The request has a reply already; nothing was written.
    ReplyExists(Vec<u8>),
    /// The nonce was used in between; nothing was written.
    NonceUsed,
    /// The session changed in between; nothing was written.
    SessionChanged,
}

/// Hot state.
#[async_trait]
pub trait HotStore: Send + Sync {
    /// Reads what a decision needs, in one round trip.
    async fn read(&self, what: &HotRead) -> StoreResult<HotView>;

    /// Writes what a decision leaves behind, atomically and in one round trip. Checked in this order: reply, nonce, session.
    async fn write(&self, what: HotWrite) -> StoreResult<HotWritten>;

    /// The session's value alone.
    async fn session(&self, who: &SubjectKey, session: &SessionId) -> StoreResult<Option<(u64, Vec<u8>)>>;

    /// Keeps a ceremony until it is taken or its time is up. Ceremonies are not bound to a subject's slot:
    /// a username-less one has no subject yet.
    async fn put_ceremony(
        &self,
        tenant: &TenantId,
        id: &CeremonyId,
        value: Vec<u8>,
        ttl: Duration,
    ) -> StoreResult<()>;

    /// Takes a ceremony out: whoever races, one caller alone gets it.
    async fn take_ceremony(&self, tenant: &TenantId, id: &CeremonyId) -> StoreResult<Option<Vec<u8>>>;

    /// Removes everything of a subject: sessions, replies, nonces, counters. Ceremonies run out by themselves.
    async fn forget(&self, who: &SubjectKey) -> StoreResult<()>;

    /// Whether the store answers.
    async fn ping(&self) -> StoreResult<()>;
}
