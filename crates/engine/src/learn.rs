//! Learning, off the request path: samples of proven logins become training samples, and the profile is trained anew.
//!
//! INVARIANT: no typing of a known text reaches [`Learner::teach`] that was not typed under a passkey assertion with user
//! verification whose challenge was bound to that very typing, or imported by a caller who vouches for it. Habits (free text,
//! pointer movement), which can only ask for more, are learned of sessions that a passkey proved minutes before.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyward_domain::{Band, Clock, Decision, DecisionId, Entropy, Outcome, SubjectKey, Timestamp};
use keyward_features::FixedText;
use keyward_policy::NonceState;
use keyward_scoring::KeystrokeModel;
use keyward_scoring::friction::{self, Budget};
use keyward_seal::Bound;
use keyward_store::{DurableStore, KEPT_SAMPLES, SampleRow};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::assertions::Shown;
use crate::assess::{Case, Read};
use crate::habits::{self, Behaviour, HabitStore};
use crate::known::{Known, Marks};
use crate::observe::Observed;
use crate::people::{People, Person, durable};
use crate::profiles::{self, Lookup, Profile, Profiles, Taught};
use crate::training::TrainingThread;
use crate::{Engine, EngineError, Observer};

/// Something to learn.
enum Job {
    /// A proven login.
    Proven(Box<Lesson>),
    /// Tell when everything before is learned.
    Drained(oneshot::Sender<()>),
}

/// What a proven login teaches.
struct Lesson {
    who: SubjectKey,
    /// Which life of theirs: see [`Person::life`].
    life: [u8; 16],
    decision: DecisionId,
    at: Timestamp,
    /// Where the person was, if this very call proved them.
    marks: Option<Marks>,
    /// Document name and sample.
    typed: Vec<(String, FixedText)>,
    /// Free text and pointer movement, with the name of the document that they are learned in.
    behaviour: Option<(String, Behaviour)>,
    /// What the models said of the typing that turned out to be the person's.
    band: Option<Band>,
}

/// Takes lessons and hands them to the trainer's task, which learns everything that waits of one person at once: a rush of
/// logins costs a training for each person and not for each login.
pub(crate) struct Learner {
    queue: mpsc::Sender<Job>,
    observer: Arc<dyn Observer>,
    trainer: Arc<Trainer>,
}

/// Trains profiles.
pub(crate) struct Trainer {
    pub store: Arc<dyn DurableStore>,
    pub people: Arc<People>,
    pub profiles: Arc<Profiles>,
    pub habits: Arc<HabitStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub observer: Arc<dyn Observer>,
    pub budget: Budget,
    pub training: TrainingThread,
}

impl Learner {
    /// Starts the trainer's task. Lessons of one process are learned one after another, so they never race each other.
    pub(crate) fn start(trainer: Trainer, waiting: usize) -> Self {
        let (queue, mut jobs) = mpsc::channel(waiting.max(1));
        let observer = trainer.observer.clone();
        let trainer = Arc::new(trainer);
        let learner = Self { queue, observer, trainer: trainer.clone() };
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            while jobs.recv_many(&mut waiting, jobs.max_capacity()).await > 0 {
                let (mut lessons, mut drained) = (Vec::new(), Vec::new());
                for job in waiting.drain(..) {
                    match job {
                        Job::Proven(lesson) => lessons.push(*lesson),
                        Job::Drained(done) => drained.push(done),
                    }
                }
                trainer.learn_all(lessons).await;
                for done in drained {
                    // Who asked may have gone.
                    let _ = done.send(());
                }
                trainer.observer.learning(jobs.len(), false);
            }
        });
        learner
    }

    /// Hands a lesson over. A full queue drops it: learning never slows a login.
    fn teach(&self, lesson: Lesson) {
        let dropped = self.queue.try_send(Job::Proven(Box::new(lesson))).is_err();
        self.observer.learning(self.queue.max_capacity() - self.queue.capacity(), dropped);
    }

    /// Waits until everything that was handed over before is learned.
    pub(crate) async fn drained(&self) {
        let (done, drained) = oneshot::channel();
        if self.queue.send(Job::Drained(done)).await.is_ok() {
            // The task ends only with the runtime; then there is nothing left to wait for.
            let _ = drained.await;
        }
    }

    /// The trainer, for what is trained on request.
    pub(crate) fn trainer(&self) -> &Trainer {
        &self.trainer
    }
}

impl Engine {
    /// Learns from a decision that allowed a proven login.
    pub(crate) fn learn_from(
        &self,
        case: &Case,
        read: &Read,
        mut observed: Observed,
        nonce: NonceState,
        decision: &Decision,
    ) {
        if decision.outcome != Outcome::Allow {
            return;
        }
        let Some(person) = &read.person else { return };
        let a = &case.assessment;
        let mut lesson = Lesson {
            who: a.who.clone(),
            life: person.life(),
            decision: decision.id,
            at: decision.at,
            marks: None,
            typed: Vec::new(),
            behaviour: Self::behaviour_to_learn(case, read, &mut observed, nonce, decision.at),
            band: None,
        };
        let Shown::Verified { proof, bound, .. } = &case.shown else {
            Self::count_quiet(read, &observed);
            if lesson.behaviour.is_some() {
                self.learner.teach(lesson);
            }
            return;
        };
        if !proof.user_verified {
            return;
        }
        let suspicious = observed.replayed || observed.machine_like;
        let stale = matches!(nonce, NonceState::Stale | NonceState::Reused);
        let typed = if *bound && !suspicious && !stale { observed.typed } else { Vec::new() };
        let named = |(field, text)| (profiles::name_of(&field, a.device.class), text);
        lesson.marks = Some(read.marks);
        lesson.typed = typed.into_iter().map(named).collect();
        lesson.band = observed.typing;
        self.learner.teach(lesson);
    }

    /// Keeps what was typed, so that a recording of it is noticed.
    pub(crate) fn note_typing(&self, case: &Case, observed: &Observed) {
        let a = &case.assessment;
        for (field, text) in &observed.typed {
            self.lately.note(&a.who, profiles::name_of(field, a.device.class), text, &case.telemetry);
        }
    }

    /// Tells the models of a login that their typing did not alarm and nobody proved.
    fn count_quiet(read: &Read, observed: &Observed) {
        if observed.behaviour != Some(Band::Low) {
            return;
        }
        for (field, _) in &observed.typed {
            if let Some(Lookup::Found(profile)) = profiles::found(&read.profiles, field) {
                profile.let_in();
            }
        }
    }
}

impl Trainer {
    /// Learns lessons, person by person. What cannot be learned of one does not keep the others from it.
    async fn learn_all(&self, mut lessons: Vec<Lesson>) {
        // Stable, so that each person's lessons stay in their order.
        lessons.sort_by(|a, b| a.who.cmp(&b.who));
        for of_one in lessons.chunk_by(|a, b| a.who == b.who) {
            if let Err(error) = self.learn(of_one).await {
                tracing::warn!(%error, lessons = of_one.len(), "lessons were not learned");
            }
        }
    }

    /// Learns the lessons of one person, oldest first: their samples are added and each profile is trained once.
    async fn learn(&self, lessons: &[Lesson]) -> Result<(), EngineError> {
        let Some(first) = lessons.first() else { return Ok(()) };
        // As the store has the person now: another call, or another replica, may just have erased them, or taken their word
        // against behaviour. A lesson of one who was erased is not one of whoever comes under the same id.
        let Some(person) = self.people.fresh(&first.who).await? else { return Ok(()) };
        let lessons = lessons.iter().filter(|lesson| lesson.life == person.life());
        let mut taught: BTreeMap<&str, (Vec<SampleRow>, Vec<Band>)> = BTreeMap::new();
        for lesson in lessons.clone().filter(|_| !person.known.opted_out()) {
            for (name, text) in &lesson.typed {
                let (samples, bands) = taught.entry(name).or_default();
                samples.push(self.seal(&person, name, lesson.decision, lesson.at, text)?);
                bands.extend(lesson.band);
            }
        }
        let mut names: Vec<&str> = taught.keys().copied().collect();
        for (name, (samples, bands)) in taught {
            self.store.add_samples(&person.who, name, samples).await.map_err(durable)?;
            self.train(&person, name, Taught::ProvenLogins(&bands)).await?;
        }
        for (name, seen) in lessons.clone().filter_map(|lesson| lesson.behaviour.as_ref()) {
            if !person.known.opted_out() {
                names.push(name);
                self.learn_habits(&person, name, seen).await?;
            }
        }
        self.unlearn_if_unwanted(&person, &names).await?;
        for lesson in lessons {
            if let Some(marks) = lesson.marks {
                self.people.see(&lesson.who, marks, lesson.at).await?;
            }
        }
        Ok(())
    }

    /// Takes back what was learned while the person was erased or opted out: whoever comes last sees the other.
    async fn unlearn_if_unwanted(&self, person: &Person, names: &[&str]) -> Result<(), EngineError> {
        if names.is_empty() {
            return Ok(());
        }
        let now = self.people.fresh(&person.who).await?;
        let wanted = now.is_some_and(|now| now.life() == person.life() && !now.known.opted_out());
        for name in names.iter().filter(|_| !wanted) {
            self.remove(&person.who, name).await?;
        }
        Ok(())
    }

    /// Removes what was learned under a name, with its samples.
    pub(crate) async fn remove(&self, who: &SubjectKey, name: &str) -> Result<(), EngineError> {
        self.store.clear_samples(who, name).await.map_err(durable)?;
        self.store.remove_document(who, name).await.map_err(durable)?;
        self.forget_cached(who, name).await;
        Ok(())
    }

    /// Drops what is cached under a document's name, and tells the other replicas that it is gone.
    pub(crate) async fn forget_cached(&self, who: &SubjectKey, name: &str) {
        if habits::is_name(name) {
            self.habits.forget(who, name).await;
        } else {
            self.profiles.forget(who, name).await;
        }
    }

    /// Forgets one profile of a person, or all with habits and hours, and their samples. How many profiles were forgotten.
    pub(crate) async fn forget(&self, person: &Person, name: Option<&str>) -> Result<u32, EngineError> {
        let mut forgotten = 0;
        for (there, _) in self.store.document_names(&person.who).await.map_err(durable)? {
            let profile = profiles::key_of(&there).is_some();
            let chosen = match name {
                Some(name) => profile && name == there,
                None => profile || habits::is_name(&there),
            };
            if chosen {
                self.remove(&person.who, &there).await?;
                forgotten += u32::from(profile);
            }
        }
        if name.is_none() {
            self.people.change(&person.who, self.clock.now(), Known::forget_rhythm).await?;
        }
        Ok(forgotten)
    }

    /// Adds samples that are no login's, such as imported ones, oldest first, and trains.
    pub(crate) async fn import(
        &self,
        person: &Person,
        name: &str,
        samples: Vec<(DecisionId, FixedText)>,
    ) -> Result<Option<Arc<Profile>>, EngineError> {
        // Stores keep them in the order of their times, and models ask which came later.
        let now = self.clock.now().micros;
        let times = (0..).map(|ago| Timestamp { micros: now.saturating_sub(ago) });
        let sealed: Result<Vec<_>, _> = samples
            .iter()
            .rev()
            .zip(times)
            .map(|((id, text), at)| self.seal(person, name, *id, at, text))
            .collect();
        self.store.add_samples(&person.who, name, sealed?).await.map_err(durable)?;
        self.train(person, name, Taught::Imported).await
    }

    /// Trains a profile on the samples that are kept, and writes it as the next version. `None` when none are kept: then
    /// there is no profile either.
    pub(crate) async fn train(
        &self,
        person: &Person,
        name: &str,
        taught: Taught<'_>,
    ) -> Result<Option<Arc<Profile>>, EngineError> {
        loop {
            let current = self.store.document(&person.who, name).await.map_err(durable)?;
            let rows = self.store.samples(&person.who, name, KEPT_SAMPLES).await.map_err(durable)?;
            if rows.is_empty() {
                self.store.remove_document(&person.who, name).await.map_err(durable)?;
                self.profiles.forget(&person.who, name).await;
                return Ok(None);
            }
            let texts: Result<Vec<_>, _> = rows.iter().map(|row| open_sample(person, name, row)).collect();
            let model = self.fit(texts?).await?;
            let friction = match self.profiles.get(person, name).await.map(|cached| cached.lookup) {
                Ok(Lookup::Found(before)) => before.next_friction(&model, taught, self.budget),
                // A damaged profile is mended by the one that is trained now; its limits are lost.
                Ok(Lookup::Absent) | Err(EngineError::Internal(_)) => friction::State::default(),
                Err(error) => return Err(error),
            };
            let version = current.map_or(0, |document| document.version);
            match self.write(person, name, version, model, friction).await {
                Err(EngineError::Conflict) => {}
                written => return written.map(Some),
            }
        }
    }

    async fn fit(&self, texts: Vec<FixedText>) -> Result<KeystrokeModel, EngineError> {
        let started = Instant::now();
        let fitted = self.training.run(move || KeystrokeModel::train(&texts)).await?;
        let model = fitted.map_err(|e| EngineError::Internal(e.to_string()))?;
        self.observer.trained(model.maturity(), started.elapsed());
        Ok(model)
    }

    /// Writes a model as the version after `version`, and puts it into the cache.
    pub(crate) async fn write(
        &self,
        person: &Person,
        name: &str,
        version: u64,
        model: KeystrokeModel,
        friction: friction::State,
    ) -> Result<Arc<Profile>, EngineError> {
        let bound = profiles::bound(&person.who, name, version + 1);
        let sealed = person.data_key.seal(&bound, &profiles::encode(&model, friction)?, &*self.entropy);
        let at = self.clock.now();
        let version =
            self.store.put_document(&person.who, name, version, sealed, at).await.map_err(durable)?;
        Ok(self.profiles.put(&person.who, name, Profile::new(version, at, model, friction)).await)
    }

    fn seal(
        &self,
        person: &Person,
        name: &str,
        decision: DecisionId,
        at: Timestamp,
        text: &FixedText,
    ) -> Result<SampleRow, EngineError> {
        let json = serde_json::to_vec(text).map_err(|e| EngineError::Internal(e.to_string()))?;
        let sealed = person.data_key.seal(&sample_bound(person, name), &json, &*self.entropy);
        Ok(SampleRow { decision, at, sealed })
    }
}

fn sample_bound<'a>(person: &'a Person, name: &'a str) -> Bound<'a> {
    Bound { who: &person.who, kind: "sample", name, version: 0 }
}

/// A sample in the clear.
pub(crate) fn open_sample(person: &Person, name: &str, row: &SampleRow) -> Result<FixedText, EngineError> {
    let json = person.data_key.open(&sample_bound(person, name), &row.sealed);
    let json = json.map_err(|e| EngineError::Internal(e.to_string()))?;
    serde_json::from_slice(&json).map_err(|e| EngineError::Internal(e.to_string()))
}
