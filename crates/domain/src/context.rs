//! Who asks for what, from where, and what the caller has verified itself.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, RoleName, Timestamp};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, as policies, cases and records write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What kind of device the person sits at. Templates are kept per class.
    DeviceClass {
        /// One person's own computer.
        Personal = "personal",
        /// A workstation that several people use in turn, as on a ward.
        SharedWorkstation = "shared_workstation",
        /// A kiosk or medication cabinet with a keyboard of its own.
        Kiosk = "kiosk",
        /// A remote desktop; timing passes through the network.
        Vdi = "vdi",
        /// A phone or tablet with a touch keyboard.
        Phone = "phone",
    }
}

named! {
    /// What is being done.
    ActionKind {
        /// A new login.
        Login = "login",
        /// A checkpoint within a running session, or its resumption.
        Resume = "resume",
        /// Reading a resource.
        Read = "read",
        /// Changing a resource.
        Write = "write",
        /// Signing a note or an order.
        Sign = "sign",
        /// Signing a prescription; of a controlled substance when the resource is so sensitive.
        Prescribe = "prescribe",
        /// Taking records out.
        Export = "export",
        /// Administering users, devices or settings.
        Administer = "administer",
    }
}

named! {
    /// How much harm a wrong answer would do, as the caller classes the resource.
    Sensitivity {
        /// Schedules, directories, own settings.
        Routine = "routine",
        /// Charts and orders.
        Clinical = "clinical",
        /// Specially protected records: psychotherapy notes, HIV status, VIPs, staff as patients.
        Restricted = "restricted",
        /// Controlled substances (DEA 21 CFR 1311 and its like).
        Controlled = "controlled",
    }
}

named! {
    /// What the caller says it has verified itself.
    ClaimKind {
        /// A password.
        Password = "password",
        /// A badge held to a reader.
        Badge = "badge",
        /// Single sign-on by the tenant's identity provider.
        SingleSignOn = "single_sign_on",
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// What is being done.
    pub kind: ActionKind,
    /// How sensitive the resource is.
    pub sensitivity: Sensitivity,
    /// Whether the patient is in the person's care, where the caller knows.
    pub in_care_team: Option<bool>,
}

/// Where the person sits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The device as the caller recognises it, if it does.
    pub id: Option<DeviceId>,
    /// Its class.
    pub class: DeviceClass,
}

/// What the caller saw of the network and the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientContext {
    /// The client's address as the caller saw it. Only its prefix (/24, /48) is ever compared or kept, as a hash.
    pub ip: Option<std::net::IpAddr>,
    /// Failed attempts that the caller counted just before this one.
    pub recent_failures: u32,
    /// Where the client is, if the caller knows and tells.
    pub location: Option<CoarseLocation>,
}

/// Where a client is, to a tenth of a degree: a town, not an address.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoarseLocation {
    /// Latitude in tenths of a degree, from -900 to 900.
    pub latitude_tenths: i16,
    /// Longitude in tenths of a degree, from -1800 to 1800.
    pub longitude_tenths: i16,
    /// How far from there it may be, in kilometres.
    pub uncertainty_km: u16,
}

impl std::fmt::Debug for CoarseLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CoarseLocation(redacted)")
    }
}

/// Something the caller verified itself; the tenant's policy decides what it is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What was verified.
    pub kind: ClaimKind,
    /// When.
    pub verified_at: Timestamp,
}

/// A request for emergency access, with the words that will stand in the review.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// Why, in the person's words: 10 to 500 characters.
    pub justification: String,
}

impl std::fmt::Debug for BreakGlass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BreakGlass(redacted)")
    }
}

/// The roles a subject holds, as the caller states them.
pub type Roles = Vec<RoleName>;
