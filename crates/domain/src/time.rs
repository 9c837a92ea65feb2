//! Time and randomness are arguments: the programs' edges hand them in, tests choose them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub micros: i64,
}

impl Timestamp {
    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self { micros: secs.saturating_mul(1_000_000) }
    }

    /// Whole seconds since the Unix epoch.
    pub const fn secs(self) -> i64 {
        self.micros.div_euclid(1_000_000)
    }

    /// How long ago `earlier` was; zero when it lies ahead (clocks step).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.micros.saturating_sub(earlier.micros)).unwrap_or(0))
    }

    /// This moment moved on by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self { micros: self.micros.saturating_add(by) }
    }
}

/// The wall clock, as an argument.
pub trait Clock: Send + Sync + 'static {
    /// The moment now.
    fn now(&self) -> Timestamp;
}

/// Randomness for ids, nonces and salts, as an argument. In production a cryptographic source.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the bytes with randomness.
    fn fill(&self, bytes: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stepped_back_gives_no_negative_age() {
        let now = Timestamp::from_secs(100);
        assert_eq!(now.since(Timestamp::from_secs(40)), Duration::from_mins(1));
        assert_eq!(now.since(Timestamp::from_secs(160)), Duration::ZERO);
        assert_eq!(now.plus(Duration::from_secs(1)).secs(), 101);
    }
}
