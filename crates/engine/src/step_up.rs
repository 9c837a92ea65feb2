//! Answering a STEP_UP: the same assessment decided again, with the evidence that was asked for.

use keyward_domain::Decision;
use keyward_features::telemetry_hash;
use tokio::time::Instant;

use crate::assertions::{Shown, cause_of, shown};
use crate::assess::{Case, step_up_request};
use crate::ceremonies::Purpose;
use crate::session::{self, Reply, fingerprint};
use crate::{Engine, EngineError, StepUpAnswer};
use keyward_store::HotRead;

impl Engine {
    /// Takes the evidence that a STEP_UP asked for and gives the new decision. Repeated, it gives the same decision: the
    /// ceremony opens once.
    ///
    /// # Errors
    /// [`EngineError::CeremonyUnknown`] for a ceremony that is unknown, expired or of another person or session;
    /// [`EngineError::StoreUnavailable`] when the hot store does not answer. An assertion that does not verify is no
    /// error: it counts as none, and the decision says why.
    pub async fn complete_step_up(
        &self,
        answer: StepUpAnswer,
        deadline: Instant,
    ) -> Result<Decision, EngineError> {
        if let Some(earlier) = self.earlier_reply(&answer).await? {
            return Ok(earlier);
        }
        let who = &answer.who;
        let ceremony = self.take_ceremony(&who.tenant, &answer.session, &answer.assertion.ceremony).await?;
        if ceremony.subject.as_ref() != Some(&who.subject) {
            return Err(EngineError::CeremonyUnknown);
        }
        let Purpose::StepUp { assessment, nonce } = ceremony.purpose else {
            return Err(EngineError::CeremonyUnknown);
        };
        let verified = self.verify(&who.tenant, ceremony.state, &answer.assertion.credential_json).await;
        let shown = match verified {
            Ok((_, row)) if row.who != *who => Shown::Rejected { cause: "other_person" },
            Ok((verified, _)) => shown(&verified, self.clock.now(), true),
            Err(error) => Shown::Rejected { cause: cause_of(&error) },
        };
        let mut assessment = *assessment;
        assessment.request = step_up_request(&answer.assertion.ceremony);
        assessment.break_glass = answer.break_glass.or(assessment.break_glass);
        let telemetry = telemetry_hash(&assessment.telemetry);
        let fingerprint = fingerprint(&assessment, &telemetry)?;
        let nonce = Some(nonce);
        self.run(Case { assessment, telemetry, fingerprint, shown, nonce, deadline, withheld: false }).await
    }

    async fn earlier_reply(&self, answer: &StepUpAnswer) -> Result<Option<Decision>, EngineError> {
        let request = step_up_request(&answer.assertion.ceremony);
        let what = HotRead {
            who: answer.who.clone(),
            session: answer.session.clone(),
            request: request.clone(),
            nonce: None,
        };
        let view = self.hot.read(&what).await.map_err(crate::people::hot)?;
        let Some(sealed) = view.reply else { return Ok(None) };
        let Some(person) = self.people.get(&answer.who).await? else { return Ok(None) };
        let reply: Option<Reply> =
            session::open(&person.hot_key, &answer.who, "reply", request.as_str(), &sealed);
        Ok(reply.and_then(|reply| reply.decision))
    }
}
