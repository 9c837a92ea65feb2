//! Spares callers the wait for a server that has just failed others.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many failures in a row mean that the server is down.
const FAILURES: u32 = 3;
/// While it is down, one call in this time is let through to see whether it is back.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// Counts failures in a row. Its clock is monotonic: wall clocks step.
#[derive(Debug)]
pub(crate) struct Breaker {
    begun: Instant,
    failures: AtomicU32,
    /// Milliseconds since `begun` from which on the next probe may go.
    probe_from_ms: AtomicU64,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), failures: AtomicU32::new(0), probe_from_ms: AtomicU64::new(0) }
    }

    /// Whether a call may go to the server now.
    pub(crate) fn admits(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) < FAILURES {
            return true;
        }
        let now = self.now_ms();
        let from = self.probe_from_ms.load(Ordering::Relaxed);
        // One of those that come at the same time wins.
        now >= from && self.advance(from, now)
    }

    pub(crate) fn answered(&self) {
        // A store in every call would make the cores fight over the line.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a failure; true when the server counts as down.
    pub(crate) fn failed(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures == FAILURES {
            self.probe_from_ms.store(self.now_ms() + millis(PROBE_EVERY), Ordering::Relaxed);
        }
        failures >= FAILURES
    }

    fn advance(&self, from: u64, now: u64) -> bool {
        let next = now + millis(PROBE_EVERY);
        self.probe_from_ms.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn now_ms(&self) -> u64 {
        millis(self.begun.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_down_is_probed_by_one_call_at_a_time() {
        let breaker = Breaker::new();
        assert!(!breaker.failed() && !breaker.failed() && breaker.admits());
        assert!(breaker.failed());
        assert!(!breaker.admits(), "just failed");
        breaker.probe_from_ms.store(0, Ordering::Relaxed);
        assert!(breaker.admits(), "the probe");
        assert!(!breaker.admits(), "no second one beside it");
        breaker.answered();
        assert!(breaker.admits() && breaker.admits());
    }
}
