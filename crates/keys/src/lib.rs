#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod kms;
mod moving;
mod ring;

pub use kms::{KmsPlugin, KmsSettings};
pub use moving::Moving;
pub use ring::{Newer, RingProvider};

/// The protocol of key management plug-ins, as generated.
pub mod v2 {
    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::pedantic,
        reason = "generated code is not written to these lints"
    )]
    tonic::include_proto!("v2");
}
