//! The Merkle tree over the audit log, in a file of its own: writing it holds up no append.

use std::path::Path;

use async_trait::async_trait;
use keyward_domain::Timestamp;
use keyward_store::{CosignatureRow, KEPT_COSIGNATURES, LogTree, StoreError, StoreResult, Tile, TreeHead};
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use crate::EmbeddedStore;
use crate::file::{self, error, from_column, to_column};
use crate::samples::column;

const STEPS: &[file::Step] = &[(1, "tree", include_str!("../migrations/tree/0001_tree.sql"))];

/// The tree's connections.
#[derive(Clone)]
pub(crate) struct TreeFile {
    /// The one connection that writes.
    writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

impl TreeFile {
    pub(crate) async fn open(path: &Path, name: &str) -> StoreResult<Self> {
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(file::options(path))
            .await
            .map_err(error)?;
        let mut connection = writer.acquire().await.map_err(error)?;
        file::migrate(&mut connection, name, STEPS).await?;
        drop(connection);
        Ok(Self { writer, readers: file::readers(path) })
    }

    pub(crate) async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

#[async_trait]
impl LogTree for EmbeddedStore {
    async fn head(&self) -> StoreResult<Option<TreeHead>> {
        let row: Option<(i64, i64, String)> = sqlx::query_as("SELECT size, signed_at_us, note FROM head")
            .fetch_optional(&self.tree.readers)
            .await
            .map_err(error)?;
        row.map(|(size, signed_at, note)| {
            Ok(TreeHead { size: from_column(size)?, signed_at: Timestamp { micros: signed_at }, note })
        })
        .transpose()
    }

    async fn tile(&self, level: u8, index: u64) -> StoreResult<Option<Vec<u8>>> {
        let Ok(place) = to_column(index) else {
            return Ok(None);
        };
        let row: Option<(Vec<u8>,)> = sqlx::query_as("SELECT hashes FROM tile WHERE level = ? AND place = ?")
            .bind(level)
            .bind(place)
            .fetch_optional(&self.tree.readers)
            .await
            .map_err(error)?;
        Ok(row.map(|row| row.0))
    }

    async fn advance(&self, expected: u64, head: TreeHead, tiles: Vec<Tile>) -> StoreResult<()> {
        let mut transaction = self.tree.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        if !put_head(&mut transaction, to_column(expected)?, &head).await? {
            return Err(StoreError::Conflict);
        }
        for tile in tiles {
            sqlx::query("INSERT OR REPLACE INTO tile (level, place, hashes) VALUES (?, ?, ?)")
                .bind(tile.level)
                .bind(to_column(tile.index)?)
                .bind(tile.hashes)
                .execute(&mut *transaction)
                .await
                .map_err(error)?;
        }
        transaction.commit().await.map_err(error)
    }

    async fn cosign(&self, cosignature: CosignatureRow) -> StoreResult<()> {
        let mut transaction = self.tree.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        sqlx::query("INSERT OR REPLACE INTO cosignature (size, witness, note, line) VALUES (?, ?, ?, ?)")
            .bind(to_column(cosignature.size)?)
            .bind(cosignature.witness)
            .bind(cosignature.note)
            .bind(cosignature.line)
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        sqlx::query(
            "DELETE FROM cosignature WHERE (size, witness) NOT IN \
             (SELECT size, witness FROM cosignature ORDER BY size DESC, witness LIMIT ?)",
        )
        .bind(column(KEPT_COSIGNATURES))
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
        transaction.commit().await.map_err(error)
    }

    async fn cosignatures(&self) -> StoreResult<Vec<CosignatureRow>> {
        let rows: Vec<(i64, String, String, String)> =
            sqlx::query_as("SELECT size, witness, note, line FROM cosignature ORDER BY size DESC, witness")
                .fetch_all(&self.tree.readers)
                .await
                .map_err(error)?;
        rows.into_iter()
            .map(|(size, witness, note, line)| {
                Ok(CosignatureRow { size: from_column(size)?, witness, note, line })
            })
            .collect()
    }
}

/// Puts the head in the place of one of the expected size. False if there is none such.
async fn put_head(to: &mut SqliteConnection, expected: i64, head: &TreeHead) -> StoreResult<bool> {
    let statement = if expected == 0 {
        "INSERT INTO head (only, size, signed_at_us, note) SELECT 1, ?1, ?2, ?3 WHERE ?4 = 0 ON CONFLICT DO NOTHING"
    } else {
        "UPDATE head SET size = ?1, signed_at_us = ?2, note = ?3 WHERE size = ?4"
    };
    let query = sqlx::query(statement).bind(to_column(head.size)?).bind(head.signed_at.micros);
    let done = query.bind(&head.note).bind(expected).execute(to).await.map_err(error)?;
    Ok(done.rows_affected() == 1)
}
