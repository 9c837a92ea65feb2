//! Habits: how a person types in general and moves a pointer, on one class of device. A sealed document of its own, read
//! only when telemetry carries such behaviour.

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{
    Assessment, Band, DeviceClass, Maturity, Signal, SignalKind, SignalStatus, SubjectKey, Telemetry,
    Timestamp,
};
use keyward_features::{PointerAction, Stroke, actions, free_text};
use keyward_policy::NonceState;
use keyward_scoring::free_text::FreeTextModel;
use keyward_scoring::pointer::PointerModel;
use keyward_scoring::{free_text as any_text, pointer};
use keyward_store::{Announced, DocumentVersion, DurableStore, StoreError};
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::announce::Announcer;
use crate::assertions::Shown;
use crate::assess::{Case, Read};
use crate::learn::Trainer;
use crate::observe::Observed;
use crate::people::{FRESH, Person, durable};
use crate::{Engine, EngineError, EngineSettings, export, profiles};

/// For so long after a passkey was shown, what is done in its session is its owner's.
const PROVEN_FOR: Duration = Duration::from_mins(5);
/// What names of habit documents begin with.
const PREFIX: &str = "habits/";
/// The fewest pointer actions that are judged: of a person's own windows of 50 one in fifty would be asked for a passkey, of
/// 20 one in twenty-three.
const JUDGED_ACTIONS: usize = 50;
/// What a person's habits weigh in the cache, in bytes.
const WEIGHT_BYTES: u32 = 24 << 10;

/// A person's habits at one version.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Habits {
    /// Typing of any text.
    pub free_text: FreeTextModel,
    /// Pointer movement.
    pub pointer: PointerModel,
    /// Of the document; not part of it.
    #[serde(skip)]
    pub version: u64,
}

/// Session behaviour of one assessment.
#[derive(Default)]
pub(crate) struct Behaviour {
    pub strokes: Vec<Stroke>,
    pub actions: Vec<PointerAction>,
}

impl Behaviour {
    /// What telemetry tells: free text of the fields that are marked so, and the pointer's actions.
    pub(crate) fn of(telemetry: &Telemetry) -> Self {
        let texts = telemetry.keystrokes.iter().filter(|sample| sample.quality.free_text);
        Self {
            strokes: texts.flat_map(free_text).collect(),
            actions: telemetry.pointer.as_ref().map(actions).unwrap_or_default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.strokes.is_empty() && self.actions.is_empty()
    }

    /// Whether telemetry carries any, before it is looked at.
    pub(crate) fn is_in(telemetry: &Telemetry) -> bool {
        telemetry.pointer.is_some() || telemetry.keystrokes.iter().any(|sample| sample.quality.free_text)
    }
}

impl Habits {
    /// What they say of behaviour: a signal for each kind that was sent.
    pub(crate) fn signals(&self, seen: &Behaviour) -> Vec<Signal> {
        let mut signals = Vec::new();
        if !seen.strokes.is_empty() {
            let scored = self.free_text.score(&seen.strokes).ok();
            let samples = self.free_text.strokes();
            signals.push(self.signal(SignalKind::FreeText, scored, any_text::llr, samples));
        }
        if !seen.actions.is_empty() {
            let enough = seen.actions.len() >= JUDGED_ACTIONS;
            let scored = self.pointer.score(&seen.actions).ok().filter(|_| enough);
            signals.push(self.signal(SignalKind::Pointer, scored, pointer::llr, self.pointer.actions()));
        }
        signals
    }

    fn signal(&self, kind: SignalKind, score: Option<f32>, llr: fn(f32) -> f32, samples: u32) -> Signal {
        let known = match kind {
            SignalKind::FreeText => self.free_text.is_ready(),
            _ => self.pointer.is_ready(),
        };
        match score {
            Some(score) => Signal {
                kind,
                status: SignalStatus::Scored,
                llr: llr(score),
                score: Some(score),
                // Calibrated on other people's sessions, not on this person's: never more than provisional.
                maturity: Maturity::Provisional,
                samples,
                profile_version: self.version,
            },
            // Too little was sent to judge, or too little is known.
            None if known => Signal { samples, ..Signal::unscored(kind, SignalStatus::NotComparable) },
            None => Signal { samples, ..Signal::unscored(kind, SignalStatus::NoModel) },
        }
    }

    /// The habits after one more session's behaviour. The free text of one lesson counts for no more than a bounded part.
    pub(crate) fn after(&self, seen: &Behaviour) -> Self {
        let mut next = self.clone();
        next.free_text.learn(&seen.strokes);
        if seen.actions.len() >= pointer::MIN_ACTIONS {
            next.pointer.learn(&seen.actions);
        }
        next
    }
}

/// The document name for a class of device.
pub(crate) fn name_of(class: DeviceClass) -> String {
    format!("{PREFIX}{class}")
}

/// Whether a document's name is that of habits.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// What is cached under a name.
#[derive(Clone)]
pub(crate) struct Cached {
    pub habits: Arc<Habits>,
    /// The version that was announced when this was read.
    seen: Option<u64>,
}

impl Cached {
    /// Whether a version was announced that this was read before.
    pub(crate) fn is_outdated(&self, announced: Option<u64>) -> bool {
        announced.is_some_and(|told| told != self.habits.version && Some(told) != self.seen)
    }
}

/// Habits, from the cache or the durable store.
pub(crate) struct HabitStore {
    store: Arc<dyn DurableStore>,
    announcer: Announcer,
    cache: Cache<(SubjectKey, String), Cached>,
}

impl HabitStore {
    pub(crate) fn new(store: Arc<dyn DurableStore>, announcer: Announcer, settings: &EngineSettings) -> Self {
        let cache = Cache::builder()
            .weigher(|_: &(SubjectKey, String), _: &Cached| WEIGHT_BYTES)
            .max_capacity(settings.profile_cache_bytes)
            .time_to_live(FRESH)
            .build();
        Self { store, announcer, cache }
    }

    /// The person's habits; without a document, of nothing. Of those who ask at the same time, one reads.
    pub(crate) async fn get(&self, person: &Person, name: &str) -> Result<Cached, EngineError> {
        self.read_after(person, (person.who.clone(), name.to_owned()), None).await
    }

    /// The habits, read anew because a version was announced that `outdated` was read before.
    pub(crate) async fn renew(
        &self,
        person: &Person,
        name: &str,
        outdated: &Cached,
        announced: Option<u64>,
    ) -> Result<Cached, EngineError> {
        let key = (person.who.clone(), name.to_owned());
        // Someone else may have done so by now.
        if self.cache.get(&key).await.is_some_and(|cached| Arc::ptr_eq(&cached.habits, &outdated.habits)) {
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
            let habits = match self.store.document(&person.who, &key.1).await.map_err(durable)? {
                None => Habits::default(),
                Some(document) => open(person, &key.1, &document)?,
            };
            Ok(Cached { habits: Arc::new(habits), seen })
        };
        self.cache
            .try_get_with_by_ref(&key, read)
            .await
            .map_err(|error: Arc<EngineError>| EngineError::clone(&error))
    }

    /// Puts a version that was just written into the cache, and tells the other replicas.
    async fn put(&self, who: &SubjectKey, name: &str, habits: Habits) {
        let version = habits.version;
        let cached = Cached { habits: Arc::new(habits), seen: None };
        self.cache.insert((who.clone(), name.to_owned()), cached).await;
        self.announcer.announce(who, name, version).await;
    }

    /// Drops what is cached under a name, and tells the other replicas that it is gone.
    pub(crate) async fn forget(&self, who: &SubjectKey, name: &str) {
        self.cache.invalidate(&(who.clone(), name.to_owned())).await;
        self.announcer.announce(who, name, 0).await;
    }
}

fn readable(cached: Result<Cached, EngineError>) -> Option<Cached> {
    cached.inspect_err(|error| tracing::warn!(%error, "habits could not be read")).ok()
}

fn open(person: &Person, name: &str, document: &DocumentVersion) -> Result<Habits, EngineError> {
    let internal = |e: &dyn std::fmt::Display| EngineError::Internal(e.to_string());
    let bound = profiles::bound(&person.who, name, document.version);
    let bytes = person.data_key.open(&bound, &document.sealed).map_err(|e| internal(&e))?;
    let habits: Habits = postcard::from_bytes(&bytes).map_err(|e| internal(&e))?;
    Ok(Habits { version: document.version, ..habits })
}

impl Engine {
    /// The person's habits, where telemetry carries what they judge and the store answers.
    pub(crate) async fn read_habits(&self, person: &Person, a: &Assessment) -> Option<Cached> {
        if person.known.opted_out() || !Behaviour::is_in(&a.telemetry) {
            return None;
        }
        readable(self.habits.get(person, &name_of(a.device.class)).await)
    }

    /// What was cached of habits, read anew where another replica announced a version since.
    pub(crate) async fn renew_habits(
        &self,
        person: &Person,
        a: &Assessment,
        cached: Option<Cached>,
        announced: &Announced,
    ) -> Option<Cached> {
        let name = name_of(a.device.class);
        let told = announced.version(&name);
        match cached {
            Some(cached) if cached.is_outdated(told) => {
                readable(self.habits.renew(person, &name, &cached, told).await)
            }
            cached => cached,
        }
    }

    /// Takes the free text and pointer movement that may be learned: of a session whose person a passkey proved within the
    /// last [`PROVEN_FOR`], and in which nothing is suspicious. With the name of the document that they are learned in.
    pub(crate) fn behaviour_to_learn(
        case: &Case,
        read: &Read,
        observed: &mut Observed,
        nonce: NonceState,
        at: Timestamp,
    ) -> Option<(String, Behaviour)> {
        let seen = std::mem::take(&mut observed.behaviour_seen);
        let proof = Self::proof(case, read).filter(|proof| proof.user_verified)?;
        let now = matches!(&case.shown, Shown::Verified { .. });
        let usual = observed.behaviour.is_none_or(|band| band == Band::Low);
        let suspicious = observed.replayed || observed.machine_like || observed.burst;
        let fresh = nonce == NonceState::Valid;
        let proven = at.since(proof.at) <= PROVEN_FOR;
        let learned = !seen.is_empty() && proven && (now || usual) && !suspicious && fresh;
        learned.then(|| (name_of(case.assessment.device.class), seen))
    }

    /// The person's habits as an export has them: one for each class of device.
    pub(crate) async fn export_habits(
        &self,
        person: &Person,
        names: &[(String, u64)],
    ) -> Result<Value, EngineError> {
        let mut found = Vec::new();
        for (name, _) in names {
            let Some(class) = name.strip_prefix(PREFIX) else { continue };
            let history = self.durable.document_history(&person.who, name).await.map_err(durable)?;
            let versions: Vec<Value> = history
                .iter()
                .map(|kept| json!({ "version": kept.version, "written_at": export::at(kept.written_at) }))
                .collect();
            let habits = history.first().map(|current| open(person, name, current)).transpose();
            let current = habits.as_ref().ok().and_then(Option::as_ref);
            found.push(json!({
                "device_class": class,
                "strokes": current.map(|habits| habits.free_text.strokes()),
                "pointer_actions": current.map(|habits| habits.pointer.actions()),
                "learned": current,
                "damaged": habits.is_err(),
                "versions": versions,
            }));
        }
        Ok(Value::Array(found))
    }
}

impl Trainer {
    /// Writes the habits after one more session's behaviour as the next version.
    pub(crate) async fn learn_habits(
        &self,
        person: &Person,
        name: &str,
        seen: &Behaviour,
    ) -> Result<(), EngineError> {
        loop {
            let document = self.store.document(&person.who, name).await.map_err(durable)?;
            let version = document.as_ref().map_or(0, |document| document.version);
            // Damaged habits are mended by beginning anew.
            let known = document.and_then(|document| open(person, name, &document).ok()).unwrap_or_default();
            let habits = known.after(seen);
            let bytes = postcard::to_stdvec(&habits).map_err(|e| EngineError::Internal(e.to_string()))?;
            let bound = profiles::bound(&person.who, name, version + 1);
            let sealed = person.data_key.seal(&bound, &bytes, &*self.entropy);
            let put = self.store.put_document(&person.who, name, version, sealed, self.clock.now()).await;
            match put {
                Ok(version) => {
                    self.habits.put(&person.who, name, Habits { version, ..habits }).await;
                    return Ok(());
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(durable(error)),
            }
        }
    }

    /// Forgets the person's habits on every class of device.
    pub(crate) async fn forget_habits(&self, who: &SubjectKey) -> Result<(), EngineError> {
        for (name, _) in self.store.document_names(who).await.map_err(durable)? {
            if is_name(&name) {
                self.remove(who, &name).await?;
            }
        }
        Ok(())
    }
}
