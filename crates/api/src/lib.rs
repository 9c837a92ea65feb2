#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod caller;
pub mod codec;
#[cfg(test)]
mod contract;
pub mod convert;
pub mod error;
mod service;
pub mod v1;

pub use error::{ERROR_DOMAIN, Failure};
pub use service::{ApiSettings, AuditApi, DecisionApi, PasskeyApi, ProfileApi, routes};
