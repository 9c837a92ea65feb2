//! A person's keys and known surroundings, cached: what every assessment needs before anything can be opened or sealed.

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{Clock, Entropy, SubjectKey, Timestamp};
use keyward_seal::{Bound, DataKey, DataSecret};
use keyward_store::{
    Announced, DocumentVersion, DurableStore, KeyError, KeyProvider, OpenedSubject, StoreError, SubjectRow,
};
use moka::future::Cache;

use crate::announce::Announcer;
use crate::known::{self, Known, Marker, Marks};
use crate::profiles::Profiles;
use crate::{EngineError, EngineSettings};

/// Another replica's change to what is known of a person, consent included, is seen after this long at the latest; at once
/// where the hot store announces it.
pub(crate) const FRESH: Duration = Duration::from_mins(1);
/// Under this name it is announced that a person was erased: their key is another one from then on.
pub(crate) const ERASED: &str = "*";

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
    /// The announcements that this was read after.
    seen: Announced,
}

/// What to read of a person in the same round trip, if they are to be read at all.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// Where it goes, before others see the person.
    pub profiles: &'a Profiles,
    /// The names of profiles.
    pub names: &'a [String],
}

/// How a person is read.
#[derive(Clone, Copy)]
struct Reading<'a> {
    /// The announcements that came before.
    seen: &'a Announced,
    /// Whether to make one whom the store has not met.
    create: bool,
    beside: Option<Beside<'a>>,
}

impl Person {
    /// Whether something was announced that this was read before.
    pub(crate) fn is_outdated(&self, announced: &Announced) -> bool {
        let newer = |name: &str, version: Option<u64>| {
            announced
                .version(name)
                .is_some_and(|told| Some(told) != version && Some(told) != self.seen.version(name))
        };
        newer(known::DOCUMENT, Some(self.known_version)) || newer(ERASED, None)
    }

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
    announcer: Announcer,
    cache: Cache<SubjectKey, Arc<Person>>,
}

impl People {
    pub(crate) fn new(
        store: Arc<dyn DurableStore>,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
        announcer: Announcer,
        settings: &EngineSettings,
    ) -> Self {
        let cache = Cache::builder().max_capacity(settings.subject_cache_entries).time_to_live(FRESH).build();
        Self { store, keys, entropy, clock, announcer, cache }
    }

    /// The person if cached; costs no store access.
    pub(crate) async fn cached(&self, who: &SubjectKey) -> Option<Arc<Person>> {
        self.cache.get(who).await
    }

    /// The person, made known to the store if it has not met them. Of those who ask at the same time, one reads.
    pub(crate) async fn get_or_create(&self, who: &SubjectKey) -> Result<Arc<Person>, EngineError> {
        self.meet(who, None).await
    }

    /// The same with profiles: of a person of whom nothing is cached, all is read at once.
    pub(crate) async fn get_or_create_with(
        &self,
        who: &SubjectKey,
        beside: Beside<'_>,
    ) -> Result<Arc<Person>, EngineError> {
        self.meet(who, Some(beside)).await
    }

    async fn meet(&self, who: &SubjectKey, beside: Option<Beside<'_>>) -> Result<Arc<Person>, EngineError> {
        let how = Reading { seen: &Announced::default(), create: true, beside };
        loop {
            match self.read_once(who, how).await {
                Ok(person) => return Ok(person),
                Err(missing) => match &*missing {
                    // The one who read was not to make anybody.
                    Missing::NeverMet => {}
                    Missing::Unreadable(error) => return Err(error.clone()),
                },
            }
        }
    }

    /// The person, if the store has met them.
    pub(crate) async fn get(&self, who: &SubjectKey) -> Result<Option<Arc<Person>>, EngineError> {
        let how = Reading { seen: &Announced::default(), create: false, beside: None };
        match self.read_once(who, how).await {
            Ok(person) => Ok(Some(person)),
            Err(missing) => missing.as_ref().clone().into_none(),
        }
    }

    /// The person, read anew because something was announced that `outdated` was read before.
    pub(crate) async fn renew(
        &self,
        outdated: &Arc<Person>,
        announced: &Announced,
    ) -> Result<Arc<Person>, EngineError> {
        let who = &outdated.who;
        // Someone else may have done so by now.
        if self.cache.get(who).await.is_some_and(|cached| Arc::ptr_eq(&cached, outdated)) {
            self.cache.invalidate(who).await;
        }
        let how = Reading { seen: announced, create: true, beside: None };
        match self.read_once(who, how).await {
            Ok(person) if !person.is_outdated(announced) => Ok(person),
            // Whoever read began before the announcement, or was not to make anybody.
            _ => {
                let person = self.read(who, how).await.map_err(Missing::into_error)?;
                self.cache.insert(who.clone(), person.clone()).await;
                Ok(person)
            }
        }
    }

    /// From the cache, or from the store; of those who ask at the same time, one reads for all.
    async fn read_once(&self, who: &SubjectKey, how: Reading<'_>) -> Result<Arc<Person>, Arc<Missing>> {
        self.cache.try_get_with_by_ref(who, self.read(who, how)).await
    }

    /// In one round trip, unless the person is to be made.
    async fn read(&self, who: &SubjectKey, how: Reading<'_>) -> Result<Arc<Person>, Missing> {
        let profiles = how.beside.map_or(&[][..], |beside| beside.names);
        let names: Vec<&str> =
            std::iter::once(known::DOCUMENT).chain(profiles.iter().map(String::as_str)).collect();
        let OpenedSubject { row, mut documents } =
            match self.store.open_subject(who, &names).await.map_err(durable)? {
                Some(opened) => opened,
                None if how.create => self.create(who, &names).await?,
                None => return Err(Missing::NeverMet),
            };
        let known = documents.iter().position(|(name, _)| name == known::DOCUMENT);
        let known = known.and_then(|at| documents.swap_remove(at).1);
        let person = self.load(who, &row, known, how.seen).await?;
        if let Some(beside) = how.beside {
            beside.profiles.came_with(&person, documents).await;
        }
        Ok(person)
    }

    /// One whom nobody met before has no documents; who was made meanwhile by another may have.
    async fn create(&self, who: &SubjectKey, names: &[&str]) -> Result<OpenedSubject, EngineError> {
        let secret = DataSecret::generate(&*self.entropy);
        let wrapped_key = self.keys.wrap(who, &secret).await.map_err(|e| key_error(&e))?;
        let row = SubjectRow { wrapped_key, created_at: self.clock.now() };
        let there = self.store.ensure_subject(who, row.clone()).await.map_err(durable)?;
        if there == row {
            let documents = names.iter().map(|name| ((*name).to_owned(), None)).collect();
            return Ok(OpenedSubject { row, documents });
        }
        self.store.open_subject(who, names).await.map_err(durable)?.ok_or(EngineError::Conflict)
    }

    async fn load(
        &self,
        who: &SubjectKey,
        row: &SubjectRow,
        document: Option<DocumentVersion>,
        seen: &Announced,
    ) -> Result<Arc<Person>, EngineError> {
        let secret = self.secret(who, row).await?;
        let data_key = secret.sealing_key("data");
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
        Ok(Arc::new(Person {
            who: who.clone(),
            data_key,
            hot_key: secret.sealing_key("hot"),
            marker: Marker::new(&secret),
            known,
            created_at: row.created_at,
            known_version,
            seen: seen.clone(),
        }))
    }

    /// The person as the store has them now, whatever is cached.
    pub(crate) async fn fresh(&self, who: &SubjectKey) -> Result<Option<Arc<Person>>, EngineError> {
        // Not by way of the cache: there, one who began to read before may read for all.
        let how = Reading { seen: &Announced::default(), create: false, beside: None };
        match self.read(who, how).await {
            Ok(person) => {
                self.cache.insert(who.clone(), person.clone()).await;
                Ok(Some(person))
            }
            Err(missing) => {
                self.forget(who).await;
                missing.into_none()
            }
        }
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
            self.forget(who).await;
            match put {
                Ok(version) => {
                    self.announcer.announce(who, known::DOCUMENT, version).await;
                    return self.kept(&person).await;
                }
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
            self.forget(&person.who).await;
            self.announcer.announce(&person.who, known::DOCUMENT, 0).await;
        }
        Ok(theirs)
    }

    /// Drops what is cached.
    pub(crate) async fn forget(&self, who: &SubjectKey) {
        self.cache.invalidate(who).await;
    }
}

/// Why there is no person.
#[derive(Clone)]
enum Missing {
    NeverMet,
    Unreadable(EngineError),
}

impl From<EngineError> for Missing {
    fn from(error: EngineError) -> Self {
        Self::Unreadable(error)
    }
}

impl Missing {
    /// As an error of a call that cannot do without the person.
    fn into_error(self) -> EngineError {
        match self {
            Self::NeverMet => EngineError::NotFound { kind: "subject" },
            Self::Unreadable(error) => error,
        }
    }

    /// As nobody, if the store never met them.
    fn into_none<T>(self) -> Result<Option<T>, EngineError> {
        match self {
            Self::NeverMet => Ok(None),
            Self::Unreadable(error) => Err(error),
        }
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
