//! A key ring of ours as a provider.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use keyward_domain::{Entropy, SubjectKey};
use keyward_seal::{DataSecret, KeyRing, SealError};
use keyward_store::{KeyError, KeyProvider, WrappingKeyId};

/// Gives the ring when another one is there than it gave before. Asked in the middle of calls: it must be quick.
pub type Newer = Box<dyn Fn() -> Option<KeyRing> + Send + Sync>;

/// A key ring that can be replaced while it is used.
pub struct RingProvider {
    ring: ArcSwap<KeyRing>,
    newer: Option<Newer>,
    entropy: Arc<dyn Entropy>,
}

impl RingProvider {
    /// A provider with this ring. The source of randomness must be cryptographic.
    pub fn new(ring: KeyRing, entropy: Arc<dyn Entropy>) -> Self {
        Self { ring: ArcSwap::from_pointee(ring), newer: None, entropy }
    }

    /// The same, asking for another ring before it wraps, and when it lacks a key: so that nobody has to be told that the
    /// ring was rotated.
    #[must_use]
    pub fn following(self, newer: Newer) -> Self {
        Self { newer: Some(newer), ..self }
    }

    /// Takes up another ring if there is one. True if there was.
    pub fn refresh(&self) -> bool {
        let newer = self.newer.as_ref().and_then(|newer| newer());
        newer.map(|ring| self.replace(ring)).is_some()
    }

    /// Puts another ring in place, from the next call on.
    pub fn replace(&self, ring: KeyRing) {
        self.ring.store(Arc::new(ring));
    }
}

#[async_trait]
impl KeyProvider for RingProvider {
    async fn wrap(&self, who: &SubjectKey, secret: &DataSecret) -> Result<Vec<u8>, KeyError> {
        self.refresh();
        Ok(self.ring.load().wrap(who, secret, &*self.entropy))
    }

    async fn unwrap(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<DataSecret, KeyError> {
        let mut unwrapped = self.ring.load().unwrap(who, wrapped);
        if matches!(unwrapped, Err(SealError::UnknownKey { .. })) && self.refresh() {
            unwrapped = self.ring.load().unwrap(who, wrapped);
        }
        unwrapped.map_err(|error| match error {
            SealError::UnknownKey { id } => KeyError::Missing { key: name(id) },
            _ => KeyError::Refused,
        })
    }

    fn key_of(&self, wrapped: &[u8]) -> Result<WrappingKeyId, KeyError> {
        KeyRing::id_of(wrapped).map(name).map_err(|_| KeyError::Refused)
    }

    async fn keys(&self) -> Result<Vec<WrappingKeyId>, KeyError> {
        self.refresh();
        Ok(self.ring.load().ids().into_iter().map(name).collect())
    }
}

fn name(id: u32) -> WrappingKeyId {
    WrappingKeyId(id.to_string())
}
