//! What is kept between `begin` and `finish`: a format version and JSON.

use keyward_domain::CredentialId;
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{AttestedPasskeyRegistration, DiscoverableAuthentication, PasskeyRegistration};

use crate::PasskeyError;

const FORMAT: u8 = 1;

/// A running ceremony.
#[derive(Serialize, Deserialize)]
pub(crate) enum State {
    Registration {
        user_handle: [u8; 16],
        exclude: Vec<CredentialId>,
        begun: Registering,
    },
    /// `allowed` is absent in a discoverable authentication.
    Authentication {
        allowed: Option<Vec<CredentialId>>,
        begun: DiscoverableAuthentication,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Registering {
    Any(PasskeyRegistration),
    Attested(AttestedPasskeyRegistration),
}

impl State {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, PasskeyError> {
        let json = bytes.strip_prefix(&[FORMAT]).ok_or(PasskeyError::StateDamaged)?;
        serde_json::from_slice(json).map_err(|_| PasskeyError::StateDamaged)
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, PasskeyError> {
        let mut bytes = vec![FORMAT];
        serde_json::to_writer(&mut bytes, self).map_err(|_| PasskeyError::StateDamaged)?;
        Ok(bytes)
    }
}
