//! A secret and what is derived from it. No secret here encrypts or authenticates anything itself.

use std::fmt;

use aws_lc_rs::{hkdf, hmac};
use keyward_domain::Entropy;
use zeroize::Zeroizing;

use crate::bound::encode;
use crate::data_key::KEY_BYTES;
use crate::{DataKey, MacKey};

/// Separates what this crate derives from what anything else may derive from the same key.
const DOMAIN: &[u8] = b"keyward-seal/1";

/// A secret of 32 bytes that is wiped when it is dropped.
pub(crate) type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// HKDF-SHA-256 expansion. Extraction is left out because the secret is uniformly random (RFC 5869 §3.3).
fn derive(secret: &Secret, what: &[&[u8]]) -> Secret {
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret.as_slice());
    let mut derived = Zeroizing::new([0; KEY_BYTES]);
    prk.expand(&[DOMAIN, &encode(what)], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(derived.as_mut_slice()))
        .expect("HKDF-SHA-256 gives up to 8160 bytes, and 32 are asked for");
    derived
}

pub(crate) fn fresh(entropy: &dyn Entropy) -> Secret {
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    entropy.fill(secret.as_mut_slice());
    secret
}

/// A root key with its id.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) id: u32,
    pub(crate) secret: Secret,
}

impl Root {
    /// The key that wraps the data keys of one tenant.
    pub(crate) fn wrapping_key(&self, tenant: &str) -> DataKey {
        DataKey::new(self.id, &derive(&self.secret, &[b"wrap", tenant.as_bytes()]))
    }
}

/// What a data key is: 32 random bytes, from which the keys that seal and authenticate are derived. It leaves memory
/// wrapped alone; a provider of keys sees it, and nobody else.
#[derive(Clone)]
pub struct DataSecret(Secret);

impl DataSecret {
    /// Key id within what a data key seals: there is one alone.
    const ID: u32 = 0;

    /// A fresh one. The source must be cryptographic.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(fresh(entropy))
    }

    /// One that a provider unwrapped.
    pub const fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a provider to wrap.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key that seals for one purpose. Whatever it seals is lost when the last wrapped form of the secret is.
    pub fn sealing_key(&self, purpose: &'static str) -> DataKey {
        DataKey::new(Self::ID, &derive(&self.0, &[b"seal", purpose.as_bytes()]))
    }

    /// The key that authenticates for one purpose: nonces, marks of devices and the like.
    pub fn mac_key(&self, purpose: &'static str) -> MacKey {
        let key = derive(&self.0, &[b"mac", purpose.as_bytes()]);
        MacKey::new(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
    }
}

impl fmt::Debug for DataSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataSecret").finish_non_exhaustive()
    }
}
