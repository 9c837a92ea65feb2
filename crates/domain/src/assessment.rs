//! The question: one login or checkpoint, in the terms of this crate.

use serde::{Deserialize, Serialize};

use crate::{
    Action, BreakGlass, CeremonyId, Claim, ClientContext, Device, RequestId, Roles, SessionId, SubjectKey,
    Telemetry,
};

/// A passkey assertion as the browser gave it, not yet verified.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionResponse {
    /// The ceremony that the challenge belongs to.
    pub ceremony: CeremonyId,
    /// `PublicKeyCredential.toJSON()` (WebAuthn Level 3), at most 16 KiB.
    pub credential_json: String,
}

impl std::fmt::Debug for AssertionResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssertionResponse").field("ceremony", &self.ceremony).finish_non_exhaustive()
    }
}

/// One question to keyward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The caller's key for this request.
    pub request: RequestId,
    /// Whom it is about.
    pub who: SubjectKey,
    /// The roles that the caller states.
    pub roles: Roles,
    /// The session.
    pub session: SessionId,
    /// The device.
    pub device: Device,
    /// What is asked for.
    pub action: Action,
    /// Network and client.
    pub client: ClientContext,
    /// What the caller verified itself.
    pub claims: Vec<Claim>,
    /// What the client recorded.
    pub telemetry: Telemetry,
    /// A passkey assertion, if one came in the same call.
    pub assertion: Option<AssertionResponse>,
    /// A request for emergency access.
    pub break_glass: Option<BreakGlass>,
}
