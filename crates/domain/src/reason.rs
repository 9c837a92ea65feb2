//! Stable reason codes: what decided, in one text for administrators and one for the person in front of the screen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal { admin: $admin:literal, user: $user:literal, metadata: [$($key:literal),*] },)*) => {
        /// Why a decision came out as it did. Codes are stable: they are never renamed or reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ReasonCode { $($(#[$doc])* $variant,)* }

        impl ReasonCode {
            /// Every code, in the order of the contract's enum.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The text for administrators.
            pub const fn admin_text(self) -> &'static str {
                match self { $(Self::$variant => $admin,)* }
            }

            /// The text for the person; empty where there is nothing that person can act on.
            pub const fn user_text(self) -> &'static str {
                match self { $(Self::$variant => $user,)* }
            }

            /// The metadata keys that this code may carry.
            pub const fn metadata_keys(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($key),*],)* }
            }
        }
    };
}

reasons! {
    /// The policy permits with the evidence at hand.
    PolicyPermits = "POLICY_PERMITS" {
        admin: "The policy permits this with the evidence at hand.", user: "", metadata: [] },
    /// The policy would permit with stronger evidence.
    PolicyNeedsEvidence = "POLICY_NEEDS_EVIDENCE" {
        admin: "The policy forbids this as it is and would permit it with the evidence named.",
        user: "Please confirm that it is you.", metadata: ["evidence"] },
    /// No evidence would make the policy permit.
    PolicyForbids = "POLICY_FORBIDS" {
        admin: "The policy forbids this whatever evidence is brought.",
        user: "Your role does not allow this. Ask your administrator if you think it should.", metadata: [] },
    /// Emergency access was granted.
    BreakGlassGranted = "BREAK_GLASS_GRANTED" {
        admin: "Emergency access was granted for a limited time and awaits review.",
        user: "Emergency access is open for a limited time and will be reviewed.", metadata: ["minutes"] },
    /// Behaviour alone would have led to DENY; the answer was held at STEP_UP.
    BehaviourCapped = "BEHAVIOUR_CAPPED" {
        admin: "Without behaviour this would not be denied, so behaviour was held to a step-up.", user: "", metadata: [] },

    /// A passkey assertion verified, with user verification.
    PasskeyVerified = "PASSKEY_VERIFIED" {
        admin: "A passkey assertion with user verification was verified.", user: "", metadata: ["age_s"] },
    /// The assertion that was sent did not verify.
    PasskeyRejected = "PASSKEY_REJECTED" {
        admin: "The passkey assertion did not verify; it counts as none.",
        user: "Your passkey could not be verified. Please try again.", metadata: ["cause"] },
    /// The assertion was made for other telemetry than was sent with it.
    PasskeyTelemetryMismatch = "PASSKEY_TELEMETRY_MISMATCH" {
        admin: "The challenge was bound to other telemetry than was sent; the assertion counts as none.",
        user: "Your passkey could not be verified. Please try again.", metadata: [] },
    /// The authenticator's signature counter went backwards.
    PasskeyCounterRegressed = "PASSKEY_COUNTER_REGRESSED" {
        admin: "The authenticator's signature counter did not advance: it may have been cloned.", user: "", metadata: [] },
    /// The passkey's backup state changed since it was last used.
    PasskeyBackupChanged = "PASSKEY_BACKUP_CHANGED" {
        admin: "The passkey's backup state changed since it was last used.", user: "", metadata: [] },

    /// Typing is as usual.
    TypingMatches = "TYPING_MATCHES" {
        admin: "Typing is as usual for this person.", user: "", metadata: ["field"] },
    /// Typing is unusual (band MEDIUM).
    TypingUnusual = "TYPING_UNUSUAL" {
        admin: "Typing is unusual for this person.", user: "", metadata: ["field"] },
    /// Typing is very unusual (band HIGH).
    TypingDiffers = "TYPING_DIFFERS" {
        admin: "Typing is very unusual for this person.", user: "Something about this sign-in looks different.", metadata: ["field"] },
    /// The model does not know the person yet.
    TypingLearning = "TYPING_LEARNING" {
        admin: "Typing is still being learned and has no say.", user: "", metadata: ["field", "samples"] },
    /// Typing that cannot be compared with the template.
    TypingNotComparable = "TYPING_NOT_COMPARABLE" {
        admin: "What was typed cannot be compared with the template; this is no sign of an attack.", user: "",
        metadata: ["field", "cause"] },
    /// No typing was sent.
    TypingAbsent = "TYPING_ABSENT" {
        admin: "No typing was sent.", user: "", metadata: [] },

    /// Telemetry equals or nearly equals an earlier sample.
    TelemetryReplayed = "TELEMETRY_REPLAYED" {
        admin: "The telemetry equals an earlier sample too closely to be typed anew.",
        user: "Something about this sign-in looks different.", metadata: [] },
    /// Telemetry looks generated.
    TelemetryMachineLike = "TELEMETRY_MACHINE_LIKE" {
        admin: "The timing looks generated: quantised, without jitter or impossible.",
        user: "Something about this sign-in looks different.", metadata: ["cause"] },
    /// Telemetry came without a nonce.
    NonceMissing = "NONCE_MISSING" {
        admin: "The telemetry carries no nonce, so it may be a recording.", user: "", metadata: [] },
    /// The nonce is too old or not ours.
    NonceStale = "NONCE_STALE" {
        admin: "The telemetry's nonce has expired or was not issued for this session.", user: "", metadata: [] },
    /// The nonce was used before.
    NonceReused = "NONCE_REUSED" {
        admin: "The telemetry's nonce was used before.", user: "", metadata: [] },

    /// The device has not been seen with this person.
    DeviceNew = "DEVICE_NEW" {
        admin: "This device has not been seen with this person.", user: "This device is new to us.", metadata: [] },
    /// The network has not been seen with this person.
    NetworkNew = "NETWORK_NEW" {
        admin: "This network has not been seen with this person.", user: "", metadata: [] },
    /// Failures just before this attempt.
    RecentFailures = "RECENT_FAILURES" {
        admin: "There were failed attempts just before this one.", user: "", metadata: ["count"] },
    /// Too many attempts.
    AttemptsLimited = "ATTEMPTS_LIMITED" {
        admin: "Too many attempts that were not allowed in a short time; only a passkey opens.",
        user: "There were many attempts. Please confirm that it is you.", metadata: ["count", "scope"] },
    /// Record access above the tenant's ceilings.
    RecordAccessBurst = "RECORD_ACCESS_BURST" {
        admin: "Records are accessed faster than the tenant's ceilings allow.",
        user: "You are opening many records. Please confirm that it is you.", metadata: ["kind"] },

    /// The model could not be asked.
    ModelUnavailable = "MODEL_UNAVAILABLE" {
        admin: "The person's profile could not be read in time; the decision was made without it.", user: "", metadata: ["cause"] },
    /// The hot store could not be asked.
    HotStoreUnavailable = "HOT_STORE_UNAVAILABLE" {
        admin: "Session state could not be read in time; the decision was made without it and is stricter.", user: "", metadata: [] },
    /// The caller's deadline was too short.
    DeadlineShort = "DEADLINE_SHORT" {
        admin: "The caller's deadline left no time for every signal.", user: "", metadata: ["skipped"] },
    /// The audit record could not be stored.
    AuditUnavailable = "AUDIT_UNAVAILABLE" {
        admin: "The decision could not be recorded durably, so it is not ALLOW.",
        user: "We cannot let you in right now. Please try again in a moment.", metadata: [] },

    /// Known typing spared so many logins in a row that the next is to be proven.
    TypingProofDue = "TYPING_PROOF_DUE" {
        admin: "Typing spared the passkey so many times in a row that it no longer does: the template must keep up with its owner.",
        user: "Please confirm that it is you. You are asked from time to time, so that we keep recognising you.", metadata: [] },
    /// The person's data key could not be used.
    KeyUnavailable = "KEY_UNAVAILABLE" {
        admin: "The key that this person's data is sealed under cannot be used; nothing of theirs could be read or recorded.",
        user: "We cannot let you in right now. Please try again in a moment.", metadata: ["cause"] },
    /// The person opted out of behaviour.
    BehaviourOptedOut = "BEHAVIOUR_OPTED_OUT" {
        admin: "This person opted out of behaviour: typing was neither looked at nor kept, and the passkey alone counts.",
        user: "", metadata: [] },
    /// Unusual typing would have asked for more, and did so in vain too often this week.
    FrictionCapped = "FRICTION_CAPPED" {
        admin: "Unusual typing alone would have asked for a passkey. It did so without need too often this week, so the answer is as without behaviour.",
        user: "", metadata: ["count"] },
    /// Typing of any text or pointer movement is unusual.
    HabitsUnusual = "HABITS_UNUSUAL" {
        admin: "Typing of any text, or pointer movement, in this session is unusual for this person.", user: "",
        metadata: ["signal"] },
    /// The hour is unusual.
    HourUnusual = "HOUR_UNUSUAL" {
        admin: "This person has rarely been proven at this hour of the day and week. By itself that asks for nothing.",
        user: "", metadata: [] },
    /// A journey that cannot have been made.
    TravelImpossible = "TRAVEL_IMPOSSIBLE" {
        admin: "This person was proven too far away too short a time ago to be here now, as the caller tells both places.",
        user: "", metadata: [] },
}

/// A reason with what is known beyond its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// Facts named by [`ReasonCode::metadata_keys`]; never behaviour, secrets or identifiers of a person.
    pub metadata: BTreeMap<String, String>,
}

impl Reason {
    /// A reason without metadata.
    pub const fn new(code: ReasonCode) -> Self {
        Self { code, metadata: BTreeMap::new() }
    }

    /// The same with one fact more.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        debug_assert!(
            self.code.metadata_keys().contains(&key),
            "{key} is not documented for {}",
            self.code.code()
        );
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }
}

impl From<ReasonCode> for Reason {
    fn from(code: ReasonCode) -> Self {
        Self::new(code)
    }
}
