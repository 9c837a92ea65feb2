//! What can go wrong. No variant carries a key, a plaintext or a subject.

/// Why something could not be opened or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Too short, or of a format version that this build does not know.
    #[error("sealed data has no known format")]
    Format,
    /// Sealed under a key that this ring does not have.
    #[error("sealed under key {id}, which is not in the key ring")]
    UnknownKey {
        /// The id that the sealed data names.
        id: u32,
    },
    /// The tag does not verify: another key, another binding, or changed bytes. Which of them cannot be told
    /// apart.
    #[error("sealed data does not open here")]
    Refused,
    /// A key file without a key.
    #[error("key file holds no key")]
    NoKey,
    /// A key file with a line that is not `id:base64`, the base64 of 32 bytes.
    #[error("key file line {line} is not `id:base64` with 32 bytes of key")]
    KeyLine {
        /// The line, counted from 1.
        line: usize,
    },
    /// Two keys with one id.
    #[error("key id {id} stands twice in the key ring")]
    RepeatedKey {
        /// The id.
        id: u32,
    },
}
