#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod clock;
mod postgres;
mod proxy;
mod redis;

pub use clock::ManualClock;
pub use postgres::{Durability, PostgresError, PostgresServer};
pub use proxy::{ChaosProxy, Fault};
pub use redis::{RedisCluster, RedisSentinel, RedisServer, StartError};

/// A port that nobody listens on now. Somebody else may take it before it is used.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
