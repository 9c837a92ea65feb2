#![doc = include_str!("../README.md")]

pub mod act;
pub mod activity;
pub mod answer;
pub mod cli;
pub mod clinic;
pub mod console;
pub mod embedded;
pub mod flows;
pub mod keyward;
pub mod pages;
pub mod people;
pub mod rehearsal;
pub mod server;
pub mod trouble;
pub mod visit;
pub mod wire;
