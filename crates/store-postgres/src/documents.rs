//! Sealed documents with their versions.

use async_trait::async_trait;
use keyward_domain::{SubjectKey, Timestamp};
use keyward_store::{DocumentVersion, Documents, KEPT_VERSIONS, StoreError, StoreResult};

use crate::PostgresStore;
use crate::link::Repeat;
use crate::statement::{from_column, to_column, values};

const CURRENT: &str = "SELECT version, written_at_us, sealed FROM document \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT ORDER BY version DESC LIMIT 1";

const NAMES: &str = "SELECT name, max(version) FROM document \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT GROUP BY name";

/// No row unless `$4` is the current version. Of two that write the next version, the second meets the primary key. The
/// lock makes a write wait for a removal that came first, after which it finds nothing that it expects.
const PUT: &str = "WITH current AS (SELECT version FROM document \
         WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT \
         ORDER BY version DESC LIMIT 1 FOR UPDATE) \
     INSERT INTO document (tenant, subject, name, version, written_at_us, sealed) \
     SELECT $1::TEXT, $2::TEXT, $3::TEXT, $4::BIGINT + 1, $5::BIGINT, $6::BYTEA \
     WHERE coalesce((SELECT version FROM current), 0) = $4::BIGINT \
     ON CONFLICT DO NOTHING RETURNING version";

const DROP_OLD: &str = "DELETE FROM document \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT AND version <= $4::BIGINT RETURNING version";

const HISTORY: &str = "SELECT version, written_at_us, sealed FROM document \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT ORDER BY version DESC";

const REMOVE: &str = "DELETE FROM document \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT RETURNING version";

pub(crate) const STATEMENTS: &[&str] = &[CURRENT, NAMES, PUT, DROP_OLD, HISTORY, REMOVE];

/// How often a removal looks again for what was written while it ran.
const REMOVE_ROUNDS: usize = 8;

type Columns = (i64, i64, Vec<u8>);

#[async_trait]
impl Documents for PostgresStore {
    async fn document(&self, who: &SubjectKey, name: &str) -> StoreResult<Option<DocumentVersion>> {
        let key = values![who.tenant.as_str(), who.subject.as_str(), name];
        let row: Option<Columns> = self.state.row(Repeat::Safe, CURRENT, key).await?;
        row.map(from_columns).transpose()
    }

    async fn document_names(&self, who: &SubjectKey) -> StoreResult<Vec<(String, u64)>> {
        let key = values![who.tenant.as_str(), who.subject.as_str()];
        let rows: Vec<(String, i64)> = self.state.rows(Repeat::Safe, NAMES, key).await?;
        let names: StoreResult<Vec<_>> =
            rows.into_iter().map(|(name, version)| Ok((name, from_column(version)?))).collect();
        // In order of bytes, whatever the database's collation is.
        names.map(|mut names| {
            names.sort();
            names
        })
    }

    async fn put_document(
        &self,
        who: &SubjectKey,
        name: &str,
        expected: u64,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> StoreResult<u64> {
        let (tenant, subject) = (who.tenant.as_str(), who.subject.as_str());
        let new = values![tenant, subject, name, to_column(expected), at.micros, sealed.as_slice()];
        let put: Option<(i64,)> = self.state.row(Repeat::Never, PUT, new).await?;
        let (version,) = put.ok_or(StoreError::Conflict)?;
        let outdated = version.saturating_sub_unsigned(KEPT_VERSIONS as u64);
        if outdated > 0 {
            let old = values![tenant, subject, name, outdated];
            // What stays because this fails goes with the next write.
            let _: StoreResult<Vec<(i64,)>> = self.state.rows(Repeat::Never, DROP_OLD, old).await;
        }
        from_column(version)
    }

    async fn document_history(&self, who: &SubjectKey, name: &str) -> StoreResult<Vec<DocumentVersion>> {
        let key = values![who.tenant.as_str(), who.subject.as_str(), name];
        let rows: Vec<Columns> = self.state.rows(Repeat::Safe, HISTORY, key).await?;
        rows.into_iter().map(from_columns).collect()
    }

    async fn remove_document(&self, who: &SubjectKey, name: &str) -> StoreResult<bool> {
        let mut removed = false;
        for _ in 0..REMOVE_ROUNDS {
            let key = values![who.tenant.as_str(), who.subject.as_str(), name];
            let rows: Vec<(i64,)> = self.state.rows(Repeat::Never, REMOVE, key).await?;
            if rows.is_empty() {
                return Ok(removed);
            }
            removed = true;
        }
        Err(StoreError::Conflict)
    }
}

fn from_columns((version, written_at, sealed): Columns) -> StoreResult<DocumentVersion> {
    Ok(DocumentVersion {
        version: from_column(version)?,
        written_at: Timestamp { micros: written_at },
        sealed,
    })
}
