//! A root key and what is derived from it. The root key itself never encrypts or authenticates anything.

use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::bound::encode;
use crate::data_key::KEY_BYTES;

/// Separates what this crate derives from what anything else may derive from the same key.
const DOMAIN: &[u8] = b"keyward-seal/1";

/// A secret of 32 bytes that is wiped when it is dropped.
pub(crate) type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// A root key with its id.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) id: u32,
    pub(crate) secret: Secret,
}

impl Root {
    /// HKDF-SHA-256 expansion. Extraction is left out because a root key is uniformly random (RFC 5869 §3.3).
    pub(crate) fn derive(&self, what: &[&[u8]]) -> Secret {
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, self.secret.as_slice());
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        prk.expand(&[DOMAIN, &encode(what)], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(derived.as_mut_slice()))
            .expect("HKDF-SHA-256 gives up to 8160 bytes, and 32 are asked for");
        derived
    }

    /// The key of HMAC-SHA-256 for this purpose alone.
    pub(crate) fn mac_key(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.derive(&[b"mac", purpose.as_bytes()]).as_slice())
    }
}
