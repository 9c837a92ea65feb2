#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod audit;
mod backup;
mod credentials;
mod documents;
mod file;
mod hot;
mod policies;
mod samples;
mod store;
mod subjects;
mod transfer;
mod tree;

pub use hot::{DEFAULT_MAX_ENTRIES, InProcessHot};
pub use store::EmbeddedStore;
