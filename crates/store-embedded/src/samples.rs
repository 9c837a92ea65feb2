//! Sealed training samples.

use async_trait::async_trait;
use keyward_domain::{DecisionId, SubjectKey, Timestamp};
use keyward_store::{KEPT_SAMPLES, SampleRow, Samples, StoreError, StoreResult};
use uuid::Uuid;

use crate::EmbeddedStore;
use crate::file::error;

#[async_trait]
impl Samples for EmbeddedStore {
    async fn add_samples(&self, who: &SubjectKey, name: &str, samples: Vec<SampleRow>) -> StoreResult<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        for sample in samples {
            sqlx::query(
                "INSERT INTO sample (tenant, subject, name, decision, at_us, sealed) VALUES (?, ?, ?, ?, ?, ?) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(who.tenant.as_str())
            .bind(who.subject.as_str())
            .bind(name)
            .bind(sample.decision.0.as_bytes().as_slice())
            .bind(sample.at.micros)
            .bind(sample.sealed)
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        }
        // The rows that follow the newest KEPT_SAMPLES. `LIMIT -1` is SQLite's way to say "all of them".
        sqlx::query(
            "DELETE FROM sample WHERE tenant = ?1 AND subject = ?2 AND name = ?3 AND decision IN ( \
               SELECT decision FROM sample WHERE tenant = ?1 AND subject = ?2 AND name = ?3 \
               ORDER BY at_us DESC, decision DESC LIMIT -1 OFFSET ?4)",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(name)
        .bind(column(KEPT_SAMPLES))
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
        transaction.commit().await.map_err(error)
    }

    async fn samples(&self, who: &SubjectKey, name: &str, limit: usize) -> StoreResult<Vec<SampleRow>> {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT decision, at_us, sealed FROM sample WHERE tenant = ? AND subject = ? AND name = ? \
             ORDER BY at_us DESC, decision DESC LIMIT ?",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(name)
        .bind(column(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(error)?;
        rows.into_iter()
            .rev()
            .map(|(decision, at, sealed)| {
                Ok(SampleRow { decision: decision_from(&decision)?, at: Timestamp { micros: at }, sealed })
            })
            .collect()
    }

    async fn retract_samples(&self, who: &SubjectKey, decision: DecisionId) -> StoreResult<Vec<String>> {
        let mut names: Vec<(String,)> = sqlx::query_as(
            "DELETE FROM sample WHERE tenant = ? AND subject = ? AND decision = ? RETURNING name",
        )
        .bind(who.tenant.as_str())
        .bind(who.subject.as_str())
        .bind(decision.0.as_bytes().as_slice())
        .fetch_all(&self.writer)
        .await
        .map_err(error)?;
        names.sort();
        Ok(names.into_iter().map(|name| name.0).collect())
    }

    async fn clear_samples(&self, who: &SubjectKey, name: &str) -> StoreResult<()> {
        sqlx::query("DELETE FROM sample WHERE tenant = ? AND subject = ? AND name = ?")
            .bind(who.tenant.as_str())
            .bind(who.subject.as_str())
            .bind(name)
            .execute(&self.writer)
            .await
            .map_err(error)?;
        Ok(())
    }
}

/// A limit as SQLite takes it; a negative one would mean "no limit".
pub(crate) fn column(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A decision id from its sixteen bytes.
pub(crate) fn decision_from(bytes: &[u8]) -> StoreResult<DecisionId> {
    Uuid::from_slice(bytes).map(DecisionId).map_err(|_| StoreError::Damaged("a decision id".to_owned()))
}
