//! What happens when something keyward stands on is slow, gone or ends in the middle.

mod durable;
mod keys;
mod log;
mod postgres;
mod redis;
mod restart;
mod secrecy;
