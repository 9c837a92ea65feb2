#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod authenticator;
pub mod recorded;
pub mod shifts;
pub mod typist;
