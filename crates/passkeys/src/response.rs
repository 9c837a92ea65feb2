//! What a browser sends back, read within bounds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_domain::CredentialId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use crate::PasskeyError;

/// The longest response that is read, in bytes. Attestations with their certificates are below 8 KiB.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024;
/// The longest credential id (WebAuthn Level 3 §4), in bytes.
const MAX_ID_BYTES: usize = 1023;
/// Transports that are kept as hints; others that a browser may name are left out.
const TRANSPORTS: [&str; 6] = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"];

pub(crate) fn assertion(json: &str) -> Result<PublicKeyCredential, PasskeyError> {
    let response: PublicKeyCredential = read(json)?;
    check_envelope(&response.id, &response.raw_id, &response.type_)?;
    check_frame(&response.response.client_data_json)?;
    Ok(response)
}

pub(crate) fn attestation(json: &str) -> Result<RegisterPublicKeyCredential, PasskeyError> {
    let response: RegisterPublicKeyCredential = read(json)?;
    check_envelope(&response.id, &response.raw_id, &response.type_)?;
    Ok(response)
}

/// The credential that a response claims to be of.
pub(crate) fn claimed_id(json: &str) -> Result<CredentialId, PasskeyError> {
    #[derive(Deserialize)]
    struct Claim {
        id: String,
        #[serde(rename = "rawId")]
        raw_id: String,
        #[serde(rename = "type")]
        type_: String,
    }
    let claim: Claim = read(json)?;
    let raw_id = URL_SAFE_NO_PAD.decode(&claim.raw_id).map_err(|_| PasskeyError::MalformedResponse)?;
    check_envelope(&claim.id, &raw_id, &claim.type_)?;
    Ok(CredentialId(raw_id))
}

/// How the authenticator says it can be reached: hints for later prompts, proven by nothing.
pub(crate) fn transports(json: &str) -> Vec<String> {
    #[derive(Default, Deserialize)]
    struct Response {
        #[serde(default)]
        transports: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Hints {
        response: Response,
    }
    let named = read::<Hints>(json).map(|hints| hints.response.transports).unwrap_or_default();
    TRANSPORTS.into_iter().filter(|known| named.iter().any(|name| name == known)).map(str::to_owned).collect()
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, PasskeyError> {
    if json.len() > MAX_RESPONSE_BYTES {
        return Err(PasskeyError::ResponseTooLarge);
    }
    serde_json::from_str(json).map_err(|_| PasskeyError::MalformedResponse)
}

/// A page of ours within a frame of somebody else's may be overlaid to trick a click (WebAuthn Level 3 §13.4.2).
/// The library checks this in registrations alone.
fn check_frame(client_data_json: &[u8]) -> Result<(), PasskeyError> {
    #[derive(Deserialize)]
    struct Frame {
        #[serde(rename = "crossOrigin", default)]
        cross_origin: bool,
    }
    let frame: Frame =
        serde_json::from_slice(client_data_json).map_err(|_| PasskeyError::MalformedResponse)?;
    if frame.cross_origin { Err(PasskeyError::OriginMismatch) } else { Ok(()) }
}

/// `id` must be `rawId` in base64url: a caller may look up by either.
fn check_envelope(id: &str, raw_id: &[u8], type_: &str) -> Result<(), PasskeyError> {
    let sound = (1..=MAX_ID_BYTES).contains(&raw_id.len());
    if sound && type_ == "public-key" && URL_SAFE_NO_PAD.encode(raw_id) == id {
        Ok(())
    } else {
        Err(PasskeyError::MalformedResponse)
    }
}
