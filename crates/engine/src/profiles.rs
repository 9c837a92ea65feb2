//! Profiles: the sealed typing models of a person, one for each field label and device class, cached by bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use keyward_domain::{Band, DeviceClass, FieldLabel, Maturity, SubjectKey, Timestamp};
use keyward_scoring::KeystrokeModel;
use keyward_scoring::friction::{self, Budget, Event};
use keyward_scoring::fusion::Limits;
use keyward_seal::Bound;
use keyward_store::{DocumentVersion, DurableStore};
use moka::future::Cache;

use crate::announce::Announcer;
use crate::people::{FRESH, Person, durable};
use crate::{EngineError, EngineSettings, ProfileKey};

/// What names of keystroke documents begin with.
const PREFIX: &str = "keystroke/";

/// The form of a stored profile: this byte, then by postcard the limits' state and the model. A model alone, as it was
/// stored before there was a state, begins with another byte.
const FORM: u8 = 2;

/// A typing model at one version, with where the person's limits stand.
pub(crate) struct Profile {
    pub version: u64,
    pub written_at: Timestamp,
    pub model: KeystrokeModel,
    /// As this version was written.
    friction: friction::State,
    /// Logins since that raised no alarm. Counted in memory alone.
    quiet: Arc<AtomicU32>,
}

impl Profile {
    /// A version whose logins nobody counted yet.
    pub(crate) fn new(
        version: u64,
        written_at: Timestamp,
        model: KeystrokeModel,
        friction: friction::State,
    ) -> Self {
        Self { version, written_at, model, friction, quiet: Arc::default() }
    }

    /// Where the person's limits stand now.
    pub(crate) fn friction(&self, budget: Budget) -> friction::State {
        // Limits are for mature models alone, and so is what moves them.
        let quiet =
            if self.model.maturity() == Maturity::Mature { self.quiet.load(Ordering::Relaxed) } else { 0 };
        self.friction.after_quiet(quiet, budget)
    }

    /// The limits that typing is judged by: the person's own once the model is mature.
    pub(crate) fn limits(&self, budget: Budget) -> Limits {
        if self.model.maturity() == Maturity::Mature {
            self.friction(budget).limits()
        } else {
            Limits::default()
        }
    }

    /// Counts a login that was let in without an alarm.
    pub(crate) fn let_in(&self) {
        if self.model.maturity() != Maturity::Learning {
            self.quiet.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether so many logins were let in since the last proven one that the next is to be proven; `every` 0: never.
    pub(crate) fn proof_due(&self, every: u32) -> bool {
        every > 0 && self.quiet.load(Ordering::Relaxed).saturating_add(1) >= every
    }

    /// Where the limits of the next model stand.
    pub(crate) fn next_friction(
        &self,
        next: &KeystrokeModel,
        taught: Taught<'_>,
        budget: Budget,
    ) -> friction::State {
        let restarted = self.model.shape() != next.shape();
        let mature = self.model.maturity() == Maturity::Mature;
        match taught {
            _ if restarted => friction::State::default(),
            // Limits that an attack may have loosened are not to be told from others.
            Taught::TakenBack => friction::State::default(),
            Taught::ProvenLogins(bands) if mature => bands
                .iter()
                .fold(self.friction(budget), |state, band| state.after(Event::FalseAlarm(*band), budget)),
            Taught::ProvenLogins(_) | Taught::Imported => self.friction(budget),
        }
    }
}

/// What came to a profile since its last version.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Taught<'a> {
    /// Typing of proven logins, and what the models had said of each that they judged, oldest first.
    ProvenLogins(&'a [Band]),
    /// Samples that the caller vouches for.
    Imported,
    /// Samples of a confirmed attack were taken out.
    TakenBack,
}

/// The bytes of a profile, to be sealed.
pub(crate) fn encode(model: &KeystrokeModel, friction: friction::State) -> Result<Vec<u8>, EngineError> {
    postcard::to_extend(&(friction, model.to_bytes()), vec![FORM])
        .map_err(|e| EngineError::Internal(e.to_string()))
}

fn decode(bytes: &[u8]) -> Result<(friction::State, KeystrokeModel), EngineError> {
    let (friction, model) = match bytes.split_first() {
        Some((&FORM, rest)) => postcard::from_bytes::<(friction::State, &[u8])>(rest)
            .map_err(|e| EngineError::Internal(e.to_string()))?,
        _ => (friction::State::default(), bytes),
    };
    Ok((friction, KeystrokeModel::from_bytes(model).map_err(|e| EngineError::Internal(e.to_string()))?))
}

/// What there is under a name.
#[derive(Clone)]
pub(crate) enum Lookup {
    Absent,
    Found(Arc<Profile>),
}

/// What is cached under a name.
#[derive(Clone)]
pub(crate) struct Cached {
    pub lookup: Lookup,
    /// The version that was announced when this was read.
    seen: Option<u64>,
}

impl Cached {
    fn same(&self, other: &Self) -> bool {
        match (&self.lookup, &other.lookup) {
            (Lookup::Found(one), Lookup::Found(another)) => Arc::ptr_eq(one, another),
            (Lookup::Absent, Lookup::Absent) => self.seen == other.seen,
            _ => false,
        }
    }

    /// Whether a version was announced that this was read before.
    pub(crate) fn is_outdated(&self, announced: Option<u64>) -> bool {
        let version = match &self.lookup {
            Lookup::Absent => 0,
            Lookup::Found(profile) => profile.version,
        };
        announced.is_some_and(|told| told != version && Some(told) != self.seen)
    }
}

/// Profiles, from the cache or the durable store.
pub(crate) struct Profiles {
    store: Arc<dyn DurableStore>,
    announcer: Announcer,
    /// That there is none is cached too: first logins have no profile.
    cache: Cache<(SubjectKey, String), Cached>,
    counts: Counts,
}

/// Quiet logins of versions, which outlive what is cached of those: that is read anew every minute.
struct Counts(moka::sync::Cache<(SubjectKey, String), (u64, Arc<AtomicU32>)>);

impl Counts {
    /// The count of a version: the one that was begun, or a new one.
    fn of(&self, key: (SubjectKey, String), version: u64) -> Arc<AtomicU32> {
        let begun = self.0.get(&key).filter(|(counted, _)| *counted == version);
        let (_, count) = begun.unwrap_or_else(|| {
            let fresh = (version, Arc::default());
            self.0.insert(key, fresh.clone());
            fresh
        });
        count
    }
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

/// What there is for a field; `None` if it could not be read.
pub(crate) fn found<'a>(read: &'a [(FieldLabel, Option<Cached>)], field: &FieldLabel) -> Option<&'a Lookup> {
    Some(&read.iter().find(|(label, _)| label == field)?.1.as_ref()?.lookup)
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
    let (friction, model) = decode(&bytes)?;
    Ok(Profile::new(document.version, document.written_at, model, friction))
}

impl Profiles {
    pub(crate) fn new(store: Arc<dyn DurableStore>, announcer: Announcer, settings: &EngineSettings) -> Self {
        let weigh = |key: &(SubjectKey, String), cached: &Cached| {
            let names = key.0.tenant.as_str().len() + key.0.subject.as_str().len() + key.1.len();
            let model = match &cached.lookup {
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
        let counts = Counts(moka::sync::Cache::new(settings.subject_cache_entries));
        Self { store, announcer, cache, counts }
    }

    /// The profile, if there is one. Costs no store access when it is cached; of those who ask at the same time, one reads.
    pub(crate) async fn get(&self, person: &Person, name: &str) -> Result<Cached, EngineError> {
        self.read_after(person, (person.who.clone(), name.to_owned()), None).await
    }

    /// Takes up what was read together with a person. What is cached already is left, for it may be newer.
    pub(crate) async fn came_with(&self, person: &Person, documents: Vec<(String, Option<DocumentVersion>)>) {
        for (name, document) in documents {
            let key = (person.who.clone(), name);
            let read = async { Ok(Cached { lookup: self.lookup(person, &key, document)?, seen: None }) };
            // One that does not open is read again by whoever needs it, and reported there.
            let _: Result<Cached, Arc<EngineError>> = self.cache.try_get_with_by_ref(&key, read).await;
        }
    }

    fn lookup(
        &self,
        person: &Person,
        key: &(SubjectKey, String),
        document: Option<DocumentVersion>,
    ) -> Result<Lookup, EngineError> {
        let Some(document) = document else { return Ok(Lookup::Absent) };
        let profile = open(person, &key.1, &document)?;
        Ok(Lookup::Found(Arc::new(self.counted(key, profile))))
    }

    /// The profile, read anew because a version was announced that `outdated` was read before.
    pub(crate) async fn renew(
        &self,
        person: &Person,
        name: &str,
        outdated: &Cached,
        announced: Option<u64>,
    ) -> Result<Cached, EngineError> {
        let key = (person.who.clone(), name.to_owned());
        // Someone else may have done so by now.
        if self.cache.get(&key).await.is_some_and(|cached| cached.same(outdated)) {
            self.cache.invalidate(&key).await;
        }
        self.read_after(person, key, announced).await
    }

    async fn read_after(
        &self,
        person: &Person,
        key: (SubjectKey, String),
        seen: Option<u64>,
    ) -> Result<Cached, EngineError> {
        let read = async {
            let document = self.store.document(&person.who, &key.1).await.map_err(durable)?;
            Ok(Cached { lookup: self.lookup(person, &key, document)?, seen })
        };
        self.cache
            .try_get_with_by_ref(&key, read)
            .await
            .map_err(|error: Arc<EngineError>| EngineError::clone(&error))
    }

    fn counted(&self, key: &(SubjectKey, String), mut profile: Profile) -> Profile {
        if profile.model.maturity() != Maturity::Learning {
            profile.quiet = self.counts.of(key.clone(), profile.version);
        }
        profile
    }

    /// Puts a version that was just written into the cache, and tells the other replicas.
    pub(crate) async fn put(&self, who: &SubjectKey, name: &str, profile: Profile) -> Arc<Profile> {
        let key = (who.clone(), name.to_owned());
        let profile = Arc::new(self.counted(&key, profile));
        self.cache.insert(key, Cached { lookup: Lookup::Found(profile.clone()), seen: None }).await;
        self.announcer.announce(who, name, profile.version).await;
        profile
    }

    /// Drops what is cached under a name, and tells the other replicas that it is gone.
    pub(crate) async fn forget(&self, who: &SubjectKey, name: &str) {
        let key = (who.clone(), name.to_owned());
        self.cache.invalidate(&key).await;
        self.counts.0.invalidate(&key);
        self.announcer.announce(who, name, 0).await;
    }
}

#[cfg(test)]
mod tests {
    use keyward_features::{FixedText, fixed_text};
    use keyward_simulate::typist::Typist;

    use super::*;

    /// Of the first synthetic typist whose model tells her from strangers.
    fn model(n_keys: usize) -> KeystrokeModel {
        let of = |seed| {
            let typist = Typist::new(seed);
            let typed: Vec<FixedText> =
                (0..40).map(|at| fixed_text(&typist.type_text(n_keys, at)).unwrap()).collect();
            KeystrokeModel::train(&typed).unwrap()
        };
        (0..20).map(of).find(|model| model.maturity() == Maturity::Mature).unwrap()
    }

    #[test]
    fn what_is_stored_reads_back_and_a_model_alone_has_the_fixed_limits() {
        let (model, budget) = (model(11), Budget::default());
        let state = friction::State::default().after(Event::FalseAlarm(Band::High), budget);
        let (read, same) = decode(&encode(&model, state).unwrap()).unwrap();
        assert!(read == state && same == model);
        assert_eq!(decode(&model.to_bytes()).unwrap().0, friction::State::default());
        for damaged in [&[][..], &[FORM], &[FORM, 1, 2, 3], b"kwk"] {
            assert!(decode(damaged).is_err());
        }
    }

    #[test]
    fn a_count_outlives_what_is_cached_and_ends_with_its_version() {
        let counts = Counts(moka::sync::Cache::new(10));
        let key = |subject: &str| {
            let who = SubjectKey {
                tenant: keyward_domain::TenantId::parse("t").unwrap(),
                subject: keyward_domain::SubjectId::parse(subject).unwrap(),
            };
            (who, "keystroke/personal/password".to_owned())
        };
        counts.of(key("a"), 1).fetch_add(3, Ordering::Relaxed);
        assert_eq!(counts.of(key("a"), 1).load(Ordering::Relaxed), 3);
        assert_eq!(counts.of(key("b"), 1).load(Ordering::Relaxed), 0);
        assert_eq!(counts.of(key("a"), 2).load(Ordering::Relaxed), 0);
    }

    #[test]
    fn limits_follow_alarms_and_quiet_and_start_anew_with_the_template() {
        let (model, budget, at) = (model(11), Budget::default(), Timestamp::from_secs(1));
        assert_eq!(model.maturity(), Maturity::Mature);
        let profile = Profile::new(1, at, model.clone(), friction::State::default());
        assert_eq!(profile.limits(budget), Limits::default());
        profile.let_in();
        let quiet = profile.limits(budget).medium;
        assert!(quiet < Limits::default().medium);
        assert!(
            profile.proof_due(2) && profile.proof_due(1) && !profile.proof_due(3) && !profile.proof_due(0)
        );
        let after = |taught| profile.next_friction(&model, taught, budget);
        let alarmed = after(Taught::ProvenLogins(&[Band::Medium]));
        assert!(alarmed.limits().medium > Limits::default().medium);
        assert!((after(Taught::Imported).limits().medium - quiet).abs() < 1e-6);
        assert_eq!(after(Taught::TakenBack), friction::State::default());
        assert_eq!(
            profile.next_friction(&self::model(12), Taught::Imported, budget),
            friction::State::default()
        );
    }
}
