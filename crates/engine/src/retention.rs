//! The end of records: by whole tiles, when every record of one has been kept for as long as it must be. Their hashes
//! remain, so that every proof stays as it is.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keyward_audit::{Event, Record, TILE_WIDTH};
use keyward_domain::{SubjectKey, Timestamp};

use crate::people::durable;
use crate::{Engine, EngineError};

/// How often it is looked whether another policy was put in place.
const SECOND: Duration = Duration::from_secs(1);
/// How often it is looked for records at their end.
const PERIOD: Duration = Duration::from_hours(1);
/// Tiles that are removed at once at most: a million records.
const TILES: usize = 4096;

impl Engine {
    /// Removes records at the end of their retention, and returns how many. A record of it comes first.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`]; [`EngineError::Internal`] when the log is not what was signed.
    pub async fn prune_log(&self) -> Result<u64, EngineError> {
        let Some(retention) = self.retention else { return Ok(0) };
        let kept = i64::try_from(retention.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp { micros: self.clock.now().micros.saturating_sub(kept) };
        let Some(covered) = self.tree.head().await?.map(|head| head.checkpoint.size) else { return Ok(0) };
        let Some((from, _)) = self.durable.read(0, 1).await.map_err(durable)?.pop() else { return Ok(0) };
        let mut below = from;
        for _ in 0..TILES {
            let next = (below / TILE_WIDTH as u64 + 1) * TILE_WIDTH as u64;
            if next > covered || !self.is_past(below, next, before).await? {
                break;
            }
            below = next;
        }
        if below == from {
            return Ok(0);
        }
        let event = Event::Pruned { from, below, before };
        let record = Record { who: SubjectKey::of_deployment(), at: self.clock.now(), event };
        self.log.append(&record, None).await?;
        self.durable.prune(below).await.map_err(durable)
    }

    /// Whether every record between two indices is older than a moment.
    async fn is_past(&self, from: u64, to: u64, before: Timestamp) -> Result<bool, EngineError> {
        let rows = self.durable.read(from, TILE_WIDTH).await.map_err(durable)?;
        Ok(rows.iter().take_while(|(index, _)| *index < to).all(|(_, row)| row.at < before))
    }
}

/// Looks after the log until the engine is gone: records a policy that was put in place, and ends records.
pub(crate) async fn run(engine: Weak<Engine>) {
    let (mut second, mut period) = (tokio::time::interval(SECOND), tokio::time::interval(PERIOD));
    loop {
        let due = tokio::select! {
            _ = second.tick() => false,
            _ = period.tick() => true,
        };
        let Some(engine): Option<Arc<Engine>> = engine.upgrade() else { return };
        if !due {
            if let Err(error) = engine.follow_policy().await {
                tracing::error!(%error, "the policy in force is not on record yet");
            }
            continue;
        }
        match engine.prune_log().await {
            Ok(0) => {}
            Ok(records) => {
                tracing::info!(records, "audit records at the end of their retention were removed");
            }
            Err(error) => {
                tracing::error!(%error, "audit records at the end of their retention were not removed");
            }
        }
    }
}
