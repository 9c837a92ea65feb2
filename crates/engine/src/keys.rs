//! Rotation of the wrapping key: which key wraps how many data keys, and wrapping them anew beside running servers.

use std::collections::BTreeMap;

use keyward_audit::{Event, KeyChange, Record};
use keyward_domain::SubjectKey;
use keyward_store::{DurableStore, KeyError, KeyProvider, StoreError, SubjectRow, WrappingKeyId};

use crate::people::{durable, key_error};
use crate::{Engine, EngineError};

/// Subjects that are read at once.
const PAGE: usize = 500;

/// Which wrapping keys are needed, and by how many data keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUsage {
    /// The keys that the provider has, the current one first.
    pub has: Vec<WrappingKeyId>,
    /// How many data keys need each key.
    pub needed: BTreeMap<WrappingKeyId, u64>,
    /// Wrapped keys that name no key, and so are damaged.
    pub damaged: u64,
}

impl KeyUsage {
    /// The key that wraps now.
    pub fn current(&self) -> Option<&WrappingKeyId> {
        self.has.first()
    }

    /// How many data keys need a key other than the current one.
    pub fn old(&self) -> u64 {
        self.needed.iter().filter(|(key, _)| Some(*key) != self.current()).map(|(_, count)| count).sum()
    }

    /// Keys that data keys need and the provider does not tell of. A service that tells its current key alone may still
    /// have them.
    pub fn untold(&self) -> impl Iterator<Item = (&WrappingKeyId, u64)> {
        self.needed.iter().filter(|(key, _)| !self.has.contains(key)).map(|(key, count)| (key, *count))
    }
}

/// Where wrapping anew stands. Kept by whoever calls [`Engine::rewrap_page`], and handed in again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapping {
    /// The last subject that was looked at.
    after: Option<SubjectKey>,
    /// Subjects that were looked at.
    pub seen: u64,
    /// Data keys that were wrapped anew.
    pub rewrapped: u64,
    /// Data keys that could not be unwrapped, and stay as they are: their key is missing, or they are damaged.
    pub stuck: u64,
    /// Whether every subject was looked at.
    pub done: bool,
}

/// Counts data keys by the wrapping key that they need. Reads every subject; unwraps none.
///
/// # Errors
/// [`EngineError::StoreUnavailable`], [`EngineError::KeyUnavailable`] when the provider does not tell its keys.
pub async fn key_usage(store: &dyn DurableStore, keys: &dyn KeyProvider) -> Result<KeyUsage, EngineError> {
    let mut usage = KeyUsage { has: keys.keys().await.map_err(|e| key_error(&e))?, ..KeyUsage::default() };
    let mut after = None;
    loop {
        let page = store.subjects_after(after.as_ref(), PAGE).await.map_err(durable)?;
        for (_, row) in &page {
            match keys.key_of(&row.wrapped_key) {
                Ok(key) => *usage.needed.entry(key).or_default() += 1,
                Err(_) => usage.damaged += 1,
            }
        }
        match page.into_iter().last() {
            Some((last, _)) => after = Some(last),
            None => return Ok(usage),
        }
    }
}

impl Engine {
    /// How many subjects there are, tenants and the deployment itself counted.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`].
    pub async fn subject_count(&self) -> Result<u64, EngineError> {
        self.durable.subject_count().await.map_err(durable)
    }

    /// Counts data keys by the wrapping key that they need, as [`key_usage`] does.
    ///
    /// # Errors
    /// As [`key_usage`].
    pub async fn key_usage(&self) -> Result<KeyUsage, EngineError> {
        key_usage(&*self.durable, &*self.keys).await
    }

    /// Wraps the data keys of the next page of subjects under the current key, each by compare-and-set. Beside running
    /// servers this is safe: a data key stays what it is, and a subject that is erased or made meanwhile wins. To begin
    /// again is safe too: what is wrapped under the current key is passed over.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`], [`EngineError::KeyUnavailable`] when the provider does not answer. What was done
    /// by then stays done.
    pub async fn rewrap_page(&self, so_far: &Rewrapping) -> Result<Rewrapping, EngineError> {
        let current = self.wrapping_keys().await?.into_iter().next();
        let current = current.ok_or(EngineError::KeyUnavailable { cause: "provider" })?;
        let page = self.durable.subjects_after(so_far.after.as_ref(), PAGE).await.map_err(durable)?;
        let mut next = Rewrapping { done: page.is_empty(), ..so_far.clone() };
        for (who, row) in page {
            match self.rewrap(&who, row, &current).await? {
                Rewrap::AsItIs => {}
                Rewrap::Done => next.rewrapped += 1,
                Rewrap::Stuck => next.stuck += 1,
            }
            next.seen += 1;
            next.after = Some(who);
        }
        Ok(next)
    }

    async fn rewrap(
        &self,
        who: &SubjectKey,
        row: SubjectRow,
        current: &WrappingKeyId,
    ) -> Result<Rewrap, EngineError> {
        let mut row = row;
        loop {
            if self.keys.key_of(&row.wrapped_key).as_ref() == Ok(current) {
                return Ok(Rewrap::AsItIs);
            }
            let secret = match self.keys.unwrap(who, &row.wrapped_key).await {
                Ok(secret) => secret,
                Err(error @ KeyError::Unavailable(_)) => return Err(key_error(&error)),
                Err(error) => {
                    tracing::error!(%error, "a data key cannot be wrapped anew");
                    return Ok(Rewrap::Stuck);
                }
            };
            let wrapped = self.keys.wrap(who, &secret).await.map_err(|e| key_error(&e))?;
            match self.durable.replace_wrapped_key(who, &row.wrapped_key, wrapped).await {
                Ok(()) => return Ok(Rewrap::Done),
                // Erased meanwhile: there is nothing left to wrap.
                Err(StoreError::NotFound) => return Ok(Rewrap::AsItIs),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(durable(error)),
            }
            match self.durable.subject(who).await.map_err(durable)? {
                Some(there) => row = there,
                None => return Ok(Rewrap::AsItIs),
            }
        }
    }

    /// Records that something happened to wrapping keys. Its index in the log.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`].
    pub async fn record_key_change(&self, change: KeyChange) -> Result<u64, EngineError> {
        let who = SubjectKey::of_deployment();
        let record = Record { who, at: self.clock.now(), event: Event::Keys(change) };
        self.log.append(&record, None).await
    }

    async fn wrapping_keys(&self) -> Result<Vec<WrappingKeyId>, EngineError> {
        self.keys.keys().await.map_err(|e| key_error(&e))
    }
}

/// What became of one data key.
enum Rewrap {
    /// It needed nothing, or its subject is gone.
    AsItIs,
    /// It was wrapped anew.
    Done,
    /// It could not be unwrapped.
    Stuck,
}
