//! The log as others see it: its tree, proofs and checkpoints, judged by verifiers that are not ours.

mod common;
mod independent;
mod notes;
mod proofs;
mod verify;
