//! The audit log: checkpoints and proofs.

use keyward_audit::{Checkpoint, Hash, InclusionProof, Note, VerifierKey};
use keyward_engine::{ConsistencyProof, LogCheckpoint};

use super::time::timestamp_to_wire;
use super::{Path, Violations, collect, text};
use crate::v1;

/// The longest note that is taken, in bytes: a hundred signatures take a sixth of it.
const MAX_NOTE_BYTES: usize = 64 * 1024;

/// The sizes of two logs; the newer one may be left open.
pub fn get_consistency_proof(
    request: v1::GetConsistencyProofRequest,
) -> Result<(u64, Option<u64>), Violations> {
    let (old, new) = (request.old_size, request.new_size);
    collect(|found| {
        if old == 0 {
            return Err(found.add(Path::Request.field("old_size"), "must be at least 1"));
        }
        if new != 0 && new < old {
            return Err(found.add(Path::Request.field("new_size"), "must be 0 or at least old_size"));
        }
        Ok((old, (new != 0).then_some(new)))
    })
}

/// A cosigned checkpoint.
pub fn add_cosignature(request: v1::AddCosignatureRequest) -> Result<String, Violations> {
    collect(|found| text::document(request.note, MAX_NOTE_BYTES, Path::Request.field("note"), found))
}

/// The newest checkpoint.
pub fn checkpoint(checkpoint: LogCheckpoint, key: &VerifierKey) -> v1::GetCheckpointResponse {
    v1::GetCheckpointResponse {
        checkpoint: checkpoint.note,
        size: checkpoint.size,
        root: bytes(&checkpoint.root),
        signed_at: Some(timestamp_to_wire(checkpoint.signed_at)),
        witnessed_checkpoint: checkpoint.witnessed.unwrap_or_default(),
        key: key.to_string(),
    }
}

/// An inclusion proof.
pub fn inclusion_proof(proof: InclusionProof) -> v1::InclusionProof {
    let checkpoint = Note::parse(&proof.checkpoint).and_then(|note| Checkpoint::parse(&note.text));
    v1::InclusionProof {
        index: proof.index,
        size: checkpoint.map_or(0, |checkpoint| checkpoint.size),
        hashes: proof.hashes.iter().map(bytes).collect(),
        text: proof.to_text(),
        checkpoint: proof.checkpoint,
    }
}

/// A consistency proof.
pub fn consistency_proof(proof: &ConsistencyProof) -> v1::GetConsistencyProofResponse {
    let ((old_size, old_root), (new_size, new_root)) = (proof.old, proof.new);
    v1::GetConsistencyProofResponse {
        hashes: proof.hashes.iter().map(bytes).collect(),
        old_size,
        old_root: bytes(&old_root),
        new_size,
        new_root: bytes(&new_root),
    }
}

fn bytes(hash: &Hash) -> Vec<u8> {
    hash.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_order() {
        let ask = |old_size, new_size| {
            let refused = |found: Violations| found.into_named().remove(0).field;
            get_consistency_proof(v1::GetConsistencyProofRequest { old_size, new_size }).map_err(refused)
        };
        assert_eq!(ask(1, 0), Ok((1, None)));
        assert_eq!(ask(3, 3), Ok((3, Some(3))));
        assert_eq!(ask(0, 3), Err("old_size".to_owned()));
        assert_eq!(ask(4, 3), Err("new_size".to_owned()));
    }

    #[test]
    fn a_note_is_bounded() {
        let fits = |bytes| add_cosignature(v1::AddCosignatureRequest { note: "x".repeat(bytes) }).is_ok();
        assert!(fits(1) && fits(MAX_NOTE_BYTES) && !fits(0) && !fits(MAX_NOTE_BYTES + 1));
    }
}
