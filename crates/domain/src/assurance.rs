//! What is proven of the person. Computed from factors alone.
//!
//! INVARIANT: nothing in this module takes a behavioural signal. Behaviour never raises assurance
//! (NIST SP 800-63B-4 §3.2: typing is a session-monitoring signal, not an authenticator).

use serde::{Deserialize, Serialize};

use crate::context::named;
use crate::{Claim, ClaimKind, Timestamp};

named! {
    /// Authenticator assurance level after NIST SP 800-63B-4.
    Aal {
        /// Nothing proven.
        None = "none",
        /// One factor.
        Aal1 = "aal1",
        /// A passkey with user verification (two factors, phishing resistant).
        Aal2 = "aal2",
        /// A hardware-bound, attested passkey with user verification.
        Aal3 = "aal3",
    }
}

/// A passkey assertion that verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyProof {
    /// When it verified.
    pub at: Timestamp,
    /// Whether the authenticator verified the user (PIN, biometric), not merely presence.
    pub user_verified: bool,
    /// Whether the key cannot leave its hardware and its maker attested that.
    pub hardware_bound: bool,
}

/// What is proven: the factors of a session, with their times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proofs {
    /// The newest passkey assertion.
    pub passkey: Option<PasskeyProof>,
    /// What the caller verified, trusted as far as the tenant trusts the caller.
    pub claims: Vec<Claim>,
}

/// The assurance reached, in the words that other services understand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assurance {
    /// The level.
    pub aal: Aal,
    /// Authentication methods (RFC 8176): `pop`, `hwk` or `swk`, `user`, `mfa`, `pwd`, `sc`. Behaviour is never in it.
    pub amr: Vec<String>,
    /// When the newest factor was proven.
    pub at: Option<Timestamp>,
}

impl Proofs {
    /// The assurance that these proofs reach.
    pub fn assurance(&self) -> Assurance {
        let mut amr: Vec<&str> = Vec::new();
        let mut aal = Aal::None;
        if let Some(passkey) = self.passkey {
            amr.extend(["pop", if passkey.hardware_bound { "hwk" } else { "swk" }]);
            aal = Aal::Aal1;
            if passkey.user_verified {
                amr.extend(["user", "mfa"]);
                aal = if passkey.hardware_bound { Aal::Aal3 } else { Aal::Aal2 };
            }
        }
        for claim in &self.claims {
            aal = aal.max(Aal::Aal1);
            let method = match claim.kind {
                ClaimKind::Password => "pwd",
                ClaimKind::Badge => "sc",
                // RFC 8176 has no value for federation; the identity provider's own `amr` is not ours to repeat.
                ClaimKind::SingleSignOn => continue,
            };
            if !amr.contains(&method) {
                amr.push(method);
            }
        }
        let at =
            self.passkey.map(|p| p.at).into_iter().chain(self.claims.iter().map(|c| c.verified_at)).max();
        Assurance { aal, amr: amr.into_iter().map(str::to_owned).collect(), at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_alone_stay_at_one_factor() {
        let at = Timestamp::from_secs(1);
        let claim = |kind| Claim { kind, verified_at: at };
        let proofs =
            Proofs { passkey: None, claims: vec![claim(ClaimKind::Password), claim(ClaimKind::Badge)] };
        assert_eq!(
            proofs.assurance(),
            Assurance { aal: Aal::Aal1, amr: vec!["pwd".into(), "sc".into()], at: Some(at) }
        );
    }

    #[test]
    fn a_passkey_reaches_two_factors_only_with_user_verification() {
        let proof = |user_verified, hardware_bound| Proofs {
            passkey: Some(PasskeyProof { at: Timestamp::from_secs(1), user_verified, hardware_bound }),
            claims: vec![],
        };
        assert_eq!(proof(false, true).assurance().aal, Aal::Aal1);
        assert_eq!(proof(true, false).assurance().aal, Aal::Aal2);
        assert_eq!(proof(true, true).assurance().aal, Aal::Aal3);
        assert_eq!(Proofs::default().assurance().aal, Aal::None);
    }
}
