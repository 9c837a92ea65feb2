//! Looking at a session, and telling what a decision turned out to be.

use keyward_audit::{Event, Leaf, Record};
use keyward_domain::{DecisionId, SessionId, SubjectKey};

use crate::known::Known;
use crate::people::{durable, hot};
use crate::profiles::Taught;
use crate::records::bound;
use crate::session::{self, SessionState};
use crate::{Engine, EngineError, ReportedOutcome, SessionRisk};

impl Engine {
    /// What the last assessment of a session found. Decides nothing and costs one read.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the session was never assessed or is forgotten.
    pub async fn risk(&self, who: &SubjectKey, session: &SessionId) -> Result<SessionRisk, EngineError> {
        let unknown = EngineError::NotFound { kind: "session" };
        let value = self.hot.session(who, session).await.map_err(hot)?;
        let (Some((_, sealed)), Some(person)) = (value, self.people.get(who).await?) else {
            return Err(unknown);
        };
        let state: Option<SessionState> =
            session::open(&person.hot_key, who, "session", session.as_str(), &sealed);
        let last = state.and_then(|state| state.last).ok_or(unknown)?;
        Ok(SessionRisk {
            risk: last.risk,
            outcome: last.outcome,
            decision: last.id,
            assurance: last.assurance,
        })
    }

    /// Records what a decision turned out to be. A confirmed attack takes back the samples that came with it, and the
    /// profiles that they trained are trained again without them. Returns how many samples were taken back.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the person has no such decision.
    pub async fn report_outcome(
        &self,
        who: &SubjectKey,
        decision: DecisionId,
        outcome: ReportedOutcome,
    ) -> Result<u32, EngineError> {
        let person = self.people.get(who).await?.ok_or(EngineError::NotFound { kind: "subject" })?;
        let row = self.durable.by_decision(&who.tenant, decision).await.map_err(durable)?;
        let (_, row) = row.ok_or(EngineError::NotFound { kind: "decision" })?;
        if row.subject.as_ref() != Some(&who.subject) {
            return Err(EngineError::NotFound { kind: "decision" });
        }
        let mut retracted = 0;
        if outcome == ReportedOutcome::ConfirmedAttack {
            // What was handed to the learner just before must be there to be taken back.
            self.learned().await;
            for name in self.durable.retract_samples(who, decision).await.map_err(durable)? {
                self.learner.trainer().train(&person, &name, Taught::TakenBack).await?;
                retracted += 1;
            }
            // What an attack may have taught habits and hours is not to be told from the rest: they begin anew.
            self.learner.trainer().forget_habits(who).await?;
            self.people.change(who, self.clock.now(), Known::forget_rhythm).await?;
        }
        let outcome = serde_json::to_value(outcome).ok().and_then(|v| v.as_str().map(str::to_owned));
        let event = Event::OutcomeReported {
            decision,
            outcome: outcome.unwrap_or_default(),
            retracted_samples: retracted,
        };
        let record = Record { who: who.clone(), at: self.clock.now(), event };
        self.log.append(&record, Some(&person.data_key)).await?;
        Ok(retracted)
    }

    /// A record that no person's key sealed, such as that of an erasure, opened and checked against its leaf.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there is none at the index, or a person's key sealed it.
    pub async fn deployment_record(&self, index: u64) -> Result<Record, EngineError> {
        let unknown = EngineError::NotFound { kind: "record" };
        let row = self.durable.read(index, 1).await.map_err(durable)?.pop();
        let (_, row) = row.filter(|(found, _)| *found == index).ok_or_else(|| unknown.clone())?;
        self.log.open(&row).ok_or(unknown)
    }

    /// The record of a decision, opened and checked against its leaf.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there is none or its person was erased.
    pub async fn decision_record(
        &self,
        who: &SubjectKey,
        decision: DecisionId,
    ) -> Result<Record, EngineError> {
        let unknown = EngineError::NotFound { kind: "decision" };
        let row = self.durable.by_decision(&who.tenant, decision).await.map_err(durable)?;
        let (Some((_, row)), Some(person)) = (row, self.people.get(who).await?) else { return Err(unknown) };
        let opening = person.data_key.open(&bound(who), &row.sealed).map_err(|_| unknown)?;
        Leaf::open(&row.commitment, &opening).map_err(|e| EngineError::Internal(e.to_string()))
    }
}
