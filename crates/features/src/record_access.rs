//! Record access as counts by class over working time: what models of it compare.

use keyward_domain::RecordAccess;
use serde::{Deserialize, Serialize};

/// How many classes of counts there are.
pub const ACCESS_CLASSES: usize = 6;

/// Nobody works for longer than this without a checkpoint, in seconds: a session left open all night says nothing of the
/// rate by day.
pub const MAX_ACCESS_S: u32 = 12 * 3600;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessClass {
    /// Records read.
    Reads,
    /// Different patients among them.
    DistinctPatients,
    /// Searches.
    Searches,
    /// Records changed.
    Changes,
    /// Records exported or printed.
    Exports,
    /// Patients of other departments than the person's, or not in their care, where the caller knows.
    OutsideCare,
}

impl AccessClass {
    /// All, in the order of their counts.
    pub const ALL: [Self; ACCESS_CLASSES] = [
        Self::Reads,
        Self::DistinctPatients,
        Self::Searches,
        Self::Changes,
        Self::Exports,
        Self::OutsideCare,
    ];

    /// As reasons and reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::DistinctPatients => "distinct_patients",
            Self::Searches => "searches",
            Self::Changes => "changes",
            Self::Exports => "exports",
            Self::OutsideCare => "outside_care",
        }
    }
}

/// Counts by class over a time: one window, or windows added up.
///
/// Different patients are counted once a window, so that a sum counts who was looked at in two windows twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessCounts {
    counts: [u32; ACCESS_CLASSES],
    seconds: u32,
}

impl AccessCounts {
    /// The counts of one window, at most [`MAX_ACCESS_S`] long.
    pub fn of(access: &RecordAccess) -> Self {
        let RecordAccess { window_s, reads, distinct_patients, searches, changes, exports } = *access;
        Self {
            counts: [reads, distinct_patients, searches, changes, exports, 0],
            seconds: window_s.min(MAX_ACCESS_S),
        }
    }

    /// The same with so many patients outside the person's care.
    #[must_use]
    pub const fn with_outside_care(mut self, patients: u32) -> Self {
        self.counts[ACCESS_CLASSES - 1] = patients;
        self
    }

    /// Both one after the other.
    #[must_use]
    pub fn plus(mut self, later: &Self) -> Self {
        for (count, more) in self.counts.iter_mut().zip(later.counts) {
            *count = count.saturating_add(more);
        }
        self.seconds = self.seconds.saturating_add(later.seconds);
        self
    }

    /// The count of a class.
    pub const fn count(&self, class: AccessClass) -> u32 {
        self.counts[class as usize]
    }

    /// How long, in hours.
    pub fn hours(&self) -> f64 {
        f64::from(self.seconds) / 3600.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stand_in_the_order_of_their_classes() {
        let access = RecordAccess {
            window_s: 1800,
            reads: 1,
            distinct_patients: 2,
            searches: 3,
            changes: 4,
            exports: 5,
        };
        let counts = AccessCounts::of(&access).with_outside_care(6);
        let found: Vec<u32> = AccessClass::ALL.iter().map(|class| counts.count(*class)).collect();
        assert_eq!(found, [1, 2, 3, 4, 5, 6]);
        let twice = counts.plus(&counts);
        assert_eq!((twice.count(AccessClass::Exports), twice.hours()), (10, 1.0));
    }

    #[test]
    fn a_night_left_open_counts_as_a_shift_and_nothing_overflows() {
        let access = RecordAccess { window_s: 86_400, reads: u32::MAX, ..RecordAccess::default() };
        let counts = AccessCounts::of(&access);
        assert!((counts.hours() - 12.0).abs() < 1e-12);
        assert_eq!(counts.plus(&counts).count(AccessClass::Reads), u32::MAX);
    }
}
