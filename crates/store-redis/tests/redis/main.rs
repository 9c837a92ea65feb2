//! The Redis hot store keeps what the port promises on real servers, in each form of Redis, and fails fast without them.

mod cluster;
mod common;
mod least;
mod sentinel;
mod standalone;
