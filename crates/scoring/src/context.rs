//! Device, network and recent failures as a signal.
//!
//! The weights are judgement, not measurement: no public record of clinicians' logins exists to fit them to.
//! They are chosen so that a new device and a new network together stay MEDIUM, and failures on top of them
//! reach HIGH.

use keyward_domain::{Signal, SignalKind, SignalStatus};

use crate::observed;

/// A device that this person used before.
pub const KNOWN_DEVICE_LLR: f32 = -0.5;
/// A device that this person never used.
pub const NEW_DEVICE_LLR: f32 = 1.0;
/// A network that this person used before.
pub const KNOWN_NETWORK_LLR: f32 = -0.25;
/// A network that this person never used.
pub const NEW_NETWORK_LLR: f32 = 0.4;
/// Each failure that the caller counted just before.
pub const FAILURE_LLR: f32 = 0.35;
/// Each attempt in the running window beyond the first two, whatever became of it.
pub const ATTEMPT_LLR: f32 = 0.2;
/// The most that failures and attempts say together.
pub const MAX_FAILURES_LLR: f32 = 2.0;
/// A journey that cannot have been made (`travel`). With everything else as usual the risk is MEDIUM.
pub const TRAVEL_LLR: f32 = 2.0;
/// So many attempts are ordinary: a login and its repetition.
const FREE_ATTEMPTS: u32 = 2;

/// What device, network and attempts say. `None` for what is not known; absent when nothing at all is known.
///
/// `recent_failures` is the caller's count, `attempts` keyward's own of the running window before this one.
pub fn signal(
    device_known: Option<bool>,
    network_known: Option<bool>,
    recent_failures: u32,
    attempts: u32,
) -> Signal {
    let known = device_known.is_some() || network_known.is_some();
    if !known && recent_failures == 0 && attempts == 0 {
        return Signal::unscored(SignalKind::Context, SignalStatus::Absent);
    }
    let place = weigh(device_known, KNOWN_DEVICE_LLR, NEW_DEVICE_LLR)
        + weigh(network_known, KNOWN_NETWORK_LLR, NEW_NETWORK_LLR);
    let tries =
        FAILURE_LLR * count(recent_failures) + ATTEMPT_LLR * count(attempts.saturating_sub(FREE_ATTEMPTS));
    observed(SignalKind::Context, place + tries.min(MAX_FAILURES_LLR))
}

/// The same with a journey that cannot have been made.
#[must_use]
pub fn after_impossible_journey(signal: &Signal) -> Signal {
    observed(SignalKind::Context, signal.llr + TRAVEL_LLR)
}

fn weigh(known: Option<bool>, if_known: f32, if_new: f32) -> f32 {
    known.map_or(0.0, |known| if known { if_known } else { if_new })
}

fn count(n: u32) -> f32 {
    n.min(1_000) as f32
}
