//! A person's keys and known surroundings, cached: what every assessment needs before anything can be opened or sealed.

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{Clock, Entropy, SubjectKey, Timestamp};
use keyward_seal::{Bound, DataKey, KeyRing};
use keyward_store::{DurableStore, StoreError, SubjectRow};
use moka::sync::Cache;

use crate::known::{self, Known, Marks};
use crate::{EngineError, EngineSettings};

/// Another replica's change to a person's known surroundings is seen after this long.
const FRESH: Duration = Duration::from_mins(1);

/// A person, ready to be assessed.
pub(crate) struct Person {
    pub who: SubjectKey,
    /// Seals what lasts; destroyed by erasure.
    pub data_key: DataKey,
    /// Seals what may be lost.
    pub hot_key: DataKey,
    pub known: Known,
    known_version: u64,
}

/// Persons, from the cache or the durable store.
pub(crate) struct People {
    store: Arc<dyn DurableStore>,
    keys: Arc<KeyRing>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    cache: Cache<SubjectKey, Arc<Person>>,
}

impl People {
    pub(crate) fn new(
        store: Arc<dyn DurableStore>,
        keys: Arc<KeyRing>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
        settings: &EngineSettings,
    ) -> Self {
        let cache = Cache::builder().max_capacity(settings.subject_cache_entries).time_to_live(FRESH).build();
        Self { store, keys, entropy, clock, cache }
    }

    /// The person if cached; costs no store access.
    pub(crate) fn cached(&self, who: &SubjectKey) -> Option<Arc<Person>> {
        self.cache.get(who)
    }

    /// The person, made known to the store if it has not met them.
    pub(crate) async fn get_or_create(&self, who: &SubjectKey) -> Result<Arc<Person>, EngineError> {
        if let Some(person) = self.cached(who) {
            return Ok(person);
        }
        let row = if let Some(row) = self.store.subject(who).await.map_err(durable)? {
            row
        } else {
            let (_, wrapped_key) = self.keys.new_data_key(who, &*self.entropy);
            let row = SubjectRow { wrapped_key, created_at: self.clock.now() };
            self.store.ensure_subject(who, row).await.map_err(durable)?
        };
        self.load(who, &row).await
    }

    /// The person, if the store has met them.
    pub(crate) async fn get(&self, who: &SubjectKey) -> Result<Option<Arc<Person>>, EngineError> {
        if let Some(person) = self.cached(who) {
            return Ok(Some(person));
        }
        match self.store.subject(who).await.map_err(durable)? {
            Some(row) => self.load(who, &row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn load(&self, who: &SubjectKey, row: &SubjectRow) -> Result<Arc<Person>, EngineError> {
        let data_key =
            self.keys.unwrap(who, &row.wrapped_key).map_err(|e| EngineError::Internal(e.to_string()))?;
        let document = self.store.document(who, known::DOCUMENT).await.map_err(durable)?;
        let (known, known_version) = match document {
            Some(document) => {
                let bound = bound(who, document.version);
                let json = data_key
                    .open(&bound, &document.sealed)
                    .map_err(|e| EngineError::Internal(e.to_string()))?;
                let known =
                    serde_json::from_slice(&json).map_err(|e| EngineError::Internal(e.to_string()))?;
                (known, document.version)
            }
            None => (Known::default(), 0),
        };
        let hot_key = self.keys.subject_key("hot", who);
        let person = Arc::new(Person { who: who.clone(), data_key, hot_key, known, known_version });
        self.cache.insert(who.clone(), person.clone());
        Ok(person)
    }

    /// Writes down where a proven person was.
    pub(crate) async fn see(&self, who: &SubjectKey, marks: Marks, at: Timestamp) -> Result<(), EngineError> {
        loop {
            let person = self.get_or_create(who).await?;
            let mut known = person.known.clone();
            if !known.see(marks, at) {
                return Ok(());
            }
            let json = serde_json::to_vec(&known).map_err(|e| EngineError::Internal(e.to_string()))?;
            let next = person.known_version + 1;
            let sealed = person.data_key.seal(&bound(who, next), &json, &*self.entropy);
            let put = self.store.put_document(who, known::DOCUMENT, person.known_version, sealed, at).await;
            self.forget(who);
            match put {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(durable(error)),
            }
        }
    }

    /// Drops what is cached.
    pub(crate) fn forget(&self, who: &SubjectKey) {
        self.cache.invalidate(who);
    }
}

fn bound(who: &SubjectKey, version: u64) -> Bound<'_> {
    Bound { who, kind: "document", name: known::DOCUMENT, version }
}

/// A durable store's error as a use case reports it.
pub(crate) fn durable(error: StoreError) -> EngineError {
    store_error(error, "durable")
}

/// A hot store's error as a use case reports it.
pub(crate) fn hot(error: StoreError) -> EngineError {
    store_error(error, "hot")
}

fn store_error(error: StoreError, store: &'static str) -> EngineError {
    match error {
        StoreError::Unavailable(detail) => {
            tracing::warn!(store, detail, "store is unavailable");
            EngineError::StoreUnavailable { store }
        }
        StoreError::Conflict => EngineError::Conflict,
        StoreError::Exists | StoreError::NotFound | StoreError::Damaged(_) => {
            EngineError::Internal(error.to_string())
        }
    }
}
