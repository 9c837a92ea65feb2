//! What happens when something keyward stands on is slow, gone or ends in the middle.

mod clock;
mod durable;
mod forms;
mod keys;
mod log;
mod postgres;
mod races;
mod redis;
mod restart;
mod secrecy;
