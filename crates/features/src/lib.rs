#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod canonical;
mod fixed_text;
mod free_text;
pub mod integrity;
mod pointer;
mod record_access;

pub use canonical::{sample_digest, telemetry_hash, zone_code, zone_from_code};
pub use fixed_text::{
    FixedText, InvalidFixedText, MAX_FEATURES, MAX_KEYS, MIN_KEYS, NotComparable, Shape, fixed_text,
};
pub use free_text::{FREE_TEXT_FEATURES, MAX_FLIGHT_S, Stroke, Time, free_text};
pub use pointer::{POINTER_FEATURES, PointerAction, PointerEvent, actions, actions_of};
pub use record_access::{ACCESS_CLASSES, AccessClass, AccessCounts, MAX_ACCESS_S};
