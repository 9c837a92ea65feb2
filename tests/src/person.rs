//! People of the tests: how they type, what they hold, and the questions that a portal asks about them.

use keyward_api::convert::{WireEnum, keystrokes_to_wire};
use keyward_api::v1;
use keyward_domain::{
    ActionKind, DeviceClass, KeystrokeSample, Sensitivity, SubjectId, SubjectKey, TenantId,
};
use keyward_simulate::authenticator::SoftAuthenticator;
use keyward_simulate::typist::Typist;

use crate::world::ORIGIN;

/// The tenant of all tests that need no second one.
pub const TENANT: &str = "st-mary";
/// Keys of the password that everybody types, Enter included.
pub const KEYS: usize = 11;
/// The typist who stands for the owner of an account, and one who stands for somebody else. Chosen so that the verdict
/// is clear: how often verdicts are wrong is measured elsewhere, on recorded people.
const OWNER: u64 = 41;
const SOMEBODY_ELSE: u64 = 8;
/// Where a person's history of typing ends and the present begins, counted in texts typed.
const PRESENT: u64 = 200;
/// Every third text of the history was recorded, so that it spans several days, as logins do: people type a little
/// differently from day to day.
const RECORDED: u64 = 3;

/// A clinician with a passkey.
pub struct Person {
    /// The id.
    pub subject: String,
    /// The authenticator and the browser in front of it.
    pub authenticator: SoftAuthenticator,
    /// Whether the passkey is a security key.
    pub hardware: bool,
}

impl Person {
    /// A person with a synced passkey.
    pub fn new(subject: &str) -> Self {
        Self::with(subject, SoftAuthenticator::new(ORIGIN, Self::seed(subject)), false)
    }

    /// A person with this authenticator.
    pub fn with(subject: &str, authenticator: SoftAuthenticator, hardware: bool) -> Self {
        Self { subject: subject.to_owned(), authenticator, hardware }
    }

    /// The seed of the authenticator of a person (FNV-1a).
    pub fn seed(subject: &str) -> u64 {
        subject
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// A login from the person's own computer in its usual network, with nothing proven and nothing typed.
    pub fn asks(&self, session: &str) -> v1::Assessment {
        v1::Assessment {
            tenant: TENANT.to_owned(),
            subject: self.subject.clone(),
            roles: vec!["clinician".to_owned()],
            session: session.to_owned(),
            device: Some(v1::Device {
                id: format!("computer-of-{}", self.subject),
                device_class: DeviceClass::Personal.number(),
            }),
            action: Some(action(ActionKind::Login, Sensitivity::Routine)),
            client: Some(v1::ClientContext {
                ip: "198.51.100.7".to_owned(),
                recent_failures: 0,
                ..Default::default()
            }),
            ..v1::Assessment::default()
        }
    }
}

/// An action without a patient.
pub fn action(kind: ActionKind, sensitivity: Sensitivity) -> v1::Action {
    v1::Action { kind: kind.number(), sensitivity: sensitivity.number(), in_care_team: None }
}

/// The last `n` recorded texts of the owner's history, oldest first.
pub fn history(n: u64) -> Vec<KeystrokeSample> {
    (1..=n).rev().map(|back| Typist::new(OWNER).type_text(KEYS, PRESENT - RECORDED * back)).collect()
}

/// The owner types the password, for the `n`-th time from now.
pub fn own(n: u64) -> KeystrokeSample {
    Typist::new(OWNER).type_text(KEYS, PRESENT + n)
}

/// Somebody else types the password, for the `n`-th time.
pub fn somebody_elses(n: u64) -> KeystrokeSample {
    Typist::new(SOMEBODY_ELSE).type_text(KEYS, PRESENT + n)
}

/// Telemetry with one text typed under a nonce.
pub fn typed(sample: &KeystrokeSample, nonce: &str) -> v1::Telemetry {
    v1::Telemetry {
        nonce: nonce.to_owned(),
        keystrokes: vec![keystrokes_to_wire(sample)],
        ..v1::Telemetry::default()
    }
}

/// A person as keyward names them.
pub fn subject(person: &Person) -> SubjectKey {
    let id = |text: &str| SubjectId::parse(text).expect("an id");
    SubjectKey { tenant: TenantId::parse(TENANT).expect("an id"), subject: id(&person.subject) }
}
