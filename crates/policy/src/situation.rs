//! Facts in the terms that policies see: flat, every value known, the stricter one where it was not. Copied
//! and changed freely by the ladder, so it owns no text.

use keyward_domain::{Aal, ActionKind, Band, DeviceClass, Evidence, Maturity, Sensitivity};

use crate::facts::{AuthenticatorFacts, Facts, IntegrityFacts, NonceState, PasskeyFact};

/// The age of a proof that was never given, in seconds: older than any limit, far from overflowing in sums.
pub(crate) const NEVER_S: i64 = 9_999_999_999;

/// One reading of the facts: as they are, with stronger evidence, or without observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the policy schema")]
pub(crate) struct Situation {
    pub(crate) kind: ActionKind,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) in_care_team: Option<bool>,
    pub(crate) device: DeviceClass,
    pub(crate) device_known: bool,
    pub(crate) network_known: bool,
    pub(crate) travel_impossible: bool,
    pub(crate) passkey: Option<PasskeyFact>,
    pub(crate) password_age_s: i64,
    pub(crate) badge_age_s: i64,
    pub(crate) sso_age_s: i64,
    pub(crate) behaviour: Option<Band>,
    pub(crate) maturity: Maturity,
    pub(crate) typing_proof_due: bool,
    pub(crate) integrity: IntegrityFacts,
    pub(crate) authenticator: AuthenticatorFacts,
    pub(crate) recent_failures: u32,
    pub(crate) attempts_limited: bool,
    pub(crate) record_access_burst: bool,
    pub(crate) hot_store_missing: bool,
    pub(crate) model_missing: bool,
    pub(crate) break_glass: bool,
}

impl From<&Facts> for Situation {
    fn from(facts: &Facts) -> Self {
        Self {
            kind: facts.action.kind,
            sensitivity: facts.action.sensitivity,
            in_care_team: facts.action.in_care_team,
            device: facts.device_class,
            device_known: facts.device_known == Some(true),
            network_known: facts.network_known == Some(true),
            travel_impossible: facts.travel_impossible,
            passkey: facts.passkey,
            password_age_s: age(facts.claims.password_age_s),
            badge_age_s: age(facts.claims.badge_age_s),
            sso_age_s: age(facts.claims.sso_age_s),
            behaviour: facts.behaviour,
            maturity: facts.maturity,
            typing_proof_due: facts.typing_proof_due,
            integrity: facts.integrity,
            authenticator: facts.authenticator,
            recent_failures: facts.recent_failures,
            attempts_limited: facts.attempts_limited,
            record_access_burst: facts.record_access_burst,
            hot_store_missing: facts.missing.hot_store,
            model_missing: facts.missing.model,
            break_glass: facts.break_glass,
        }
    }
}

impl Situation {
    /// With one rung of stronger evidence.
    pub(crate) fn with(mut self, rung: Evidence) -> Self {
        let hardware_now = self.passkey.is_some_and(|passkey| passkey.hardware_bound);
        let hardware_bound = hardware_now || rung == Evidence::HardwarePasskey;
        self.passkey = Some(PasskeyFact { age_s: 0, user_verified: true, hardware_bound });
        match rung {
            Evidence::Passkey => {}
            // An attested hardware key shown anew says of itself what the key in doubt cannot.
            Evidence::HardwarePasskey => self.authenticator = AuthenticatorFacts::default(),
            Evidence::BreakGlass => self.break_glass = true,
        }
        self
    }

    /// Without emergency access.
    pub(crate) fn without_break_glass(self) -> Self {
        Self { break_glass: false, ..self }
    }

    /// Without anything that a model or telemetry says, or fails to say.
    pub(crate) fn without_observations(self) -> Self {
        Self {
            behaviour: None,
            maturity: Maturity::Mature,
            typing_proof_due: false,
            integrity: IntegrityFacts { replayed: false, machine_like: false, nonce: NonceState::Valid },
            record_access_burst: false,
            model_missing: false,
            ..self
        }
    }

    /// Without the say of the typing model, as for a person it does not know.
    pub(crate) fn without_model(self) -> Self {
        Self { behaviour: None, maturity: Maturity::Learning, ..self }
    }

    /// What the factors prove. Takes no observation.
    pub(crate) fn proven(&self) -> Aal {
        match self.passkey {
            Some(PasskeyFact { user_verified: true, hardware_bound: true, .. }) => Aal::Aal3,
            Some(PasskeyFact { user_verified: true, .. }) => Aal::Aal2,
            Some(_) => Aal::Aal1,
            None if self.newest_claim_age_s() < NEVER_S => Aal::Aal1,
            None => Aal::None,
        }
    }

    /// The assurance below which behaviour may not spare anything: two factors for all that touches patients'
    /// records or other people's access, one for what does not.
    pub(crate) fn assurance_to_be_spared(&self) -> Aal {
        match (self.kind, self.sensitivity) {
            (ActionKind::Login | ActionKind::Resume, _)
            | (ActionKind::Read | ActionKind::Write, Sensitivity::Routine) => Aal::Aal1,
            _ => Aal::Aal2,
        }
    }

    pub(crate) fn factor_age_s(&self) -> i64 {
        self.newest_claim_age_s().min(self.possession_age_s())
    }

    pub(crate) fn possession_age_s(&self) -> i64 {
        self.passkey_age_where(|_| true)
    }

    pub(crate) fn passkey_age_s(&self) -> i64 {
        self.passkey_age_where(|passkey| passkey.user_verified)
    }

    pub(crate) fn hardware_passkey_age_s(&self) -> i64 {
        self.passkey_age_where(|passkey| passkey.user_verified && passkey.hardware_bound)
    }

    fn passkey_age_where(&self, holds: impl FnOnce(&PasskeyFact) -> bool) -> i64 {
        age(self.passkey.filter(holds).map(|passkey| passkey.age_s))
    }

    fn newest_claim_age_s(&self) -> i64 {
        self.password_age_s.min(self.badge_age_s).min(self.sso_age_s)
    }
}

fn age(age_s: Option<u64>) -> i64 {
    age_s.and_then(|s| i64::try_from(s).ok()).map_or(NEVER_S, |s| s.min(NEVER_S))
}
