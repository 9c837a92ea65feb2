#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod durable;
pub mod hot;
pub mod keys;
pub mod log;
pub mod transfer;

pub use durable::*;
pub use hot::*;
pub use keys::*;
pub use log::*;

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or did not answer in time. The operation may or may not have happened.
    #[error("store is unavailable: {0}")]
    Unavailable(String),
    /// The stored value changed since it was read; read again and decide again.
    #[error("stored value changed since it was read")]
    Conflict,
    /// What is to be created exists.
    #[error("already exists")]
    Exists,
    /// What is to be changed does not exist.
    #[error("does not exist")]
    NotFound,
    /// What was read is not what was written.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
}

/// Outcome of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;
