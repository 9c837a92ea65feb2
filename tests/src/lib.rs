#![doc = include_str!("../README.md")]
#![expect(clippy::missing_panics_doc, reason = "a harness of tests: whatever goes wrong in it ends the test")]

pub mod case;
pub mod database;
pub mod door;
pub mod fault;
pub mod log;
pub mod maker;
pub mod person;
pub mod place;
pub mod run;
pub mod seen;
pub mod world;

pub use database::Database;
pub use door::Door;
pub use fault::Faults;
pub use person::Person;
pub use place::Place;
pub use world::{Deployment, Hot, World};
