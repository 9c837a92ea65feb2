//! A person's word on whether behaviour may be looked at.
//!
//! INVARIANT: of a person who opted out nothing behavioural is scored, kept or learned, and what was kept is gone when the
//! call returns. The passkey opens for them what it opens for everybody.

use keyward_audit::{Event, Record};
use keyward_domain::SubjectKey;

use crate::{BehaviourConsent, ConsentSet, Engine, EngineError};

impl Engine {
    /// Takes a person's word on behaviour. Opting out erases what was learned; opting in again begins anew. Repeating it is
    /// safe, and completes what was interrupted.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`], [`EngineError::KeyUnavailable`].
    pub async fn set_behaviour_consent(
        &self,
        who: &SubjectKey,
        opted_out: bool,
    ) -> Result<ConsentSet, EngineError> {
        self.people.get_or_create(who).await?;
        // As the store has it: what is cached may be older than another replica's word, and this one then look like no news.
        self.people.fresh(who).await?;
        let at = self.clock.now();
        // The word first: from now on nobody writes what is about to be erased.
        self.people.change(who, at, |known| known.consents(opted_out, at)).await?;
        let person = self.person(who).await?;
        let erased_profiles = if opted_out { self.learner.trainer().forget(&person, None).await? } else { 0 };
        self.lately.forget(who);
        let event = Event::BehaviourConsent { opted_out, erased_profiles };
        let record = Record { who: who.clone(), at, event };
        let audit_index = self.log.append(&record, Some(&person.data_key)).await?;
        let consent = person.known.consent().unwrap_or(BehaviourConsent { opted_out, at });
        Ok(ConsentSet { consent, erased_profiles, audit_index })
    }

    /// The last word of a person on behaviour, if there was one.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`], [`EngineError::KeyUnavailable`].
    pub async fn behaviour_consent(&self, who: &SubjectKey) -> Result<Option<BehaviourConsent>, EngineError> {
        Ok(self.people.get(who).await?.and_then(|person| person.known.consent()))
    }
}
