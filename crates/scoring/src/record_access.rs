//! Record access as a signal: rates against ceilings, and what is usual for a person among their peers ([`AccessHabits`]).
//!
//! No public record of clinicians' access exists to fit this to: ceilings are a tenant's policy, and the
//! defaults are a starting point of judgement.

mod habits;
mod peers;
mod tail;

use keyward_domain::{RecordAccess, Signal, SignalKind, SignalStatus};

use crate::observed;

pub use habits::{
    AccessHabits, AccessScore, AccessSession, AccessWindow, EVEN_NATS, InvalidHabits, LLR_A_NAT, PROMISED,
    RECENT_SESSIONS, Rarest,
};
pub use peers::{MIN_PEERS, PeerGroup, Usual};

/// Counts an hour above which access is a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Records read; 240.
    pub reads: u32,
    /// Different patients; 40.
    pub distinct_patients: u32,
    /// Searches; 120.
    pub searches: u32,
    /// Records changed; 120.
    pub changes: u32,
    /// Records exported or printed; 10.
    pub exports: u32,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self { reads: 240, distinct_patients: 40, searches: 120, changes: 120, exports: 10 }
    }
}

/// A shorter window counts as this long, in seconds: five records opened at once are no rate of an hour.
pub const MIN_WINDOW_S: u32 = 900;
/// Nats for reaching a ceiling …
pub const CEILING_LLR: f32 = 0.5;
/// … and for each doubling beyond it.
pub const DOUBLING_LLR: f32 = 1.0;
/// The most that record access says: at twelve times a ceiling.
pub const MAX_RECORD_ACCESS_LLR: f32 = 4.0;

/// What record access says: by how far the count that is furthest above its ceiling exceeds it. It can only
/// accuse. Absent without a window.
pub fn signal(access: &RecordAccess, ceilings: &Ceilings) -> Signal {
    if access.window_s == 0 {
        return Signal::unscored(SignalKind::RecordAccess, SignalStatus::Absent);
    }
    let llr = worst(access, ceilings).map_or(0.0, |(_, times)| CEILING_LLR + DOUBLING_LLR * times.log2());
    observed(SignalKind::RecordAccess, llr.min(MAX_RECORD_ACCESS_LLR))
}

/// The count furthest above its ceiling: its name and its hourly rate in ceilings (at least 1).
pub fn worst(access: &RecordAccess, ceilings: &Ceilings) -> Option<(&'static str, f32)> {
    let hours = access.window_s.max(MIN_WINDOW_S) as f32 / 3600.0;
    [
        ("reads", access.reads, ceilings.reads),
        ("distinct_patients", access.distinct_patients, ceilings.distinct_patients),
        ("searches", access.searches, ceilings.searches),
        ("changes", access.changes, ceilings.changes),
        ("exports", access.exports, ceilings.exports),
    ]
    .into_iter()
    .filter(|(_, count, _)| *count > 0)
    .map(|(name, count, ceiling)| (name, count as f32 / hours / ceiling.max(1) as f32))
    .filter(|(_, times)| *times >= 1.0)
    .max_by(|a, b| a.1.total_cmp(&b.1))
}
