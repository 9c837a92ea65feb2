//! Checkpoints of the audit log, and what can be proven against them. Nothing here opens a record.

use keyward_audit::{Checkpoint, Hash, InclusionProof, Note, NoteError, VerifierKey};
use keyward_domain::Timestamp;
use keyward_store::CosignatureRow;

use crate::people::durable;
use crate::tree::Head;
use crate::{Engine, EngineError};

/// The newest checkpoint of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCheckpoint {
    /// How many records it covers.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// The signed note, with the cosignatures that it has.
    pub note: String,
    /// The newest checkpoint that a witness cosigned, with all its cosignatures; absent when there is none.
    pub witnessed: Option<String>,
}

/// A consistency proof between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The hashes, as RFC 6962 §2.1.2 orders them.
    pub hashes: Vec<Hash>,
    /// The size and root of the older tree.
    pub old: (u64, Hash),
    /// The size and root of the newer tree.
    pub new: (u64, Hash),
}

impl Engine {
    /// The key that checkpoints are signed with, in the form of signed notes.
    pub fn log_key(&self) -> &VerifierKey {
        self.tree.signer.key()
    }

    /// Integrates what was appended and signs a checkpoint now, rather than at the next interval.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`]; [`EngineError::Internal`] when the log is not what was signed before.
    pub async fn integrate_log(&self) -> Result<(), EngineError> {
        self.tree.integrate().await
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] before the first; [`EngineError::StoreUnavailable`].
    pub async fn log_checkpoint(&self) -> Result<LogCheckpoint, EngineError> {
        let head = self.head().await?;
        let rows = self.durable.cosignatures().await.map_err(durable)?;
        let newest = rows.first().map(|row| (row.size, row.note.clone()));
        let witnessed = newest.map(|(size, note)| with_cosignatures(&note, size, &rows));
        let note = with_cosignatures(&head.note, head.checkpoint.size, &rows);
        let Checkpoint { size, root, .. } = head.checkpoint;
        Ok(LogCheckpoint { size, root, signed_at: head.signed_at, note, witnessed })
    }

    /// The proof that a record is in the tree of the newest checkpoint.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the tree has no such record (yet); [`EngineError::StoreUnavailable`].
    pub async fn inclusion_proof(&self, index: u64) -> Result<InclusionProof, EngineError> {
        let head = self.head().await?;
        let size = head.checkpoint.size;
        if index >= size {
            return Err(EngineError::NotFound { kind: "record in the checkpoint" });
        }
        let hashes = self.tree.ask(|tiles| tiles.inclusion(index, size)).await?;
        Ok(InclusionProof { index, hashes, checkpoint: head.note })
    }

    /// The proof that the tree of the first `old` records is the beginning of that of the first `new`, or of the newest
    /// checkpoint's.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there are no such trees; [`EngineError::StoreUnavailable`].
    pub async fn consistency_proof(
        &self,
        old: u64,
        new: Option<u64>,
    ) -> Result<ConsistencyProof, EngineError> {
        let size = self.head().await?.checkpoint.size;
        let new = new.unwrap_or(size);
        if new > size || old > new {
            return Err(EngineError::NotFound { kind: "tree size" });
        }
        let hashes = self.tree.ask(|tiles| tiles.consistency(old, new)).await?;
        let (old_root, new_root) = (self.tree.root(old).await?, self.tree.root(new).await?);
        Ok(ConsistencyProof { hashes, old: (old, old_root), new: (new, new_root) })
    }

    /// Keeps a witness's signature under a checkpoint of this log. The note holds the checkpoint and, under it, signatures
    /// of witnesses that are configured; others are left out. Returns how many were kept.
    ///
    /// # Errors
    /// [`EngineError::CosignatureRefused`] naming what is wrong; [`EngineError::StoreUnavailable`].
    pub async fn add_cosignatures(&self, note: &str) -> Result<u32, EngineError> {
        let refused = |cause| EngineError::CosignatureRefused { cause };
        let note = Note::parse(note).map_err(|_| refused("malformed"))?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| refused("malformed"))?;
        if checkpoint.text() != note.text {
            return Err(refused("malformed"));
        }
        let head = self.head().await?;
        let (size, ours) = (checkpoint.size, &head.checkpoint);
        if checkpoint.origin != ours.origin || size == 0 || size > ours.size {
            return Err(refused("other_log"));
        }
        // A root that this log never had is what witnesses are there to find.
        if self.tree.root(size).await? != checkpoint.root {
            tracing::error!(size, "a witness brought a checkpoint that this log's tree does not have");
            return Err(refused("other_root"));
        }
        let signatures = self.cosignatures_of(&note).map_err(refused)?;
        let kept = u32::try_from(signatures.len()).unwrap_or(u32::MAX);
        let note = checkpoint.sign(&self.tree.signer);
        for (witness, line) in signatures {
            let row = CosignatureRow { size, witness, note: note.clone(), line };
            self.durable.cosign(row).await.map_err(durable)?;
        }
        Ok(kept)
    }

    /// The signatures of known witnesses under a note, each by its key.
    fn cosignatures_of(&self, note: &Note) -> Result<Vec<(String, String)>, &'static str> {
        let mut found = Vec::new();
        for witness in &self.witnesses {
            match witness.verify(note) {
                Ok(signature) => found.push((witness.label(), signature.to_string())),
                Err(NoteError::Unsigned(_)) => {}
                Err(_) => return Err("signature"),
            }
        }
        if found.is_empty() { Err("unknown_witness") } else { Ok(found) }
    }

    pub(crate) async fn head(&self) -> Result<Head, EngineError> {
        self.tree.head().await?.ok_or(EngineError::NotFound { kind: "checkpoint" })
    }
}

/// A checkpoint with the cosignatures of its size under it.
fn with_cosignatures(note: &str, size: u64, rows: &[CosignatureRow]) -> String {
    let lines = rows.iter().filter(|row| row.size == size).map(|row| format!("{}\n", row.line));
    note.to_owned() + &lines.collect::<String>()
}
