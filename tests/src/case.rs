//! The form of the cases in `tests/cases`: what a clinician reads, as types. An unknown key or word is an error.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use keyward_domain::{
    Aal, ActionKind, Band, ClaimKind, DeviceClass, Evidence, Obligation, Outcome, ReasonCode, Sensitivity,
};
use serde::Deserialize;
use serde::de::Error as _;

/// A file of cases on one subject.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// What the file is about.
    pub about: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One question with the answer that is right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The case in a sentence; no two are the same.
    pub case: String,
    /// Why the answer is right, where the sentence does not say.
    pub why: Option<String>,
    /// The person's role, or roles.
    pub who: Roles,
    /// What passkey the person has.
    #[serde(default)]
    pub has: Has,
    /// What keyward knows of the person beforehand.
    #[serde(default)]
    pub knows: Knows,
    /// Whether the person's behaviour may be looked at.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// Where the person sits.
    #[serde(default = "personal")]
    pub device: DeviceClass,
    /// What is being done.
    pub action: ActionKind,
    /// How sensitive that is.
    pub sensitivity: Sensitivity,
    /// Whether the patient is in the person's care; left out where the caller does not know.
    pub in_care_team: Option<bool>,
    /// What the caller verified itself, and how long ago.
    #[serde(default)]
    pub claims: BTreeMap<ClaimKind, Age>,
    /// The passkey that is shown.
    #[serde(default)]
    pub passkey: Shown,
    /// What is typed.
    #[serde(default)]
    pub typing: Typing,
    /// The nonce under which it is typed.
    #[serde(default)]
    pub nonce: Nonce,
    /// The justification of a request for emergency access.
    pub break_glass: Option<String>,
    /// Failed attempts that the caller counted just before.
    #[serde(default)]
    pub recent_failures: u32,
    /// Attempts with generated typing that keyward itself answered just before.
    #[serde(default)]
    pub earlier_attempts: u32,
    /// Records opened since the last checkpoint.
    pub records_opened: Option<RecordsOpened>,
    /// Whether session state can be reached.
    #[serde(default)]
    pub hot_store: Health,
    /// Whether the audit log takes records.
    #[serde(default)]
    pub audit_log: Health,
    /// The right answer.
    pub expect: Expect,
}

/// The right answer: what is given here must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// What must happen next.
    pub outcome: Outcome,
    /// What would be enough; always given with `step_up`, and only then.
    pub evidence: Option<Evidence>,
    /// Whether a challenge must be ready; true with `step_up` unless said otherwise.
    pub challenge: Option<bool>,
    /// Reasons that must be among those given.
    #[serde(default)]
    pub reasons: Vec<ReasonCode>,
    /// Reasons that must not.
    #[serde(default)]
    pub not_reasons: Vec<ReasonCode>,
    /// Exactly what the caller must do besides, in any order.
    pub obligations: Option<Vec<Obligation>>,
    /// The band of the risk.
    pub band: Option<Band>,
    /// What is proven.
    pub aal: Option<Aal>,
    /// By which methods, in order.
    pub amr: Option<Vec<String>>,
    /// Policies that must be among those that decided.
    #[serde(default)]
    pub policies: Vec<String>,
    /// What follows when the person answers the challenge.
    pub then_step_up: Option<Outcome>,
    /// The justification given with that answer.
    pub justification: Option<String>,
}

/// One role or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Roles {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// A passkey that a person has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Has {
    /// None.
    #[serde(rename = "no passkey")]
    Nothing,
    /// A synced one.
    #[default]
    #[serde(rename = "passkey")]
    Passkey,
    /// A security key.
    #[serde(rename = "security key")]
    SecurityKey,
}

/// Whether behaviour may be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Behaviour {
    /// It may.
    #[default]
    #[serde(rename = "looked at")]
    LookedAt,
    /// The person opted out.
    #[serde(rename = "opted out")]
    OptedOut,
}

/// What keyward knows beforehand.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knows {
    /// How well it knows the person's typing.
    #[serde(default)]
    pub typing: History,
    /// Whether it has seen the person on this device and in this network.
    #[serde(default)]
    pub place: Place,
}

/// How well typing is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// Not at all.
    #[default]
    None,
    /// From 5 samples.
    Learning,
    /// From 20 samples.
    Provisional,
    /// From 50 samples.
    Mature,
}

/// Where the person was seen before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Place {
    /// On this device and in this network.
    #[default]
    #[serde(rename = "known")]
    Known,
    /// In this network on another device.
    #[serde(rename = "new device")]
    NewDevice,
    /// On this device in another network.
    #[serde(rename = "new network")]
    NewNetwork,
    /// Nowhere.
    #[serde(rename = "new")]
    New,
}

/// What is typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Typing {
    /// Nothing.
    #[default]
    #[serde(rename = "none")]
    None,
    /// The person types.
    #[serde(rename = "own")]
    Own,
    /// Another person types the same text.
    #[serde(rename = "someone else")]
    SomeoneElse,
    /// A recording of the person's typing is sent again.
    #[serde(rename = "replayed")]
    Replayed,
    /// The same with noise of two milliseconds on each time.
    #[serde(rename = "replayed with jitter")]
    ReplayedWithJitter,
    /// A script types at even intervals.
    #[serde(rename = "by a script")]
    Script,
    /// The text is pasted.
    #[serde(rename = "pasted")]
    Pasted,
    /// A password manager fills the field.
    #[serde(rename = "autofilled")]
    Autofilled,
    /// The person types a text of another length.
    #[serde(rename = "other length")]
    OtherLength,
    /// The person types and corrects a key.
    #[serde(rename = "corrected")]
    Corrected,
}

/// The nonce under which telemetry was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Nonce {
    /// As it should be.
    #[default]
    #[serde(rename = "valid")]
    Valid,
    /// None.
    #[serde(rename = "missing")]
    Missing,
    /// One that was used already.
    #[serde(rename = "reused")]
    Reused,
    /// One of eleven minutes ago.
    #[serde(rename = "stale")]
    Stale,
    /// One of another session.
    #[serde(rename = "of another session")]
    OtherSession,
}

/// Records opened.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsOpened {
    /// How many.
    pub reads: u32,
    /// Within which time.
    pub within: Age,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It does.
    #[default]
    Up,
    /// It does not.
    Down,
}

/// The passkey that is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shown {
    /// None.
    #[default]
    None,
    /// With this very question: `in this call`, or `in this call, …` and what is wrong with it.
    Now(Option<Flaw>),
    /// Earlier in the session: `2h ago in this session`.
    Earlier(Age),
}

/// What is wrong with an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nobody's PIN or finger was checked.
    Unverified,
    /// The signature is spoilt.
    Forged,
    /// It is a colleague's.
    Colleague,
    /// Its challenge came with other telemetry.
    OtherTyping,
    /// It was spent before.
    Spent,
    /// Its challenge was given in another session.
    OtherSession,
    /// Its counter lies behind the one seen last.
    CounterBehind,
    /// It was copied to other devices since its last use, or is no longer there.
    BackupChanged,
}

const FLAWS: [(&str, Flaw); 8] = [
    ("without user verification", Flaw::Unverified),
    ("forged", Flaw::Forged),
    ("of a colleague", Flaw::Colleague),
    ("made for other typing", Flaw::OtherTyping),
    ("spent before", Flaw::Spent),
    ("made in another session", Flaw::OtherSession),
    ("with its counter behind", Flaw::CounterBehind),
    ("with its backup state changed", Flaw::BackupChanged),
];

impl Shown {
    fn parse(text: &str) -> Option<Self> {
        if let Some(age) = text.strip_suffix(" ago in this session") {
            return Age::parse(age).map(Self::Earlier);
        }
        match text.strip_prefix("in this call") {
            Some("") => Some(Self::Now(None)),
            Some(flaw) => {
                let flaw = flaw.strip_prefix(", ")?;
                FLAWS.iter().find(|(words, _)| *words == flaw).map(|(_, flaw)| Self::Now(Some(*flaw)))
            }
            None => (text == "none").then_some(Self::None),
        }
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no way to show a passkey")))
    }
}

/// A length of time: a number with `s`, `m` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(pub Duration);

impl Age {
    fn parse(text: &str) -> Option<Self> {
        let unit_s = match text.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        let n: u64 = text[..text.len() - 1].parse().ok()?;
        Some(Self(Duration::from_secs(n * unit_s)))
    }
}

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is no time such as 30s, 5m or 2h")))
    }
}

impl Roles {
    /// The names.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::One(role) => vec![role.clone()],
            Self::Several(roles) => roles.clone(),
        }
    }
}

impl History {
    /// How many samples it is made from.
    pub const fn samples(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Learning => 5,
            Self::Provisional => 20,
            Self::Mature => 50,
        }
    }
}

fn personal() -> DeviceClass {
    DeviceClass::Personal
}

/// Reads a file of cases.
///
/// # Errors
/// With line and column, what is wrong with it.
pub fn read(text: &str) -> Result<Cases, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// Reads every file of a folder, in the order of their names.
pub fn read_all(dir: &Path) -> Vec<(String, Cases)> {
    let entries = std::fs::read_dir(dir).expect("the folder of cases");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let named = files.iter().map(|file| {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let cases = read(&std::fs::read_to_string(file).expect("a text"));
        let cases = cases.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (name, cases)
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str =
        "about: x\ncases:\n  - case: c\n    who: nurse\n    action: login\n    sensitivity: routine\n";

    fn with(line: &str) -> Result<Cases, String> {
        read(&format!("{CASE}    {line}\n    expect: {{ outcome: allow }}\n"))
    }

    #[test]
    fn words_are_read_and_unknown_ones_refused() {
        assert!(with("typing: someone else").is_ok());
        assert!(with("typing: somebody else").is_err());
        assert!(with("claims: { password: 1m, single_sign_on: 2h }").is_ok());
        assert!(with("claims: { pasword: 1m }").is_err());
        assert!(with("claims: { password: 1 minute }").is_err());
        let error = with("typig: own").expect_err("an unknown key");
        assert!(error.contains("typig"), "{error}");
    }

    #[test]
    fn ways_to_show_a_passkey() {
        assert_eq!(Shown::parse("none"), Some(Shown::None));
        assert_eq!(Shown::parse("in this call"), Some(Shown::Now(None)));
        assert_eq!(Shown::parse("in this call, forged"), Some(Shown::Now(Some(Flaw::Forged))));
        assert_eq!(
            Shown::parse("2h ago in this session"),
            Some(Shown::Earlier(Age(Duration::from_hours(2))))
        );
        for wrong in ["", "in this call,", "in this call, stolen", "2 hours ago in this session", "yes"] {
            assert_eq!(Shown::parse(wrong), None, "{wrong}");
        }
    }
}
