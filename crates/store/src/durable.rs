//! What must last.
//!
//! Consistency: a read sees every write that was acknowledged before the read began, from whichever replica.
//! Durability: when a write returns `Ok`, it survives the death of the process and of the machine.
//! Retries: every write is safe to repeat after [`StoreError::Unavailable`](crate::StoreError::Unavailable); a repeated create reports
//! [`StoreError::Exists`](crate::StoreError::Exists) and a repeated compare-and-set [`StoreError::Conflict`](crate::StoreError::Conflict).

use async_trait::async_trait;
use keyward_domain::{CredentialId, DecisionId, SubjectKey, TenantId, Timestamp};

use crate::{AuditLog, LogTree, StoreResult};

/// A subject's row: the wrapped data key under which everything behavioural of theirs is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRow {
    /// The data key, wrapped by the deployment's key.
    pub wrapped_key: Vec<u8>,
    /// When the row was made.
    pub created_at: Timestamp,
}

/// What an erasure removed, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Whether there was a row with a wrapped key.
    pub subject: bool,
    /// Passkeys.
    pub credentials: u64,
    /// Documents, each version counted.
    pub documents: u64,
    /// Training samples.
    pub samples: u64,
    /// Audit records whose subject was cleared. The records stay.
    pub audit_records: u64,
}

impl Removed {
    /// Whether there was anything.
    pub fn anything(&self) -> bool {
        *self != Self::default()
    }
}

/// A subject's row with documents that were asked for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSubject {
    /// The row.
    pub row: SubjectRow,
    /// The current version of each document, in the order in which they were asked for; `None` where there is none.
    pub documents: Vec<(String, Option<DocumentVersion>)>,
}

/// Subjects.
#[async_trait]
pub trait Subjects: Send + Sync {
    /// The subject's row, if there is one.
    async fn subject(&self, who: &SubjectKey) -> StoreResult<Option<SubjectRow>>;

    /// The subject's row, if there is one, with the current versions of the documents named: all that a decision about a
    /// person needs whom nothing is cached of, in one round trip.
    async fn open_subject(&self, who: &SubjectKey, names: &[&str]) -> StoreResult<Option<OpenedSubject>>;

    /// Creates the row unless there is one, and returns the row that is there afterwards (two that race get the same).
    async fn ensure_subject(&self, who: &SubjectKey, row: SubjectRow) -> StoreResult<SubjectRow>;

    /// Removes the subject's row with the wrapped key, passkeys, documents and samples, and clears `subject` in their audit
    /// rows. Says what there was. The log may lie apart from the rest, so this need not be one transaction: an erase that
    /// was interrupted is completed by repeating it, and each of the two tells what it removed.
    async fn erase_subject(&self, who: &SubjectKey) -> StoreResult<Removed>;

    /// The subjects of all tenants after one (or from the first), at most `limit`, in ascending order of tenant and then
    /// subject, compared byte by byte. A subject that is there all the time while pages are read is read once; one that
    /// comes meanwhile may be read or not.
    async fn subjects_after(
        &self,
        after: Option<&SubjectKey>,
        limit: usize,
    ) -> StoreResult<Vec<(SubjectKey, SubjectRow)>>;

    /// How many subjects there are, of all tenants.
    async fn subject_count(&self) -> StoreResult<u64>;

    /// Writes another wrapped form of the data key, if the row still holds `expected`. `Conflict` if it holds another,
    /// `NotFound` if there is no row.
    async fn replace_wrapped_key(
        &self,
        who: &SubjectKey,
        expected: &[u8],
        wrapped_key: Vec<u8>,
    ) -> StoreResult<()>;
}

/// A passkey's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// The credential id.
    pub id: CredentialId,
    /// Whose it is.
    pub who: SubjectKey,
    /// The public credential, in the form that `keyward-passkeys` writes. Holds no secret and no behaviour.
    pub credential: Vec<u8>,
    /// The name that its owner gave it.
    pub name: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last verified; kept coarsely.
    pub last_used_at: Option<Timestamp>,
    /// Raised by each change; what [`Credentials::update_credential`] compares.
    pub version: u64,
}

/// Passkeys. A credential id is unique within its tenant.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Adds a passkey (its `version` is stored as 1). `Exists` if the tenant has the id already.
    async fn add_credential(&self, row: CredentialRow) -> StoreResult<()>;

    /// The subject's passkeys, oldest first.
    async fn credentials(&self, who: &SubjectKey) -> StoreResult<Vec<CredentialRow>>;

    /// One passkey by its id.
    async fn credential(&self, tenant: &TenantId, id: &CredentialId) -> StoreResult<Option<CredentialRow>>;

    /// Writes `credential`, `name` and `last_used_at` and raises the version, if it still is `row.version`.
    /// `Conflict` if it is not; `NotFound` if the passkey is gone.
    async fn update_credential(&self, row: CredentialRow) -> StoreResult<()>;

    /// Removes a passkey. True if it was there.
    async fn remove_credential(&self, who: &SubjectKey, id: &CredentialId) -> StoreResult<bool>;
}

/// A sealed document at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentVersion {
    /// Starts at 1 and rises by one with each write.
    pub version: u64,
    /// When it was written.
    pub written_at: Timestamp,
    /// Ciphertext.
    pub sealed: Vec<u8>,
}

/// Sealed documents of a subject, each under a name (such as `keystroke/password/personal`), with their versions.
/// The last [`KEPT_VERSIONS`] versions are kept; older ones may be dropped with the write that follows.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The current version of one document.
    async fn document(&self, who: &SubjectKey, name: &str) -> StoreResult<Option<DocumentVersion>>;

    /// The current version number of every document of the subject, by name in order.
    async fn document_names(&self, who: &SubjectKey) -> StoreResult<Vec<(String, u64)>>;

    /// Writes `version = expected + 1`, if the current version is `expected` (0: none). `Conflict` otherwise.
    async fn put_document(
        &self,
        who: &SubjectKey,
        name: &str,
        expected: u64,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> StoreResult<u64>;

    /// The versions that are kept, newest first.
    async fn document_history(&self, who: &SubjectKey, name: &str) -> StoreResult<Vec<DocumentVersion>>;

    /// Removes a document with all its versions. True if it was there.
    async fn remove_document(&self, who: &SubjectKey, name: &str) -> StoreResult<bool>;
}

/// How many versions of a document are kept.
pub const KEPT_VERSIONS: usize = 10;

/// A sealed training sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRow {
    /// The decision that it came with; unique within subject and document name.
    pub decision: DecisionId,
    /// When it was typed.
    pub at: Timestamp,
    /// Ciphertext.
    pub sealed: Vec<u8>,
}

/// Sealed training samples, per subject and document name. The newest [`KEPT_SAMPLES`] are kept.
#[async_trait]
pub trait Samples: Send + Sync {
    /// Adds samples; one whose decision is there already is left as it is.
    async fn add_samples(&self, who: &SubjectKey, name: &str, samples: Vec<SampleRow>) -> StoreResult<()>;

    /// The newest `limit` samples, oldest of them first.
    async fn samples(&self, who: &SubjectKey, name: &str, limit: usize) -> StoreResult<Vec<SampleRow>>;

    /// Removes the samples that came with a decision, under every name. Returns the names they were under.
    async fn retract_samples(&self, who: &SubjectKey, decision: DecisionId) -> StoreResult<Vec<String>>;

    /// Removes all samples under a name.
    async fn clear_samples(&self, who: &SubjectKey, name: &str) -> StoreResult<()>;
}

/// How many samples are kept under one name.
pub const KEPT_SAMPLES: usize = 200;

/// A policy set that was in force. Decisions name it by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// SHA-256 over schema and text, as `keyward-policy` computes it.
    pub digest: [u8; 32],
    /// The policies, as they were read.
    pub text: String,
    /// The schema that they were read under.
    pub schema: String,
    /// Since when it is kept: when it came into force for the first time, or a moment later.
    pub since: Timestamp,
}

/// Policy sets, each once. They are nobody's secret, and are never removed: records name them for as long as those last.
#[async_trait]
pub trait Policies: Send + Sync {
    /// Keeps a policy set; one whose digest is there already is left as it is.
    async fn keep_policy(&self, row: PolicyRow) -> StoreResult<()>;

    /// The policy set of a digest.
    async fn policy(&self, digest: &[u8; 32]) -> StoreResult<Option<PolicyRow>>;

    /// The digests of all of them, with the time since when each is kept, the oldest first.
    async fn policies(&self) -> StoreResult<Vec<([u8; 32], Timestamp)>>;
}

/// Everything durable, as one adapter gives it.
pub trait DurableStore: Subjects + Credentials + Documents + Samples + Policies + AuditLog + LogTree {}
impl<T: Subjects + Credentials + Documents + Samples + Policies + AuditLog + LogTree> DurableStore for T {}
