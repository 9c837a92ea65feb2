//! Records as they are appended, for a live console. By whichever replica: the log is asked, not this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyward_domain::{CallerId, TenantId};
use keyward_store::AuditSelection;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::people::durable;
use crate::records::LoggedRecord;
use crate::{Engine, EngineError};

/// Watches at once in this process.
pub(crate) const WATCHES: usize = 32;
/// How often the log is asked.
const PERIOD: Duration = Duration::from_millis(250);
/// Records that may wait for the watcher; one more, and it has fallen behind.
const WAITING: usize = 1024;
/// Records that are asked for at once.
const CHUNK: usize = 256;

/// Records of a tenant as they come; the last item is the error that ends the watch.
pub type Watch = mpsc::Receiver<Result<LoggedRecord, EngineError>>;

impl Engine {
    /// Watches a tenant's records from now on.
    ///
    /// # Errors
    /// [`EngineError::TooManyWatches`]; [`EngineError::StoreUnavailable`], also when the read itself cannot be recorded.
    pub async fn watch_records(
        self: &Arc<Self>,
        caller: &CallerId,
        tenant: TenantId,
    ) -> Result<Watch, EngineError> {
        let place = self.watches.clone().try_acquire_owned().map_err(|_| EngineError::TooManyWatches)?;
        let index = self.record_read(caller, "WatchRecords", &tenant, None, BTreeMap::new()).await?;
        let (send, receive) = mpsc::channel(WAITING + 1);
        tokio::spawn(watch(Arc::downgrade(self), tenant, index + 1, send, place));
        Ok(receive)
    }

    /// The records of a tenant from an index on, and the index to go on from.
    async fn since(&self, tenant: &TenantId, from: u64) -> Result<(Vec<LoggedRecord>, u64), EngineError> {
        let size = self.durable.size().await.map_err(durable)?;
        let what = AuditSelection {
            tenant: tenant.clone(),
            subject: None,
            kind: None,
            indices: from..size.max(from),
            newest_first: false,
            limit: CHUNK,
        };
        let rows = self.durable.select(&what).await.map_err(durable)?;
        let next = if rows.len() < CHUNK { size.max(from) } else { rows[CHUNK - 1].0 + 1 };
        let (mut records, mut opened) = (Vec::with_capacity(rows.len()), HashMap::new());
        for (index, row) in rows {
            records.push(self.open_row(index, row, &mut opened).await?);
        }
        Ok((records, next))
    }
}

async fn watch(
    engine: Weak<Engine>,
    tenant: TenantId,
    mut from: u64,
    to: mpsc::Sender<Result<LoggedRecord, EngineError>>,
    _place: OwnedSemaphorePermit,
) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            _ = period.tick() => {}
            () = to.closed() => return,
        }
        let Some(engine) = engine.upgrade() else { return };
        let (records, next) = match engine.since(&tenant, from).await {
            Ok(found) => found,
            Err(error) => return last(&to, error),
        };
        from = next;
        for record in records {
            // The last place is kept for the error.
            if to.capacity() <= 1 {
                return last(&to, EngineError::WatchLagged);
            }
            let _ = to.try_send(Ok(record));
        }
    }
}

fn last(to: &mpsc::Sender<Result<LoggedRecord, EngineError>>, error: EngineError) {
    // Nobody listens any more, or there is the place that was kept.
    let _ = to.try_send(Err(error));
}
