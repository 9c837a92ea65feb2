//! The connection, and how long a call may wait for it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use keyward_store::{StoreError, StoreResult};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisError, RedisResult};

use crate::RedisSettings;
use crate::breaker::Breaker;

/// Whether a command may be sent again when the connection broke and nobody knows whether it ran.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    Never,
}

/// How often a connection may be given up for a new one, in milliseconds.
const RENEW_EVERY_MS: u64 = 200;

/// One connection that all calls share, made anew when it breaks.
pub(crate) struct Link {
    client: Client,
    config: ConnectionManagerConfig,
    manager: ArcSwap<ConnectionManager>,
    breaker: Breaker,
    timeout: Duration,
    begun: Instant,
    /// Milliseconds since `begun` at which `manager` was last replaced.
    renewed_ms: AtomicU64,
}

impl Link {
    /// A link that connects with its first call. Must be made within a Tokio runtime.
    pub(crate) fn new(settings: &RedisSettings) -> StoreResult<Self> {
        let (client, config) = (settings.client()?, settings.manager());
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())
            .map_err(|e| StoreError::Unavailable(text(&e)))?;
        Ok(Self {
            client,
            config,
            manager: ArcSwap::from_pointee(manager),
            breaker: Breaker::new(),
            timeout: settings.response_timeout,
            begun: Instant::now(),
            renewed_ms: AtomicU64::new(0),
        })
    }

    /// Makes one call, which ends within the response timeout whatever the server does.
    pub(crate) async fn ask<T, F>(
        &self,
        repeat: Repeat,
        call: impl Fn(ConnectionManager) -> F,
    ) -> StoreResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        if !self.breaker.admits() {
            return Err(StoreError::Unavailable(
                "redis is down, as calls just before this one found".to_owned(),
            ));
        }
        let manager = ConnectionManager::clone(&self.manager.load());
        let mut watch = Watch { link: self, begun: Instant::now(), settled: false };
        let attempts = async {
            match call(manager.clone()).await {
                Err(e) if repeat == Repeat::Safe && dropped(&e) => call(manager).await,
                outcome => outcome,
            }
        };
        let outcome = tokio::time::timeout(self.timeout, attempts).await;
        watch.settled = true;
        match outcome {
            Ok(Ok(value)) => {
                self.breaker.answered();
                Ok(value)
            }
            Ok(Err(e)) => {
                if refused(&e) {
                    self.breaker.answered();
                } else {
                    self.failed();
                }
                // The manager connects again after an error of the network alone. One that came while it connected (a
                // login refused, a greeting cut short, a server still loading) it would repeat for ever.
                if !e.is_io_error() {
                    self.renew();
                }
                Err(StoreError::Unavailable(text(&e)))
            }
            Err(_) => {
                self.failed();
                Err(StoreError::Unavailable(format!(
                    "redis did not answer within {} ms",
                    self.timeout.as_millis()
                )))
            }
        }
    }

    /// A connection whose far end is gone without a word never becomes well by itself: when calls keep failing, the
    /// next one begins with a new connection.
    fn failed(&self) {
        if self.breaker.failed() {
            self.renew();
        }
    }

    /// Drops the connection for a new one, but not in quick succession. Calls under way keep the old one.
    fn renew(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.renewed_ms.load(Ordering::Relaxed);
        let due = now >= last.saturating_add(RENEW_EVERY_MS);
        if due
            && self.renewed_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && let Ok(manager) =
                ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())
        {
            self.manager.store(manager.into());
        }
    }
}

/// Counts a call as failed whose caller waited and gave up before the timeout: deadlines may be shorter.
struct Watch<'l> {
    link: &'l Link,
    begun: Instant,
    settled: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.settled && self.begun.elapsed() >= self.link.timeout / 10 {
            self.link.failed();
        }
    }
}

/// Whether the connection was there and broke: a server that restarted, or that closed an idle connection.
fn dropped(error: &RedisError) -> bool {
    error.is_connection_dropped() && !error.is_connection_refusal()
}

/// Whether the server was there and said no.
fn refused(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType)
}

/// What went wrong, without what the server said of it: that may quote keys, and keys hold ids.
fn text(error: &RedisError) -> String {
    let what = match error.kind() {
        ErrorKind::Io if error.is_timeout() => "no answer in time",
        ErrorKind::Io if error.is_connection_refusal() => "connection refused",
        ErrorKind::Io => "connection broken",
        ErrorKind::Server(_) | ErrorKind::Extension => {
            return format!("redis refused: {}", error.code().unwrap_or("unknown"));
        }
        _ => error.category(),
    };
    format!("redis: {what}")
}
