//! The audit log, in a file of its own: no other write waits for it, and it waits for no other write.
//!
//! An append of up to [`ROWS_A_STATEMENT`] rows is one insert statement, and so one commit: one write and one sync of
//! the write-ahead log. Copying that log into the file (a checkpoint) is left to a connection beside the writer, for
//! it takes milliseconds; the writer itself copies only what came in meanwhile, after which the log starts over in
//! place and never grows.

use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use keyward_domain::{DecisionId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{AuditLog, AuditRow, AuditSelection, DECISION_KIND, StoreError, StoreResult};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{AssertSqlSafe, Connection};
use tokio::sync::Mutex;

use crate::EmbeddedStore;
use crate::file::{self, error, from_column, to_column};
use crate::samples::{column, decision_from};

const STEPS: &[file::Step] = &[(1, "record", include_str!("../migrations/audit/0001_record.sql"))];

/// The most rows that one statement inserts. SQLite compiles it once for each number of rows.
const ROWS_A_STATEMENT: usize = 64;

/// The most rows that are pruned in one commit.
const PRUNED_AT_ONCE: usize = 256;

/// After how many bytes of records the write-ahead log is copied into the file.
const CHECKPOINT_BYTES: u64 = 4 << 20;

/// The log's connections.
#[derive(Clone)]
pub(crate) struct AuditFile {
    writer: Arc<Mutex<SqliteConnection>>,
    pub(crate) readers: SqlitePool,
    /// One connection, for checkpoints alone.
    checkpointer: SqlitePool,
    checkpoints: Arc<Checkpoints>,
}

/// When to copy the write-ahead log.
#[derive(Default)]
struct Checkpoints {
    bytes_since: AtomicU64,
    running: AtomicBool,
}

impl AuditFile {
    pub(crate) async fn open(path: &Path, name: &str) -> StoreResult<Self> {
        let options = file::options(path).pragma("wal_autocheckpoint", "0");
        let mut writer = SqliteConnection::connect_with(&options).await.map_err(error)?;
        file::migrate(&mut writer, name, STEPS).await?;
        // What an earlier process left in the write-ahead log; a busy reader of another process may prevent it.
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut writer).await.map_err(error)?;
        let checkpointer = sqlx::sqlite::SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            readers: file::readers(path),
            checkpointer,
            checkpoints: Arc::default(),
        })
    }

    /// Where the indices have gaps: said by the integrity check.
    pub(crate) async fn gaps(&self) -> StoreResult<Option<String>> {
        let (count, first, last): (i64, i64, i64) =
            sqlx::query_as("SELECT count(*), coalesce(min(id), 1), coalesce(max(id), 0) FROM record")
                .fetch_one(&self.readers)
                .await
                .map_err(error)?;
        let given = last + 1 - first;
        Ok((count != given).then(|| {
            format!("audit.db: {given} indices were given since {} and {count} records are there", first - 1)
        }))
    }

    /// Clears the subject in its records and returns in how many. Appends go on in between.
    pub(crate) async fn clear_subject(&self, who: &SubjectKey) -> StoreResult<u64> {
        let seen: (i64,) = sqlx::query_as("SELECT coalesce(max(id), 0) FROM record")
            .fetch_one(&self.readers)
            .await
            .map_err(error)?;
        let ids: Vec<(i64,)> = sqlx::query_as(
            "SELECT id FROM record INDEXED BY record_by_decision WHERE tenant = ? AND subject = ? ORDER BY id",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(error)?;
        let mut cleared = 0;
        for some in ids.chunks(ROWS_A_STATEMENT) {
            let list = some.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(",");
            let mut writer = self.writer.lock().await;
            let query =
                sqlx::query("UPDATE record SET subject = NULL WHERE id IN (SELECT value FROM json_each(?))");
            let done = query.bind(format!("[{list}]")).execute(&mut *writer).await.map_err(error)?;
            cleared += done.rows_affected();
        }
        // Those that were appended while the others were looked for.
        let mut writer = self.writer.lock().await;
        let query =
            sqlx::query("UPDATE record SET subject = NULL WHERE id > ? AND tenant = ? AND subject = ?");
        let query = query.bind(seen.0).bind(who.tenant.as_str()).bind(who.subject.as_str());
        Ok(cleared + query.execute(&mut *writer).await.map_err(error)?.rows_affected())
    }

    pub(crate) async fn close(&self) {
        self.checkpointer.close().await;
        self.readers.close().await;
    }

    /// Inserts the rows in one commit and returns the id of the last.
    async fn insert(&self, rows: Vec<AuditRow>) -> StoreResult<i64> {
        let mut writer = self.writer.lock().await;
        if rows.len() <= ROWS_A_STATEMENT {
            return insert(&mut writer, rows).await;
        }
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        let mut last = 0;
        let mut rows = rows.into_iter();
        loop {
            let chunk: Vec<AuditRow> = rows.by_ref().take(ROWS_A_STATEMENT).collect();
            if chunk.is_empty() {
                break;
            }
            last = insert(&mut transaction, chunk).await?;
        }
        transaction.commit().await.map_err(error)?;
        Ok(last)
    }

    /// Starts a checkpoint beside the writer when enough came in since the last.
    fn count(&self, bytes: u64) {
        let since = self.checkpoints.bytes_since.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if since >= CHECKPOINT_BYTES && !self.checkpoints.running.swap(true, Ordering::Acquire) {
            let log = self.clone();
            tokio::spawn(async move {
                log.checkpoint().await;
                log.checkpoints.bytes_since.store(0, Ordering::Relaxed);
                log.checkpoints.running.store(false, Ordering::Release);
            });
        }
    }

    /// A checkpoint that does not finish (a reader holds an old snapshot) is no error: the next one will.
    async fn checkpoint(&self) {
        // The first copies megabytes, the second what was appended meanwhile, the writer's own the last few pages.
        for _ in 0..2 {
            let _ = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.checkpointer).await;
        }
        let mut writer = self.writer.lock().await;
        let _ = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *writer).await;
    }
}

/// One statement, and so one commit unless a transaction is open. Returns the id of the last row.
async fn insert(connection: &mut SqliteConnection, rows: Vec<AuditRow>) -> StoreResult<i64> {
    let mut query = sqlx::query(statement(rows.len()));
    for row in rows {
        query = query
            .bind(row.commitment.to_vec())
            .bind(row.kind)
            .bind(String::from(row.tenant))
            .bind(row.subject.map(String::from))
            .bind(row.decision.map(|decision| decision.0.as_bytes().to_vec()))
            .bind(row.at.micros)
            .bind(row.sealed);
    }
    Ok(query.execute(connection).await.map_err(error)?.last_insert_rowid())
}

/// The insert of so many rows, written once. Nothing but their number is in it.
fn statement(rows: usize) -> AssertSqlSafe<Arc<str>> {
    static STATEMENTS: [OnceLock<Arc<str>>; ROWS_A_STATEMENT] = [const { OnceLock::new() }; ROWS_A_STATEMENT];
    let text = STATEMENTS[rows - 1].get_or_init(|| {
        let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
        format!(
            "INSERT INTO record (commitment, kind, tenant, subject, decision, at_us, sealed) VALUES {values}"
        )
        .into()
    });
    AssertSqlSafe(Arc::clone(text))
}

#[async_trait]
impl AuditLog for EmbeddedStore {
    async fn append(&self, rows: Vec<AuditRow>) -> StoreResult<u64> {
        if rows.is_empty() {
            return self.size().await;
        }
        let count = rows.len() as u64;
        let bytes = rows.iter().map(|row| row.sealed.len() as u64 + 512).sum();
        let last = self.audit.insert(rows).await?;
        self.audit.count(bytes);
        from_column(last)?
            .checked_sub(count)
            .ok_or_else(|| StoreError::Damaged("an index is negative".to_owned()))
    }

    async fn read(&self, from: u64, limit: usize) -> StoreResult<Vec<(u64, AuditRow)>> {
        let Ok(from) = to_column(from) else {
            return Ok(Vec::new());
        };
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, commitment, kind, tenant, subject, decision, at_us, sealed FROM record WHERE id > ? ORDER BY id LIMIT ?",
        )
        .bind(from)
        .bind(column(limit))
        .fetch_all(&self.audit.readers)
        .await
        .map_err(error)?;
        rows.into_iter().map(from_columns).collect()
    }

    async fn commitments(&self, from: u64, limit: usize) -> StoreResult<Vec<(u64, [u8; 32])>> {
        let Ok(from) = to_column(from) else {
            return Ok(Vec::new());
        };
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT id, commitment FROM record WHERE id > ? ORDER BY id LIMIT ?")
                .bind(from)
                .bind(column(limit))
                .fetch_all(&self.audit.readers)
                .await
                .map_err(error)?;
        rows.into_iter().map(|(id, bytes)| Ok((from_column(id - 1)?, commitment(id, bytes)?))).collect()
    }

    async fn select(&self, what: &AuditSelection) -> StoreResult<Vec<(u64, AuditRow)>> {
        let Ok(from) = to_column(what.indices.start) else {
            return Ok(Vec::new());
        };
        let to = i64::try_from(what.indices.end).unwrap_or(i64::MAX);
        let mut query = sqlx::query_as::<_, Columns>(selecting(what)).bind(from).bind(to);
        query = query.bind(what.tenant.as_str()).bind(column(what.limit));
        query = query.bind(what.subject.as_ref().map(SubjectId::as_str)).bind(what.kind.as_deref());
        let rows = query.fetch_all(&self.audit.readers).await.map_err(error)?;
        rows.into_iter().map(from_columns).collect()
    }

    async fn by_decision(
        &self,
        tenant: &TenantId,
        decision: DecisionId,
    ) -> StoreResult<Option<(u64, AuditRow)>> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, commitment, kind, tenant, subject, decision, at_us, sealed FROM record \
             WHERE decision = ? AND tenant = ? ORDER BY id LIMIT 1",
        )
        .bind(decision.0.as_bytes().as_slice())
        .bind(tenant.as_str())
        .fetch_optional(&self.audit.readers)
        .await
        .map_err(error)?;
        row.map(from_columns).transpose()
    }

    async fn size(&self) -> StoreResult<u64> {
        let (last,): (i64,) = sqlx::query_as("SELECT coalesce(max(id), 0) FROM record")
            .fetch_one(&self.audit.readers)
            .await
            .map_err(error)?;
        from_column(last)
    }

    async fn prune(&self, below: u64) -> StoreResult<u64> {
        let below = i64::try_from(below).unwrap_or(i64::MAX);
        let mut pruned = 0;
        loop {
            // A few at a time: appends go on in between.
            let query = sqlx::query(
                "DELETE FROM record WHERE id IN (SELECT id FROM record WHERE id <= ? ORDER BY id LIMIT ?) \
                 AND id < (SELECT max(id) FROM record)",
            );
            let query = query.bind(below).bind(column(PRUNED_AT_ONCE));
            let mut writer = self.audit.writer.lock().await;
            let some = query.execute(&mut *writer).await.map_err(error)?.rows_affected();
            drop(writer);
            pruned += some;
            if some < PRUNED_AT_ONCE as u64 {
                return Ok(pruned);
            }
        }
    }
}

/// The statement of a selection. Parameters: 1 and 2 the ids (beyond, up to), 3 the tenant, 4 the limit, 5 the subject,
/// 6 the kind. Nothing of the selection is in the text.
fn selecting(what: &AuditSelection) -> AssertSqlSafe<String> {
    let event = what.kind.as_deref().is_some_and(|kind| kind != DECISION_KIND);
    let (from, which) = match (&what.subject, &what.kind) {
        // The records of one subject lie far apart: their ids come from the narrow index.
        (Some(_), kind) => (
            "record",
            format!(
                "id IN (SELECT id FROM record INDEXED BY record_by_decision \
                 WHERE tenant = ?3 AND subject = ?5 AND id > ?1 AND id <= ?2) AND subject = ?5{}",
                if kind.is_some() { " AND kind = ?6" } else { "" }
            ),
        ),
        (None, Some(_)) if event => {
            ("record INDEXED BY record_of_event", "kind = ?6 AND kind <> 'decision'".to_owned())
        }
        (None, Some(_)) => ("record NOT INDEXED", "kind = ?6".to_owned()),
        (None, None) => ("record NOT INDEXED", "TRUE".to_owned()),
    };
    let order = if what.newest_first { "DESC" } else { "ASC" };
    AssertSqlSafe(format!(
        "SELECT id, commitment, kind, tenant, subject, decision, at_us, sealed FROM {from} \
         WHERE id > ?1 AND id <= ?2 AND tenant = ?3 AND {which} ORDER BY id {order} LIMIT ?4"
    ))
}

pub(crate) type Columns = (i64, Vec<u8>, String, String, Option<String>, Option<Vec<u8>>, i64, Vec<u8>);

fn commitment(id: i64, bytes: Vec<u8>) -> StoreResult<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Damaged(format!("the commitment of record {}", id - 1)))
}

pub(crate) fn from_columns(
    (id, bytes, kind, tenant, subject, decision, at, sealed): Columns,
) -> StoreResult<(u64, AuditRow)> {
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of record {}", id - 1));
    let row = AuditRow {
        commitment: commitment(id, bytes)?,
        kind,
        tenant: TenantId::parse(tenant).map_err(|_| damaged("the tenant"))?,
        subject: subject.map(SubjectId::parse).transpose().map_err(|_| damaged("the subject"))?,
        decision: decision.map(|bytes| decision_from(&bytes)).transpose()?,
        at: Timestamp { micros: at },
        sealed,
    };
    Ok((from_column(id - 1)?, row))
}
