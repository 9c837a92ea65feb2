//! What was asked and answered in a person's name, so that she can say "this was not me". The log at keyward is the record;
//! this is the portal's own short memory, for the person's page.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyward_api::v1;
use serde::Serialize;

use crate::people::Person;

/// Entries kept for each person.
const KEPT: usize = 50;

/// One answer.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// keyward's decision.
    pub decision: String,
    /// Seconds since 1970.
    pub at_s: i64,
    /// What was being done, in words.
    pub what: String,
    /// `allow`, `step_up` or `deny`.
    pub outcome: &'static str,
    /// The kind of device.
    pub device: &'static str,
    /// Whether it came from the browser that asks for the list.
    pub here: bool,
    /// Whether it was reported as somebody else's.
    pub reported: bool,
    #[serde(skip)]
    session: String,
}

/// Everybody's entries.
#[derive(Default)]
pub struct Activity {
    entries: Mutex<HashMap<&'static str, VecDeque<Entry>>>,
}

impl Activity {
    fn entries(&self) -> MutexGuard<'_, HashMap<&'static str, VecDeque<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an answer.
    pub fn note(
        &self,
        person: &Person,
        session: &str,
        device: v1::DeviceClass,
        what: String,
        answer: &v1::Decision,
    ) {
        let entry = Entry {
            decision: answer.id.clone(),
            at_s: answer.decided_at.map_or(0, |at| at.seconds),
            what,
            outcome: outcome(answer),
            device: device_words(device),
            here: false,
            reported: false,
            session: session.to_owned(),
        };
        let mut entries = self.entries();
        let mine = entries.entry(person.id).or_default();
        mine.push_front(entry);
        mine.truncate(KEPT);
    }

    /// A person's entries, newest first.
    pub fn of(&self, person: &Person, session: &str) -> Vec<Entry> {
        let entries = self.entries();
        let mine = entries.get(person.id).into_iter().flatten();
        mine.map(|entry| Entry { here: entry.session == session, ..entry.clone() }).collect()
    }

    /// Marks a decision as somebody else's. Whether it is one of this person's.
    pub fn report(&self, person: &Person, decision: &str) -> bool {
        let mut entries = self.entries();
        let mine = entries.get_mut(person.id).into_iter().flatten();
        let mut found = mine.filter(|entry| entry.decision == decision);
        found.next().map(|entry| entry.reported = true).is_some()
    }
}

/// The outcome as the pages call it. What is not known counts as a denial, as the contract says.
pub fn outcome(decision: &v1::Decision) -> &'static str {
    match decision.outcome() {
        v1::Outcome::Allow => "allow",
        v1::Outcome::StepUp => "step_up",
        v1::Outcome::Deny | v1::Outcome::Unspecified => "deny",
    }
}

fn device_words(class: v1::DeviceClass) -> &'static str {
    match class {
        v1::DeviceClass::SharedWorkstation => "Shared workstation",
        v1::DeviceClass::Phone => "Phone",
        v1::DeviceClass::Kiosk => "Kiosk",
        v1::DeviceClass::Vdi => "Remote desktop",
        v1::DeviceClass::Personal | v1::DeviceClass::Unspecified => "Own computer",
    }
}
