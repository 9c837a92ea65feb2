//! The audit log: its records, and the Merkle tree over them.
//!
//! The two are written apart. A record is durable, and has its index, when [`AuditLog::append`] returns; that alone is
//! waited for. The tree follows: whoever integrates reads the commitments beyond the newest checkpoint
//! ([`AuditLog::commitments`]) and adds tiles and the next checkpoint in one step ([`LogTree::advance`]). Several
//! replicas may do so at once, for one wins and the others see [`StoreError::Conflict`](crate::StoreError::Conflict).

use std::ops::Range;

use async_trait::async_trait;
use keyward_domain::{DecisionId, SubjectId, TenantId, Timestamp};

use crate::StoreResult;

/// The kind of records of decisions. They are nearly all of a log: an adapter may index the others apart.
pub const DECISION_KIND: &str = "decision";

/// A record as the log stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// The commitment to the record: the entry of the log that the Merkle tree is built over.
    pub commitment: [u8; 32],
    /// What kind of record it is, for queries: lower-case words, such as [`DECISION_KIND`].
    pub kind: String,
    /// The tenant, for queries.
    pub tenant: TenantId,
    /// Whose data key sealed the record; absent where the deployment's key did. Erasing the subject clears it in place,
    /// which the log survives: its entries are commitments.
    pub subject: Option<SubjectId>,
    /// The decision, for queries; absent for records of other kinds.
    pub decision: Option<DecisionId>,
    /// When.
    pub at: Timestamp,
    /// The record, encoded by `keyward-audit` and sealed.
    pub sealed: Vec<u8>,
}

/// Which records to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSelection {
    /// Of this tenant.
    pub tenant: TenantId,
    /// Of this subject; `None`: of all, and of none.
    pub subject: Option<SubjectId>,
    /// Of this kind; `None`: of all.
    pub kind: Option<String>,
    /// With these indices.
    pub indices: Range<u64>,
    /// The newest first; else the oldest first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
}

/// The append-only log.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Appends the rows in order, all or none, and returns the index of the first. Indices start at 0, have no gaps,
    /// and are never given twice, not even after [`AuditLog::prune`]. When this returns `Ok`, the rows are durable.
    async fn append(&self, rows: Vec<AuditRow>) -> StoreResult<u64>;

    /// Rows from an index on, at most `limit`. Pruned rows are left out.
    async fn read(&self, from: u64, limit: usize) -> StoreResult<Vec<(u64, AuditRow)>>;

    /// The commitments of the rows from an index on, at most `limit`.
    async fn commitments(&self, from: u64, limit: usize) -> StoreResult<Vec<(u64, [u8; 32])>>;

    /// The rows that a selection names, in its order.
    async fn select(&self, what: &AuditSelection) -> StoreResult<Vec<(u64, AuditRow)>>;

    /// The row of a decision; of several, the first.
    async fn by_decision(
        &self,
        tenant: &TenantId,
        decision: DecisionId,
    ) -> StoreResult<Option<(u64, AuditRow)>>;

    /// How many rows there are, the pruned ones too: the index that the next one gets.
    async fn size(&self) -> StoreResult<u64>;

    /// Removes the rows below an index, and returns how many there were. The newest row is kept whatever is asked.
    async fn prune(&self, below: u64) -> StoreResult<u64>;
}

/// The newest checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// How many records the tree covers.
    pub size: u64,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// The checkpoint: a signed note, as `keyward-audit` writes it.
    pub note: String,
}

/// Up to 256 neighbouring hashes of one level of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// At level 0 stand the records' commitments, at level `l` the hashes of 256^l records each.
    pub level: u8,
    /// The tile's place within its level.
    pub index: u64,
    /// 32 bytes a hash, 1 to 256 of them.
    pub hashes: Vec<u8>,
}

/// A witness's signature under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignatureRow {
    /// The size of the tree that was cosigned.
    pub size: u64,
    /// The witness's key, by name and key id.
    pub witness: String,
    /// The checkpoint with the log's own signature.
    pub note: String,
    /// The signature line, without its newline.
    pub line: String,
}

/// How many cosignatures are kept, the newest trees' first.
pub const KEPT_COSIGNATURES: usize = 256;

/// The Merkle tree over the log.
#[async_trait]
pub trait LogTree: Send + Sync {
    /// The newest checkpoint, if there is one.
    async fn head(&self) -> StoreResult<Option<TreeHead>>;

    /// The hashes of a tile, as many as there are so far.
    async fn tile(&self, level: u8, index: u64) -> StoreResult<Option<Vec<u8>>>;

    /// Writes tiles and a checkpoint, all or nothing, if the newest checkpoint's size still is `expected` (0: there is
    /// none); `Conflict` if it is not. A tile that is there already is replaced: the new one begins with the old one's
    /// hashes.
    async fn advance(&self, expected: u64, head: TreeHead, tiles: Vec<Tile>) -> StoreResult<()>;

    /// Keeps a cosignature, in place of an earlier one by the same witness under a tree of the same size. The
    /// [`KEPT_COSIGNATURES`] that belong to the newest trees are kept.
    async fn cosign(&self, cosignature: CosignatureRow) -> StoreResult<()>;

    /// The cosignatures that are kept: of the largest tree first, and by witness in order.
    async fn cosignatures(&self) -> StoreResult<Vec<CosignatureRow>>;
}
