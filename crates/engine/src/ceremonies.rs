//! Running WebAuthn ceremonies: kept sealed in the hot store, taken out once, before anything is verified.

use keyward_domain::{
    Assessment, CeremonyId, SessionId, SubjectId, SubjectKey, TelemetryHash, TenantId, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::people::hot;
use crate::session;
use crate::{Engine, EngineError};

/// A ceremony between its two calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ceremony {
    pub tenant: TenantId,
    /// Nobody yet, for username-less authentication.
    pub subject: Option<SubjectId>,
    pub session: SessionId,
    pub expires_at: Timestamp,
    /// What `keyward-passkeys` keeps.
    pub state: Vec<u8>,
    pub purpose: Purpose,
}

/// What a ceremony is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// To register a passkey.
    Register,
    /// To authenticate; bound to telemetry if some was given.
    Authenticate { telemetry: Option<TelemetryHash> },
    /// To answer a STEP_UP: the assessment that asked for it, so that the new decision is about the same thing.
    StepUp { assessment: Box<Assessment>, nonce: keyward_policy::NonceState },
}

impl Engine {
    /// Keeps a ceremony under a new id until it expires.
    pub(crate) async fn put_ceremony(&self, ceremony: &Ceremony) -> Result<CeremonyId, EngineError> {
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        let id = uuid::Builder::from_random_bytes(random).into_uuid().simple().to_string();
        let id = CeremonyId::parse(id).expect("32 hexadecimal digits are an id");
        // Sealed for the tenant as a whole: a username-less one has no subject.
        let holder = self.people.get_or_create(&SubjectKey::of_tenant(&ceremony.tenant)).await?;
        let (key, whole) = (&holder.hot_key, &holder.who);
        let sealed = session::seal(key, whole, "ceremony", id.as_str(), ceremony, &*self.entropy)?;
        let ttl = self.settings.ceremony_ttl;
        self.hot.put_ceremony(&ceremony.tenant, &id, sealed, ttl).await.map_err(hot)?;
        Ok(id)
    }

    /// Takes a ceremony out, once, if it has not expired and belongs to the tenant and session that ask.
    pub(crate) async fn take_ceremony(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        id: &CeremonyId,
    ) -> Result<Ceremony, EngineError> {
        let sealed =
            self.hot.take_ceremony(tenant, id).await.map_err(hot)?.ok_or(EngineError::CeremonyUnknown)?;
        let holder = self.people.get_or_create(&SubjectKey::of_tenant(tenant)).await?;
        let opened: Option<Ceremony> =
            session::open(&holder.hot_key, &holder.who, "ceremony", id.as_str(), &sealed);
        let ceremony = opened.ok_or(EngineError::CeremonyUnknown)?;
        let ours = ceremony.tenant == *tenant && ceremony.session == *session;
        if !ours || self.clock.now() > ceremony.expires_at {
            return Err(EngineError::CeremonyUnknown);
        }
        Ok(ceremony)
    }
}
