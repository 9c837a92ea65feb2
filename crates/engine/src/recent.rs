//! What was typed lately, proven or not, so that a recording of it is noticed in whichever session it is sent.
//!
//! Kept in this process's memory alone: another replica does not know it, and a restart forgets it. What trained a profile
//! is noticed by the profile in any case.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use keyward_domain::{SubjectKey, TelemetryHash};
use keyward_features::FixedText;
use keyward_scoring::recent::Recent;
use moka::sync::Cache;

/// The most texts of a person; labels are the caller's, and must not fill memory.
const TEXTS: usize = 8;
/// What a person weighs at least, in bytes.
const LEAST_BYTES: u32 = 4096;

type Texts = Arc<Mutex<BTreeMap<String, Recent>>>;

/// The last typings of everybody who came by lately.
pub(crate) struct LatelyTyped(Cache<SubjectKey, Texts>);

impl LatelyTyped {
    /// Of so many persons at most; whoever was not seen for longest is forgotten.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Cache::builder().weigher(|_, _: &Texts| LEAST_BYTES).max_capacity(bytes).build())
    }

    /// Whether a typing repeats an earlier one. `same` is the telemetry that it came with, where that was judged before: the
    /// same submission, asked about again, is no repetition.
    pub(crate) fn repeats(
        &self,
        who: &SubjectKey,
        name: &str,
        text: &FixedText,
        same: Option<&TelemetryHash>,
    ) -> bool {
        self.0.get(who).is_some_and(|texts| {
            let texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.get(name).is_some_and(|recent| recent.repeats(text, same.map(submission)))
        })
    }

    /// Keeps a typing.
    pub(crate) fn note(&self, who: &SubjectKey, name: String, text: &FixedText, telemetry: &TelemetryHash) {
        let texts = self.0.get_with(who.clone(), Texts::default);
        let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() < TEXTS || texts.contains_key(&name) {
            texts.entry(name).or_default().note(text, submission(telemetry));
        }
    }

    /// Forgets a person.
    pub(crate) fn forget(&self, who: &SubjectKey) {
        self.0.invalidate(who);
    }
}

fn submission(telemetry: &TelemetryHash) -> u64 {
    let first: [u8; 8] = std::array::from_fn(|at| telemetry.0[at]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use keyward_domain::{SubjectId, TenantId};
    use keyward_features::fixed_text;
    use keyward_simulate::typist::Typist;

    use super::*;

    #[test]
    fn a_recording_is_noticed_until_its_owner_is_forgotten() {
        let lately = LatelyTyped::new(1 << 20);
        let who = |name: &str| SubjectKey {
            tenant: TenantId::parse("t").unwrap(),
            subject: SubjectId::parse(name).unwrap(),
        };
        let text = fixed_text(&Typist::new(1).type_text(11, 1)).unwrap();
        let (first, second) = (TelemetryHash([1; 32]), TelemetryHash([2; 32]));
        lately.note(&who("a"), "password".to_owned(), &text, &first);
        let repeats = |who: &SubjectKey, name: &str, same| lately.repeats(who, name, &text, same);
        assert!(repeats(&who("a"), "password", None) && repeats(&who("a"), "password", Some(&second)));
        assert!(!repeats(&who("a"), "password", Some(&first)), "the same submission");
        assert!(!repeats(&who("a"), "pin", None) && !repeats(&who("b"), "password", None));
        for at in 0..20 {
            lately.note(&who("a"), format!("label-{at}"), &text, &second);
        }
        assert!(repeats(&who("a"), "label-6", None) && !repeats(&who("a"), "label-7", None));
        lately.forget(&who("a"));
        assert!(!repeats(&who("a"), "password", None));
    }
}
