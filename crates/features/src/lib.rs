#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod canonical;
mod fixed_text;
pub mod integrity;

pub use canonical::{sample_digest, telemetry_hash, zone_code, zone_from_code};
pub use fixed_text::{
    FixedText, InvalidFixedText, MAX_FEATURES, MAX_KEYS, MIN_KEYS, NotComparable, Shape, fixed_text,
};
