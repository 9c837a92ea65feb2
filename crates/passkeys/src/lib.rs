#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod ceremony;
mod credential;
mod error;
mod relying_party;
mod response;
mod state;

pub use ceremony::{Begun, Passkeys, Registered, UserIdentity, Verified};
pub use credential::CredentialInfo;
pub use error::PasskeyError;
pub use relying_party::RelyingParty;
pub use response::MAX_RESPONSE_BYTES;
