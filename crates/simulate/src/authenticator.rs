//! A software WebAuthn authenticator with the browser in front of it: options in,
//! `PublicKeyCredential.toJSON()` out.
//!
//! For tests, demonstrations and load. Keys come from a seed, so that a run can be repeated, and are no
//! secret. ES256 alone; user presence is always there; every credential is discoverable.

mod behaviour;
mod cbor;
mod options;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub use behaviour::{Behaviour, Counter};

use options::{Creation, Descriptor, Request, public_key};

/// The model that this authenticator says it is.
pub const AAGUID: [u8; 16] = *b"keyward-simulate";

/// COSE's number of ES256.
const ES256: i64 = -7;

const FLAG_USER_PRESENT: u8 = 0x01;
const FLAG_USER_VERIFIED: u8 = 0x04;
const FLAG_BACKUP_ELIGIBLE: u8 = 0x08;
const FLAG_BACKED_UP: u8 = 0x10;
const FLAG_ATTESTED_DATA: u8 = 0x40;

/// Why authenticator or browser refused, as a page would see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticatorError {
    /// The options are not what `parse…OptionsFromJSON` accepts.
    #[error("options are malformed: {0}")]
    Options(String),
    /// `SecurityError`: the page's origin does not lie within the relying party's id.
    #[error("the origin is not within the relying party's id")]
    Security,
    /// `NotSupportedError`: ES256 was not offered.
    #[error("no offered algorithm is supported")]
    NotSupported,
    /// `InvalidStateError`: an excluded credential lives here.
    #[error("an excluded credential is held already")]
    InvalidState,
    /// `NotAllowedError`: no credential here fits.
    #[error("no credential fits")]
    NotAllowed,
}

/// The maker's key and certificates, for packed attestation where the options ask for one.
pub struct Attestation {
    key: EcdsaKeyPair,
    certificates: Vec<Vec<u8>>,
}

impl Attestation {
    /// From the maker's P-256 key (PKCS #8) and its certificates (DER), the key's own first.
    ///
    /// # Errors
    /// [`AuthenticatorError::NotSupported`] when the key is none of P-256.
    pub fn new(key_pkcs8: &[u8], certificates: Vec<Vec<u8>>) -> Result<Self, AuthenticatorError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key_pkcs8)
            .map_err(|_| AuthenticatorError::NotSupported)?;
        Ok(Self { key, certificates })
    }
}

/// The authenticator and its browser. May be shared between threads.
pub struct SoftAuthenticator {
    origin: String,
    seed: u64,
    behaviour: RwLock<Behaviour>,
    attestation: Option<Attestation>,
    credentials: RwLock<Vec<Arc<Held>>>,
}

/// A credential that lives here.
struct Held {
    id: [u8; 32],
    rp_id: String,
    user_handle: String,
    key: EcdsaKeyPair,
    uses: AtomicU32,
}

impl SoftAuthenticator {
    /// An authenticator without credentials behind a page of this origin. Equal seeds give equal credentials.
    pub fn new(origin: impl Into<String>, seed: u64) -> Self {
        Self {
            origin: origin.into(),
            seed,
            behaviour: RwLock::default(),
            attestation: None,
            credentials: RwLock::default(),
        }
    }

    /// The same with a behaviour.
    #[must_use]
    pub fn with(self, behaviour: Behaviour) -> Self {
        self.behave(behaviour);
        self
    }

    /// The same with packed attestation where the options ask for one.
    #[must_use]
    pub fn with_attestation(self, attestation: Attestation) -> Self {
        Self { attestation: Some(attestation), ..self }
    }

    /// Changes the behaviour from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.write().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// `navigator.credentials.create()`: makes a credential and gives its `RegistrationResponseJSON`.
    ///
    /// # Errors
    /// [`AuthenticatorError`] as a browser would refuse.
    pub fn register(&self, options_json: &str) -> Result<String, AuthenticatorError> {
        let options: Creation = public_key(options_json)?;
        let behaviour = self.behaviour();
        self.check_origin(&behaviour, &options.rp.id)?;
        if !options.pub_key_cred_params.iter().any(|param| param.alg == ES256) {
            return Err(AuthenticatorError::NotSupported);
        }
        if self.find(&options.rp.id, &options.exclude_credentials).is_some() {
            return Err(AuthenticatorError::InvalidState);
        }
        let held = self.hold(options.rp.id, options.user.id);
        let client_data = self.client_data("webauthn.create", &options.challenge, &behaviour);
        let auth_data = held.authenticator_data(&behaviour, true);
        let wanted = options.attestation.is_some_and(|wanted| wanted == "direct" || wanted == "enterprise");
        let packed = self.attestation.as_ref().filter(|_| wanted).map(|attestation| {
            (
                sign(&attestation.key, &signed_bytes(&auth_data, &client_data)),
                attestation.certificates.as_slice(),
            )
        });
        let object = cbor::attestation_object(&auth_data, packed);
        Ok(held.response(
            &json!({ "credProps": { "rk": true } }),
            &json!({
                "clientDataJSON": encode(client_data),
                "attestationObject": encode(object),
                "authenticatorData": encode(&auth_data),
                "publicKey": encode(held.public_key_der()),
                "publicKeyAlgorithm": ES256,
                "transports": ["internal", "hybrid"],
            }),
        ))
    }

    /// `navigator.credentials.get()`: signs a challenge and gives the `AuthenticationResponseJSON`.
    ///
    /// # Errors
    /// [`AuthenticatorError`] as a browser would refuse.
    pub fn authenticate(&self, options_json: &str) -> Result<String, AuthenticatorError> {
        let options: Request = public_key(options_json)?;
        let behaviour = self.behaviour();
        self.check_origin(&behaviour, &options.rp_id)?;
        let held = if options.allow_credentials.is_empty() {
            self.newest(&options.rp_id)
        } else {
            self.find(&options.rp_id, &options.allow_credentials)
        };
        let held = held.ok_or(AuthenticatorError::NotAllowed)?;
        let client_data = self.client_data("webauthn.get", &options.challenge, &behaviour);
        let auth_data = held.authenticator_data(&behaviour, false);
        let mut signature = sign(&held.key, &signed_bytes(&auth_data, &client_data));
        if behaviour.tamper_signature {
            // The last byte belongs to the number s: the encoding stays well formed, the signature is wrong.
            signature.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        }
        let mut response = json!({
            "clientDataJSON": encode(client_data),
            "authenticatorData": encode(auth_data),
            "signature": encode(signature),
        });
        if behaviour.user_handle {
            response["userHandle"] = json!(held.user_handle);
        }
        Ok(held.response(&json!({}), &response))
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What browsers check: the page's host is the relying party's id or lies below it.
    fn check_origin(&self, behaviour: &Behaviour, rp_id: &str) -> Result<(), AuthenticatorError> {
        let host = self.origin.split_once("://").map_or(self.origin.as_str(), |(_, rest)| rest);
        let host = host.split([':', '/']).next().unwrap_or_default();
        let within = host == rp_id || host.strip_suffix(rp_id).is_some_and(|rest| rest.ends_with('.'));
        if within || behaviour.origin.is_some() { Ok(()) } else { Err(AuthenticatorError::Security) }
    }

    fn client_data(&self, ceremony: &str, challenge: &str, behaviour: &Behaviour) -> String {
        let origin = behaviour.origin.as_ref().unwrap_or(&self.origin);
        json!({ "type": ceremony, "challenge": challenge, "origin": origin, "crossOrigin": behaviour.framed })
            .to_string()
    }

    fn hold(&self, rp_id: String, user_handle: String) -> Arc<Held> {
        let mut credentials = self.credentials.write().unwrap_or_else(PoisonError::into_inner);
        let number = credentials.len();
        let key = key_from(|attempt| self.derive("key", number, attempt));
        let held = Arc::new(Held {
            id: self.derive("id", number, 0),
            rp_id,
            user_handle,
            key,
            uses: AtomicU32::new(0),
        });
        credentials.push(Arc::clone(&held));
        held
    }

    fn derive(&self, what: &str, number: usize, attempt: u32) -> [u8; 32] {
        let text = format!("keyward-simulate/{what}/{}/{number}/{attempt}/{}", self.seed, self.origin);
        let mut derived = [0; 32];
        derived.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        derived
    }

    fn find(&self, rp_id: &str, descriptors: &[Descriptor]) -> Option<Arc<Held>> {
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner);
        let named = |held: &Held| descriptors.iter().any(|descriptor| descriptor.id == encode(held.id));
        credentials.iter().find(|held| held.rp_id == rp_id && named(held)).map(Arc::clone)
    }

    fn newest(&self, rp_id: &str) -> Option<Arc<Held>> {
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner);
        credentials.iter().rev().find(|held| held.rp_id == rp_id).map(Arc::clone)
    }
}

impl Held {
    /// WebAuthn Level 3 §6.1.
    fn authenticator_data(&self, behaviour: &Behaviour, attested: bool) -> Vec<u8> {
        let rp_id = behaviour.rp_id.as_ref().unwrap_or(&self.rp_id);
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        data.push(
            FLAG_USER_PRESENT
                | flag(behaviour.user_verified, FLAG_USER_VERIFIED)
                | flag(behaviour.backup_eligible, FLAG_BACKUP_ELIGIBLE)
                | flag(behaviour.backed_up, FLAG_BACKED_UP)
                | flag(attested, FLAG_ATTESTED_DATA),
        );
        let uses = self.uses.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let counter = match behaviour.counter {
            Counter::Zero => 0,
            Counter::Counting => uses,
            Counter::Fixed(value) => value,
        };
        data.extend_from_slice(&counter.to_be_bytes());
        if attested {
            data.extend_from_slice(&AAGUID);
            data.extend_from_slice(&[0, 32]);
            data.extend_from_slice(&self.id);
            data.extend_from_slice(&cbor::es256_key(self.key.public_key().as_ref()));
        }
        data
    }

    /// `SubjectPublicKeyInfo` of the key, in DER.
    fn public_key_der(&self) -> Vec<u8> {
        /// Everything before the point: id-ecPublicKey over prime256v1 (RFC 5480).
        const P256: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        [&P256, self.key.public_key().as_ref()].concat()
    }

    fn response(&self, extensions: &Value, response: &Value) -> String {
        let id = encode(self.id);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": extensions,
            "response": response,
        })
        .to_string()
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What both kinds of signature are over: authenticator data, then the hash of the client data.
fn signed_bytes(auth_data: &[u8], client_data: &str) -> Vec<u8> {
    [auth_data, digest(&SHA256, client_data.as_bytes()).as_ref()].concat()
}

fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    let signature =
        key.sign(&SystemRandom::new(), message).expect("a P-256 key that was accepted signs every message");
    signature.as_ref().to_vec()
}

/// The first of the candidates that is a P-256 scalar; all but one in four thousand million are.
fn key_from(candidate: impl Fn(u32) -> [u8; 32]) -> EcdsaKeyPair {
    /// `ECPrivateKey` (RFC 5915) of version 1 with nothing but the private key, which follows.
    const DER: [u8; 7] = [0x30, 37, 0x02, 1, 1, 0x04, 32];
    let parse = |attempt| {
        let der = [&DER[..], &candidate(attempt)].concat();
        EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).ok()
    };
    (0..8).find_map(parse).expect("eight digests in a row are no scalar with probability 2^-256")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    const CREATION: &str = r#"{"publicKey":{"rp":{"id":"example.org","name":"n"},"user":{"id":"BwcH","name":"m",
        "displayName":"M"},"challenge":"AAEC","pubKeyCredParams":[{"type":"public-key","alg":-7}]}}"#;
    const REQUEST: &str = r#"{"publicKey":{"rpId":"example.org","challenge":"AAEC","allowCredentials":[]}}"#;

    fn parsed(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    fn member(response: &Value, name: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(response["response"][name].as_str().unwrap()).unwrap()
    }

    /// The public key as an uncompressed point, from the end of authenticator data with attested data.
    fn point(auth_data: &[u8]) -> Vec<u8> {
        let cose = &auth_data[auth_data.len() - 77..];
        [&[4], &cose[10..42], &cose[45..77]].concat()
    }

    #[test]
    fn an_assertion_is_signed_with_the_registered_key_over_the_challenge() {
        let authenticator = SoftAuthenticator::new("https://portal.example.org", 1);
        let registered = parsed(&authenticator.register(CREATION).unwrap());
        let asserted = parsed(&authenticator.authenticate(REQUEST).unwrap());
        assert_eq!(asserted["id"], registered["id"]);
        assert!(
            member(&registered, "publicKey").ends_with(&point(&member(&registered, "authenticatorData")))
        );
        assert_eq!(asserted["response"]["userHandle"], "BwcH");

        let client_data = member(&asserted, "clientDataJSON");
        let told = parsed(std::str::from_utf8(&client_data).unwrap());
        let expected = json!({ "type": "webauthn.get", "challenge": "AAEC", "origin": "https://portal.example.org",
            "crossOrigin": false });
        assert_eq!(told, expected);
        let signed =
            signed_bytes(&member(&asserted, "authenticatorData"), std::str::from_utf8(&client_data).unwrap());
        let key =
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point(&member(&registered, "authenticatorData")));
        assert!(key.verify(&signed, &member(&asserted, "signature")).is_ok());

        authenticator.behave(Behaviour { tamper_signature: true, ..Behaviour::default() });
        let spoilt = parsed(&authenticator.authenticate(REQUEST).unwrap());
        assert!(key.verify(&signed, &member(&spoilt, "signature")).is_err());
    }

    #[test]
    fn flags_and_counters_follow_the_behaviour() {
        let authenticator = SoftAuthenticator::new("https://example.org", 1);
        authenticator.register(CREATION).unwrap();
        let use_with = |behaviour| {
            authenticator.behave(behaviour);
            let data = member(&parsed(&authenticator.authenticate(REQUEST).unwrap()), "authenticatorData");
            (data[32], data[36])
        };
        assert_eq!(use_with(Behaviour::default()), (0x1d, 0));
        assert_eq!(use_with(Behaviour::hardware()), (0x05, 3));
        assert_eq!(use_with(Behaviour::hardware()), (0x05, 4));
        let copy = Behaviour { counter: Counter::Fixed(2), user_verified: false, ..Behaviour::hardware() };
        assert_eq!(use_with(copy), (0x01, 2));
    }

    #[test]
    fn equal_seeds_make_equal_credentials_and_different_ones_different() {
        let id = |seed| {
            let made = SoftAuthenticator::new("https://example.org", seed).register(CREATION).unwrap();
            (parsed(&made)["id"].clone(), point(&member(&parsed(&made), "authenticatorData")))
        };
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
    }

    #[test]
    fn it_refuses_what_a_browser_refuses() {
        let elsewhere = SoftAuthenticator::new("https://badexample.org", 1);
        assert_eq!(elsewhere.register(CREATION), Err(AuthenticatorError::Security));
        assert_eq!(elsewhere.authenticate(REQUEST), Err(AuthenticatorError::Security));

        let authenticator = SoftAuthenticator::new("https://example.org", 1);
        assert_eq!(authenticator.authenticate(REQUEST), Err(AuthenticatorError::NotAllowed));
        assert!(matches!(authenticator.register("{}"), Err(AuthenticatorError::Options(_))));
        let unsupported = CREATION.replace("-7", "-8");
        assert_eq!(authenticator.register(&unsupported), Err(AuthenticatorError::NotSupported));

        let held = parsed(&authenticator.register(CREATION).unwrap())["id"].clone();
        let mut again = parsed(CREATION);
        again["publicKey"]["excludeCredentials"] = json!([{ "type": "public-key", "id": held }]);
        assert_eq!(authenticator.register(&again.to_string()), Err(AuthenticatorError::InvalidState));
        let unknown = REQUEST.replace("[]", r#"[{"type":"public-key","id":"AAAA"}]"#);
        assert_eq!(authenticator.authenticate(&unknown), Err(AuthenticatorError::NotAllowed));
    }
}
