//! Real Redis servers: one, a master with replicas under Sentinels, a cluster.

mod cluster;
mod sentinel;
mod server;

use std::future::Future;
use std::time::{Duration, Instant};

pub use cluster::RedisCluster;
pub use sentinel::RedisSentinel;
pub use server::{RedisServer, StartError};

/// Waits until `said` gives nothing to complain about.
async fn until<F>(what: &'static str, mut said: impl FnMut() -> F) -> Result<(), StartError>
where
    F: Future<Output = Result<(), String>>,
{
    let begun = Instant::now();
    loop {
        match said().await {
            Ok(()) => return Ok(()),
            Err(text) if begun.elapsed() > server::START_TIMEOUT => {
                return Err(StartError::NotYet(what, text));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A complaint unless it holds.
fn hold(holds: bool, said: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(said.to_owned()) }
}
