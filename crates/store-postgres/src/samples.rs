//! Sealed training samples.

use async_trait::async_trait;
use keyward_domain::{DecisionId, SubjectKey, Timestamp};
use keyward_store::{KEPT_SAMPLES, SampleRow, Samples, StoreError, StoreResult};
use uuid::Uuid;

use crate::PostgresStore;
use crate::link::Repeat;
use crate::statement::{limit, values};

const ADD: &str = "INSERT INTO sample (tenant, subject, name, decision, at_us, sealed) \
     SELECT $1::TEXT, $2::TEXT, $3::TEXT, new.decision, new.at_us, new.sealed \
     FROM unnest($4::BYTEA[], $5::BIGINT[], $6::BYTEA[]) AS new (decision, at_us, sealed) \
     ON CONFLICT DO NOTHING";

/// What follows the newest `$4`.
const TRIM: &str = "DELETE FROM sample \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT AND decision IN ( \
         SELECT decision FROM sample WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT \
         ORDER BY at_us DESC, decision DESC OFFSET $4::BIGINT)";

const NEWEST: &str = "SELECT decision, at_us, sealed FROM sample \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT \
     ORDER BY at_us DESC, decision DESC LIMIT $4::BIGINT";

const RETRACT: &str = "DELETE FROM sample \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND decision = $3::BYTEA RETURNING name";

const CLEAR: &str = "DELETE FROM sample WHERE tenant = $1::TEXT AND subject = $2::TEXT AND name = $3::TEXT";

pub(crate) const STATEMENTS: &[&str] = &[ADD, TRIM, NEWEST, RETRACT, CLEAR];

#[async_trait]
impl Samples for PostgresStore {
    async fn add_samples(
        &self,
        who: &SubjectKey,
        name: &str,
        mut samples: Vec<SampleRow>,
    ) -> StoreResult<()> {
        if samples.is_empty() {
            return Ok(());
        }
        // In one order, so that two that add the same samples do not wait for each other; the first of two alike counts.
        samples.sort_by_key(|sample| sample.decision.0);
        samples.dedup_by_key(|sample| sample.decision.0);
        let (tenant, subject) = (who.tenant.as_str(), who.subject.as_str());
        let decisions: Vec<&[u8]> = samples.iter().map(|sample| &sample.decision.0.as_bytes()[..]).collect();
        let times: Vec<i64> = samples.iter().map(|sample| sample.at.micros).collect();
        let sealed: Vec<&[u8]> = samples.iter().map(|sample| sample.sealed.as_slice()).collect();
        let new = values![tenant, subject, name, decisions, times, sealed];
        let _: Vec<()> = self.state.rows(Repeat::Safe, ADD, new).await?;
        let rest = values![tenant, subject, name, limit(KEPT_SAMPLES)];
        let _: Vec<()> = self.state.rows(Repeat::Safe, TRIM, rest).await?;
        Ok(())
    }

    async fn samples(&self, who: &SubjectKey, name: &str, most: usize) -> StoreResult<Vec<SampleRow>> {
        let key = values![who.tenant.as_str(), who.subject.as_str(), name, limit(most)];
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = self.state.rows(Repeat::Safe, NEWEST, key).await?;
        rows.into_iter()
            .rev()
            .map(|(decision, at, sealed)| {
                Ok(SampleRow { decision: decision_from(&decision)?, at: Timestamp { micros: at }, sealed })
            })
            .collect()
    }

    async fn retract_samples(&self, who: &SubjectKey, decision: DecisionId) -> StoreResult<Vec<String>> {
        let key = values![who.tenant.as_str(), who.subject.as_str(), decision.0.as_bytes().as_slice()];
        // Repeated after a break it could not say any more under which names they were.
        let mut names: Vec<(String,)> = self.state.rows(Repeat::Never, RETRACT, key).await?;
        names.sort();
        Ok(names.into_iter().map(|name| name.0).collect())
    }

    async fn clear_samples(&self, who: &SubjectKey, name: &str) -> StoreResult<()> {
        let key = values![who.tenant.as_str(), who.subject.as_str(), name];
        let _: Vec<()> = self.state.rows(Repeat::Safe, CLEAR, key).await?;
        Ok(())
    }
}

/// A decision id from its sixteen bytes.
pub(crate) fn decision_from(bytes: &[u8]) -> StoreResult<DecisionId> {
    Uuid::from_slice(bytes).map(DecisionId).map_err(|_| StoreError::Damaged("a decision id".to_owned()))
}
