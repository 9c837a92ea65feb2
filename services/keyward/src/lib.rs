#![doc = include_str!("../README.md")]

pub mod audit;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod compose;
pub mod demo;
pub mod doctor;
pub mod keys;
pub mod observability;
pub mod probe;
pub mod ring_file;
pub mod secrets;
pub mod settings;
pub mod startup;
pub mod transport;
