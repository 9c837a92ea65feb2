//! What the use cases take and give, beside the words of the domain.

use keyward_domain::{
    AssertionResponse, Assurance, BreakGlass, CeremonyId, DecisionId, DeviceClass, FieldLabel, Maturity,
    Outcome, Risk, SessionId, SubjectId, SubjectKey, TelemetryNonce, Timestamp,
};
use keyward_store::Removed;

/// A nonce for telemetry.
#[derive(Debug, Clone)]
pub struct IssuedNonce {
    /// The nonce.
    pub nonce: TelemetryNonce,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The answer to a STEP_UP.
#[derive(Debug, Clone)]
pub struct StepUpAnswer {
    /// The person.
    pub who: SubjectKey,
    /// The session.
    pub session: SessionId,
    /// The assertion.
    pub assertion: AssertionResponse,
    /// The justification, when emergency access was asked for.
    pub break_glass: Option<BreakGlass>,
}

/// What the last assessment of a session found.
#[derive(Debug, Clone)]
pub struct SessionRisk {
    /// The risk, if any signal could be scored.
    pub risk: Option<Risk>,
    /// The outcome.
    pub outcome: Outcome,
    /// The decision.
    pub decision: DecisionId,
    /// What is proven in the session.
    pub assurance: Assurance,
}

/// What a decision turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedOutcome {
    /// It was the person.
    ConfirmedUser,
    /// It was an attack.
    ConfirmedAttack,
    /// A step-up or denial hit the person without need.
    FalseAlarm,
}

/// A ceremony that was begun.
#[derive(Debug, Clone)]
pub struct BegunCeremony {
    /// The ceremony.
    pub id: CeremonyId,
    /// The options for the browser, as JSON.
    pub options_json: String,
    /// When the challenge expires.
    pub expires_at: Timestamp,
}

/// A registration to begin.
#[derive(Debug, Clone)]
pub struct NewPasskey {
    /// The person.
    pub who: SubjectKey,
    /// The session.
    pub session: SessionId,
    /// The account name that the authenticator shows.
    pub user_name: String,
    /// The display name that the authenticator shows.
    pub display_name: String,
    /// Whether only a hardware-bound, attested passkey will do.
    pub hardware_bound: bool,
}

/// The browser's answer to a registration.
#[derive(Debug, Clone)]
pub struct PasskeyResponse {
    /// The person.
    pub who: SubjectKey,
    /// The session.
    pub session: SessionId,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// The credential as JSON.
    pub credential_json: String,
    /// The name to keep it under.
    pub name: String,
}

/// A registered passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyInfo {
    /// The credential id.
    pub id: keyward_domain::CredentialId,
    /// Its name.
    pub name: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last verified, to the hour.
    pub last_used_at: Option<Timestamp>,
    /// Whether it is bound to attested hardware.
    pub hardware_bound: bool,
    /// Whether it is backed up.
    pub backed_up: bool,
}

/// Whose passkey answered.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The person.
    pub subject: SubjectId,
    /// The passkey.
    pub passkey: PasskeyInfo,
}

/// Which profile: templates are kept per field label and device class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProfileKey {
    /// The field label.
    pub field: FieldLabel,
    /// The device class.
    pub device_class: DeviceClass,
}

/// What one profile knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileStatus {
    /// Which profile.
    pub key: ProfileKey,
    /// How much it knows.
    pub maturity: Maturity,
    /// Samples that the current model was trained on.
    pub samples: u32,
    /// The current version.
    pub version: u64,
    /// When it was written.
    pub updated_at: Timestamp,
    /// Versions that can be rolled back to, newest first.
    pub kept_versions: Vec<u64>,
}

/// A person's word on whether behaviour may be looked at. Without one it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BehaviourConsent {
    /// Whether it may not.
    pub opted_out: bool,
    /// Since when.
    pub at: Timestamp,
}

/// What became of a person's word on behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentSet {
    /// The word that holds now.
    pub consent: BehaviourConsent,
    /// Profiles that were erased with it.
    pub erased_profiles: u32,
    /// Index of its audit record.
    pub audit_index: u64,
}

/// The receipt of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// What there was.
    pub removed: Removed,
    /// The RFC 6962 leaf hash of its audit record: what an inclusion proof is about.
    pub leaf_hash: [u8; 32],
    /// Index of its audit record.
    pub audit_index: u64,
}
