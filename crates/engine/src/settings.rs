//! What an operator may choose.

use std::time::Duration;

use keyward_audit::{NoteSigner, VerifierKey};
use keyward_domain::Outcome;
use keyward_scoring::friction::Budget;
use keyward_scoring::record_access::Ceilings;

/// Settings of the use cases. The defaults are those that the sample configuration documents.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The `iss` of decision tokens.
    pub issuer: String,
    /// How long a telemetry nonce is good for.
    pub nonce_ttl: Duration,
    /// How long a challenge is good for.
    pub ceremony_ttl: Duration,
    /// How long a session is remembered after its last assessment.
    pub session_ttl: Duration,
    /// How long a reply is kept for repetitions of its request.
    pub reply_ttl: Duration,
    /// The window in which attempts that were not allowed are counted.
    pub attempts_window: Duration,
    /// How many of them a person has in a window before only a passkey opens.
    pub attempts_limit: u32,
    /// The same for everyone in one network (/24, /48) together; 0: no limit.
    pub network_attempts_limit: u32,
    /// The same for everyone of a tenant together; 0: no limit.
    pub tenant_attempts_limit: u32,
    /// How often in a week behaviour may cost a person a step-up without need, until unusual typing alone does not ask
    /// for more; 0: no limit.
    pub false_alarms_limit: u32,
    /// Record access above these hourly counts is a burst.
    pub ceilings: Ceilings,
    /// The share of genuine logins that a mature model of typing may alarm.
    pub friction: Budget,
    /// After so many logins, less one, that typing spared a proof in a row, the next is to bring one; 0: never.
    pub typing_proof_every: u32,
    /// The answer when the audit log cannot accept an ALLOW: STEP_UP or DENY.
    pub audit_failure: AuditFailure,
    /// Passkey verifications that may run at the same time.
    pub verify_concurrency: usize,
    /// Learning jobs that may wait; above it, samples are dropped rather than requests slowed.
    pub learning_queue: usize,
    /// Bytes that cached profiles may take.
    pub profile_cache_bytes: u64,
    /// Persons whose keys and known devices are cached.
    pub subject_cache_entries: u64,
}

/// How the audit log is kept.
#[derive(Debug)]
pub struct LogSettings {
    /// Signs checkpoints. The key's name is the log's origin.
    pub signer: NoteSigner,
    /// Keys that signed this log's checkpoints before; the log goes on from one of theirs.
    pub earlier_keys: Vec<VerifierKey>,
    /// Witnesses whose cosignatures are kept.
    pub witnesses: Vec<VerifierKey>,
    /// How often records are integrated into the tree and a checkpoint is signed.
    pub checkpoint_interval: Duration,
    /// How long records are kept; absent: for ever. Their hashes are kept for ever.
    pub retention: Option<Duration>,
}

impl LogSettings {
    /// A log that is kept by this key alone, with a checkpoint a second, for ever.
    pub const fn new(signer: NoteSigner) -> Self {
        let checkpoint_interval = Duration::from_secs(1);
        let retention = None;
        Self { signer, earlier_keys: Vec::new(), witnesses: Vec::new(), checkpoint_interval, retention }
    }
}

/// What an ALLOW becomes when it cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditFailure {
    /// DENY.
    #[default]
    Deny,
    /// STEP_UP without a challenge: the caller shows its own emergency procedure.
    StepUp,
}

impl AuditFailure {
    /// The outcome that stands in for the ALLOW.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Deny => Outcome::Deny,
            Self::StepUp => Outcome::StepUp,
        }
    }
}

impl Default for EngineSettings {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            issuer: "keyward".to_owned(),
            nonce_ttl: minutes(10),
            ceremony_ttl: minutes(5),
            session_ttl: minutes(12 * 60),
            reply_ttl: minutes(10),
            attempts_window: minutes(15),
            attempts_limit: 10,
            network_attempts_limit: 200,
            tenant_attempts_limit: 2000,
            false_alarms_limit: 10,
            ceilings: Ceilings::default(),
            friction: Budget::default(),
            typing_proof_every: 10,
            audit_failure: AuditFailure::default(),
            verify_concurrency: 2,
            learning_queue: 10_000,
            profile_cache_bytes: 64 << 20,
            subject_cache_entries: 100_000,
        }
    }
}
