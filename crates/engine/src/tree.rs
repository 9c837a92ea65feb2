//! The Merkle tree over the audit log, integrated after the fact: no request waits for it.
//!
//! Every replica does this. One wins each step, by compare-and-set of the tree's size; the others read again.

use std::sync::Arc;
use std::time::Duration;

use keyward_audit::{Checkpoint, Edge, Hash, NoteError, NoteSigner, TileId, Tiles, TreeError, VerifierKey};
use keyward_domain::{Clock, Timestamp};
use keyward_store::{DurableStore, Tile, TreeHead};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::EngineError;
use crate::observer::{LogBehind, Observer};
use crate::people::durable;

/// Records that are integrated in one step at most: 64 tiles, half a megabyte.
const STEP: usize = 16_384;
/// Steps that other replicas may win before the task waits for its next turn.
const LOST: u32 = 8;

/// The tree, as this replica reads and grows it.
pub(crate) struct Tree {
    pub store: Arc<dyn DurableStore>,
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
    pub signer: NoteSigner,
    /// Keys that signed checkpoints of this log before.
    pub earlier_keys: Vec<VerifierKey>,
}

/// The newest checkpoint, verified.
pub(crate) struct Head {
    pub checkpoint: Checkpoint,
    pub note: String,
    pub signed_at: Timestamp,
}

impl Tree {
    /// The newest checkpoint, if there is one.
    pub(crate) async fn head(&self) -> Result<Option<Head>, EngineError> {
        let Some(TreeHead { size, signed_at, note }) = self.store.head().await.map_err(durable)? else {
            return Ok(None);
        };
        let checkpoint = self.verified(&note).map_err(|error| damaged(&error))?;
        if checkpoint.size != size {
            return Err(damaged(&"the newest checkpoint is not of the size that it is filed under"));
        }
        Ok(Some(Head { checkpoint, note, signed_at }))
    }

    fn verified(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let ours = Checkpoint::verify(note, self.signer.key());
        let earlier = self.earlier_keys.iter().find_map(|key| Checkpoint::verify(note, key).ok());
        ours.or_else(|error| earlier.ok_or(error))
    }

    /// Integrates every record that the log has, and signs a checkpoint over them.
    pub(crate) async fn integrate(&self) -> Result<(), EngineError> {
        let mut lost = 0;
        loop {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(EngineError::Conflict) if lost < LOST => lost += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Integrates some records. Whether there may be more.
    async fn step(&self) -> Result<bool, EngineError> {
        let head = self.head().await?;
        let size = head.as_ref().map_or(0, |head| head.checkpoint.size);
        let new = self.store.commitments(size, STEP).await.map_err(durable)?;
        if new.is_empty() {
            self.check_length(size).await?;
            return Ok(false);
        }
        let more = new.len() == STEP;
        let mut edge = self.edge(head.as_ref()).await?;
        for ((index, commitment), expected) in new.into_iter().zip(size..) {
            if index != expected {
                return Err(damaged(&format_args!(
                    "record {expected} is missing, and record {index} is there"
                )));
            }
            edge.push(commitment);
        }
        self.advance(head.as_ref(), edge).await?;
        Ok(more)
    }

    /// A log that is shorter than its own checkpoint has lost records.
    async fn check_length(&self, size: u64) -> Result<(), EngineError> {
        let records = self.store.size().await.map_err(durable)?;
        if records < size {
            let text = format_args!("the log has {records} records and its checkpoint covers {size}");
            return Err(damaged(&text));
        }
        Ok(())
    }

    /// The right edge of the tree. It must be the one that was signed: nothing is built on tiles that were changed.
    async fn edge(&self, head: Option<&Head>) -> Result<Edge, EngineError> {
        let Some(head) = head else { return Ok(Edge::default()) };
        let size = head.checkpoint.size;
        let entries = match Edge::last_entries(size) {
            Some(id) => self.tile(id).await?,
            None => Vec::new(),
        };
        let edge = self.ask(|tiles| Edge::of(size, &entries, tiles)).await?;
        if edge.root() == head.checkpoint.root {
            Ok(edge)
        } else {
            Err(damaged(&"the tiles at the end of the tree are not those of its checkpoint"))
        }
    }

    async fn advance(&self, head: Option<&Head>, mut edge: Edge) -> Result<(), EngineError> {
        let tiles = edge.take_tiles().into_iter();
        let tiles = tiles.map(|(id, hashes)| Tile { level: id.level, index: id.index, hashes }).collect();
        let origin = self.signer.key().name().to_owned();
        let note = Checkpoint { origin, size: edge.size(), root: edge.root() }.sign(&self.signer);
        // Clocks step back; checkpoints do not.
        let signed_at =
            self.clock.now().max(head.map_or(Timestamp { micros: i64::MIN }, |head| head.signed_at));
        let new = TreeHead { size: edge.size(), signed_at, note };
        let expected = head.map_or(0, |head| head.checkpoint.size);
        self.store.advance(expected, new, tiles).await.map_err(durable)
    }

    /// Asks the tree something, and brings the tiles that it takes.
    pub(crate) async fn ask<T>(
        &self,
        question: impl Fn(&Tiles) -> Result<T, TreeError> + Send + Sync,
    ) -> Result<T, EngineError> {
        let mut tiles = Tiles::default();
        loop {
            match question(&tiles) {
                Ok(answer) => return Ok(answer),
                Err(TreeError::Missing(id)) => {
                    let bytes = self.tile(id).await?;
                    tiles.insert(id, &bytes).map_err(|error| damaged(&error))?;
                }
                Err(TreeError::Beyond) => return Err(EngineError::NotFound { kind: "tree size" }),
                Err(error) => return Err(damaged(&error)),
            }
        }
    }

    async fn tile(&self, id: TileId) -> Result<Vec<u8>, EngineError> {
        let bytes = self.store.tile(id.level, id.index).await.map_err(durable)?;
        bytes.ok_or_else(|| damaged(&format_args!("{} is missing", id.path())))
    }

    /// The root of the first `size` records.
    pub(crate) async fn root(&self, size: u64) -> Result<Hash, EngineError> {
        self.ask(|tiles| tiles.root(size)).await
    }

    /// Tells the observer how far the tree is behind.
    async fn observe(&self) -> Result<(), EngineError> {
        let head = self.store.head().await.map_err(durable)?;
        let covered = head.as_ref().map_or(0, |head| head.size);
        let records = self.store.size().await.map_err(durable)?.saturating_sub(covered);
        let oldest = match records {
            0 => None,
            _ => self.store.read(covered, 1).await.map_err(durable)?.pop(),
        };
        let now = self.clock.now();
        self.observer.log(LogBehind {
            checkpoint_age: head.map_or(Duration::ZERO, |head| now.since(head.signed_at)),
            records,
            longest_wait: oldest.map_or(Duration::ZERO, |(_, row)| now.since(row.at)),
        });
        Ok(())
    }
}

/// Integrates at each interval until told to stop (or until whoever could tell is gone).
pub(crate) async fn run(tree: Arc<Tree>, interval: Duration, mut stop: oneshot::Receiver<()>) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing: Option<EngineError> = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = &mut stop => return,
        }
        let outcome = tree.integrate().await;
        let outcome = tree.observe().await.and(outcome);
        match (&outcome, &failing) {
            (Err(error), before) if before.as_ref() != Some(error) => {
                tracing::error!(%error, "the audit log's checkpoint stays where it is");
            }
            (Ok(()), Some(_)) => tracing::info!("the audit log's checkpoint follows again"),
            _ => {}
        }
        failing = outcome.err();
    }
}

fn damaged(what: &dyn std::fmt::Display) -> EngineError {
    EngineError::Internal(format!("audit log: {what}"))
}
