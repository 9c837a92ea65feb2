//! Sealed documents with their versions.

use async_trait::async_trait;
use keyward_domain::{SubjectKey, Timestamp};
use keyward_store::{DocumentVersion, Documents, KEPT_VERSIONS, StoreError, StoreResult};

use crate::EmbeddedStore;
use crate::file::{error, from_column, to_column};

type Columns = (i64, i64, Vec<u8>);

#[async_trait]
impl Documents for EmbeddedStore {
    async fn document(&self, who: &SubjectKey, name: &str) -> StoreResult<Option<DocumentVersion>> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT version, written_at_us, sealed FROM document \
             WHERE tenant = ? AND subject = ? AND name = ? ORDER BY version DESC LIMIT 1",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(name)
        .fetch_optional(&self.readers)
        .await
        .map_err(error)?;
        row.map(from_columns).transpose()
    }

    async fn document_names(&self, who: &SubjectKey) -> StoreResult<Vec<(String, u64)>> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT name, max(version) FROM document WHERE tenant = ? AND subject = ? GROUP BY name ORDER BY name",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(error)?;
        rows.into_iter().map(|(name, version)| Ok((name, from_column(version)?))).collect()
    }

    async fn put_document(
        &self,
        who: &SubjectKey,
        name: &str,
        expected: u64,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> StoreResult<u64> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        let (current,): (i64,) = sqlx::query_as(
            "SELECT coalesce(max(version), 0) FROM document WHERE tenant = ? AND subject = ? AND name = ?",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(name)
        .fetch_one(&mut *transaction)
        .await
        .map_err(error)?;
        if from_column(current)? != expected {
            return Err(StoreError::Conflict);
        }
        let version = to_column(expected + 1)?;
        sqlx::query(
            "INSERT INTO document (tenant, subject, name, version, written_at_us, sealed) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(name)
        .bind(version)
        .bind(at.micros)
        .bind(sealed)
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
        sqlx::query("DELETE FROM document WHERE tenant = ? AND subject = ? AND name = ? AND version <= ?")
            .bind(who.tenant.as_str())
            .bind(who.subject.as_str())
            .bind(name)
            .bind(version.saturating_sub_unsigned(KEPT_VERSIONS as u64))
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        transaction.commit().await.map_err(error)?;
        Ok(expected + 1)
    }

    async fn document_history(&self, who: &SubjectKey, name: &str) -> StoreResult<Vec<DocumentVersion>> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT version, written_at_us, sealed FROM document \
             WHERE tenant = ? AND subject = ? AND name = ? ORDER BY version DESC",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(name)
        .fetch_all(&self.readers)
        .await
        .map_err(error)?;
        rows.into_iter().map(from_columns).collect()
    }

    async fn remove_document(&self, who: &SubjectKey, name: &str) -> StoreResult<bool> {
        let removed = sqlx::query("DELETE FROM document WHERE tenant = ? AND subject = ? AND name = ?")
            .bind(who.tenant.as_str())
            .bind(who.subject.as_str())
            .bind(name)
            .execute(&self.writer)
            .await
            .map_err(error)?;
        Ok(removed.rows_affected() > 0)
    }
}

fn from_columns((version, written_at, sealed): Columns) -> StoreResult<DocumentVersion> {
    Ok(DocumentVersion {
        version: from_column(version)?,
        written_at: Timestamp { micros: written_at },
        sealed,
    })
}
