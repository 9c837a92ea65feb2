//! Keys that authenticate.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::bound::encode;

/// The shortest part of a MAC that is taken for one, in bytes (RFC 2104 §5: half the hash).
const SHORTEST: usize = 16;

/// Authenticates for one purpose, with HMAC-SHA-256. Made by a [`KeyRing`](crate::KeyRing), once: deriving it costs
/// more than using it.
///
/// INVARIANT: never empty; the first key gives, every key verifies.
pub struct MacKey {
    keys: Vec<hmac::Key>,
}

impl MacKey {
    pub(crate) fn new(keys: impl IntoIterator<Item = hmac::Key>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// The MAC over the parts, in order, with their lengths.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.keys[0], &encode(parts)).as_ref());
        mac
    }

    /// Whether some key of the ring gave this [`MacKey::mac`], or its first 16 bytes or more. The comparison takes
    /// the same time wherever they differ.
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        let encoded = encode(parts);
        let gave = |key: &hmac::Key| {
            let given = hmac::sign(key, &encoded);
            given.as_ref().get(..mac.len()).is_some_and(|given| verify_slices_are_equal(given, mac).is_ok())
        };
        mac.len() >= SHORTEST && self.keys.iter().any(gave)
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacKey").finish_non_exhaustive()
    }
}
