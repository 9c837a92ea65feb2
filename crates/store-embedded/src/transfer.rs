//! All rows of the directory: a transaction on each of its three files.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use keyward_domain::{SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::transfer::{Counts, Row, Transfer};
use keyward_store::{
    CosignatureRow, DocumentVersion, SampleRow, StoreError, StoreResult, SubjectRow, Tile, TreeHead,
};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use crate::file::{self, error, from_column, to_column};
use crate::samples::{column, decision_from};
use crate::store::{AUDIT_FILE, STATE_FILE, TREE_FILE};
use crate::{EmbeddedStore, audit, credentials, policies};

/// Is in the directory while it is being filled: three files are not committed in one step.
const FILLING: &str = "import-unfinished";
/// Locked by whoever has the directory open.
const LOCK: &str = "in-use";

/// Says that the directory is in use, until it is dropped.
///
/// # Errors
/// `Unavailable` when a transfer has it, or one was not finished.
pub(crate) fn share(dir: &Path) -> StoreResult<File> {
    if dir.join(FILLING).exists() {
        return Err(StoreError::Unavailable(format!(
            "an import into {} was not finished: remove {STATE_FILE}*, {AUDIT_FILE}*, {TREE_FILE}* and {FILLING}, and import again",
            dir.display()
        )));
    }
    let lock = lock_file(dir)?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(busy(dir, "an export or import has it")),
        // Not every file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(lock),
    }
}

fn lock_file(dir: &Path) -> StoreResult<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let opened = options.create(true).truncate(false).write(true).mode(0o600).open(dir.join(LOCK));
    opened.map_err(|e| busy(dir, &e.to_string()))
}

fn busy(dir: &Path, why: &str) -> StoreError {
    StoreError::Unavailable(format!("{}: {why}", dir.display()))
}

/// The directory, opened for a transfer. Dropping it rolls back.
struct EmbeddedTransfer {
    dir: PathBuf,
    state: SqliteConnection,
    audit: SqliteConnection,
    tree: SqliteConnection,
    writes: bool,
    _alone: File,
}

impl EmbeddedStore {
    /// Opens the directory to be read as it is now.
    ///
    /// # Errors
    /// `NotFound` when there is no store in it; `Unavailable` when another process has it open.
    pub async fn read_all(dir: &Path) -> StoreResult<Box<dyn Transfer>> {
        if !dir.join(STATE_FILE).exists() || !dir.join(AUDIT_FILE).exists() {
            return Err(StoreError::NotFound);
        }
        Ok(Box::new(EmbeddedTransfer::open(dir, false).await?))
    }

    /// Opens an empty directory to be filled; makes it if it is not there.
    ///
    /// # Errors
    /// `Exists` when there are rows in it; otherwise as for [`EmbeddedStore::open`].
    pub async fn fill(dir: &Path) -> StoreResult<Box<dyn Transfer>> {
        let mut transfer = EmbeddedTransfer::open(dir, true).await?;
        if transfer.counts().await?.total() > 0 {
            return Err(StoreError::Exists);
        }
        Ok(Box::new(transfer))
    }
}

impl EmbeddedTransfer {
    async fn open(dir: &Path, writes: bool) -> StoreResult<Self> {
        // Makes what is missing, and brings the schema forward.
        EmbeddedStore::open(dir).await?.close().await;
        let alone = lock_file(dir)?;
        if let Err(TryLockError::WouldBlock) = alone.try_lock() {
            return Err(busy(dir, "another process has it open: stop the server first"));
        }
        let mut connections = Vec::new();
        for name in [STATE_FILE, AUDIT_FILE, TREE_FILE] {
            let options = file::options(&dir.join(name));
            let mut connection = SqliteConnection::connect_with(&options).await.map_err(error)?;
            let begin = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
            sqlx::raw_sql(begin).execute(&mut connection).await.map_err(error)?;
            connections.push(connection);
        }
        let Ok([state, audit, tree]) = <[SqliteConnection; 3]>::try_from(connections) else {
            return Err(StoreError::NotFound);
        };
        Ok(Self { dir: dir.to_owned(), state, audit, tree, writes, _alone: alone })
    }

    async fn subjects(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        let (tenant, subject) = match after {
            Some(Row::Subject(who, _)) => (who.tenant.as_str(), who.subject.as_str()),
            _ => ("", ""),
        };
        let rows: Vec<(String, String, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT tenant, subject, wrapped_key, created_at_us FROM subject \
             WHERE (tenant, subject) > (?, ?) ORDER BY tenant, subject LIMIT ?",
        )
        .bind(tenant)
        .bind(subject)
        .bind(most)
        .fetch_all(&mut self.state)
        .await
        .map_err(error)?;
        rows.into_iter()
            .map(|(tenant, subject, wrapped_key, micros)| {
                let row = SubjectRow { wrapped_key, created_at: Timestamp { micros } };
                Ok(Row::Subject(key(tenant, subject)?, row))
            })
            .collect()
    }

    async fn credentials(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        let (tenant, id) = match after {
            Some(Row::Credential(row)) => (row.who.tenant.as_str(), row.id.0.as_slice()),
            _ => ("", [].as_slice()),
        };
        let rows: Vec<CredentialColumns> = sqlx::query_as(
            "SELECT tenant, id, subject, credential, name, created_at_us, last_used_at_us, version FROM credential \
             WHERE (tenant, id) > (?, ?) ORDER BY tenant, id LIMIT ?",
        )
        .bind(tenant)
        .bind(id)
        .bind(most)
        .fetch_all(&mut self.state)
        .await
        .map_err(error)?;
        rows.into_iter()
            .map(|(tenant, id, subject, credential, name, created, used, version)| {
                let tenant = TenantId::parse(tenant).map_err(|_| damaged())?;
                let columns = (id, subject, credential, name, created, used, version);
                credentials::from_columns(&tenant, columns).map(Row::Credential)
            })
            .collect()
    }

    async fn documents(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        let (tenant, subject, name, version) = match after {
            Some(Row::Document(who, name, document)) => {
                (who.tenant.as_str(), who.subject.as_str(), name.as_str(), to_column(document.version)?)
            }
            _ => ("", "", "", -1),
        };
        let rows: Vec<DocumentColumns> = sqlx::query_as(
            "SELECT tenant, subject, name, version, written_at_us, sealed FROM document \
             WHERE (tenant, subject, name, version) > (?, ?, ?, ?) \
             ORDER BY tenant, subject, name, version LIMIT ?",
        )
        .bind(tenant)
        .bind(subject)
        .bind(name)
        .bind(version)
        .bind(most)
        .fetch_all(&mut self.state)
        .await
        .map_err(error)?;
        rows.into_iter()
            .map(|(tenant, subject, name, version, micros, sealed)| {
                let version = from_column(version)?;
                let document = DocumentVersion { version, written_at: Timestamp { micros }, sealed };
                Ok(Row::Document(key(tenant, subject)?, name, document))
            })
            .collect()
    }

    async fn samples(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        let (tenant, subject, name, decision) = match after {
            Some(Row::Sample(who, name, sample)) => (
                who.tenant.as_str(),
                who.subject.as_str(),
                name.as_str(),
                sample.decision.0.as_bytes().as_slice(),
            ),
            _ => ("", "", "", [].as_slice()),
        };
        let rows: Vec<SampleColumns> = sqlx::query_as(
            "SELECT tenant, subject, name, decision, at_us, sealed FROM sample \
             WHERE (tenant, subject, name, decision) > (?, ?, ?, ?) \
             ORDER BY tenant, subject, name, decision LIMIT ?",
        )
        .bind(tenant)
        .bind(subject)
        .bind(name)
        .bind(decision)
        .bind(most)
        .fetch_all(&mut self.state)
        .await
        .map_err(error)?;
        rows.into_iter()
            .map(|(tenant, subject, name, decision, micros, sealed)| {
                let decision = decision_from(&decision)?;
                let sample = SampleRow { decision, at: Timestamp { micros }, sealed };
                Ok(Row::Sample(key(tenant, subject)?, name, sample))
            })
            .collect()
    }

    async fn records(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        // An index is one less than its id.
        let last = match after {
            Some(Row::Record(index, _)) => to_column(index + 1)?,
            _ => 0,
        };
        let rows: Vec<audit::Columns> = sqlx::query_as(
            "SELECT id, commitment, kind, tenant, subject, decision, at_us, sealed FROM record \
             WHERE id > ? ORDER BY id LIMIT ?",
        )
        .bind(last)
        .bind(most)
        .fetch_all(&mut self.audit)
        .await
        .map_err(error)?;
        rows.into_iter()
            .map(|columns| audit::from_columns(columns).map(|(n, row)| Row::Record(n, row)))
            .collect()
    }

    async fn head(&mut self, after: Option<&Row>) -> StoreResult<Vec<Row>> {
        if matches!(after, Some(Row::Head(_))) {
            return Ok(Vec::new());
        }
        let row: Option<(i64, i64, String)> = sqlx::query_as("SELECT size, signed_at_us, note FROM head")
            .fetch_optional(&mut self.tree)
            .await
            .map_err(error)?;
        row.into_iter()
            .map(|(size, micros, note)| {
                let size = from_column(size)?;
                Ok(Row::Head(TreeHead { size, signed_at: Timestamp { micros }, note }))
            })
            .collect()
    }

    async fn tiles(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        let (level, place) = match after {
            Some(Row::Tile(tile)) => (i64::from(tile.level), to_column(tile.index)?),
            _ => (-1, -1),
        };
        let rows: Vec<(u8, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT level, place, hashes FROM tile WHERE (level, place) > (?, ?) ORDER BY level, place LIMIT ?",
        )
        .bind(level)
        .bind(place)
        .bind(most)
        .fetch_all(&mut self.tree)
        .await
        .map_err(error)?;
        rows.into_iter()
            .map(|(level, place, hashes)| Ok(Row::Tile(Tile { level, index: from_column(place)?, hashes })))
            .collect()
    }

    async fn cosignatures(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        let (size, witness) = match after {
            Some(Row::Cosignature(row)) => (to_column(row.size)?, row.witness.as_str()),
            _ => (-1, ""),
        };
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "SELECT size, witness, note, line FROM cosignature \
             WHERE (size, witness) > (?, ?) ORDER BY size, witness LIMIT ?",
        )
        .bind(size)
        .bind(witness)
        .bind(most)
        .fetch_all(&mut self.tree)
        .await
        .map_err(error)?;
        rows.into_iter()
            .map(|(size, witness, note, line)| {
                Ok(Row::Cosignature(CosignatureRow { size: from_column(size)?, witness, note, line }))
            })
            .collect()
    }

    async fn policies(&mut self, after: Option<&Row>, most: i64) -> StoreResult<Vec<Row>> {
        let digest = match after {
            Some(Row::Policy(row)) => row.digest.as_slice(),
            _ => [].as_slice(),
        };
        let rows: Vec<policies::Columns> = sqlx::query_as(
            "SELECT digest, text, schema, since_us FROM policy WHERE digest > ? ORDER BY digest LIMIT ?",
        )
        .bind(digest)
        .bind(most)
        .fetch_all(&mut self.state)
        .await
        .map_err(error)?;
        rows.into_iter().map(|columns| policies::from_columns(columns).map(Row::Policy)).collect()
    }

    async fn put_one(&mut self, row: Row) -> StoreResult<()> {
        let query = match row {
            Row::Subject(who, row) => sqlx::query(
                "INSERT INTO subject (tenant, subject, wrapped_key, created_at_us) VALUES (?, ?, ?, ?)",
            )
            .bind(String::from(who.tenant))
            .bind(String::from(who.subject))
            .bind(row.wrapped_key)
            .bind(row.created_at.micros),
            Row::Credential(row) => sqlx::query(
                "INSERT INTO credential (tenant, id, subject, credential, name, created_at_us, last_used_at_us, version) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(String::from(row.who.tenant))
            .bind(row.id.0)
            .bind(String::from(row.who.subject))
            .bind(row.credential)
            .bind(row.name)
            .bind(row.created_at.micros)
            .bind(row.last_used_at.map(|at| at.micros))
            .bind(to_column(row.version)?),
            Row::Document(who, name, document) => sqlx::query(
                "INSERT INTO document (tenant, subject, name, version, written_at_us, sealed) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(String::from(who.tenant))
            .bind(String::from(who.subject))
            .bind(name)
            .bind(to_column(document.version)?)
            .bind(document.written_at.micros)
            .bind(document.sealed),
            Row::Sample(who, name, sample) => sqlx::query(
                "INSERT INTO sample (tenant, subject, name, decision, at_us, sealed) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(String::from(who.tenant))
            .bind(String::from(who.subject))
            .bind(name)
            .bind(sample.decision.0.as_bytes().to_vec())
            .bind(sample.at.micros)
            .bind(sample.sealed),
            Row::Record(index, row) => {
                let query = sqlx::query(
                    "INSERT INTO record (id, commitment, kind, tenant, subject, decision, at_us, sealed) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(to_column(index + 1)?)
                .bind(row.commitment.to_vec())
                .bind(row.kind)
                .bind(String::from(row.tenant))
                .bind(row.subject.map(String::from))
                .bind(row.decision.map(|decision| decision.0.as_bytes().to_vec()))
                .bind(row.at.micros)
                .bind(row.sealed);
                query.execute(&mut self.audit).await.map_err(error)?;
                return Ok(());
            }
            row @ (Row::Head(_) | Row::Tile(_) | Row::Cosignature(_)) => return self.put_tree(row).await,
            Row::Policy(row) => {
                sqlx::query("INSERT INTO policy (digest, text, schema, since_us) VALUES (?, ?, ?, ?)")
                    .bind(row.digest.to_vec())
                    .bind(row.text)
                    .bind(row.schema)
                    .bind(row.since.micros)
            }
        };
        query.execute(&mut self.state).await.map_err(error)?;
        Ok(())
    }

    async fn put_tree(&mut self, row: Row) -> StoreResult<()> {
        let query = match row {
            Row::Head(head) => {
                sqlx::query("INSERT INTO head (only, size, signed_at_us, note) VALUES (1, ?, ?, ?)")
                    .bind(to_column(head.size)?)
                    .bind(head.signed_at.micros)
                    .bind(head.note)
            }
            Row::Tile(tile) => sqlx::query("INSERT INTO tile (level, place, hashes) VALUES (?, ?, ?)")
                .bind(tile.level)
                .bind(to_column(tile.index)?)
                .bind(tile.hashes),
            Row::Cosignature(row) => {
                sqlx::query("INSERT INTO cosignature (size, witness, note, line) VALUES (?, ?, ?, ?)")
                    .bind(to_column(row.size)?)
                    .bind(row.witness)
                    .bind(row.note)
                    .bind(row.line)
            }
            _ => return Ok(()),
        };
        query.execute(&mut self.tree).await.map_err(error)?;
        Ok(())
    }
}

type CredentialColumns = (String, Vec<u8>, String, Vec<u8>, String, i64, Option<i64>, i64);
type DocumentColumns = (String, String, String, i64, i64, Vec<u8>);
type SampleColumns = (String, String, String, Vec<u8>, i64, Vec<u8>);

fn key(tenant: String, subject: String) -> StoreResult<SubjectKey> {
    let tenant = TenantId::parse(tenant).map_err(|_| damaged())?;
    let subject = SubjectId::parse(subject).map_err(|_| damaged())?;
    Ok(SubjectKey { tenant, subject })
}

fn damaged() -> StoreError {
    StoreError::Damaged("an id of a row".to_owned())
}

#[async_trait]
impl Transfer for EmbeddedTransfer {
    async fn counts(&mut self) -> StoreResult<Counts> {
        let (subjects, credentials, documents, samples, policies): (i64, i64, i64, i64, i64) =
            sqlx::query_as(
                "SELECT (SELECT count(*) FROM subject), (SELECT count(*) FROM credential), \
             (SELECT count(*) FROM document), (SELECT count(*) FROM sample), (SELECT count(*) FROM policy)",
            )
            .fetch_one(&mut self.state)
            .await
            .map_err(error)?;
        let (records,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM record").fetch_one(&mut self.audit).await.map_err(error)?;
        let (tree,): (i64,) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM head) + (SELECT count(*) FROM tile) + (SELECT count(*) FROM cosignature)",
        )
        .fetch_one(&mut self.tree)
        .await
        .map_err(error)?;
        Ok(Counts {
            subjects: from_column(subjects)?,
            credentials: from_column(credentials)?,
            documents: from_column(documents)?,
            samples: from_column(samples)?,
            records: from_column(records)?,
            tree: from_column(tree)?,
            policies: from_column(policies)?,
        })
    }

    async fn rows_after(&mut self, after: Option<&Row>, limit: usize) -> StoreResult<Vec<Row>> {
        let most = column(limit);
        for kind in after.map_or(0, Row::kind)..Row::KINDS {
            let rows = match kind {
                0 => self.subjects(after, most).await?,
                1 => self.credentials(after, most).await?,
                2 => self.documents(after, most).await?,
                3 => self.samples(after, most).await?,
                4 => self.records(after, most).await?,
                5 => self.head(after).await?,
                6 => self.tiles(after, most).await?,
                7 => self.cosignatures(after, most).await?,
                _ => self.policies(after, most).await?,
            };
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    async fn put(&mut self, rows: Vec<Row>) -> StoreResult<()> {
        for row in rows {
            self.put_one(row).await?;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> StoreResult<()> {
        let marker = self.dir.join(FILLING);
        if self.writes {
            let (count, given): (i64, i64) =
                sqlx::query_as("SELECT count(*), coalesce(max(id) + 1 - min(id), 0) FROM record")
                    .fetch_one(&mut self.audit)
                    .await
                    .map_err(error)?;
            if count != given {
                return Err(StoreError::Damaged("the log that was put has a gap".to_owned()));
            }
            let made = fs::write(&marker, b"").and_then(|()| File::open(&self.dir)?.sync_all());
            made.map_err(|e| busy(&self.dir, &e.to_string()))?;
        }
        for connection in [&mut self.state, &mut self.audit, &mut self.tree] {
            sqlx::raw_sql("COMMIT").execute(connection).await.map_err(error)?;
        }
        if self.writes {
            fs::remove_file(&marker).map_err(|e| busy(&self.dir, &e.to_string()))?;
        }
        Ok(())
    }
}
