//! A person's keys and known surroundings, cached: what every assessment needs before anything can be opened or sealed.

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{Clock, Entropy, SubjectKey, Timestamp};
use keyward_seal::{Bound, DataKey, DataSecret};
use keyward_store::{DurableStore, KeyError, KeyProvider, StoreError, SubjectRow};
use moka::sync::Cache;

use crate::known::{self, Known, Marker, Marks};
use crate::{EngineError, EngineSettings};

/// Another replica's change to a person's known surroundings is seen after this long.
const FRESH: Duration = Duration::from_mins(1);

/// A person, ready to be assessed.
pub(crate) struct Person {
    pub who: SubjectKey,
    /// Seals what lasts; destroyed by erasure.
    pub data_key: DataKey,
    /// Seals what may be lost. Derived from the same secret, so that erasure makes it unreadable too.
    pub hot_key: DataKey,
    pub marker: Marker,
    pub known: Known,
    /// When the person was first met; an erased one that comes back is another.
    pub created_at: Timestamp,
    known_version: u64,
}

impl Person {
    /// Tells this person from one of the same id who was erased before.
    pub(crate) fn life(&self) -> [u8; 16] {
        self.marker.user_handle()
    }
}

/// Persons, from the cache or the durable store.
pub(crate) struct People {
    store: Arc<dyn DurableStore>,
    keys: Arc<dyn KeyProvider>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    cache: Cache<SubjectKey, Arc<Person>>,
}

impl People {
    pub(crate) fn new(
        store: Arc<dyn DurableStore>,
        keys: Arc<dyn KeyProvider>,
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
            let secret = DataSecret::generate(&*self.entropy);
            let wrapped_key = self.keys.wrap(who, &secret).await.map_err(|e| key_error(&e))?;
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
        let secret = self.secret(who, row).await?;
        let data_key = secret.sealing_key("data");
        let document = self.store.document(who, known::DOCUMENT).await.map_err(durable)?;
        let (known, known_version) = match document {
            Some(document) => {
                let json = data_key.open(&bound(who, document.version), &document.sealed).ok();
                let known = json.and_then(|json| serde_json::from_slice(&json).ok());
                // Stricter than it was, and mended by the next proven login.
                let known = known.unwrap_or_else(|| {
                    tracing::error!(document = known::DOCUMENT, "a stored document does not open");
                    Known::unreadable(self.clock.now())
                });
                (known, document.version)
            }
            None => (Known::default(), 0),
        };
        let person = Arc::new(Person {
            who: who.clone(),
            data_key,
            hot_key: secret.sealing_key("hot"),
            marker: Marker::new(&secret),
            known,
            created_at: row.created_at,
            known_version,
        });
        self.cache.insert(who.clone(), person.clone());
        Ok(person)
    }

    /// The person as the store has them now, whatever is cached.
    pub(crate) async fn fresh(&self, who: &SubjectKey) -> Result<Option<Arc<Person>>, EngineError> {
        self.forget(who);
        self.get(who).await
    }

    /// The secret of what is no person's: the deployment's, or a tenant's as a whole.
    pub(crate) async fn own_secret(&self, who: &SubjectKey) -> Result<DataSecret, EngineError> {
        self.get_or_create(who).await?;
        let row = self.store.subject(who).await.map_err(durable)?;
        let row = row.ok_or(EngineError::NotFound { kind: "subject" })?;
        self.secret(who, &row).await
    }

    async fn secret(&self, who: &SubjectKey, row: &SubjectRow) -> Result<DataSecret, EngineError> {
        self.keys.unwrap(who, &row.wrapped_key).await.map_err(|e| key_error(&e))
    }

    /// Writes down where a proven person was. One whom the store no longer has is left forgotten.
    pub(crate) async fn see(&self, who: &SubjectKey, marks: Marks, at: Timestamp) -> Result<(), EngineError> {
        self.change(who, at, |known| known.see(marks, at)).await.map(drop)
    }

    /// Changes what is known of a person, unless `change` says that nothing is new. True if something was.
    pub(crate) async fn change(
        &self,
        who: &SubjectKey,
        at: Timestamp,
        change: impl Fn(&mut Known) -> bool,
    ) -> Result<bool, EngineError> {
        loop {
            let Some(person) = self.get(who).await? else { return Ok(false) };
            let mut known = person.known.clone();
            if !change(&mut known) {
                return Ok(false);
            }
            let json = serde_json::to_vec(&known).map_err(|e| EngineError::Internal(e.to_string()))?;
            let next = person.known_version + 1;
            let sealed = person.data_key.seal(&bound(who, next), &json, &*self.entropy);
            let put = self.store.put_document(who, known::DOCUMENT, person.known_version, sealed, at).await;
            self.forget(who);
            match put {
                Ok(_) => return self.kept(&person).await,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(durable(error)),
            }
        }
    }

    /// Whether what was written about a person just now is theirs still. What came too late, after an erasure, is removed.
    async fn kept(&self, person: &Person) -> Result<bool, EngineError> {
        let there = self.fresh(&person.who).await?;
        let theirs = there.is_some_and(|there| there.life() == person.life());
        if !theirs {
            self.store.remove_document(&person.who, known::DOCUMENT).await.map_err(durable)?;
            self.forget(&person.who);
        }
        Ok(theirs)
    }

    /// Drops what is cached.
    pub(crate) fn forget(&self, who: &SubjectKey) {
        self.cache.invalidate(who);
    }
}

fn bound(who: &SubjectKey, version: u64) -> Bound<'_> {
    Bound { who, kind: "document", name: known::DOCUMENT, version }
}

/// Why a data key is out of reach, as a use case reports it.
pub(crate) fn key_error(error: &KeyError) -> EngineError {
    tracing::error!(%error, "a data key cannot be had");
    let cause = match error {
        KeyError::Missing { .. } => "missing_key",
        KeyError::Refused => "damaged",
        KeyError::Unavailable(_) => "provider",
    };
    EngineError::KeyUnavailable { cause }
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
