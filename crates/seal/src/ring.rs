//! The deployment's root keys.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyward_domain::{Entropy, SubjectKey};
use zeroize::Zeroizing;

use crate::data_key::KEY_BYTES;
use crate::root::{Root, Secret};
use crate::{Bound, DataKey, MacKey, SealError};

/// Key id of a subject's data key within what it seals: there is one alone.
const SUBJECT_KEY_ID: u32 = 0;
/// The binding of a wrapped data key, beside its subject.
const WRAPPED: (&str, &str) = ("data-key", "");

/// The deployment's root keys: the first, current one seals, every one opens.
///
/// INVARIANT: never empty, no id twice.
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

    /// The ring with a fresh current key before the ones it has. Old data opens still; new data is sealed
    /// anew.
    #[must_use]
    pub fn rotated(&self, entropy: &dyn Entropy) -> Self {
        let newest = self.roots.iter().map(|root| root.id).max().unwrap_or(0);
        // Ids are handed out one by one; where they run out, the lowest free one does as well.
        let free = |id: &u32| self.roots.iter().all(|root| root.id != *id);
        let id = newest.checked_add(1).or_else(|| (1..u32::MAX).find(free)).unwrap_or(0);
        let mut roots = vec![Root { id, secret: fresh(entropy) }];
        roots.extend(self.roots.iter().cloned());
        Self { roots }
    }

    /// The ids of the keys, the current one first.
    pub fn ids(&self) -> Vec<u32> {
        self.roots.iter().map(|root| root.id).collect()
    }

    /// A fresh data key for a subject, and its wrapped form (65 bytes) to be stored. Without the wrapped form
    /// nothing that the key sealed can be opened again: to destroy it is to erase the subject.
    pub fn new_data_key(&self, who: &SubjectKey, entropy: &dyn Entropy) -> (DataKey, Vec<u8>) {
        let secret = fresh(entropy);
        (subject_key(&secret), self.wrap(who, secret.as_slice(), entropy))
    }

    /// The data key that a subject's wrapped form holds.
    ///
    /// # Errors
    /// As [`DataKey::open`]; [`SealError::Refused`] also for another subject's wrapped key.
    pub fn unwrap(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<DataKey, SealError> {
        Ok(subject_key(&self.unwrap_secret(who, wrapped)?))
    }

    /// The same data key wrapped by the current root key, or `None` if it is already.
    ///
    /// # Errors
    /// As [`KeyRing::unwrap`].
    pub fn rewrap(
        &self,
        who: &SubjectKey,
        wrapped: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Option<Vec<u8>>, SealError> {
        let secret = self.unwrap_secret(who, wrapped)?;
        let current = wrapped.get(1..5) == Some(&self.roots[0].id.to_be_bytes()[..]);
        Ok((!current).then(|| self.wrap(who, secret.as_slice(), entropy)))
    }

    /// A key for one purpose of the whole deployment, derived from every root key. At most 2^32 messages may
    /// be sealed under it for each root key: for what grows with traffic, take [`KeyRing::subject_key`].
    pub fn deployment_key(&self, purpose: &'static str) -> DataKey {
        self.derived(&[b"deployment", purpose.as_bytes()])
    }

    /// A key for one purpose and one subject, derived and therefore not erasable: for what is short-lived,
    /// such as hot state. The bound of 2^32 messages counts per subject.
    pub fn subject_key(&self, purpose: &'static str, who: &SubjectKey) -> DataKey {
        let (tenant, subject) = (who.tenant.as_str().as_bytes(), who.subject.as_str().as_bytes());
        self.derived(&[b"subject", purpose.as_bytes(), tenant, subject])
    }

    /// A key that authenticates for one purpose: page tokens, nonces and the like.
    pub fn mac_key(&self, purpose: &'static str) -> MacKey {
        MacKey::new(self.roots.iter().map(|root| root.mac_key(purpose)))
    }

    fn derived(&self, what: &[&[u8]]) -> DataKey {
        let keys: Vec<(u32, Secret)> = self.roots.iter().map(|root| (root.id, root.derive(what))).collect();
        DataKey::new(keys.iter().map(|(id, secret)| (*id, &**secret)))
    }

    fn wrap(&self, who: &SubjectKey, secret: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        self.derived(&[b"wrap"]).seal(&wrapping(who), secret, entropy)
    }

    fn unwrap_secret(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<Secret, SealError> {
        let opened = Zeroizing::new(self.derived(&[b"wrap"]).open(&wrapping(who), wrapped)?);
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        if opened.len() != KEY_BYTES {
            return Err(SealError::Format);
        }
        secret.copy_from_slice(&opened);
        Ok(secret)
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

fn subject_key(secret: &Secret) -> DataKey {
    DataKey::new([(SUBJECT_KEY_ID, &**secret)])
}

fn fresh(entropy: &dyn Entropy) -> Secret {
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    entropy.fill(secret.as_mut_slice());
    secret
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
