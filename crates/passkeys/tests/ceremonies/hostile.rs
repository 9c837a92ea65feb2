//! Whatever a client or a damaged store hands in, the answer is an error, never a panic and never a success.

use std::sync::LazyLock;

use crate::common::{ORIGIN, mary, passkeys};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_passkeys::{Begun, MAX_RESPONSE_BYTES, PasskeyError, Passkeys};
use keyward_simulate::authenticator::SoftAuthenticator;
use proptest::prelude::*;

/// A registration and an authentication with their genuine responses.
struct Genuine {
    passkeys: Passkeys,
    registration: (Begun, String),
    authentication: (Begun, String),
    credential: Vec<u8>,
}

static GENUINE: LazyLock<Genuine> = LazyLock::new(|| {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let begun = passkeys.begin_registration(&mary(), &[], false).unwrap();
    let response = authenticator.register(&begun.options_json).unwrap();
    let credential = passkeys.finish_registration(&begun.state, &response).unwrap().credential;
    let registration = (begun, response);
    let begun = passkeys.begin_authentication(std::slice::from_ref(&credential)).unwrap();
    let response = authenticator.authenticate(&begun.options_json).unwrap();
    passkeys.finish_authentication(&begun.state, &response, &credential).unwrap();
    Genuine { passkeys, registration, authentication: (begun, response), credential }
});

impl Genuine {
    fn register(&self, response: &str) -> Result<(), PasskeyError> {
        self.passkeys.finish_registration(&self.registration.0.state, response).map(|_| ())
    }

    fn authenticate(&self, response: &str) -> Result<(), PasskeyError> {
        self.passkeys
            .finish_authentication(&self.authentication.0.state, response, &self.credential)
            .map(|_| ())
    }
}

/// The response with one byte of one of its binary members changed, cut or added.
fn spoilt(response: &str, member: &str, at: prop::sample::Index, how: u8) -> String {
    let mut response: serde_json::Value = serde_json::from_str(response).unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(response["response"][member].as_str().unwrap()).unwrap();
    let at = at.index(bytes.len());
    match how % 3 {
        0 => bytes[at] ^= 1 << (how / 3 % 8),
        1 => bytes.truncate(at),
        _ => bytes.insert(at, how),
    }
    response["response"][member] = URL_SAFE_NO_PAD.encode(bytes).into();
    response.to_string()
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused(text in any::<String>()) {
        let genuine = &*GENUINE;
        prop_assert!(genuine.register(&text).is_err());
        prop_assert!(genuine.authenticate(&text).is_err());
        prop_assert!(Passkeys::credential_id(&text).is_err());
    }

    #[test]
    fn arbitrary_binary_members_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let genuine = &*GENUINE;
        for member in ["attestationObject", "clientDataJSON"] {
            let mut response: serde_json::Value = serde_json::from_str(&genuine.registration.1).unwrap();
            response["response"][member] = URL_SAFE_NO_PAD.encode(&bytes).into();
            prop_assert!(genuine.register(&response.to_string()).is_err());
        }
    }

    #[test]
    fn a_spoilt_assertion_is_refused(
        member in prop::sample::select(vec!["clientDataJSON", "authenticatorData", "signature"]),
        at: prop::sample::Index,
        how: u8,
    ) {
        let genuine = &*GENUINE;
        prop_assert!(genuine.authenticate(&spoilt(&genuine.authentication.1, member, at, how)).is_err());
    }

    #[test]
    fn a_spoilt_attestation_never_panics(
        member in prop::sample::select(vec!["clientDataJSON", "attestationObject"]),
        at: prop::sample::Index,
        how: u8,
    ) {
        // Without attestation nothing signs a registration, so a changed model or id may pass; what passes is
        // whole.
        let genuine = &*GENUINE;
        let response = spoilt(&genuine.registration.1, member, at, how);
        if let Ok(registered) = genuine.passkeys.finish_registration(&genuine.registration.0.state, &response) {
            prop_assert!(!registered.hardware_bound);
            prop_assert_eq!(Passkeys::describe(&registered.credential).map(|info| info.id), Ok(registered.id));
        }
    }

    #[test]
    fn damaged_state_and_credentials_are_errors(bytes in proptest::collection::vec(any::<u8>(), 0..300), version: bool) {
        let genuine = &*GENUINE;
        let bytes = if version { [&[1][..], &bytes].concat() } else { bytes };
        let (begun, response) = &genuine.authentication;
        prop_assert_eq!(
            genuine.passkeys.finish_authentication(&bytes, response, &genuine.credential),
            Err(PasskeyError::StateDamaged)
        );
        prop_assert_eq!(
            genuine.passkeys.finish_authentication(&begun.state, response, &bytes),
            Err(PasskeyError::CredentialDamaged)
        );
        prop_assert_eq!(
            genuine.passkeys.finish_registration(&bytes, &genuine.registration.1),
            Err(PasskeyError::StateDamaged)
        );
        prop_assert_eq!(Passkeys::describe(&bytes), Err(PasskeyError::CredentialDamaged));
        prop_assert_eq!(
            genuine.passkeys.begin_authentication(&[bytes]),
            Err(PasskeyError::CredentialDamaged)
        );
    }

    #[test]
    fn cut_state_and_credentials_are_errors(at: prop::sample::Index) {
        let genuine = &*GENUINE;
        let (begun, response) = &genuine.authentication;
        let cut = &begun.state[..at.index(begun.state.len())];
        prop_assert_eq!(
            genuine.passkeys.finish_authentication(cut, response, &genuine.credential),
            Err(PasskeyError::StateDamaged)
        );
        let cut = &genuine.credential[..at.index(genuine.credential.len())];
        prop_assert_eq!(Passkeys::describe(cut), Err(PasskeyError::CredentialDamaged));
    }
}

#[test]
fn a_response_beyond_the_limit_is_not_read() {
    let genuine = &*GENUINE;
    let padded = format!("{}{}", genuine.authentication.1, " ".repeat(MAX_RESPONSE_BYTES));
    assert_eq!(genuine.authenticate(&padded), Err(PasskeyError::ResponseTooLarge));
    assert_eq!(genuine.register(&padded), Err(PasskeyError::ResponseTooLarge));
    assert_eq!(Passkeys::credential_id(&padded), Err(PasskeyError::ResponseTooLarge));
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let genuine = &*GENUINE;
    let deep = "[".repeat(MAX_RESPONSE_BYTES / 2) + &"]".repeat(MAX_RESPONSE_BYTES / 2);
    assert_eq!(genuine.authenticate(&deep), Err(PasskeyError::MalformedResponse));
    // The same in CBOR: arrays of one element, as deep as the response allows.
    let mut response: serde_json::Value = serde_json::from_str(&genuine.registration.1).unwrap();
    response["response"]["attestationObject"] = URL_SAFE_NO_PAD.encode([0x81; 8000]).into();
    assert_eq!(genuine.register(&response.to_string()), Err(PasskeyError::MalformedResponse));
}

#[test]
fn id_and_raw_id_must_agree() {
    let genuine = &*GENUINE;
    let mut response: serde_json::Value = serde_json::from_str(&genuine.authentication.1).unwrap();
    response["id"] = "AAAA".into();
    assert_eq!(genuine.authenticate(&response.to_string()), Err(PasskeyError::MalformedResponse));
    assert_eq!(Passkeys::credential_id(&response.to_string()), Err(PasskeyError::MalformedResponse));
}
