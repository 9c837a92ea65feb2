//! Keys that authenticate.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::bound::encode;

/// The shortest part of a MAC that is taken for one, in bytes (RFC 2104 §5: half the hash).
const SHORTEST: usize = 16;

/// Authenticates for one purpose, with HMAC-SHA-256. Made by a [`DataSecret`](crate::DataSecret), once: deriving it costs
/// more than using it.
pub struct MacKey(hmac::Key);

impl MacKey {
    pub(crate) const fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// The MAC over the parts, in order, with their lengths.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.0, &encode(parts)).as_ref());
        mac
    }

    /// Whether the key gave this [`MacKey::mac`], or its first 16 bytes or more. The comparison takes the same time
    /// wherever they differ.
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        let given = self.mac(parts);
        let compared = given.get(..mac.len()).filter(|given| given.len() >= SHORTEST);
        compared.is_some_and(|given| verify_slices_are_equal(given, mac).is_ok())
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacKey").finish_non_exhaustive()
    }
}
