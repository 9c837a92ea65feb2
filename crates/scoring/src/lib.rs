#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod authenticator;
pub mod classic;
pub mod context;
pub mod evaluation;
pub mod free_text;
pub mod friction;
pub mod fusion;
pub mod integrity;
mod keystroke;
pub mod pointer;
pub mod recent;
pub mod record_access;
pub mod rhythm;
mod svm;
pub mod travel;

pub use fusion::{behaviour_band, fuse};
pub use keystroke::{
    KeystrokeModel, MATURE_SAMPLES, MAX_TYPING_LLR, ModelError, REPLAY_NEAREST_MS, SVM_SAMPLES, Scored,
    ShapeDiffers, TrainError, WINDOW,
};

use keyward_domain::{Maturity, Signal, SignalKind, SignalStatus};

/// A scored signal that needs no model of the person: rules know from the first time what they know.
const fn observed(kind: SignalKind, llr: f32) -> Signal {
    Signal {
        kind,
        status: SignalStatus::Scored,
        llr,
        score: None,
        maturity: Maturity::Mature,
        samples: 0,
        profile_version: 0,
    }
}
