//! One newtype per identifier. Text ids are 1 to 128 visible ASCII characters, so that they are safe in keys,
//! logs of the caller and URLs; anything else is refused when the value is made.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest text identifier, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text was refused as an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No character at all.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`MAX_ID_BYTES`].
    #[error("must be at most {MAX_ID_BYTES} bytes long")]
    TooLong,
    /// A character outside visible ASCII, or one that keys of the stores reserve (`{`, `}`, `|`).
    #[error("must be visible ASCII without braces and bars")]
    Character,
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong);
    }
    let reserved = |b: u8| matches!(b, b'{' | b'}' | b'|');
    if text.bytes().any(|b| !b.is_ascii_graphic() || reserved(b)) {
        return Err(IdError::Character);
    }
    Ok(())
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks a text and makes it an id.
            ///
            /// # Errors
            /// [`IdError`] when the text is empty, too long or has a character that ids may not have.
            pub fn parse(text: impl Into<Box<str>>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &self.0)
            }
        }
    )*};
}

text_ids! {
    /// A tenant: one hospital or telemedicine provider. Nothing is shared between tenants.
    TenantId;
    /// A person within a tenant, as the caller names them: an opaque id, not an e-mail address.
    SubjectId;
    /// A login session of the caller's.
    SessionId;
    /// A device as the caller recognises it (an installation id, an MDM id, a cookie).
    DeviceId;
    /// The caller's key for one request; the same id asked again gives the same decision.
    RequestId;
    /// A role name within a tenant, such as `clinician`.
    RoleName;
    /// A label of an input field, such as `password`. Templates are kept per label.
    FieldLabel;
    /// A calling service, from its certificate or token.
    CallerId;
    /// A nonce for telemetry that keyward issued.
    TelemetryNonce;
    /// A running WebAuthn ceremony.
    CeremonyId;
    /// A policy within the policy set, as its `@id` annotation names it.
    PolicyId;
}

/// A decision: a UUID of version 7, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionId(pub Uuid);

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A subject within its tenant: what every piece of stored state belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubjectKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The subject within it.
    pub subject: SubjectId,
}

/// The id that stands for what belongs to no one person. Callers cannot name it.
const NOBODY: &str = "*";

impl SubjectKey {
    /// What stands for a tenant as a whole: its data key seals records that no person's key may seal, such as the record
    /// of an erasure.
    #[expect(clippy::missing_panics_doc, reason = "an asterisk is an id")]
    pub fn of_tenant(tenant: &TenantId) -> Self {
        let subject = SubjectId::parse(NOBODY).expect("an asterisk is an id");
        Self { tenant: tenant.clone(), subject }
    }

    /// What stands for the deployment as a whole, in records that are no tenant's, such as those of key changes.
    #[expect(clippy::missing_panics_doc, reason = "an asterisk is an id")]
    pub fn of_deployment() -> Self {
        Self::of_tenant(&TenantId::parse(NOBODY).expect("an asterisk is an id"))
    }

    /// Whether this is a person of a tenant, whom callers may name.
    pub fn is_person(&self) -> bool {
        self.subject.as_str() != NOBODY && self.tenant.as_str() != NOBODY
    }
}

/// The id of a WebAuthn credential: opaque bytes chosen by the authenticator (at most 1023).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialId(pub Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_keys_and_logs_cannot_carry() {
        assert_eq!(TenantId::parse(""), Err(IdError::Empty));
        assert_eq!(TenantId::parse("x".repeat(129)), Err(IdError::TooLong));
        for bad in ["a b", "a\n", "é", "a{b", "a}b", "a|b", "\0"] {
            assert_eq!(TenantId::parse(bad), Err(IdError::Character), "{bad:?}");
        }
        assert_eq!(TenantId::parse("st-mary:eu/1").map(String::from), Ok("st-mary:eu/1".to_owned()));
    }

    #[test]
    fn what_stands_for_tenant_and_deployment_is_no_person() {
        let tenant = TenantId::parse("st-mary").expect("an id");
        let whole = SubjectKey::of_tenant(&tenant);
        assert!(!whole.is_person() && !SubjectKey::of_deployment().is_person());
        assert_ne!(whole, SubjectKey::of_deployment());
        assert!(SubjectKey { subject: SubjectId::parse("a").expect("an id"), ..whole }.is_person());
    }
}
