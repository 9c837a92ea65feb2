//! Policy sets that were in force.

use async_trait::async_trait;
use keyward_domain::Timestamp;
use keyward_store::{Policies, PolicyRow, StoreError, StoreResult};

use crate::PostgresStore;
use crate::link::Repeat;
use crate::statement::values;

const KEEP: &str = "INSERT INTO policy_set (digest, policies, schema_text, since_us) \
     VALUES ($1::BYTEA, $2::TEXT, $3::TEXT, $4::BIGINT) ON CONFLICT DO NOTHING";

const POLICY: &str =
    "SELECT digest, policies, schema_text, since_us FROM policy_set WHERE digest = $1::BYTEA";

const POLICIES: &str = "SELECT digest, since_us FROM policy_set ORDER BY since_us, digest";

pub(crate) const STATEMENTS: &[&str] = &[KEEP, POLICY, POLICIES];

pub(crate) type Columns = (Vec<u8>, String, String, i64);

#[async_trait]
impl Policies for PostgresStore {
    async fn keep_policy(&self, row: PolicyRow) -> StoreResult<()> {
        let columns =
            values![row.digest.as_slice(), row.text.as_str(), row.schema.as_str(), row.since.micros];
        let _: Vec<()> = self.state.rows(Repeat::Safe, KEEP, columns).await?;
        Ok(())
    }

    async fn policy(&self, digest: &[u8; 32]) -> StoreResult<Option<PolicyRow>> {
        let row: Option<Columns> = self.state.row(Repeat::Safe, POLICY, values![digest.as_slice()]).await?;
        row.map(from_columns).transpose()
    }

    async fn policies(&self) -> StoreResult<Vec<([u8; 32], Timestamp)>> {
        let rows: Vec<(Vec<u8>, i64)> = self.state.rows(Repeat::Safe, POLICIES, values![]).await?;
        rows.into_iter().map(|(digest, micros)| Ok((digest_from(digest)?, Timestamp { micros }))).collect()
    }
}

fn digest_from(bytes: Vec<u8>) -> StoreResult<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Damaged("the digest of a policy set".to_owned()))
}

pub(crate) fn from_columns((digest, text, schema, micros): Columns) -> StoreResult<PolicyRow> {
    Ok(PolicyRow { digest: digest_from(digest)?, text, schema, since: Timestamp { micros } })
}
