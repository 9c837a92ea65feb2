//! Care of what was learned: status, reset, roll-back, import, erasure.

use keyward_audit::{Event, ProfileChange, Record};
use keyward_domain::{DecisionId, DeviceClass, KeystrokeSample, SubjectKey};
use keyward_features::fixed_text;

use crate::people::{self, Person, durable, hot};
use crate::profiles::{self, Profile};
use crate::{Engine, EngineError, Erased, ProfileKey, ProfileStatus};

impl Engine {
    /// What each profile of a person knows. Empty for a person that was never met.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`].
    pub async fn profile_status(&self, who: &SubjectKey) -> Result<Vec<ProfileStatus>, EngineError> {
        let Some(person) = self.people.get(who).await? else { return Ok(Vec::new()) };
        let mut statuses = Vec::new();
        for (name, _) in self.durable.document_names(who).await.map_err(durable)? {
            if let Some(key) = profiles::key_of(&name)
                && let Some(status) = self.status(&person, key, &name).await?
            {
                statuses.push(status);
            }
        }
        Ok(statuses)
    }

    /// Forgets one profile, or all; learning starts anew. How many were forgotten.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`].
    pub async fn reset_profile(
        &self,
        who: &SubjectKey,
        key: Option<&ProfileKey>,
    ) -> Result<u32, EngineError> {
        let Some(person) = self.people.get(who).await? else { return Ok(0) };
        let wanted = key.map(name_of);
        let forgotten = self.learner.trainer().forget(&person, wanted.as_deref()).await?;
        self.lately.forget(who);
        self.record_profile(&person, ProfileChange::Reset, wanted.unwrap_or_default()).await?;
        Ok(forgotten)
    }

    /// Makes an earlier version current, as a new version. Samples that came after it are dropped, so that the next lesson
    /// does not bring back what was rolled back.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the version is not kept, [`EngineError::Conflict`] when a lesson came in between.
    pub async fn roll_back_profile(
        &self,
        who: &SubjectKey,
        key: &ProfileKey,
        version: u64,
    ) -> Result<ProfileStatus, EngineError> {
        let person = self.person(who).await?;
        let name = name_of(key);
        let history = self.durable.document_history(who, &name).await.map_err(durable)?;
        let wanted = history.iter().find(|kept| kept.version == version);
        let (Some(wanted), Some(current)) = (wanted, history.first()) else {
            return Err(EngineError::NotFound { kind: "profile version" });
        };
        let profile = profiles::open(&person, &name, wanted)?;
        self.drop_later_samples(&person, &name, &profile).await?;
        // The limits go back with the model: what they forgave since was learned from what is now doubted.
        let friction = profile.friction(self.settings.friction);
        self.learner.trainer().write(&person, &name, current.version, profile.model, friction).await?;
        self.record_profile(&person, ProfileChange::RolledBack { to: version }, name.clone()).await?;
        let status = self.status(&person, key.clone(), &name).await?;
        status.ok_or(EngineError::NotFound { kind: "profile" })
    }

    /// Seeds a profile with samples that the caller vouches for. Returns the profile and how many samples were left out
    /// because they cannot be compared.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when no sample could be used.
    pub async fn import_samples(
        &self,
        who: &SubjectKey,
        device_class: DeviceClass,
        samples: Vec<KeystrokeSample>,
    ) -> Result<(ProfileStatus, u32), EngineError> {
        let nothing = EngineError::NotFound { kind: "comparable sample" };
        let Some(first) = samples.first() else { return Err(nothing) };
        let key = ProfileKey { field: first.field.clone(), device_class };
        let texts: Vec<_> = samples.iter().filter_map(|sample| fixed_text(sample).ok()).collect();
        let skipped = u32::try_from(samples.len() - texts.len()).unwrap_or(u32::MAX);
        let imported = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        if texts.is_empty() {
            return Err(nothing);
        }
        let person = self.people.get_or_create(who).await?;
        if person.known.opted_out() {
            return Err(EngineError::OptedOut);
        }
        let name = name_of(&key);
        let samples = texts.into_iter().map(|text| (self.fresh_id(), text)).collect();
        self.learner.trainer().import(&person, &name, samples).await?;
        self.record_profile(&person, ProfileChange::Imported { samples: imported }, name.clone()).await?;
        let status = self.status(&person, key, &name).await?;
        Ok((status.ok_or(nothing)?, skipped))
    }

    /// Removes a person: passkeys, profiles, samples, and the key under which everything of theirs was sealed.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`]; erasing again is safe.
    pub async fn erase_subject(&self, who: &SubjectKey) -> Result<Erased, EngineError> {
        let names = self.durable.document_names(who).await.map_err(durable)?;
        let removed = self.durable.erase_subject(who).await.map_err(durable)?;
        self.hot.forget(who).await.map_err(hot)?;
        self.people.forget(who).await;
        self.lately.forget(who);
        for (name, _) in names {
            self.learner.trainer().forget_cached(who, &name).await;
        }
        // Other replicas hold the person's key until they are told. Any number will do that was not told before.
        let told = u64::try_from(self.clock.now().micros).unwrap_or(0);
        self.announcer.announce(who, people::ERASED, told).await;
        // Sealed under the deployment's key: the person's is gone.
        let event = Event::Erased {
            passkeys: removed.credentials,
            documents: removed.documents,
            samples: removed.samples,
            records: removed.audit_records,
        };
        let record = Record { who: who.clone(), at: self.clock.now(), event };
        let accepted = self.log.send(&record, None, None).await?;
        let leaf_hash = accepted.leaf_hash;
        Ok(Erased { removed, audit_index: accepted.index().await?, leaf_hash })
    }

    pub(crate) async fn person(&self, who: &SubjectKey) -> Result<std::sync::Arc<Person>, EngineError> {
        self.people.get(who).await?.ok_or(EngineError::NotFound { kind: "subject" })
    }

    async fn status(
        &self,
        person: &Person,
        key: ProfileKey,
        name: &str,
    ) -> Result<Option<ProfileStatus>, EngineError> {
        let history = self.durable.document_history(&person.who, name).await.map_err(durable)?;
        let Some(current) = history.first() else { return Ok(None) };
        let profile = profiles::open(person, name, current)?;
        Ok(Some(ProfileStatus {
            key,
            maturity: profile.model.maturity(),
            samples: profile.model.samples(),
            version: current.version,
            updated_at: current.written_at,
            kept_versions: history.iter().map(|kept| kept.version).collect(),
        }))
    }

    async fn drop_later_samples(
        &self,
        person: &Person,
        name: &str,
        profile: &Profile,
    ) -> Result<(), EngineError> {
        let rows =
            self.durable.samples(&person.who, name, keyward_store::KEPT_SAMPLES).await.map_err(durable)?;
        for row in rows.iter().filter(|row| row.at > profile.written_at) {
            self.durable.retract_samples(&person.who, row.decision).await.map_err(durable)?;
        }
        Ok(())
    }

    async fn record_profile(
        &self,
        person: &Person,
        change: ProfileChange,
        name: String,
    ) -> Result<(), EngineError> {
        let event = Event::Profile { change, name };
        let record = Record { who: person.who.clone(), at: self.clock.now(), event };
        self.log.append(&record, Some(&person.data_key)).await.map(drop)
    }

    /// An id for what is no decision's, such as an imported sample.
    fn fresh_id(&self) -> DecisionId {
        self.new_decision_id(self.clock.now())
    }
}

fn name_of(key: &ProfileKey) -> String {
    profiles::name_of(&key.field, key.device_class)
}
