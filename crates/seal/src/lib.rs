#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod bound;
mod data_key;
mod error;
mod mac_key;
mod ring;
mod root;

pub use bound::Bound;
pub use data_key::DataKey;
pub use error::SealError;
pub use mac_key::MacKey;
pub use ring::KeyRing;
pub use root::DataSecret;
