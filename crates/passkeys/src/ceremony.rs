//! The ceremonies.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_domain::CredentialId;
use serde::Serialize;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    AttestationCaList, AuthenticationResult, CreationChallengeResponse, Credential, PublicKeyCredential,
    Uuid, Webauthn, WebauthnError,
};

use crate::credential::{CredentialInfo, Stored};
use crate::relying_party::RelyingParty;
use crate::state::{Registering, State};
use crate::{PasskeyError, response};

/// Whom a passkey is registered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserIdentity {
    /// Opaque and random; authenticators keep it and tell it in discoverable authentications. Says nothing of
    /// the person.
    pub handle: [u8; 16],
    /// What tells this account from the person's others, shown by authenticators.
    pub name: String,
    /// The person's name, shown by authenticators.
    pub display_name: String,
}

/// A ceremony that was begun.
#[derive(Clone, PartialEq, Eq)]
pub struct Begun {
    /// For the browser: `{"publicKey": …}` as JSON, to be read with
    /// `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` (WebAuthn Level 3
    /// §5.1). A discoverable one has `"mediation": "conditional"` beside it, which a page that wants a dialog
    /// leaves out.
    pub options_json: String,
    /// For the matching `finish`. Stays on the server and is used once.
    pub state: Vec<u8>,
}

/// A passkey that was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its id. The caller refuses one that the tenant has already.
    pub id: CredentialId,
    /// What is to be stored: public key and properties, no secret.
    pub credential: Vec<u8>,
    /// Whether a trusted attestation proved that the key cannot leave its hardware.
    pub hardware_bound: bool,
    /// Whether it may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether it was copied already.
    pub backed_up: bool,
}

/// An assertion that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of one assertion")]
pub struct Verified {
    /// The passkey.
    pub credential: CredentialId,
    /// Whether the authenticator verified the user. Always true, because every ceremony requires it; kept so
    /// that a record says it.
    pub user_verified: bool,
    /// Whether the key cannot leave its hardware, proven at registration.
    pub hardware_bound: bool,
    /// A risk signal: the signature counter did not rise, as when two copies of the key are in use.
    pub counter_regressed: bool,
    /// A risk signal: the passkey was copied to other devices since its last use, or is no longer.
    pub backup_changed: bool,
    /// What to store in place of the credential, by compare-and-set, where counter or backup state changed.
    /// On a conflict read the credential anew and call `finish_authentication` again with the same state,
    /// still in memory.
    pub updated: Option<Vec<u8>>,
}

/// WebAuthn ceremonies for one relying party. Synchronous, without IO; a verification costs some 150
/// microseconds of CPU, so callers run it where it blocks nobody.
///
/// INVARIANT of the caller: `finish_*` keeps no memory and would accept one response twice. The caller takes
/// the state out of its store atomically *before* it calls, and never puts it back.
#[derive(Debug)]
pub struct Passkeys {
    webauthn: Webauthn,
    attestation_roots: AttestationCaList,
    party_id: String,
}

impl Passkeys {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`PasskeyError::Configuration`] saying what is wrong with them.
    pub fn new(party: &RelyingParty) -> Result<Self, PasskeyError> {
        Ok(Self {
            webauthn: party.webauthn()?,
            attestation_roots: party.attestation_roots()?,
            party_id: party.id.clone(),
        })
    }

    /// Begins to register a passkey, discoverable where the authenticator can. `exclude` are the stored
    /// credentials that the user has already. With `hardware`, only a key whose attestation leads to a
    /// configured root will do.
    ///
    /// # Errors
    /// [`PasskeyError::InvalidUser`], [`PasskeyError::HardwareUnavailable`] or
    /// [`PasskeyError::CredentialDamaged`].
    pub fn begin_registration(
        &self,
        user: &UserIdentity,
        exclude: &[Vec<u8>],
        hardware: bool,
    ) -> Result<Begun, PasskeyError> {
        let exclude = decode_all(exclude)?;
        let (challenge, begun) = self.challenge_registration(user, hardware)?;
        let mut options = to_json(&challenge)?;
        // In every browser "preferred" makes a discoverable credential where there is room for one; keys
        // without room still register, and work wherever the user is named first.
        options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("preferred");
        options["publicKey"]["excludeCredentials"] = descriptors(&exclude);
        // The library would report an excluded credential as an altered algorithm, so we compare ourselves.
        let exclude = exclude.iter().map(Stored::id).collect();
        let state = State::Registration { user_handle: user.handle, exclude, begun };
        Ok(Begun { options_json: options.to_string(), state: state.encode()? })
    }

    /// Verifies what the browser gave back.
    ///
    /// # Errors
    /// [`PasskeyError`], whose [`cause`](PasskeyError::cause) names what is wrong.
    pub fn finish_registration(&self, state: &[u8], response_json: &str) -> Result<Registered, PasskeyError> {
        let State::Registration { user_handle, exclude, begun } = State::decode(state)? else {
            return Err(PasskeyError::WrongCeremony);
        };
        let (key, attested) = self.verify_registration(&begun, response_json)?;
        if exclude.iter().any(|id| id.0 == key.cred_id) {
            return Err(PasskeyError::AlreadyRegistered);
        }
        let (backup_eligible, backed_up) = (key.backup_eligible, key.backup_state);
        let stored = Stored::new(key, user_handle, attested, response::transports(response_json));
        Ok(Registered {
            id: stored.id(),
            credential: stored.encode()?,
            hardware_bound: stored.hardware_bound,
            backup_eligible,
            backed_up,
        })
    }

    /// Begins to authenticate a user who is known by name, with one of the stored credentials given.
    ///
    /// # Errors
    /// [`PasskeyError::UnknownCredential`] when none is given; [`PasskeyError::CredentialDamaged`].
    pub fn begin_authentication(&self, credentials: &[Vec<u8>]) -> Result<Begun, PasskeyError> {
        if credentials.is_empty() {
            return Err(PasskeyError::UnknownCredential);
        }
        let credentials = decode_all(credentials)?;
        let (mut options, begun) = self.challenge_authentication()?;
        options["publicKey"]["allowCredentials"] = descriptors(&credentials);
        if let Some(options) = options.as_object_mut() {
            options.remove("mediation");
        }
        let allowed = Some(credentials.iter().map(Stored::id).collect());
        let state = State::Authentication { allowed, begun }.encode()?;
        Ok(Begun { options_json: options.to_string(), state })
    }

    /// Begins to authenticate whoever has a discoverable passkey, without a user name.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn begin_discoverable(&self) -> Result<Begun, PasskeyError> {
        let (options, begun) = self.challenge_authentication()?;
        let state = State::Authentication { allowed: None, begun }.encode()?;
        Ok(Begun { options_json: options.to_string(), state })
    }

    /// The credential that a response claims to be of, to look it up. Nothing is proven by it yet.
    ///
    /// # Errors
    /// [`PasskeyError::ResponseTooLarge`] or [`PasskeyError::MalformedResponse`].
    pub fn credential_id(response_json: &str) -> Result<CredentialId, PasskeyError> {
        response::claimed_id(response_json)
    }

    /// Verifies what the browser gave back, for both kinds of authentication. `credential` is the stored
    /// credential that [`Passkeys::credential_id`] names, as it is now.
    ///
    /// # Errors
    /// [`PasskeyError`], whose [`cause`](PasskeyError::cause) names what is wrong.
    pub fn finish_authentication(
        &self,
        state: &[u8],
        response_json: &str,
        credential: &[u8],
    ) -> Result<Verified, PasskeyError> {
        let State::Authentication { allowed, begun } = State::decode(state)? else {
            return Err(PasskeyError::WrongCeremony);
        };
        let stored = Stored::decode(credential)?;
        let response = response::assertion(response_json)?;
        check_owner(allowed.as_deref(), &stored, &response)?;
        let result = self
            .webauthn
            .finish_discoverable_authentication_v2(&response, begun, &stored.key)
            .map_err(|error| PasskeyError::named(&error, PasskeyError::Refused))?;
        weigh(stored, &result)
    }

    /// What tells a person's passkey managers which of their passkeys are good still: the options of
    /// `PublicKeyCredential.signalAllAcceptedCredentials` as JSON (WebAuthn Level 3 §5.1.10).
    pub fn accepted_credentials<'a>(
        &self,
        handle: [u8; 16],
        ids: impl IntoIterator<Item = &'a CredentialId>,
    ) -> String {
        let ids: Vec<_> = ids.into_iter().map(|id| URL_SAFE_NO_PAD.encode(&id.0)).collect();
        let user_id = URL_SAFE_NO_PAD.encode(handle);
        json!({ "rpId": self.party_id, "userId": user_id, "allAcceptedCredentialIds": ids }).to_string()
    }

    /// What may be told of a stored passkey.
    ///
    /// # Errors
    /// [`PasskeyError::CredentialDamaged`].
    pub fn describe(credential: &[u8]) -> Result<CredentialInfo, PasskeyError> {
        Stored::decode(credential).map(Stored::info)
    }

    fn challenge_registration(
        &self,
        user: &UserIdentity,
        hardware: bool,
    ) -> Result<(CreationChallengeResponse, Registering), PasskeyError> {
        let (id, name, display_name) = (Uuid::from_bytes(user.handle), &user.name, &user.display_name);
        let begun = if hardware {
            let roots = self.attestation_roots.clone();
            self.webauthn
                .start_attested_passkey_registration(id, name, display_name, None, roots, None)
                .map(|(challenge, begun)| (challenge, Registering::Attested(begun)))
        } else {
            self.webauthn
                .start_passkey_registration(id, name, display_name, None)
                .map(|(challenge, begun)| (challenge, Registering::Any(begun)))
        };
        begun.map_err(|error| PasskeyError::named(&error, PasskeyError::Refused))
    }

    /// The new credential, and whether its attestation leads to a configured root.
    fn verify_registration(
        &self,
        begun: &Registering,
        response_json: &str,
    ) -> Result<(Credential, bool), PasskeyError> {
        let response = response::attestation(response_json)?;
        let verified = match begun {
            Registering::Any(begun) => {
                self.webauthn.finish_passkey_registration(&response, begun).map(|key| (key.into(), false))
            }
            Registering::Attested(begun) => self
                .webauthn
                .finish_attested_passkey_registration(&response, begun)
                .map(|key| (key.into(), true)),
        };
        verified.map_err(|error| match (&error, begun) {
            (WebauthnError::CredentialMayNotBeHardwareBound, Registering::Attested(_)) => {
                PasskeyError::NotHardwareBound
            }
            // What is left to go wrong in a registration is the attestation.
            _ => PasskeyError::named(&error, PasskeyError::AttestationUntrusted),
        })
    }

    /// A challenge without a list of credentials; user verification is required.
    fn challenge_authentication(
        &self,
    ) -> Result<(Value, webauthn_rs::prelude::DiscoverableAuthentication), PasskeyError> {
        let (challenge, begun) = self
            .webauthn
            .start_discoverable_authentication()
            .map_err(|error| PasskeyError::named(&error, PasskeyError::Refused))?;
        Ok((to_json(&challenge)?, begun))
    }
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

/// WebAuthn Level 3 §7.2, steps 5 and 6: the credential is one of those allowed, and the user handle is its
/// owner's.
fn check_owner(
    allowed: Option<&[CredentialId]>,
    stored: &Stored,
    response: &PublicKeyCredential,
) -> Result<(), PasskeyError> {
    let is_allowed = allowed.is_none_or(|ids| ids.iter().any(|id| id.0 == response.raw_id));
    if !is_allowed || *stored.key.cred_id() != response.raw_id {
        return Err(PasskeyError::UnknownCredential);
    }
    match response.get_user_unique_id() {
        Some(handle) if handle == stored.user_handle => Ok(()),
        None if allowed.is_some() => Ok(()),
        _ => Err(PasskeyError::UserMismatch),
    }
}

/// Compares counter and backup state with what is stored (WebAuthn Level 3 §6.1.1 and §7.2, step 22).
fn weigh(mut stored: Stored, result: &AuthenticationResult) -> Result<Verified, PasskeyError> {
    let (counter, seen) = (result.counter(), stored.counter);
    let counter_regressed = (counter > 0 || seen > 0) && counter <= seen;
    let mut key = Credential::from(stored.key);
    let backup_changed = result.backup_state() != key.backup_state;
    key.backup_state = result.backup_state();
    stored.key = key.into();
    // A counter that fell is not taken over: the genuine authenticator goes on from the higher one.
    stored.counter = seen.max(counter);
    let changed = backup_changed || stored.counter != seen;
    Ok(Verified {
        credential: stored.id(),
        user_verified: result.user_verified(),
        hardware_bound: stored.hardware_bound,
        counter_regressed,
        backup_changed,
        updated: changed.then(|| stored.encode()).transpose()?,
    })
}

fn decode_all(credentials: &[Vec<u8>]) -> Result<Vec<Stored>, PasskeyError> {
    credentials.iter().map(|credential| Stored::decode(credential)).collect()
}

fn to_json(options: &impl Serialize) -> Result<Value, PasskeyError> {
    serde_json::to_value(options).map_err(|_| PasskeyError::Refused)
}

/// `PublicKeyCredentialDescriptorJSON` of each (WebAuthn Level 3 §5.8.3).
fn descriptors(credentials: &[Stored]) -> Value {
    let descriptor = |stored: &Stored| {
        let mut descriptor =
            json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(stored.key.cred_id()) });
        if !stored.transports.is_empty() {
            descriptor["transports"] = json!(stored.transports);
        }
        descriptor
    };
    credentials.iter().map(descriptor).collect()
}
