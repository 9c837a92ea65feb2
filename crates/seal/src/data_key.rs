//! The keys that seal.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use keyward_domain::Entropy;

use crate::{Bound, SealError};

/// Bytes of an AES-256 key.
pub(crate) const KEY_BYTES: usize = 32;
/// Format version, key id, nonce.
const HEADER_BYTES: usize = 1 + 4 + NONCE_LEN;
const TAG_BYTES: usize = 16;
const FORMAT: u8 = 1;

/// A key that seals and opens, with the key schedule computed; to be shared behind an `Arc`, dropped with the last user.
/// Made by a [`DataSecret`](crate::DataSecret), or by a [`KeyRing`](crate::KeyRing) to wrap those.
pub struct DataKey {
    id: u32,
    key: LessSafeKey,
}

impl DataKey {
    /// From a key with its id.
    pub(crate) fn new(id: u32, bytes: &[u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("AES-256 takes every key of 32 bytes");
        Self { id, key: LessSafeKey::new(key) }
    }

    /// Seals a plaintext. 33 bytes are added: format version (1), key id (4, big-endian), nonce (12), tag
    /// (16).
    ///
    /// The nonce is drawn from `entropy`, which must be a cryptographic source: two equal nonces under one
    /// key would give both plaintexts away (NIST SP 800-38D §8; at most 2^32 messages a key with random
    /// nonces).
    #[expect(clippy::missing_panics_doc, reason = "AES-GCM takes every plaintext that fits into memory")]
    pub fn seal(&self, bound: &Bound<'_>, plaintext: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(HEADER_BYTES + plaintext.len() + TAG_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let (header, body) = sealed.split_at_mut(HEADER_BYTES);
        let aad = Aad::from(bound.additional_data(header));
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, body)
            .expect("AES-GCM fails only beyond 64 GiB, which no Vec of ours reaches");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what [`DataKey::seal`] gave, under the same binding.
    ///
    /// # Errors
    /// [`SealError::Format`], [`SealError::UnknownKey`] or [`SealError::Refused`].
    pub fn open(&self, bound: &Bound<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (header, body) = sealed.split_at_checked(HEADER_BYTES).ok_or(SealError::Format)?;
        if header[0] != FORMAT || body.len() < TAG_BYTES {
            return Err(SealError::Format);
        }
        let id = key_id(header).ok_or(SealError::Format)?;
        if id != self.id {
            return Err(SealError::UnknownKey { id });
        }
        let nonce = Nonce::try_assume_unique_for_key(&header[5..]).map_err(|_| SealError::Format)?;
        let (ciphertext, tag) = body.split_at(body.len() - TAG_BYTES);
        let mut opened = vec![0; ciphertext.len()];
        self.key
            .open_separate_gather(
                nonce,
                Aad::from(bound.additional_data(header)),
                ciphertext,
                tag,
                &mut opened,
            )
            .map_err(|_| SealError::Refused)?;
        Ok(opened)
    }
}

/// The id of the key that sealed something, if it has the form of what is sealed.
pub(crate) fn key_id(sealed: &[u8]) -> Option<u32> {
    let id = sealed.get(1..5).filter(|_| sealed[0] == FORMAT)?;
    Some(u32::from_be_bytes(id.try_into().ok()?))
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("id", &self.id).finish_non_exhaustive()
    }
}
