//! Subjects.

use async_trait::async_trait;
use keyward_domain::{SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{Documents, OpenedSubject, Removed, StoreError, StoreResult, SubjectRow, Subjects};
use sqlx::SqliteExecutor;

use crate::EmbeddedStore;
use crate::file::{error, from_column};

#[async_trait]
impl Subjects for EmbeddedStore {
    async fn subject(&self, who: &SubjectKey) -> StoreResult<Option<SubjectRow>> {
        select(&self.readers, who).await
    }

    async fn open_subject(&self, who: &SubjectKey, names: &[&str]) -> StoreResult<Option<OpenedSubject>> {
        // No round trips to save: the file is in this process.
        let Some(row) = select(&self.readers, who).await? else { return Ok(None) };
        let mut documents = Vec::with_capacity(names.len());
        for name in names {
            documents.push(((*name).to_owned(), self.document(who, name).await?));
        }
        Ok(Some(OpenedSubject { row, documents }))
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

    async fn erase_subject(&self, who: &SubjectKey) -> StoreResult<Removed> {
        // The log lies in a file of its own, which no transaction can span: it comes first, so that an erasure that was
        // interrupted leaves a subject that is still there to be erased again.
        let audit_records = self.audit.clear_subject(who).await?;
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        let mut removed = [0; 4];
        for (statement, rows) in [
            "DELETE FROM sample WHERE tenant = ? AND subject = ?",
            "DELETE FROM document WHERE tenant = ? AND subject = ?",
            "DELETE FROM credential WHERE tenant = ? AND subject = ?",
            "DELETE FROM subject WHERE tenant = ? AND subject = ?",
        ]
        .into_iter()
        .zip(&mut removed)
        {
            let query = sqlx::query(statement).bind(who.tenant.as_str()).bind(who.subject.as_str());
            *rows = query.execute(&mut *transaction).await.map_err(error)?.rows_affected();
        }
        transaction.commit().await.map_err(error)?;
        self.empty_write_ahead_log().await?;
        let [samples, documents, credentials, subjects] = removed;
        Ok(Removed { subject: subjects > 0, credentials, documents, samples, audit_records })
    }

    async fn subjects_after(
        &self,
        after: Option<&SubjectKey>,
        limit: usize,
    ) -> StoreResult<Vec<(SubjectKey, SubjectRow)>> {
        // No id is empty, so that every subject comes after two empty texts.
        let (tenant, subject) = after.map_or(("", ""), |who| (who.tenant.as_str(), who.subject.as_str()));
        let rows: Vec<(String, String, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT tenant, subject, wrapped_key, created_at_us FROM subject \
             WHERE (tenant, subject) > (?, ?) ORDER BY tenant, subject LIMIT ?",
        )
        .bind(tenant)
        .bind(subject)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(error)?;
        rows.into_iter().map(from_columns).collect()
    }

    async fn subject_count(&self) -> StoreResult<u64> {
        let (count,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM subject").fetch_one(&self.readers).await.map_err(error)?;
        from_column(count)
    }

    async fn replace_wrapped_key(
        &self,
        who: &SubjectKey,
        expected: &[u8],
        wrapped_key: Vec<u8>,
    ) -> StoreResult<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        let there = select(&mut *transaction, who).await?.ok_or(StoreError::NotFound)?;
        if there.wrapped_key != expected {
            return Err(StoreError::Conflict);
        }
        sqlx::query("UPDATE subject SET wrapped_key = ? WHERE tenant = ? AND subject = ?")
            .bind(wrapped_key)
            .bind(who.tenant.as_str())
            .bind(who.subject.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        transaction.commit().await.map_err(error)
    }
}

impl EmbeddedStore {
    /// A wrapped key that was removed or replaced stands in the write-ahead log until that is emptied.
    async fn empty_write_ahead_log(&self) -> StoreResult<()> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await.map_err(error)?;
        Ok(())
    }
}

fn from_columns(
    (tenant, subject, wrapped_key, micros): (String, String, Vec<u8>, i64),
) -> StoreResult<(SubjectKey, SubjectRow)> {
    let damaged = |_| StoreError::Damaged("an id of a subject".to_owned());
    let tenant = TenantId::parse(tenant).map_err(damaged)?;
    let subject = SubjectId::parse(subject).map_err(damaged)?;
    Ok((SubjectKey { tenant, subject }, SubjectRow { wrapped_key, created_at: Timestamp { micros } }))
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
