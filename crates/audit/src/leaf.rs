//! The entry of the log: a salted commitment to a record.

use crate::hash::{Hash, sha256};
use crate::{Record, RecordError};

/// Bytes of salt before a record, so that a commitment cannot be guessed from likely records.
pub const SALT_BYTES: usize = 32;

/// A record ready for the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The commitment, which is the log's entry.
    pub commitment: Hash,
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
        Ok(Self { commitment: commitment_to(&opening), opening })
    }

    /// Opens salt and record, and checks that they are what was committed to.
    ///
    /// # Errors
    /// [`RecordError::NotCommitted`] when the bytes are not those, [`RecordError::Decode`] when they are no record.
    pub fn open(commitment: &Hash, opening: &[u8]) -> Result<Record, RecordError> {
        if opening.len() < SALT_BYTES || commitment_to(opening) != *commitment {
            return Err(RecordError::NotCommitted);
        }
        serde_json::from_slice(&opening[SALT_BYTES..]).map_err(|e| RecordError::Decode(e.to_string()))
    }
}

/// The commitment to salt and record.
pub fn commitment_to(opening: &[u8]) -> Hash {
    sha256(&[opening])
}
