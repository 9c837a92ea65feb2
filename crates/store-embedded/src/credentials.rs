//! Passkeys.

use async_trait::async_trait;
use keyward_domain::{CredentialId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{CredentialRow, Credentials, StoreError, StoreResult};

use crate::EmbeddedStore;
use crate::file::{error, from_column, to_column};

/// A row without its tenant, which the query knows.
pub(crate) type Columns = (Vec<u8>, String, Vec<u8>, String, i64, Option<i64>, i64);

#[async_trait]
impl Credentials for EmbeddedStore {
    async fn add_credential(&self, row: CredentialRow) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO credential (tenant, id, subject, credential, name, created_at_us, last_used_at_us, version) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        )
        .bind(row.who.tenant.as_str())
        .bind(row.id.0)
        .bind(row.who.subject.as_str())
        .bind(row.credential)
        .bind(row.name)
        .bind(row.created_at.micros)
        .bind(row.last_used_at.map(|at| at.micros))
        .execute(&self.writer)
        .await
        .map_err(error)?;
        Ok(())
    }

    async fn credentials(&self, who: &SubjectKey) -> StoreResult<Vec<CredentialRow>> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, subject, credential, name, created_at_us, last_used_at_us, version FROM credential \
             WHERE tenant = ? AND subject = ? ORDER BY created_at_us, id",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(error)?;
        rows.into_iter().map(|columns| from_columns(&who.tenant, columns)).collect()
    }

    async fn credential(&self, tenant: &TenantId, id: &CredentialId) -> StoreResult<Option<CredentialRow>> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, subject, credential, name, created_at_us, last_used_at_us, version FROM credential \
             WHERE tenant = ? AND id = ?",
        )
        .bind(tenant.as_str())
        .bind(id.0.as_slice())
        .fetch_optional(&self.readers)
        .await
        .map_err(error)?;
        row.map(|columns| from_columns(tenant, columns)).transpose()
    }

    async fn update_credential(&self, row: CredentialRow) -> StoreResult<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        let there: Option<(i64,)> =
            sqlx::query_as("SELECT version FROM credential WHERE tenant = ? AND id = ? AND subject = ?")
                .bind(row.who.tenant.as_str())
                .bind(row.id.0.as_slice())
                .bind(row.who.subject.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(error)?;
        let (version,) = there.ok_or(StoreError::NotFound)?;
        if version != to_column(row.version)? {
            return Err(StoreError::Conflict);
        }
        sqlx::query(
            "UPDATE credential SET credential = ?, name = ?, last_used_at_us = ?, version = version + 1 \
             WHERE tenant = ? AND id = ?",
        )
        .bind(row.credential)
        .bind(row.name)
        .bind(row.last_used_at.map(|at| at.micros))
        .bind(row.who.tenant.as_str())
        .bind(row.id.0)
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
        transaction.commit().await.map_err(error)
    }

    async fn remove_credential(&self, who: &SubjectKey, id: &CredentialId) -> StoreResult<bool> {
        let removed = sqlx::query("DELETE FROM credential WHERE tenant = ? AND id = ? AND subject = ?")
            .bind(who.tenant.as_str())
            .bind(id.0.as_slice())
            .bind(who.subject.as_str())
            .execute(&self.writer)
            .await
            .map_err(error)?;
        Ok(removed.rows_affected() > 0)
    }
}

pub(crate) fn from_columns(tenant: &TenantId, columns: Columns) -> StoreResult<CredentialRow> {
    let (id, subject, credential, name, created_at, last_used_at, version) = columns;
    let subject =
        SubjectId::parse(subject).map_err(|e| StoreError::Damaged(format!("a passkey's subject {e}")))?;
    Ok(CredentialRow {
        id: CredentialId(id),
        who: SubjectKey { tenant: tenant.clone(), subject },
        credential,
        name,
        created_at: Timestamp { micros: created_at },
        last_used_at: last_used_at.map(|micros| Timestamp { micros }),
        version: from_column(version)?,
    })
}
