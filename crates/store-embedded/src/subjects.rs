//! Subjects.

use async_trait::async_trait;
use keyward_domain::{SubjectKey, Timestamp};
use keyward_store::{StoreResult, SubjectRow, Subjects};
use sqlx::SqliteExecutor;

use crate::EmbeddedStore;
use crate::file::error;

#[async_trait]
impl Subjects for EmbeddedStore {
    async fn subject(&self, who: &SubjectKey) -> StoreResult<Option<SubjectRow>> {
        select(&self.readers, who).await
    }

    async fn ensure_subject(&self, who: &SubjectKey, row: SubjectRow) -> StoreResult<SubjectRow> {
        if let Some(there) = select(&self.readers, who).await? {
            return Ok(there);
        }
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        sqlx::query(
            "INSERT INTO subject (tenant, subject, wrapped_key, created_at_us) VALUES (?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(row.wrapped_key.as_slice())
        .bind(row.created_at.micros)
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
        let there = select(&mut *transaction, who).await?;
        transaction.commit().await.map_err(error)?;
        Ok(there.unwrap_or(row))
    }

    async fn erase_subject(&self, who: &SubjectKey) -> StoreResult<bool> {
        // The log lies in a file of its own, which no transaction can span: it comes first, so that an erasure that was
        // interrupted leaves a subject that is still there to be erased again.
        let mut erased = self.audit.clear_subject(who).await?;
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        for statement in [
            "DELETE FROM sample WHERE tenant = ? AND subject = ?",
            "DELETE FROM document WHERE tenant = ? AND subject = ?",
            "DELETE FROM credential WHERE tenant = ? AND subject = ?",
            "DELETE FROM subject WHERE tenant = ? AND subject = ?",
        ] {
            let query = sqlx::query(statement).bind(who.tenant.as_str()).bind(who.subject.as_str());
            erased += query.execute(&mut *transaction).await.map_err(error)?.rows_affected();
        }
        transaction.commit().await.map_err(error)?;
        // The wrapped key stands in the write-ahead log until that is emptied.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await.map_err(error)?;
        Ok(erased > 0)
    }
}

async fn select(from: impl SqliteExecutor<'_>, who: &SubjectKey) -> StoreResult<Option<SubjectRow>> {
    let row: Option<(Vec<u8>, i64)> =
        sqlx::query_as("SELECT wrapped_key, created_at_us FROM subject WHERE tenant = ? AND subject = ?")
            .bind(who.tenant.as_str())
            .bind(who.subject.as_str())
            .fetch_optional(from)
            .await
            .map_err(error)?;
    Ok(row.map(|(wrapped_key, micros)| SubjectRow { wrapped_key, created_at: Timestamp { micros } }))
}
