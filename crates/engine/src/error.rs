//! Why a use case failed. The API turns these into statuses, in one place.

/// Why a use case failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Unknown, used or expired, or another person's or session's.
    #[error("the ceremony is unknown, used, expired or not of this person and session")]
    CeremonyUnknown,
    /// The passkey response did not verify.
    #[error("the passkey response did not verify: {cause}")]
    PasskeyRejected {
        /// A stable name.
        cause: &'static str,
    },
    /// The passkey is registered already.
    #[error("the passkey is registered already")]
    PasskeyExists,
    /// There is no such passkey.
    #[error("there is no such passkey")]
    PasskeyNotFound,
    /// There is nothing of that kind under that name.
    #[error("there is no such {kind}")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
    },
    /// The request id came before with other contents.
    #[error("the request id was used before with other contents")]
    RequestIdReused,
    /// Another call changed the same thing.
    #[error("another call changed the same thing")]
    Conflict,
    /// A store that the call cannot do without does not answer.
    #[error("the {store} store does not answer")]
    StoreUnavailable {
        /// `durable` or `hot`.
        store: &'static str,
    },
    /// The key that a person's data is sealed under cannot be used. Nobody makes another one instead.
    #[error("the data key cannot be unwrapped: {cause}")]
    KeyUnavailable {
        /// `missing_key`, `damaged` or `provider`.
        cause: &'static str,
    },
    /// The person opted out of behaviour, and it was asked to be learned.
    #[error("the person opted out of behaviour")]
    OptedOut,
    /// A cosignature is not one of a known witness under a checkpoint of this log.
    #[error("the cosignature was refused: {cause}")]
    CosignatureRefused {
        /// A stable name.
        cause: &'static str,
    },
    /// As many watch the log as may.
    #[error("too many watch the log")]
    TooManyWatches,
    /// A watcher of the log did not keep up.
    #[error("the watcher did not keep up with the log")]
    WatchLagged,
    /// No attestation roots are configured.
    #[error("hardware-bound passkeys cannot be registered: no attestation roots are configured")]
    HardwareUnavailable,
    /// No time was left.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// A fault of ours, or damaged data.
    #[error("internal fault: {0}")]
    Internal(String),
}
