//! Appending to the audit log, many records to a commit.
//!
//! One task owns the log. While it waits for a commit, the records of other requests gather, and go with the next one:
//! nobody waits for a timer, and a busy server pays for one commit where it would have paid for fifty. The task outlives
//! the requests, so a caller that hangs up takes nobody else's record with it.

use std::sync::Arc;

use keyward_audit::{Hash, Leaf, Record, SALT_BYTES, leaf_hash};
use keyward_domain::{DecisionId, Entropy, SubjectKey};
use keyward_seal::DataKey;
use keyward_store::{AuditRow, DurableStore, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::EngineError;
use crate::records::bound;

/// Records that go with one commit at most.
const BATCH: usize = 256;
/// Records that may wait; above it callers wait for a place.
const QUEUE: usize = 4096;

type Reply = Result<u64, StoreError>;
type Waiting = (AuditRow, oneshot::Sender<Reply>);

/// The way into the audit log.
pub(crate) struct Log {
    entropy: Arc<dyn Entropy>,
    deployment: DataKey,
    queue: mpsc::Sender<Waiting>,
}

/// A record on its way; it is durable when [`Accepted::index`] says so.
pub(crate) struct Accepted {
    /// The RFC 6962 leaf hash of the record.
    pub leaf_hash: Hash,
    reply: oneshot::Receiver<Reply>,
}

impl Log {
    /// Starts the task that owns the log.
    pub(crate) fn start(
        store: Arc<dyn DurableStore>,
        deployment: DataKey,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(store, receiver));
        Self { entropy, deployment, queue }
    }

    /// Seals a record (under the person's key if there is one, else under the deployment's) and sends it on its way.
    pub(crate) async fn send(
        &self,
        record: &Record,
        decision: Option<DecisionId>,
        key: Option<&DataKey>,
    ) -> Result<Accepted, EngineError> {
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        let leaf = Leaf::commit(record, salt).map_err(|e| EngineError::Internal(e.to_string()))?;
        // What no person's key sealed is bound to the tenant: whoever reads it does not know yet whom it is about.
        let whole = SubjectKey::of_tenant(&record.who.tenant);
        let bound = bound(if key.is_some() { &record.who } else { &whole });
        let sealed = key.unwrap_or(&self.deployment).seal(&bound, &leaf.opening, &*self.entropy);
        let row = AuditRow {
            commitment: leaf.commitment,
            kind: record.event.kind().to_owned(),
            tenant: record.who.tenant.clone(),
            subject: key.map(|_| record.who.subject.clone()),
            decision,
            at: record.at,
            sealed,
        };
        let (reply, accepted) = oneshot::channel();
        let leaf_hash = leaf_hash(&row.commitment);
        self.queue.send((row, reply)).await.map_err(|_| stopped())?;
        Ok(Accepted { leaf_hash, reply: accepted })
    }

    /// The record in a row that the deployment's key sealed, checked against its leaf.
    pub(crate) fn open(&self, row: &AuditRow) -> Option<Record> {
        let whole = SubjectKey::of_tenant(&row.tenant);
        let opening = self.deployment.open(&bound(&whole), &row.sealed).ok()?;
        Leaf::open(&row.commitment, &opening).ok()
    }

    /// The key that seals what concerns no person.
    pub(crate) const fn deployment_key(&self) -> &DataKey {
        &self.deployment
    }

    /// Sends a record and waits until it is durable.
    pub(crate) async fn append(&self, record: &Record, key: Option<&DataKey>) -> Result<u64, EngineError> {
        self.send(record, None, key).await?.index().await
    }
}

impl Accepted {
    /// Waits until the record is durable; its index in the log.
    pub(crate) async fn index(self) -> Result<u64, EngineError> {
        match self.reply.await {
            Ok(Ok(index)) => Ok(index),
            Ok(Err(error)) => {
                tracing::error!(%error, "audit log did not accept a record");
                Err(EngineError::StoreUnavailable { store: "durable" })
            }
            Err(_) => Err(stopped()),
        }
    }
}

fn stopped() -> EngineError {
    EngineError::Internal("the audit log's task has stopped".to_owned())
}

async fn run(store: Arc<dyn DurableStore>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        gather(&mut receiver, &mut batch).await;
        let (rows, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let first = store.append(rows).await;
        for (reply, offset) in replies.into_iter().zip(0..) {
            // A caller that hung up does not listen; its record stands all the same.
            let _ = reply.send(first.clone().map(|first| first + offset));
        }
    }
}

/// Lets the requests that are ready to run go first, as long as they bring records: a commit costs the same for one record
/// as for many. Nobody waits for a timer, and a lone request waits for nobody.
async fn gather(receiver: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>) {
    loop {
        let before = batch.len();
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(waiting) = receiver.try_recv()
        {
            batch.push(waiting);
        }
        if batch.len() == before || batch.len() == BATCH {
            return;
        }
    }
}
