#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod clock;
mod proxy;
mod redis;

pub use clock::ManualClock;
pub use proxy::{ChaosProxy, Fault};
pub use redis::{RedisCluster, RedisSentinel, RedisServer, StartError};
