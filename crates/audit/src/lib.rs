#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod leaf;
mod record;
mod replay;
mod signals;

pub use leaf::{Leaf, SALT_BYTES};
pub use record::{DecisionRecord, Event, PasskeyChange, ProfileChange, Record, RecordError};
pub use replay::{Replay, hex, replay};
