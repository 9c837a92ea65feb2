//! What the engine tells of itself: metrics are the program's business.

use std::time::Duration;

use keyward_domain::{Decision, Maturity};

/// A stage of an assessment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading hot state, keys and profiles.
    Read,
    /// Verifying a passkey assertion.
    Verify,
    /// Features, scoring and policy.
    Decide,
    /// Waiting for the audit log.
    Audit,
    /// Writing hot state back.
    Write,
}

impl Stage {
    /// Every stage, in the order of the enum.
    pub const ALL: [Self; 5] = [Self::Read, Self::Verify, Self::Decide, Self::Audit, Self::Write];

    /// The stable name, as metrics label it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Verify => "verify",
            Self::Decide => "decide",
            Self::Audit => "audit",
            Self::Write => "write",
        }
    }
}

/// How far the audit log's newest checkpoint is behind its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogBehind {
    /// The age of the checkpoint. It grows while nothing is appended; zero before the first one.
    pub checkpoint_age: Duration,
    /// How many records are not in it yet.
    pub records: u64,
    /// How long the oldest of them has waited; zero when there are none.
    pub longest_wait: Duration,
}

/// Receives what happens. Every method must be cheap and must not block.
pub trait Observer: Send + Sync + 'static {
    /// A stage took this long.
    fn stage(&self, _stage: Stage, _took: Duration) {}
    /// A decision leaves.
    fn decision(&self, _decision: &Decision) {}
    /// A store answered, or did not.
    fn store(&self, _store: &'static str, _up: bool) {}
    /// A profile was trained.
    fn trained(&self, _maturity: Maturity, _took: Duration) {}
    /// How far the audit log's newest checkpoint is behind its records.
    fn log(&self, _behind: LogBehind) {}
    /// Learning jobs that wait, and whether one was dropped just now.
    fn learning(&self, _waiting: usize, _dropped: bool) {}
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
