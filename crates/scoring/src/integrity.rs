//! Whether telemetry was recorded, replayed or generated, as a signal.

use keyward_domain::{Signal, SignalKind};

use crate::observed;

/// Telemetry equal or nearly equal to an earlier sample. That a replay types perfectly does not excuse it
/// ([`fuse`](crate::fuse)).
pub const REPLAYED_LLR: f32 = 4.0;
/// Telemetry that no person can have typed.
pub const MACHINE_LIKE_LLR: f32 = 3.5;
/// A nonce that was used before: a recording, or a caller that repeats requests under new ids.
pub const NONCE_REUSED_LLR: f32 = 3.5;
/// A nonce that expired or is not of this session: a page left open, or a recording.
pub const NONCE_STALE_LLR: f32 = 0.7;
/// No nonce: a caller that does not use them, or a recording.
pub const NONCE_MISSING_LLR: f32 = 0.3;

/// The state of the nonce that telemetry was recorded under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nonce {
    /// Ours, of this session, in time, and not used before.
    Fresh,
    /// There is none.
    Missing,
    /// Too old, or not issued for this session.
    Stale,
    /// Used before.
    Reused,
}

/// What integrity says: the strongest of its findings. It can only accuse; without a finding it says 0.
///
/// `replayed`: an exact repetition ([`keyward_features::sample_digest`]) or a near one
/// ([`Scored::is_replay`](crate::Scored::is_replay)). `machine_like`:
/// [`keyward_features::integrity::machine_like`] found a cause.
pub fn signal(replayed: bool, machine_like: bool, nonce: Nonce) -> Signal {
    let nonce = match nonce {
        Nonce::Fresh => 0.0,
        Nonce::Missing => NONCE_MISSING_LLR,
        Nonce::Stale => NONCE_STALE_LLR,
        Nonce::Reused => NONCE_REUSED_LLR,
    };
    let replayed = if replayed { REPLAYED_LLR } else { 0.0 };
    let machine_like = if machine_like { MACHINE_LIKE_LLR } else { 0.0 };
    observed(SignalKind::Integrity, replayed.max(machine_like).max(nonce))
}
