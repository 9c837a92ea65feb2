//! Everything that a durable store holds, row by row: how a deployment moves from one store to another.
//!
//! Rows are as they lie in the store: what is sealed stays sealed. Nothing else may use either store meanwhile.

use async_trait::async_trait;
use keyward_domain::SubjectKey;

use crate::{
    AuditRow, CosignatureRow, CredentialRow, DocumentVersion, PolicyRow, SampleRow, StoreResult, SubjectRow,
    Tile, TreeHead,
};

/// A row of any kind. The order of the kinds is the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A subject.
    Subject(SubjectKey, SubjectRow),
    /// A passkey, at the version that it has.
    Credential(CredentialRow),
    /// One version of a document, under its name.
    Document(SubjectKey, String, DocumentVersion),
    /// A training sample, under its name.
    Sample(SubjectKey, String, SampleRow),
    /// A record of the log, at its index.
    Record(u64, AuditRow),
    /// The newest checkpoint of the tree.
    Head(TreeHead),
    /// A tile of the tree.
    Tile(Tile),
    /// A witness's signature.
    Cosignature(CosignatureRow),
    /// A policy set.
    Policy(PolicyRow),
}

impl Row {
    /// How many kinds there are.
    pub const KINDS: usize = 9;

    /// The place of its kind in the order in which kinds are read.
    pub fn kind(&self) -> usize {
        match self {
            Self::Subject(..) => 0,
            Self::Credential(..) => 1,
            Self::Document(..) => 2,
            Self::Sample(..) => 3,
            Self::Record(..) => 4,
            Self::Head(..) => 5,
            Self::Tile(..) => 6,
            Self::Cosignature(..) => 7,
            Self::Policy(..) => 8,
        }
    }
}

/// How many rows there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Subjects.
    pub subjects: u64,
    /// Passkeys.
    pub credentials: u64,
    /// Documents, each version counted.
    pub documents: u64,
    /// Training samples.
    pub samples: u64,
    /// Records of the log.
    pub records: u64,
    /// Rows of the tree over it: checkpoint, tiles and cosignatures.
    pub tree: u64,
    /// Policy sets.
    pub policies: u64,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.subjects
            + self.credentials
            + self.documents
            + self.samples
            + self.records
            + self.tree
            + self.policies
    }

    /// Counts a row.
    pub fn add(&mut self, row: &Row) {
        let count = match row {
            Row::Subject(..) => &mut self.subjects,
            Row::Credential(..) => &mut self.credentials,
            Row::Document(..) => &mut self.documents,
            Row::Sample(..) => &mut self.samples,
            Row::Record(..) => &mut self.records,
            Row::Head(..) | Row::Tile(..) | Row::Cosignature(..) => &mut self.tree,
            Row::Policy(..) => &mut self.policies,
        };
        *count += 1;
    }
}

/// A store opened for a transfer: either to be read, as it was at one moment, or to be filled, all or nothing.
#[async_trait]
pub trait Transfer: Send {
    /// How many rows there are, those included that were put and not committed.
    async fn counts(&mut self) -> StoreResult<Counts>;

    /// The rows that follow `after` (or the first ones), kind by kind, the records of the log in the order of their
    /// indices; at most `limit` of them, and none at the end alone. A page may be shorter than `limit` before the end.
    async fn rows_after(&mut self, after: Option<&Row>, limit: usize) -> StoreResult<Vec<Row>>;

    /// Writes rows. Records must come without a gap, from the first that was not pruned.
    async fn put(&mut self, rows: Vec<Row>) -> StoreResult<()>;

    /// Makes what was put last. Without it, nothing was put.
    async fn commit(self: Box<Self>) -> StoreResult<()>;
}
