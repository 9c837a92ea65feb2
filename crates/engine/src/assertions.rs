//! Passkey assertions within an assessment: taken out of their ceremony once, checked against what they were bound to,
//! verified on a bounded pool, and their counter stored by compare-and-set.

use keyward_domain::{AssertionResponse, CredentialId, PasskeyProof, TenantId, Timestamp};
use keyward_passkeys::{PasskeyError, Passkeys, Verified};
use keyward_store::{CredentialRow, StoreError};
use tokio::time::{Instant, timeout_at};

use crate::assess::{Case, Read};
use crate::ceremonies::Purpose;
use crate::people::durable;
use crate::{Engine, EngineError, Stage};

/// What became of the assertion of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// None was sent.
    None,
    /// It verified.
    Verified {
        proof: PasskeyProof,
        /// Whether its challenge was bound to the telemetry of the call: only then may the telemetry be learned from.
        bound: bool,
        counter_regressed: bool,
        backup_changed: bool,
    },
    /// It did not verify, and counts as none.
    Rejected { cause: &'static str },
    /// Its challenge was bound to other telemetry, and it counts as none.
    OtherTelemetry,
}

impl Shown {
    /// The proof, if it verified.
    pub(crate) fn proof(&self) -> Option<PasskeyProof> {
        match self {
            Self::Verified { proof, .. } => Some(*proof),
            _ => None,
        }
    }
}

impl Engine {
    /// Verifies the assertion of an assessment. Whatever goes wrong, the assertion counts as none and the decision says why.
    pub(crate) async fn verify_shown(&self, case: &Case, read: &Read) -> Shown {
        let Some(assertion) = &case.assessment.assertion else { return Shown::None };
        // Ceremonies lie in the hot store. When that did not answer just now, asking again would cost the time that the
        // record needs; and the ceremony stays unspent.
        if read.hot.is_none() {
            return Shown::Rejected { cause: "store_unavailable" };
        }
        let started = Instant::now();
        let verified = timeout_at(case.wait_until(), self.verify_for_case(case, assertion)).await;
        self.observer.stage(Stage::Verify, started.elapsed());
        match verified {
            Ok(Ok(shown)) => shown,
            Ok(Err(error)) => Shown::Rejected { cause: cause_of(&error) },
            Err(_) => Shown::Rejected { cause: "deadline" },
        }
    }

    async fn verify_for_case(
        &self,
        case: &Case,
        assertion: &AssertionResponse,
    ) -> Result<Shown, EngineError> {
        let a = &case.assessment;
        let ceremony = self.take_ceremony(&a.who.tenant, &a.session, &assertion.ceremony).await?;
        let Purpose::Authenticate { telemetry } = ceremony.purpose else {
            return Err(EngineError::CeremonyUnknown);
        };
        if ceremony.subject.as_ref().is_some_and(|subject| *subject != a.who.subject) {
            return Err(EngineError::CeremonyUnknown);
        }
        if telemetry.is_some_and(|bound| bound != case.telemetry) {
            return Ok(Shown::OtherTelemetry);
        }
        let (verified, row) = self.verify(&a.who.tenant, ceremony.state, &assertion.credential_json).await?;
        if row.who != a.who {
            return Err(EngineError::PasskeyRejected { cause: "other_person" });
        }
        Ok(shown(&verified, self.clock.now(), telemetry.is_some()))
    }

    /// Verifies a response against the passkey that it names, and stores what changed of that passkey.
    pub(crate) async fn verify(
        &self,
        tenant: &TenantId,
        state: Vec<u8>,
        response: &str,
    ) -> Result<(Verified, CredentialRow), EngineError> {
        let id = Passkeys::credential_id(response).map_err(rejected)?;
        loop {
            let row = self.credential(tenant, &id).await?;
            let verified =
                self.verify_on_pool(state.clone(), response.to_owned(), row.credential.clone()).await?;
            match self.store_use(row, &verified).await {
                // Another assertion of the same passkey came in between: check the counter against what it left.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(durable(error)),
                Ok(row) => return Ok((verified, row)),
            }
        }
    }

    async fn credential(&self, tenant: &TenantId, id: &CredentialId) -> Result<CredentialRow, EngineError> {
        let row = self.durable.credential(tenant, id).await.map_err(durable)?;
        row.ok_or(EngineError::PasskeyRejected { cause: "unknown_credential" })
    }

    async fn verify_on_pool(
        &self,
        state: Vec<u8>,
        response: String,
        credential: Vec<u8>,
    ) -> Result<Verified, EngineError> {
        let _permit = self.verifications.acquire().await.map_err(|e| EngineError::Internal(e.to_string()))?;
        let passkeys = self.passkeys.clone();
        tokio::task::spawn_blocking(move || passkeys.finish_authentication(&state, &response, &credential))
            .await
            .map_err(|e| EngineError::Internal(e.to_string()))?
            .map_err(rejected)
    }

    /// Writes counter and backup state if they changed, and the last use at most once an hour.
    async fn store_use(
        &self,
        mut row: CredentialRow,
        verified: &Verified,
    ) -> Result<CredentialRow, StoreError> {
        let hour = Timestamp::from_secs(self.clock.now().secs() / 3600 * 3600);
        if verified.updated.is_none() && row.last_used_at == Some(hour) {
            return Ok(row);
        }
        row.last_used_at = Some(hour);
        if let Some(updated) = &verified.updated {
            row.credential.clone_from(updated);
        }
        self.durable.update_credential(row.clone()).await?;
        Ok(row)
    }
}

/// What a verified response shows.
pub(crate) fn shown(verified: &Verified, at: Timestamp, bound: bool) -> Shown {
    let proof =
        PasskeyProof { at, user_verified: verified.user_verified, hardware_bound: verified.hardware_bound };
    Shown::Verified {
        proof,
        bound,
        counter_regressed: verified.counter_regressed,
        backup_changed: verified.backup_changed,
    }
}

/// A WebAuthn error as a use case reports it.
#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
pub(crate) fn rejected(error: PasskeyError) -> EngineError {
    EngineError::PasskeyRejected { cause: error.cause() }
}

/// The stable name of what kept an assertion from counting.
pub(crate) fn cause_of(error: &EngineError) -> &'static str {
    match error {
        EngineError::PasskeyRejected { cause } => cause,
        EngineError::CeremonyUnknown => "ceremony_unknown",
        EngineError::StoreUnavailable { .. } => "store_unavailable",
        _ => "internal",
    }
}
