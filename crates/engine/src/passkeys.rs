//! Passkeys of a person: registration, authentication without a decision, and their care.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyward_audit::{Event, PasskeyChange, Record};
use keyward_domain::{
    AssertionResponse, CredentialId, PasskeyProof, SessionId, SubjectId, SubjectKey, Telemetry, TenantId,
};
use keyward_features::telemetry_hash;
use keyward_passkeys::{PasskeyError, Passkeys, UserIdentity};
use keyward_store::{CredentialRow, HotRead, HotWrite, HotWritten, StoreError};

use crate::assertions::rejected;
use crate::assess::step_up_request;
use crate::ceremonies::{Ceremony, Purpose};
use crate::people::{durable, hot};
use crate::session::{self, ReplyTo, SessionState};
use crate::{Authenticated, BegunCeremony, Engine, EngineError, NewPasskey, PasskeyInfo, PasskeyResponse};

impl Engine {
    /// Begins the registration of a passkey; the person's other passkeys are excluded.
    ///
    /// # Errors
    /// [`EngineError::HardwareUnavailable`], [`EngineError::StoreUnavailable`].
    pub async fn begin_registration(&self, new: NewPasskey) -> Result<BegunCeremony, EngineError> {
        let exclude = self.credentials_for(&new.who, false).await?;
        let handle = self.people.get_or_create(&new.who).await?.marker.user_handle();
        let user = UserIdentity { handle, name: new.user_name, display_name: new.display_name };
        let begun = self.passkeys.begin_registration(&user, &exclude, new.hardware_bound).map_err(
            |error| match error {
                PasskeyError::HardwareUnavailable => EngineError::HardwareUnavailable,
                error => rejected(error),
            },
        )?;
        let NewPasskey { who: SubjectKey { tenant, subject }, session, .. } = new;
        self.begin(tenant, Some(subject), session, begun, Purpose::Register).await
    }

    /// Verifies the browser's answer to a registration and keeps the passkey.
    ///
    /// # Errors
    /// [`EngineError::CeremonyUnknown`], [`EngineError::PasskeyRejected`], [`EngineError::PasskeyExists`].
    pub async fn finish_registration(&self, response: PasskeyResponse) -> Result<PasskeyInfo, EngineError> {
        let PasskeyResponse { who, session, ceremony, credential_json, name } = response;
        let ceremony = self.take_ceremony(&who.tenant, &session, &ceremony).await?;
        let ours = ceremony.subject.as_ref() == Some(&who.subject);
        if !ours || !matches!(ceremony.purpose, Purpose::Register) {
            return Err(EngineError::CeremonyUnknown);
        }
        let registered = self.passkeys.finish_registration(&ceremony.state, &credential_json);
        let registered = registered.map_err(|error| match error {
            PasskeyError::AlreadyRegistered => EngineError::PasskeyExists,
            error => rejected(error),
        })?;
        self.people.get_or_create(&who).await?;
        let row = CredentialRow {
            id: registered.id,
            who,
            credential: registered.credential,
            name,
            created_at: self.clock.now(),
            last_used_at: None,
            version: 1,
        };
        match self.durable.add_credential(row.clone()).await {
            Ok(()) => {}
            Err(StoreError::Exists) => return Err(EngineError::PasskeyExists),
            Err(error) => return Err(durable(error)),
        }
        self.record_passkey(&row, PasskeyChange::Registered).await?;
        info(&row)
    }

    /// Begins an authentication: of a person, or of whoever answers (username-less). The challenge is bound to the
    /// telemetry, if some is given.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the person has no passkey.
    pub async fn begin_authentication(
        &self,
        tenant: &TenantId,
        subject: Option<&SubjectId>,
        session: &SessionId,
        telemetry: Option<&Telemetry>,
    ) -> Result<BegunCeremony, EngineError> {
        let begun = match subject {
            None => self.passkeys.begin_discoverable().map_err(rejected)?,
            Some(subject) => {
                let who = SubjectKey { tenant: tenant.clone(), subject: subject.clone() };
                let credentials = self.credentials_for(&who, false).await?;
                if credentials.is_empty() {
                    return Err(EngineError::NotFound { kind: "passkey" });
                }
                self.passkeys.begin_authentication(&credentials).map_err(rejected)?
            }
        };
        let purpose = Purpose::Authenticate { telemetry: telemetry.map(telemetry_hash) };
        self.begin(tenant.clone(), subject.cloned(), session.clone(), begun, purpose).await
    }

    /// Verifies an assertion and tells whose it is, without a decision. The proof stays with the session.
    ///
    /// # Errors
    /// [`EngineError::CeremonyUnknown`], [`EngineError::PasskeyRejected`], [`EngineError::Conflict`] when another call of the
    /// session came in between.
    pub async fn finish_authentication(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        assertion: AssertionResponse,
    ) -> Result<Authenticated, EngineError> {
        let ceremony = self.take_ceremony(tenant, session, &assertion.ceremony).await?;
        if !matches!(ceremony.purpose, Purpose::Authenticate { .. }) {
            return Err(EngineError::CeremonyUnknown);
        }
        let (verified, row) = self.verify(tenant, ceremony.state, &assertion.credential_json).await?;
        if ceremony.subject.as_ref().is_some_and(|subject| *subject != row.who.subject) {
            return Err(EngineError::PasskeyRejected { cause: "other_person" });
        }
        let proof = PasskeyProof {
            at: self.clock.now(),
            user_verified: verified.user_verified,
            hardware_bound: verified.hardware_bound,
        };
        self.keep_proof(&row.who, session, &assertion, proof).await?;
        self.record_passkey(&row, PasskeyChange::Authenticated).await?;
        Ok(Authenticated { subject: row.who.subject.clone(), passkey: info(&row)? })
    }

    /// The person's passkeys, oldest first.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`].
    pub async fn list_passkeys(&self, who: &SubjectKey) -> Result<Vec<PasskeyInfo>, EngineError> {
        let rows = self.durable.credentials(who).await.map_err(durable)?;
        rows.iter().map(info).collect()
    }

    /// What tells the person's passkey managers that these passkeys, and no others, are good: JSON for the browser. `None`
    /// for a person that was never met, or whose user handle cannot be told: that is derived from the data key.
    pub async fn accepted_passkeys(&self, who: &SubjectKey, passkeys: &[PasskeyInfo]) -> Option<String> {
        let handle = self.people.get(who).await.ok()??.marker.user_handle();
        Some(self.passkeys.accepted_credentials(handle, passkeys.iter().map(|passkey| &passkey.id)))
    }

    /// Gives a passkey another name.
    ///
    /// # Errors
    /// [`EngineError::PasskeyNotFound`], [`EngineError::Conflict`] when it changed in between.
    pub async fn rename_passkey(
        &self,
        who: &SubjectKey,
        id: &CredentialId,
        name: String,
    ) -> Result<PasskeyInfo, EngineError> {
        let row = self.durable.credential(&who.tenant, id).await.map_err(durable)?;
        let mut row = row.filter(|row| row.who == *who).ok_or(EngineError::PasskeyNotFound)?;
        row.name = name;
        match self.durable.update_credential(row.clone()).await {
            Ok(()) => {}
            Err(StoreError::NotFound) => return Err(EngineError::PasskeyNotFound),
            Err(error) => return Err(durable(error)),
        }
        self.record_passkey(&row, PasskeyChange::Renamed).await?;
        info(&row)
    }

    /// Removes a passkey for good.
    ///
    /// # Errors
    /// [`EngineError::PasskeyNotFound`].
    pub async fn revoke_passkey(&self, who: &SubjectKey, id: &CredentialId) -> Result<(), EngineError> {
        let row = self.durable.credential(&who.tenant, id).await.map_err(durable)?;
        let row = row.filter(|row| row.who == *who).ok_or(EngineError::PasskeyNotFound)?;
        if !self.durable.remove_credential(who, id).await.map_err(durable)? {
            return Err(EngineError::PasskeyNotFound);
        }
        self.record_passkey(&row, PasskeyChange::Revoked).await
    }

    async fn begin(
        &self,
        tenant: TenantId,
        subject: Option<SubjectId>,
        session: SessionId,
        begun: keyward_passkeys::Begun,
        purpose: Purpose,
    ) -> Result<BegunCeremony, EngineError> {
        let expires_at = self.clock.now().plus(self.settings.ceremony_ttl);
        let ceremony = Ceremony { tenant, subject, session, expires_at, state: begun.state, purpose };
        let id = self.put_ceremony(&ceremony).await?;
        Ok(BegunCeremony { id, options_json: begun.options_json, expires_at })
    }

    /// Keeps a proof with the session, beside what the session's last assessment found.
    async fn keep_proof(
        &self,
        who: &SubjectKey,
        session: &SessionId,
        assertion: &AssertionResponse,
        proof: PasskeyProof,
    ) -> Result<(), EngineError> {
        let person = self.people.get_or_create(who).await?;
        let request = step_up_request(&assertion.ceremony);
        let what =
            HotRead { who: who.clone(), session: session.clone(), request: request.clone(), nonce: None };
        let view = self.hot.read(&what).await.map_err(hot)?;
        let (version, state) = match &view.session {
            Some((version, sealed)) => {
                (*version, session::open(&person.hot_key, who, "session", session.as_str(), sealed))
            }
            None => (0, None),
        };
        let state = SessionState { passkey: Some(proof), ..state.unwrap_or_default() };
        let reply = ReplyTo { fingerprint: [0; 32], decision: None };
        let entropy = &*self.entropy;
        let write = HotWrite {
            who: who.clone(),
            session: session.clone(),
            session_expected: version,
            session_value: session::seal(&person.hot_key, who, "session", session.as_str(), &state, entropy)?,
            session_ttl: self.settings.session_ttl,
            reply: session::seal(&person.hot_key, who, "reply", request.as_str(), &reply, entropy)?,
            request,
            reply_ttl: self.settings.reply_ttl,
            use_nonce: None,
            count_attempt: None,
            count_false_alarm: None,
        };
        match self.hot.write(write).await.map_err(hot)? {
            HotWritten::Done => Ok(()),
            HotWritten::ReplyExists(_) | HotWritten::NonceUsed | HotWritten::SessionChanged => {
                Err(EngineError::Conflict)
            }
        }
    }

    async fn record_passkey(&self, row: &CredentialRow, change: PasskeyChange) -> Result<(), EngineError> {
        let person = self.people.get_or_create(&row.who).await?;
        let event = Event::Passkey { change, credential: URL_SAFE_NO_PAD.encode(&row.id.0) };
        let record = Record { who: row.who.clone(), at: self.clock.now(), event };
        self.log.append(&record, Some(&person.data_key)).await.map(drop)
    }
}

fn info(row: &CredentialRow) -> Result<PasskeyInfo, EngineError> {
    let credential = Passkeys::describe(&row.credential).map_err(|e| EngineError::Internal(e.to_string()))?;
    Ok(PasskeyInfo {
        id: row.id.clone(),
        name: row.name.clone(),
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        hardware_bound: credential.hardware_bound,
        backed_up: credential.backed_up,
    })
}
