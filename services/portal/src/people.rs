//! The people of St Mary Telehealth, who are fictional. What a portal would read from its staff directory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};

use crate::visit::random_id;

/// The password of everybody here: the text of the CMU keystroke benchmark, so that recordings of it can be replayed against
/// the portal. Real people have their own.
pub const DEMO_PASSWORD: &str = ".tie5Roanl";

/// A member of staff.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// The staff id: what is typed at sign-in, and the subject at keyward.
    pub id: &'static str,
    /// The name.
    pub name: &'static str,
    /// What the person does, in words.
    pub title: &'static str,
    /// The roles that keyward's policies speak of.
    pub roles: &'static [&'static str],
    /// The number on the badge, which the reader of a shared workstation types.
    pub badge: &'static str,
}

/// Everybody.
pub static STAFF: [Person; 7] = [
    Person {
        id: "amara.osei",
        name: "Dr. Amara Osei",
        title: "Internal medicine",
        roles: &["clinician"],
        badge: "40217765",
    },
    Person {
        id: "jonas.lindqvist",
        name: "Dr. Jonas Lindqvist",
        title: "Cardiology",
        roles: &["clinician"],
        badge: "40217911",
    },
    Person {
        id: "mei.tanaka",
        name: "Dr. Mei Tanaka",
        title: "Psychiatry",
        roles: &["clinician"],
        badge: "40218002",
    },
    Person { id: "rosa.delgado", name: "Rosa Delgado", title: "Nurse", roles: &["nurse"], badge: "40218340" },
    Person {
        id: "samuel.brandt",
        name: "Samuel Brandt",
        title: "Nurse",
        roles: &["nurse"],
        badge: "40218355",
    },
    Person {
        id: "femi.adeyemi",
        name: "Femi Adeyemi",
        title: "Front desk",
        roles: &["front_desk"],
        badge: "40219127",
    },
    Person {
        id: "ines.hartmann",
        name: "Ines Hartmann",
        title: "Security officer",
        roles: &["administrator"],
        badge: "40210008",
    },
];

/// Failed passwords are counted for so long.
const FAILURES_FOR: Duration = Duration::from_mins(15);
/// Counts kept at once.
const MOST_COUNTS: usize = 10_000;
/// The most that the contract lets a caller say.
const MOST_FAILURES: u32 = 1_000;

impl Person {
    /// Whether the pages for officers are hers. What she may do there is keyward's to say.
    pub fn is_officer(&self) -> bool {
        self.roles.contains(&"administrator")
    }

    /// Who has this staff id.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        STAFF.iter().find(|person| person.id == id.trim())
    }

    /// Whose badge this is.
    pub fn by_badge(badge: &str) -> Option<&'static Self> {
        STAFF.iter().find(|person| person.badge == badge.trim())
    }
}

/// Passwords, codes for the first passkey, and failures.
pub struct Directory {
    hashes: HashMap<&'static str, String>,
    codes: Mutex<HashMap<&'static str, String>>,
    failures: Mutex<HashMap<(String, IpAddr), (u32, Instant)>>,
}

/// A hash that nobody's password has, so that unknown names take as long as known ones.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash(&random_id()));

impl Directory {
    /// Everybody with the demonstration's password, each under a salt of their own, and a code for the first passkey.
    pub fn seeded() -> Self {
        Self {
            hashes: STAFF.iter().map(|person| (person.id, hash(DEMO_PASSWORD))).collect(),
            codes: Mutex::new(STAFF.iter().map(|person| (person.id, new_code())).collect()),
            failures: Mutex::default(),
        }
    }

    /// Whose password this is. Takes long on purpose: not to be called on the runtime's own threads.
    ///
    /// # Panics
    /// Never: the hashes are made here.
    pub fn check_password(&self, id: &str, password: &str) -> Option<&'static Person> {
        let person = Person::by_id(id);
        let hash = person.and_then(|person| self.hashes.get(person.id)).unwrap_or(&NOBODY);
        let hash = PasswordHash::new(hash).expect("hashes are made here");
        let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        person.filter(|_| right)
    }

    /// Counts a failed password.
    pub fn failed(&self, id: &str, ip: IpAddr) {
        let mut failures = lock(&self.failures);
        if failures.len() >= MOST_COUNTS {
            failures.clear();
        }
        let now = Instant::now();
        let count = failures.entry((id.trim().to_owned(), ip)).or_insert((0, now));
        *count = if fresh(count.1, now) { (count.0.saturating_add(1), now) } else { (1, now) };
    }

    /// How many passwords failed just before.
    pub fn failures(&self, id: &str, ip: IpAddr) -> u32 {
        let failures = lock(&self.failures);
        let count = failures.get(&(id.trim().to_owned(), ip)).filter(|(_, at)| fresh(*at, Instant::now()));
        count.map_or(0, |(count, _)| (*count).min(MOST_FAILURES))
    }

    /// Forgets failures, after a sign-in.
    pub fn forgive(&self, id: &str, ip: IpAddr) {
        lock(&self.failures).remove(&(id.to_owned(), ip));
    }

    /// The code that is handed to a person for the first passkey, if one is open.
    pub fn code(&self, person: &Person) -> Option<String> {
        lock(&self.codes).get(person.id).cloned()
    }

    /// Makes a new code, for someone who lost every passkey.
    pub fn renew_code(&self, person: &'static Person) -> String {
        let code = new_code();
        lock(&self.codes).insert(person.id, code.clone());
        code
    }

    /// Whether this is the person's open code.
    pub fn is_code(&self, person: &Person, given: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        let given = given.trim().to_uppercase();
        lock(&self.codes).get(person.id).is_some_and(|code| code.as_bytes().ct_eq(given.as_bytes()).into())
    }

    /// A code opens once.
    pub fn spend_code(&self, person: &Person) {
        lock(&self.codes).remove(person.id);
    }
}

fn fresh(at: Instant, now: Instant) -> bool {
    now.duration_since(at) < FAILURES_FOR
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash(password: &str) -> String {
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).expect("aws-lc aborts rather than give no randomness");
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .expect("the default parameters are sound")
        .to_string()
}

/// Ten characters that are not mistaken for one another, fifty bits.
fn new_code() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut bytes = [0; 10];
    aws_lc_rs::rand::fill(&mut bytes).expect("aws-lc aborts rather than give no randomness");
    let code: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    format!("{}-{}", &code[..5], &code[5..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_told_apart_and_stored_as_argon2id() {
        let directory = Directory::seeded();
        assert_eq!(directory.check_password("amara.osei", DEMO_PASSWORD), Person::by_id("amara.osei"));
        assert_eq!(directory.check_password("amara.osei", ".tie5roanl"), None);
        assert_eq!(directory.check_password("nobody", DEMO_PASSWORD), None);
        let hashes: Vec<&String> = directory.hashes.values().collect();
        assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$")));
        assert_ne!(hashes[0], hashes[1], "each has a salt of its own");
    }

    #[test]
    fn a_code_opens_once() {
        let directory = Directory::seeded();
        let amara = Person::by_id("amara.osei").unwrap();
        let code = directory.code(amara).unwrap();
        assert!(directory.is_code(amara, &format!(" {} ", code.to_lowercase())));
        assert!(!directory.is_code(amara, "AAAAA-AAAAA"));
        assert!(!directory.is_code(Person::by_id("mei.tanaka").unwrap(), &code));
        directory.spend_code(amara);
        assert!(!directory.is_code(amara, &code));
    }

    #[test]
    fn failures_are_counted_for_name_and_address() {
        let directory = Directory::seeded();
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        directory.failed("amara.osei", here);
        directory.failed("amara.osei", here);
        assert_eq!((directory.failures("amara.osei", here), directory.failures("amara.osei", there)), (2, 0));
        directory.forgive("amara.osei", here);
        assert_eq!(directory.failures("amara.osei", here), 0);
    }
}
