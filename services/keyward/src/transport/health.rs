//! What probes are told. `liveness` says that the process runs; `readiness`, and the empty name, follow what calls need.
//! Each service of the contract has its own name, which goes down with the server alone.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::watch;
use tonic::transport::Server as GrpcServer;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

/// The service that says that the process runs.
pub const LIVENESS: &str = "liveness";
/// The services that say whether calls would be answered as they should be.
pub const READINESS: [&str; 2] = ["readiness", ""];

/// How often it is asked whether calls could be answered.
const EVERY: Duration = Duration::from_secs(2);
/// Connections to the endpoint for probes alone, at once.
const CONNECTIONS: usize = 64;

/// Tells whether calls could be answered as they should be. Bounded in time by whoever provides it.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Ready whenever it is asked.
pub fn always_ready() -> Ready {
    Arc::new(|| Box::pin(std::future::ready(true)))
}

/// Asks once, then from time to time, and says so by health and to `ready`. Ends when `stop` changes.
pub(super) async fn follow(
    ask: Ready,
    health: HealthReporter,
    ready: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            () = look(&ask, &health, &ready) => {}
        }
        tokio::select! {
            _ = stop.changed() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    say(&health, &ready, false).await;
}

/// Asks, and says what came.
pub(super) async fn look(ask: &Ready, health: &HealthReporter, ready: &watch::Sender<bool>) {
    let now = ask().await;
    if *ready.borrow() != now {
        tracing::warn!(ready = now, "readiness changed");
    }
    say(health, ready, now).await;
}

async fn say(health: &HealthReporter, ready: &watch::Sender<bool>, now: bool) {
    ready.send_if_modified(|before| std::mem::replace(before, now) != now);
    let status = if now { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in READINESS {
        health.set_service_status(service, status).await;
    }
}

/// Serves health alone, in plaintext, until `stop` is dropped. Returns the address that was bound.
///
/// # Errors
/// The operating system's.
pub(super) fn serve_alone(
    listen: SocketAddr,
    service: HealthServer<impl Health>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<SocketAddr> {
    let incoming = TcpIncoming::bind(listen)?.with_nodelay(Some(true));
    let address = incoming.local_addr()?;
    let server = GrpcServer::builder()
        .max_concurrent_streams(16)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .concurrency_limit_per_connection(CONNECTIONS)
        .add_service(service);
    tokio::spawn(async move {
        // Until the sender is gone: probes are answered while calls drain.
        let gone = async move { while stop.changed().await.is_ok() {} };
        if let Err(error) = server.serve_with_incoming_shutdown(incoming.map(|c| c), gone).await {
            tracing::error!(%error, "the endpoint for probes failed");
        }
    });
    Ok(address)
}
