//! Typing that came lately, proven or not: what a recording of it is noticed by.
//!
//! A model notices a repetition of what it was trained on. What was typed without a proof never trains, and yet may have
//! been recorded; so the last [`KEPT`] typings of a text are kept beside the model, by the tenth of a millisecond.

use std::collections::VecDeque;

use keyward_features::FixedText;

use crate::keystroke::{is_replay, mean_difference_s, ticks_of_text};

/// How many typings are kept.
pub const KEPT: usize = 32;

/// The last typings of one person's text. Holds behaviour: seal it before it is stored.
#[derive(Clone, Default, PartialEq)]
pub struct Recent {
    typings: VecDeque<Typing>,
}

#[derive(Clone, PartialEq)]
struct Typing {
    /// What the caller tells submissions apart by.
    submission: u64,
    ticks: Box<[i16]>,
}

impl Recent {
    /// Whether this typing repeats one that came before: an exact or a near copy. `except` is a submission that it may equal,
    /// because it is the same one, asked about again.
    pub fn repeats(&self, text: &FixedText, except: Option<u64>) -> bool {
        let (times_s, keys) = (text.times_s(), text.shape().keys());
        let same_text = |typing: &&Typing| typing.ticks.len() == times_s.len();
        self.typings
            .iter()
            .filter(|typing| Some(typing.submission) != except)
            .filter(same_text)
            .any(|typing| is_replay(1e3 * mean_difference_s(times_s, &typing.ticks), keys))
    }

    /// Keeps a typing; the oldest one makes room. A submission is kept once.
    pub fn note(&mut self, text: &FixedText, submission: u64) {
        if self.typings.iter().any(|typing| typing.submission == submission) {
            return;
        }
        if self.typings.len() >= KEPT {
            self.typings.pop_front();
        }
        self.typings.push_back(Typing { submission, ticks: ticks_of_text(text).into() });
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.typings.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.typings.is_empty()
    }

    /// What they take in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.typings.capacity() * size_of::<Typing>()
            + self.typings.iter().map(|typing| size_of_val(&*typing.ticks)).sum::<usize>()
    }
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recent({} typings, redacted)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use keyward_features::fixed_text;
    use keyward_simulate::typist::{Typist, jittered};

    use super::*;

    #[test]
    fn copies_are_noticed_and_the_person_is_not() {
        let mut recent = Recent::default();
        let typist = Typist::new(3);
        for at in 0..20 {
            let sample = typist.type_text(11, at);
            let text = fixed_text(&sample).unwrap();
            assert!(!recent.repeats(&text, None), "{at} was typed anew");
            recent.note(&text, at);
            assert!(recent.repeats(&text, None) && !recent.repeats(&text, Some(at)));
            assert!(recent.repeats(&fixed_text(&jittered(&sample, 1.0, at)).unwrap(), None));
        }
    }

    #[test]
    fn a_submission_is_kept_once_and_the_oldest_makes_room() {
        let mut recent = Recent::default();
        let text = |at| fixed_text(&Typist::new(3).type_text(11, at)).unwrap();
        recent.note(&text(0), 0);
        recent.note(&text(0), 0);
        assert_eq!(recent.len(), 1);
        for at in 1..=KEPT as u64 {
            recent.note(&text(at), at);
        }
        assert_eq!(recent.len(), KEPT);
        assert!(!recent.repeats(&text(0), None), "forgotten");
        assert!(recent.repeats(&text(1), None));
        assert!(!recent.repeats(&fixed_text(&Typist::new(3).type_text(9, 1)).unwrap(), None), "another text");
        assert!(recent.memory_bytes() < 4096);
    }
}
