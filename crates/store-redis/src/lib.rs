#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod breaker;
mod hot;
mod keys;
mod link;
mod settings;

pub use hot::RedisHot;
pub use settings::{ClientCertificate, RedisSettings};
