//! Whoever wraps data keys: a key ring of ours, or a key management service.

use std::fmt;

use async_trait::async_trait;
use keyward_domain::SubjectKey;
use keyward_seal::DataSecret;

/// The name of a wrapping key, as its provider gives it. No secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WrappingKeyId(pub String);

impl fmt::Display for WrappingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a data key could not be wrapped or unwrapped. Nobody makes a new key for a subject whose key cannot be unwrapped:
/// everything that the old one sealed would be lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The provider cannot be reached or did not answer in time.
    #[error("the provider of keys does not answer: {0}")]
    Unavailable(String),
    /// It needs a wrapping key that the provider does not have.
    #[error("wrapped under key {key}, which the provider of keys does not have")]
    Missing {
        /// The key that it names.
        key: WrappingKeyId,
    },
    /// It is damaged, or another subject's.
    #[error("the wrapped data key is damaged, or another subject's")]
    Refused,
}

/// Wraps data keys. An implementation binds what it wraps to its subject, so that a wrapped key that was moved to another
/// row does not open there.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// Wraps a data key under the current key.
    async fn wrap(&self, who: &SubjectKey, secret: &DataSecret) -> Result<Vec<u8>, KeyError>;

    /// Unwraps a data key of this subject.
    async fn unwrap(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<DataSecret, KeyError>;

    /// The key that a wrapped form needs, read from the form itself.
    fn key_of(&self, wrapped: &[u8]) -> Result<WrappingKeyId, KeyError>;

    /// The keys that the provider has and knows of, the current one first. A service may tell no other.
    async fn keys(&self) -> Result<Vec<WrappingKeyId>, KeyError>;
}
