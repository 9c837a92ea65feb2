//! Policy sets that were in force.

use async_trait::async_trait;
use keyward_domain::Timestamp;
use keyward_store::{Policies, PolicyRow, StoreError, StoreResult};

use crate::EmbeddedStore;
use crate::file::error;

pub(crate) type Columns = (Vec<u8>, String, String, i64);

#[async_trait]
impl Policies for EmbeddedStore {
    async fn keep_policy(&self, row: PolicyRow) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO policy (digest, text, schema, since_us) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(row.digest.to_vec())
        .bind(row.text)
        .bind(row.schema)
        .bind(row.since.micros)
        .execute(&self.writer)
        .await
        .map_err(error)?;
        Ok(())
    }

    async fn policy(&self, digest: &[u8; 32]) -> StoreResult<Option<PolicyRow>> {
        let row: Option<Columns> =
            sqlx::query_as("SELECT digest, text, schema, since_us FROM policy WHERE digest = ?")
                .bind(digest.as_slice())
                .fetch_optional(&self.readers)
                .await
                .map_err(error)?;
        row.map(from_columns).transpose()
    }

    async fn policies(&self) -> StoreResult<Vec<([u8; 32], Timestamp)>> {
        let rows: Vec<(Vec<u8>, i64)> =
            sqlx::query_as("SELECT digest, since_us FROM policy ORDER BY since_us, digest")
                .fetch_all(&self.readers)
                .await
                .map_err(error)?;
        rows.into_iter().map(|(digest, micros)| Ok((digest_from(digest)?, Timestamp { micros }))).collect()
    }
}

fn digest_from(bytes: Vec<u8>) -> StoreResult<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Damaged("the digest of a policy set".to_owned()))
}

pub(crate) fn from_columns((digest, text, schema, micros): Columns) -> StoreResult<PolicyRow> {
    Ok(PolicyRow { digest: digest_from(digest)?, text, schema, since: Timestamp { micros } })
}
