//! What a page hands to the browser, as far as it matters here.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::AuthenticatorError;

/// The parts of `PublicKeyCredentialCreationOptionsJSON` that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Creation {
    pub(super) rp: Rp,
    pub(super) user: User,
    pub(super) challenge: String,
    pub(super) pub_key_cred_params: Vec<Algorithm>,
    #[serde(default)]
    pub(super) exclude_credentials: Vec<Descriptor>,
    pub(super) attestation: Option<String>,
}

/// The parts of `PublicKeyCredentialRequestOptionsJSON` that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) rp_id: String,
    pub(super) challenge: String,
    #[serde(default)]
    pub(super) allow_credentials: Vec<Descriptor>,
}

#[derive(Deserialize)]
pub(super) struct Rp {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Algorithm {
    pub(super) alg: i64,
}

#[derive(Deserialize)]
pub(super) struct Descriptor {
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options<T> {
    pub(super) public_key: T,
}

pub(super) fn public_key<T: DeserializeOwned>(options_json: &str) -> Result<T, AuthenticatorError> {
    let options: Result<Options<T>, _> = serde_json::from_str(options_json);
    options.map(|options| options.public_key).map_err(|error| AuthenticatorError::Options(error.to_string()))
}
