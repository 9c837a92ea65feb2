//! The deployment's root keys.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyward_domain::{Entropy, SubjectKey};
use zeroize::Zeroizing;

use crate::data_key::{KEY_BYTES, key_id};
use crate::root::{Root, Secret, fresh};
use crate::{Bound, DataSecret, SealError};

/// The binding of a wrapped data key, beside its subject.
const WRAPPED: (&str, &str) = ("data-key", "");

/// The deployment's root keys: the first, current one wraps, every one unwraps. Each tenant's data keys are wrapped by a
/// key of the tenant's own, derived from the root key.
///
/// INVARIANT: never empty, no id twice.
#[derive(Clone)]
pub struct KeyRing {
    roots: Vec<Root>,
}

impl KeyRing {
    /// A ring with one fresh key, of id 1.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self { roots: vec![Root { id: 1, secret: fresh(entropy) }] }
    }

    /// A ring from keys with their ids, the current one first.
    ///
    /// # Errors
    /// [`SealError::NoKey`] or [`SealError::RepeatedKey`].
    pub fn from_keys(
        keys: impl IntoIterator<Item = (u32, Zeroizing<[u8; KEY_BYTES]>)>,
    ) -> Result<Self, SealError> {
        let roots: Vec<Root> = keys.into_iter().map(|(id, secret)| Root { id, secret }).collect();
        if roots.is_empty() {
            return Err(SealError::NoKey);
        }
        for (i, root) in roots.iter().enumerate() {
            if roots[..i].iter().any(|earlier| earlier.id == root.id) {
                return Err(SealError::RepeatedKey { id: root.id });
            }
        }
        Ok(Self { roots })
    }

    /// Reads a key file: a line `id:base64` a key, the current one first; empty lines and lines from `#` on
    /// count not.
    ///
    /// # Errors
    /// [`SealError::KeyLine`], [`SealError::NoKey`] or [`SealError::RepeatedKey`]. None repeats what the file
    /// holds.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim()));
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys: Result<Vec<_>, _> =
            keys.map(|(line, text)| key_line(text).ok_or(SealError::KeyLine { line })).collect();
        Self::from_keys(keys?)
    }

    /// The ring as a key file that [`KeyRing::parse`] reads. It is the secret of the deployment: write it
    /// with mode 0600.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Enough for every line, so that no grown and abandoned buffer keeps a key.
        let mut text = Zeroizing::new(String::with_capacity(self.roots.len() * 64));
        for root in &self.roots {
            let encoded = Zeroizing::new(STANDARD.encode(root.secret.as_slice()));
            writeln!(text, "{}:{}", root.id, encoded.as_str()).expect("a String takes every write");
        }
        text
    }

    /// The ring with another current key: the prepared one if there is one, else a fresh one. Every key that was there
    /// opens still.
    #[must_use]
    pub fn rotated(&self, entropy: &dyn Entropy) -> Self {
        let mut roots = self.prepared(entropy).roots;
        roots.swap(0, 1);
        Self { roots }
    }

    /// The ring with a prepared key in the second place: one that opens and does not wrap yet, so that every replica can
    /// have it before the first one wraps under it. A ring that has one stays as it is.
    #[must_use]
    pub fn prepared(&self, entropy: &dyn Entropy) -> Self {
        let mut roots = self.roots.clone();
        if self.prepared_id().is_none() {
            roots.insert(1, Root { id: self.free_id(), secret: fresh(entropy) });
        }
        Self { roots }
    }

    /// The id of the prepared key: one in the second place that is newer than the current one.
    pub fn prepared_id(&self) -> Option<u32> {
        self.roots.get(1).map(|root| root.id).filter(|id| *id > self.roots[0].id)
    }

    /// The ring without a key that is not the current one; `None` if it is, or is not there.
    pub fn without(&self, id: u32) -> Option<Self> {
        let at = self.roots.iter().position(|root| root.id == id).filter(|at| *at > 0)?;
        let mut roots = self.roots.clone();
        roots.remove(at);
        Some(Self { roots })
    }

    /// The ring of one key alone; `None` if it is not there.
    pub fn only(&self, id: u32) -> Option<Self> {
        let root = self.roots.iter().find(|root| root.id == id)?.clone();
        Some(Self { roots: vec![root] })
    }

    /// The ids of the keys, the current one first.
    pub fn ids(&self) -> Vec<u32> {
        self.roots.iter().map(|root| root.id).collect()
    }

    /// Wraps a data key for its subject under the current key, in 65 bytes to be stored. Without the wrapped form
    /// nothing that the key sealed can be opened again: to destroy it is to erase the subject.
    pub fn wrap(&self, who: &SubjectKey, secret: &DataSecret, entropy: &dyn Entropy) -> Vec<u8> {
        let key = self.roots[0].wrapping_key(who.tenant.as_str());
        key.seal(&wrapping(who), secret.expose(), entropy)
    }

    /// The data key that a subject's wrapped form holds.
    ///
    /// # Errors
    /// As [`DataKey::open`](crate::DataKey::open); [`SealError::Refused`] also for another subject's wrapped key.
    pub fn unwrap(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<DataSecret, SealError> {
        let id = Self::id_of(wrapped)?;
        let root = self.roots.iter().find(|root| root.id == id).ok_or(SealError::UnknownKey { id })?;
        let key = root.wrapping_key(who.tenant.as_str());
        let opened = Zeroizing::new(key.open(&wrapping(who), wrapped)?);
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        if opened.len() != KEY_BYTES {
            return Err(SealError::Format);
        }
        secret.copy_from_slice(&opened);
        Ok(DataSecret::from_bytes(secret))
    }

    /// The id of the key that a wrapped form needs. It is read, not checked: who can change the form can change the id.
    ///
    /// # Errors
    /// [`SealError::Format`].
    pub fn id_of(wrapped: &[u8]) -> Result<u32, SealError> {
        key_id(wrapped).ok_or(SealError::Format)
    }

    /// Ids are handed out one by one; where they run out, the lowest free one does as well.
    fn free_id(&self) -> u32 {
        let newest = self.roots.iter().map(|root| root.id).max().unwrap_or(0);
        let free = |id: &u32| self.roots.iter().all(|root| root.id != *id);
        newest.checked_add(1).or_else(|| (1..u32::MAX).find(free)).unwrap_or(0)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("ids", &self.ids()).finish_non_exhaustive()
    }
}

fn wrapping(who: &SubjectKey) -> Bound<'_> {
    Bound { who, kind: WRAPPED.0, name: WRAPPED.1, version: 0 }
}

fn key_line(text: &str) -> Option<(u32, Secret)> {
    let (id, encoded) = text.split_once(':')?;
    // One byte more than a key, so that a longer one is seen and not cut.
    let mut decoded = Zeroizing::new([0; KEY_BYTES + 4]);
    let length = STANDARD.decode_slice(encoded.trim(), decoded.as_mut_slice()).ok()?;
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    secret.copy_from_slice(decoded.get(..length).filter(|key| key.len() == KEY_BYTES)?);
    Some((id.trim().parse().ok()?, secret))
}
