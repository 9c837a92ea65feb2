//! Whole ceremonies against the software authenticator.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod authentication;
mod common;
mod hostile;
mod registration;
