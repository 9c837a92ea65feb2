#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod advice;
mod breaker;
mod connector;
mod hot;
mod keys;
mod line;
mod link;
mod settings;

pub use advice::Advice;
pub use hot::RedisHot;
pub use settings::{ClientCertificate, Place, RedisSettings};
