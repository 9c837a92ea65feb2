//! What may be lost.
//!
//! Consistency: [`HotStore::write`] is atomic and [`HotStore::take_ceremony`] hands a ceremony out once, whoever races.
//! Durability: none is promised. Every value has a time to live. Values are opaque and sealed by the caller.
//! Retries: a write that ended in `Unavailable` may have happened; repeated, it answers with the reply that it stored.
//! All keys of one subject lie together, so that an adapter can serve each call in one round trip; so do a tenant's counts.

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
    /// False alarms counted for the subject in the running window.
    pub false_alarms: u32,
    /// What was announced of the subject lately.
    pub announced: Announced,
}

/// Versions of a subject's documents that were announced lately, so that whoever caches them sees which are out of date.
///
/// Each is kept as sixteen bytes: a hash of the document's name, and the version, both most significant byte first. Two
/// names of one hash cost a look into the durable store, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced(Vec<u8>);

/// How many of a subject's announcements are kept; the oldest makes room.
pub const KEPT_ANNOUNCEMENTS: usize = 32;

impl Announced {
    /// The length of one.
    pub const ENTRY_BYTES: usize = 16;

    /// As an adapter keeps them. What is no whole entry is left out.
    pub fn from_bytes(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(bytes.len() - bytes.len() % Self::ENTRY_BYTES);
        Self(bytes)
    }

    /// Whether nothing was announced.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The version that was announced last under a name.
    pub fn version(&self, name: &str) -> Option<u64> {
        let mark = Self::mark(name);
        let found = self.0.chunks_exact(Self::ENTRY_BYTES).find(|entry| entry.starts_with(&mark))?;
        Some(u64::from_be_bytes(*found.last_chunk()?))
    }

    /// The same with one more, in the place of an earlier one under its name.
    #[must_use]
    pub fn with(&self, name: &str, version: u64) -> Self {
        let entry = Self::entry(name, version);
        let others = self.0.chunks_exact(Self::ENTRY_BYTES).filter(|other| !other.starts_with(&entry[..8]));
        let mut kept: Vec<&[u8]> = others.chain([entry.as_slice()]).collect();
        Self(kept.split_off(kept.len().saturating_sub(KEPT_ANNOUNCEMENTS)).concat())
    }

    /// One entry.
    pub fn entry(name: &str, version: u64) -> [u8; Self::ENTRY_BYTES] {
        let mut entry = [0; Self::ENTRY_BYTES];
        entry[..8].copy_from_slice(&Self::mark(name));
        entry[8..].copy_from_slice(&version.to_be_bytes());
        entry
    }

    /// FNV-1a, the same in every replica of every version.
    fn mark(name: &str) -> [u8; 8] {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step).to_be_bytes()
    }
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
    /// Whether to count a false alarm, and in which window (which begins with its first).
    pub count_false_alarm: Option<Duration>,
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

    /// Tells all who use this store that a document of the subject's has another version. Whoever reads the subject's
    /// state within `ttl` sees it; an announcement is the last one under its name that came.
    async fn announce(&self, who: &SubjectKey, name: &str, version: u64, ttl: Duration) -> StoreResult<()>;

    /// Counts of a tenant's that are no subject's, such as attempts from one network, each in its running window. In one
    /// round trip.
    async fn counts(&self, tenant: &TenantId, names: &[&str]) -> StoreResult<Vec<u32>>;

    /// Counts one more under each name, in a window that begins with its first, and gives the counts. In one round trip.
    /// A call that ended in `Unavailable` may have counted.
    async fn count(&self, tenant: &TenantId, names: &[&str], window: Duration) -> StoreResult<Vec<u32>>;

    /// Removes everything of a subject: sessions, replies, nonces, counters, announcements. Ceremonies run out by themselves.
    async fn forget(&self, who: &SubjectKey) -> StoreResult<()>;

    /// Whether the store answers.
    async fn ping(&self) -> StoreResult<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_few_and_the_last_one_counts() {
        let mut announced = Announced::default();
        assert!(announced.is_empty() && announced.version("known").is_none());
        for version in 1..=3 {
            announced = announced.with("known", version).with("keystroke/personal/password", 10 * version);
        }
        assert_eq!(announced.version("known"), Some(3));
        assert_eq!(announced.version("keystroke/personal/password"), Some(30));
        let bytes = announced.0.clone();
        assert_eq!(bytes.len(), 2 * Announced::ENTRY_BYTES);
        assert_eq!(Announced::from_bytes([bytes.as_slice(), b"half"].concat()), announced);
        for n in 0..KEPT_ANNOUNCEMENTS as u64 {
            announced = announced.with(&format!("document {n}"), n);
        }
        assert_eq!(announced.version("known"), None, "the oldest made room");
        assert_eq!(announced.version("document 0"), Some(0));
    }
}
