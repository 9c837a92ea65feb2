//! Nonces for telemetry: a time, randomness and a MAC that binds both to tenant and session. Issuing one stores nothing;
//! only its use is remembered, in the hot store, for as long as it could still be used.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyward_domain::{Entropy, SessionId, TelemetryNonce, TenantId, Timestamp};
use keyward_seal::MacKey;

use crate::{IssuedNonce, session};

/// What the key of nonces is for.
pub(crate) const PURPOSE: &str = "telemetry-nonce";
const RANDOM: usize = 12;
const BODY: usize = 8 + RANDOM;
const MAC: usize = 16;

/// Issues a nonce that is good for `ttl` in one session.
pub(crate) fn issue(
    key: &MacKey,
    entropy: &dyn Entropy,
    tenant: &TenantId,
    session: &SessionId,
    now: Timestamp,
    ttl: Duration,
) -> IssuedNonce {
    let mut bytes = [0; BODY + MAC];
    bytes[..8].copy_from_slice(&now.micros.to_be_bytes());
    entropy.fill(&mut bytes[8..BODY]);
    let mac = key.mac(&[tenant.as_str().as_bytes(), session.as_str().as_bytes(), &bytes[..BODY]]);
    bytes[BODY..].copy_from_slice(&mac[..MAC]);
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let nonce = TelemetryNonce::parse(text).expect("base64url of 36 bytes is 48 visible ASCII characters");
    IssuedNonce { nonce, expires_at: now.plus(ttl) }
}

/// Whether a nonce is ours, of this session, and not too old. One that lies ahead, because the clock stepped back, would not
/// age, while that it was used is forgotten in time.
pub(crate) fn is_fresh(
    key: &MacKey,
    nonce: &TelemetryNonce,
    tenant: &TenantId,
    session: &SessionId,
    now: Timestamp,
    ttl: Duration,
) -> bool {
    let mut bytes = [0; BODY + MAC];
    if URL_SAFE_NO_PAD.decode_slice(nonce.as_str(), &mut bytes) != Ok(BODY + MAC) {
        return false;
    }
    let mut micros = [0; 8];
    micros.copy_from_slice(&bytes[..8]);
    let issued = Timestamp { micros: i64::from_be_bytes(micros) };
    let parts = [tenant.as_str().as_bytes(), session.as_str().as_bytes(), &bytes[..BODY]];
    key.verify(&parts, &bytes[BODY..]) && now.since(issued) <= ttl && issued <= now.plus(session::AHEAD)
}
