//! Passkeys.

use async_trait::async_trait;
use keyward_domain::{CredentialId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{CredentialRow, Credentials, StoreError, StoreResult};

use crate::PostgresStore;
use crate::link::Repeat;
use crate::statement::{from_column, to_column, values};

const ADD: &str = "INSERT INTO credential \
         (tenant, id, subject, credential, name, created_at_us, last_used_at_us, version) \
     VALUES ($1::TEXT, $2::BYTEA, $3::TEXT, $4::BYTEA, $5::TEXT, $6::BIGINT, $7::BIGINT, 1) RETURNING version";

const OF_SUBJECT: &str = "SELECT id, subject, credential, name, created_at_us, last_used_at_us, version \
     FROM credential WHERE tenant = $1::TEXT AND subject = $2::TEXT ORDER BY created_at_us, id";

const ONE: &str = "SELECT id, subject, credential, name, created_at_us, last_used_at_us, version \
     FROM credential WHERE tenant = $1::TEXT AND id = $2::BYTEA";

const UPDATE: &str = "UPDATE credential \
     SET credential = $5::BYTEA, name = $6::TEXT, last_used_at_us = $7::BIGINT, version = version + 1 \
     WHERE tenant = $1::TEXT AND id = $2::BYTEA AND subject = $3::TEXT AND version = $4::BIGINT \
     RETURNING version";

const REMOVE: &str = "DELETE FROM credential \
     WHERE tenant = $1::TEXT AND id = $2::BYTEA AND subject = $3::TEXT RETURNING version";

pub(crate) const STATEMENTS: &[&str] = &[ADD, OF_SUBJECT, ONE, UPDATE, REMOVE];

/// A row without its tenant, which the query knows.
pub(crate) type Columns = (Vec<u8>, String, Vec<u8>, String, i64, Option<i64>, i64);

#[async_trait]
impl Credentials for PostgresStore {
    async fn add_credential(&self, row: CredentialRow) -> StoreResult<()> {
        let values = values![
            row.who.tenant.as_str(),
            row.id.0.as_slice(),
            row.who.subject.as_str(),
            row.credential.as_slice(),
            row.name.as_str(),
            row.created_at.micros,
            row.last_used_at.map(|at| at.micros),
        ];
        let _: Option<(i64,)> = self.state.row(Repeat::Never, ADD, values).await?;
        Ok(())
    }

    async fn credentials(&self, who: &SubjectKey) -> StoreResult<Vec<CredentialRow>> {
        let key = values![who.tenant.as_str(), who.subject.as_str()];
        let rows: Vec<Columns> = self.state.rows(Repeat::Safe, OF_SUBJECT, key).await?;
        rows.into_iter().map(|columns| from_columns(&who.tenant, columns)).collect()
    }

    async fn credential(&self, tenant: &TenantId, id: &CredentialId) -> StoreResult<Option<CredentialRow>> {
        let key = values![tenant.as_str(), id.0.as_slice()];
        let row: Option<Columns> = self.state.row(Repeat::Safe, ONE, key).await?;
        row.map(|columns| from_columns(tenant, columns)).transpose()
    }

    async fn update_credential(&self, row: CredentialRow) -> StoreResult<()> {
        let values = values![
            row.who.tenant.as_str(),
            row.id.0.as_slice(),
            row.who.subject.as_str(),
            to_column(row.version),
            row.credential.as_slice(),
            row.name.as_str(),
            row.last_used_at.map(|at| at.micros),
        ];
        let updated: Option<(i64,)> = self.state.row(Repeat::Never, UPDATE, values).await?;
        if updated.is_some() {
            return Ok(());
        }
        let there = self.credential(&row.who.tenant, &row.id).await?;
        Err(there.filter(|there| there.who == row.who).map_or(StoreError::NotFound, |_| StoreError::Conflict))
    }

    async fn remove_credential(&self, who: &SubjectKey, id: &CredentialId) -> StoreResult<bool> {
        let key = values![who.tenant.as_str(), id.0.as_slice(), who.subject.as_str()];
        let removed: Option<(i64,)> = self.state.row(Repeat::Never, REMOVE, key).await?;
        Ok(removed.is_some())
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
