//! What an authenticator says of itself, as a signal.

use keyward_domain::{Signal, SignalKind};

use crate::observed;

/// A signature counter that did not advance: the authenticator may have been cloned (WebAuthn Level 3
/// §6.1.1).
pub const COUNTER_REGRESSED_LLR: f32 = 3.0;
/// A backup state other than at the last use: a key that began or ceased to be synchronised.
pub const BACKUP_CHANGED_LLR: f32 = 0.7;

/// What an authenticator's counter and backup state say. Both in order say 0: a factor is not weighed here.
pub fn signal(counter_regressed: bool, backup_changed: bool) -> Signal {
    let counter = if counter_regressed { COUNTER_REGRESSED_LLR } else { 0.0 };
    let backup = if backup_changed { BACKUP_CHANGED_LLR } else { 0.0 };
    observed(SignalKind::Authenticator, counter + backup)
}
