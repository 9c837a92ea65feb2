//! The leaf: a salted commitment to a record.

use aws_lc_rs::digest::{Context, SHA256};

use crate::{Record, RecordError};

/// Bytes of salt before a record, so that a commitment cannot be guessed from likely records.
pub const SALT_BYTES: usize = 32;

/// A record ready for the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The RFC 6962 leaf hash over the commitment.
    pub hash: [u8; 32],
    /// Salt and record, to be sealed.
    pub opening: Vec<u8>,
}

impl Leaf {
    /// Commits to a record under a fresh salt.
    ///
    /// # Errors
    /// [`RecordError::Encode`] when the record cannot be written as JSON.
    pub fn commit(record: &Record, salt: [u8; SALT_BYTES]) -> Result<Self, RecordError> {
        let mut opening = Vec::with_capacity(2048);
        opening.extend_from_slice(&salt);
        serde_json::to_writer(&mut opening, record).map_err(|e| RecordError::Encode(e.to_string()))?;
        Ok(Self { hash: hash_of(&opening), opening })
    }

    /// Opens salt and record, and checks that they are what the leaf committed to.
    ///
    /// # Errors
    /// [`RecordError::NotCommitted`] when the bytes are not those of the leaf, [`RecordError::Decode`] when they are no record.
    pub fn open(hash: &[u8; 32], opening: &[u8]) -> Result<Record, RecordError> {
        if opening.len() < SALT_BYTES || hash_of(opening) != *hash {
            return Err(RecordError::NotCommitted);
        }
        serde_json::from_slice(&opening[SALT_BYTES..]).map_err(|e| RecordError::Decode(e.to_string()))
    }
}

/// RFC 6962 §2.1: a leaf is hashed under the prefix 0x00. The leaf's data is the commitment.
fn hash_of(opening: &[u8]) -> [u8; 32] {
    let commitment = sha256(&[opening]);
    sha256(&[&[0x00], &commitment])
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
