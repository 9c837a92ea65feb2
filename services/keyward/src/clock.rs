//! The one place where time and randomness enter the program.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use keyward_domain::{Clock, Entropy, Timestamp};
use zeroize::{Zeroize, Zeroizing};

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

/// The cryptographic random source of aws-lc, drawn from by the block: an assessment takes a handful of short draws, and
/// each draw of its own costs as much as a block.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

/// Bytes drawn at once, a thread.
const BLOCK: usize = 1024;

/// Random bytes of one thread that nobody was given yet; those that were are gone from it. This program never forks, which
/// would give two processes the same block.
struct Block {
    bytes: Zeroizing<[u8; BLOCK]>,
    left: usize,
}

thread_local! {
    static DRAWN: RefCell<Block> = RefCell::new(Block { bytes: Zeroizing::new([0; BLOCK]), left: 0 });
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > BLOCK {
            draw(bytes);
        } else {
            DRAWN.with_borrow_mut(|block| block.give(bytes));
        }
    }
}

impl Block {
    fn give(&mut self, bytes: &mut [u8]) {
        if self.left < bytes.len() {
            draw(self.bytes.as_mut_slice());
            self.left = BLOCK;
        }
        let given = &mut self.bytes[self.left - bytes.len()..self.left];
        bytes.copy_from_slice(given);
        given.zeroize();
        self.left -= bytes.len();
    }
}

fn draw(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("aws-lc aborts rather than give no randomness");
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

    #[test]
    fn no_byte_of_a_block_is_given_twice_or_left_behind() {
        let mut drawn = std::collections::HashSet::new();
        for _ in 0..4 * BLOCK / 16 {
            let mut sixteen = [0; 16];
            SystemEntropy.fill(&mut sixteen);
            assert!(drawn.insert(sixteen));
        }
        DRAWN.with_borrow(|block| assert!(block.bytes[block.left..].iter().all(|byte| *byte == 0)));
        let mut long = vec![0; BLOCK + 1];
        SystemEntropy.fill(&mut long);
        assert!(long[BLOCK - 16..].iter().any(|byte| *byte != 0));
    }
}
