//! The one place where time and randomness enter the program.

use std::time::{SystemTime, UNIX_EPOCH};

use keyward_domain::{Clock, Entropy, Timestamp};

/// The wall clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the program's edge")]
        let now = SystemTime::now();
        timestamp(now)
    }
}

/// A file's or the system's time as a timestamp; times before 1970 count as 1970.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let micros = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Timestamp { micros: i64::try_from(micros).unwrap_or(i64::MAX) }
}

/// The cryptographic random source of aws-lc.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("aws-lc aborts rather than give no randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now() > Timestamp::from_secs(1_767_225_600));
    }

    #[test]
    fn randomness_differs_from_call_to_call() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemEntropy.fill(&mut a);
        SystemEntropy.fill(&mut b);
        assert_ne!(a, b);
    }
}
