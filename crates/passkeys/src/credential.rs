//! The stored form of a passkey: a format version and JSON.

use keyward_domain::CredentialId;
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{AttestationMetadata, Credential, ParsedAttestationData, Passkey};

use crate::PasskeyError;

const FORMAT: u8 = 1;

/// What may be told of a stored passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialInfo {
    /// Its id.
    pub id: CredentialId,
    /// The user handle that it was registered for.
    pub user_handle: [u8; 16],
    /// Whether a trusted attestation proved that the key cannot leave its hardware.
    pub hardware_bound: bool,
    /// Whether it may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether it was copied, as far as its last use told.
    pub backed_up: bool,
    /// The highest signature counter seen; 0 for authenticators that do not count.
    pub counter: u32,
    /// How it can be reached (`usb`, `nfc`, `ble`, `smart-card`, `hybrid`, `internal`), as the browser said
    /// once.
    pub transports: Vec<String>,
    /// The authenticator's model, where a trusted attestation proved it.
    pub aaguid: Option<[u8; 16]>,
}

/// A passkey as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) user_handle: [u8; 16],
    pub(crate) hardware_bound: bool,
    /// The highest signature counter seen.
    pub(crate) counter: u32,
    pub(crate) transports: Vec<String>,
    /// INVARIANT: its own counter is 0. The library refuses a login whose counter fell; with nothing to
    /// compare, it leaves the comparison to us, and a fall becomes a signal that policy can weigh.
    pub(crate) key: Passkey,
}

impl Stored {
    /// Takes over a fresh credential. The attestation was judged and is not kept, but for the model it
    /// proved.
    pub(crate) fn new(
        mut key: Credential,
        user_handle: [u8; 16],
        attested: bool,
        transports: Vec<String>,
    ) -> Self {
        let counter = std::mem::take(&mut key.counter);
        let hardware_bound = attested && !key.backup_eligible;
        key.attestation.data = ParsedAttestationData::None;
        if !attested {
            key.attestation.metadata = AttestationMetadata::None;
        }
        Self { user_handle, hardware_bound, counter, transports, key: key.into() }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, PasskeyError> {
        let json = bytes.strip_prefix(&[FORMAT]).ok_or(PasskeyError::CredentialDamaged)?;
        serde_json::from_slice(json).map_err(|_| PasskeyError::CredentialDamaged)
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, PasskeyError> {
        let mut bytes = vec![FORMAT];
        serde_json::to_writer(&mut bytes, self).map_err(|_| PasskeyError::CredentialDamaged)?;
        Ok(bytes)
    }

    pub(crate) fn id(&self) -> CredentialId {
        CredentialId(self.key.cred_id().clone())
    }

    pub(crate) fn info(self) -> CredentialInfo {
        let id = self.id();
        let key = Credential::from(self.key);
        CredentialInfo {
            id,
            user_handle: self.user_handle,
            hardware_bound: self.hardware_bound,
            backup_eligible: key.backup_eligible,
            backed_up: key.backup_state,
            counter: self.counter,
            transports: self.transports,
            aaguid: match key.attestation.metadata {
                AttestationMetadata::Packed { aaguid } | AttestationMetadata::Tpm { aaguid, .. } => {
                    Some(aaguid.into_bytes())
                }
                _ => None,
            },
        }
    }
}
