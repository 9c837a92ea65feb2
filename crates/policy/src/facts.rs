//! What a decision rests on: everything that policies may look at, and nothing else.

use keyward_domain::{Action, Band, DeviceClass, Maturity, Roles, SubjectKey};
use serde::{Deserialize, Serialize};

/// The facts of one assessment. The audit record carries them, so that the decision can be replayed.
///
/// No behaviour is in here beyond the band that it was found to lie in. Written down, what is absent is as it is when
/// nothing was found: none, false, zero, or a nonce that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent findings, each an attribute of the policy schema"
)]
pub struct Facts {
    /// Whom it is about. Recorded, never shown to a policy: policies speak of roles.
    pub who: SubjectKey,
    /// The roles that the caller states.
    pub roles: Roles,
    /// What is asked for.
    pub action: Action,
    /// The class of the device.
    pub device_class: DeviceClass,
    /// Whether the device was seen with this person; `None`: not known because the store could not be asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub device_known: Option<bool>,
    /// Whether the network was seen with this person; `None`: not known because the store could not be asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network_known: Option<bool>,
    /// Whether the person was proven too far away too short a time ago to be where the caller says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub travel_impossible: bool,
    /// The newest passkey assertion that verified.
    #[serde(default, skip_serializing_if = "is_default")]
    pub passkey: Option<PasskeyFact>,
    /// What the caller verified itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub claims: ClaimAges,
    /// What behaviour alone says; `None`: it has no say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub behaviour: Option<Band>,
    /// How much the typing model knows.
    pub maturity: Maturity,
    /// Whether so many logins in a row were spared a proof for their typing that the next one is to bring one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub typing_proof_due: bool,
    /// Whether the telemetry can be believed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub integrity: IntegrityFacts,
    /// What the passkey that was shown last says of its authenticator.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authenticator: AuthenticatorFacts,
    /// Failed attempts just before this one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recent_failures: u32,
    /// Whether there were too many attempts in a short time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts_limited: bool,
    /// Whether records are accessed above the tenant's ceilings.
    #[serde(default, skip_serializing_if = "is_default")]
    pub record_access_burst: bool,
    /// What could not be asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missing: MissingFacts,
    /// Whether a justification for emergency access was given and a fresh passkey shown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub break_glass: bool,
}

impl Facts {
    /// Facts of a person who has proven nothing and of whom nothing is observed: the place to start from.
    pub fn unproven(who: SubjectKey, roles: Roles, action: Action, device_class: DeviceClass) -> Self {
        Self {
            who,
            roles,
            action,
            device_class,
            device_known: None,
            network_known: None,
            travel_impossible: false,
            passkey: None,
            claims: ClaimAges::default(),
            behaviour: None,
            maturity: Maturity::Learning,
            typing_proof_due: false,
            integrity: IntegrityFacts::default(),
            authenticator: AuthenticatorFacts::default(),
            recent_failures: 0,
            attempts_limited: false,
            record_access_burst: false,
            missing: MissingFacts::default(),
            break_glass: false,
        }
    }
}

/// A passkey assertion that verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyFact {
    /// Seconds since it verified.
    pub age_s: u64,
    /// Whether the authenticator verified the user, not merely presence.
    pub user_verified: bool,
    /// Whether the key cannot leave its hardware and its maker attested that.
    pub hardware_bound: bool,
}

/// How many seconds ago the caller verified each claim; `None`: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimAges {
    /// A password.
    #[serde(default, skip_serializing_if = "is_default")]
    pub password_age_s: Option<u64>,
    /// A badge held to a reader.
    #[serde(default, skip_serializing_if = "is_default")]
    pub badge_age_s: Option<u64>,
    /// Single sign-on by the tenant's identity provider.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sso_age_s: Option<u64>,
}

/// Whether the telemetry can be believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegrityFacts {
    /// It equals an earlier sample too closely to be typed anew.
    #[serde(default, skip_serializing_if = "is_default")]
    pub replayed: bool,
    /// It looks generated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub machine_like: bool,
    /// What became of its nonce.
    #[serde(default, skip_serializing_if = "is_default")]
    pub nonce: NonceState,
}

/// What became of the nonce that telemetry must carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonceState {
    /// Issued for this session, in time, used for the first time.
    Valid,
    /// The telemetry carries none, or there is no telemetry.
    #[default]
    Missing,
    /// Expired, or not issued for this session.
    Stale,
    /// Used before.
    Reused,
    /// The store that knows could not be asked.
    Unverified,
}

/// What the passkey that was shown last says of its authenticator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthenticatorFacts {
    /// The signature counter went backwards: the authenticator may have been cloned.
    #[serde(default, skip_serializing_if = "is_default")]
    pub counter_regressed: bool,
    /// The backup state changed since it was last used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backup_changed: bool,
}

/// What could not be asked (`true`), so that the decision is made without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingFacts {
    /// Session state: known devices, attempts, nonces.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hot_store: bool,
    /// The person's typing model.
    #[serde(default, skip_serializing_if = "is_default")]
    pub model: bool,
}

/// What goes without saying in a record. INVARIANT: no default of these types ever changes its meaning.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
