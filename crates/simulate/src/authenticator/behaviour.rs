//! The knobs: properties and faults of authenticator and browser.

/// What the signature counter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Always 0, as synced passkeys have it.
    Zero,
    /// Rises by one with each use.
    Counting,
    /// Always this value: what a copy of the key would send.
    Fixed(u32),
}

/// How authenticator and browser behave. The default is a synced passkey in good order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each a fault or property of its own"
)]
pub struct Behaviour {
    /// The user is verified by PIN or biometric.
    pub user_verified: bool,
    /// What the signature counter does.
    pub counter: Counter,
    /// The key may be copied.
    pub backup_eligible: bool,
    /// The key was copied.
    pub backed_up: bool,
    /// Assertions name the user.
    pub user_handle: bool,
    /// The signature is spoilt.
    pub tamper_signature: bool,
    /// Client data names this origin, and no check against the relying party's id is made.
    pub origin: Option<String>,
    /// The page lies in a frame of another origin.
    pub framed: bool,
    /// Authenticator data is made for this relying party instead.
    pub rp_id: Option<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            user_verified: true,
            counter: Counter::Zero,
            backup_eligible: true,
            backed_up: true,
            user_handle: true,
            tamper_signature: false,
            origin: None,
            framed: false,
            rp_id: None,
        }
    }
}

impl Behaviour {
    /// A security key: the key stays in it, uses are counted.
    pub fn hardware() -> Self {
        Self { counter: Counter::Counting, backup_eligible: false, backed_up: false, ..Self::default() }
    }
}
