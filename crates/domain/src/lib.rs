#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod assessment;
pub mod assurance;
pub mod context;
pub mod decision;
pub mod ids;
pub mod reason;
pub mod signal;
pub mod telemetry;
pub mod time;

pub use assessment::*;
pub use assurance::*;
pub use context::*;
pub use decision::*;
pub use ids::*;
pub use reason::*;
pub use signal::*;
pub use telemetry::*;
pub use time::*;
