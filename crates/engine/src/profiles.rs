//! Profiles: the sealed typing models of a person, one for each field label and device class, cached by bytes.

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{DeviceClass, FieldLabel, SubjectKey, Timestamp};
use keyward_scoring::KeystrokeModel;
use keyward_seal::Bound;
use keyward_store::{DocumentVersion, DurableStore};
use moka::sync::Cache;

use crate::people::{Person, durable};
use crate::{EngineError, EngineSettings, ProfileKey};

/// Another replica's new version is seen after this long.
const FRESH: Duration = Duration::from_mins(1);
/// What names of keystroke documents begin with.
const PREFIX: &str = "keystroke/";

/// A typing model at one version.
pub(crate) struct Profile {
    pub version: u64,
    pub written_at: Timestamp,
    pub model: KeystrokeModel,
}

/// What there is under a name.
#[derive(Clone)]
pub(crate) enum Lookup {
    Absent,
    Found(Arc<Profile>),
}

/// Profiles, from the cache or the durable store.
pub(crate) struct Profiles {
    store: Arc<dyn DurableStore>,
    /// That there is none is cached too: first logins have no profile.
    cache: Cache<(SubjectKey, String), Lookup>,
}

/// The document (and sample) name of a profile.
pub(crate) fn name_of(field: &FieldLabel, class: DeviceClass) -> String {
    format!("{PREFIX}{class}/{field}")
}

/// The profile that a document name stands for, if it is a profile's.
pub(crate) fn key_of(name: &str) -> Option<ProfileKey> {
    let (class, field) = name.strip_prefix(PREFIX)?.split_once('/')?;
    let device_class = *DeviceClass::ALL.iter().find(|c| c.name() == class)?;
    Some(ProfileKey { field: FieldLabel::parse(field).ok()?, device_class })
}

/// What a profile's document is bound to.
pub(crate) fn bound<'a>(who: &'a SubjectKey, name: &'a str, version: u64) -> Bound<'a> {
    Bound { who, kind: "document", name, version }
}

/// Opens a stored version.
pub(crate) fn open(person: &Person, name: &str, document: &DocumentVersion) -> Result<Profile, EngineError> {
    let bound = bound(&person.who, name, document.version);
    let bytes =
        person.data_key.open(&bound, &document.sealed).map_err(|e| EngineError::Internal(e.to_string()))?;
    let model = KeystrokeModel::from_bytes(&bytes).map_err(|e| EngineError::Internal(e.to_string()))?;
    Ok(Profile { version: document.version, written_at: document.written_at, model })
}

impl Profiles {
    pub(crate) fn new(store: Arc<dyn DurableStore>, settings: &EngineSettings) -> Self {
        let weigh = |key: &(SubjectKey, String), lookup: &Lookup| {
            let names = key.0.tenant.as_str().len() + key.0.subject.as_str().len() + key.1.len();
            let model = match lookup {
                Lookup::Absent => 0,
                Lookup::Found(profile) => profile.model.memory_bytes(),
            };
            u32::try_from(model + names + 160).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .weigher(weigh)
            .max_capacity(settings.profile_cache_bytes)
            .time_to_live(FRESH)
            .build();
        Self { store, cache }
    }

    /// The profile, if there is one. Costs no store access when it is cached.
    pub(crate) async fn get(&self, person: &Person, name: &str) -> Result<Lookup, EngineError> {
        let key = (person.who.clone(), name.to_owned());
        if let Some(lookup) = self.cache.get(&key) {
            return Ok(lookup);
        }
        let lookup = match self.store.document(&person.who, name).await.map_err(durable)? {
            None => Lookup::Absent,
            Some(document) => Lookup::Found(Arc::new(open(person, name, &document)?)),
        };
        self.cache.insert(key, lookup.clone());
        Ok(lookup)
    }

    /// Puts a version that was just written into the cache.
    pub(crate) fn put(&self, who: &SubjectKey, name: &str, profile: Arc<Profile>) {
        self.cache.insert((who.clone(), name.to_owned()), Lookup::Found(profile));
    }

    /// Drops what is cached under a name.
    pub(crate) fn forget(&self, who: &SubjectKey, name: &str) {
        self.cache.invalidate(&(who.clone(), name.to_owned()));
    }
}
