#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod annotations;
mod complexity;
mod error;
mod facts;
mod ladder;
mod memo;
mod request;
mod set;
mod situation;
mod slice;
mod trigger;

pub use error::PolicyError;
pub use facts::{
    AuthenticatorFacts, ClaimAges, Facts, IntegrityFacts, MissingFacts, NonceState, PasskeyFact,
};
pub use ladder::Verdict;
pub use set::{Answer, MAX_POLICIES, MAX_POLICY_BYTES, PolicySet, digest_of};
