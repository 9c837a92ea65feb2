//! The connection that all calls share: made in the background, replaced when it broke.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::watch;

use crate::connector::{Connection, Connector};

/// How soon after an attempt to connect failed the next one may begin.
const TRIED_EVERY: Duration = Duration::from_millis(200);

/// A connection that renews itself.
pub(crate) struct Line {
    connector: Connector,
    connect_timeout: Duration,
    live: ArcSwapOption<Connection>,
    attempt: watch::Sender<Attempt>,
}

/// What is known of connecting.
enum Attempt {
    /// Nothing stands in the way of one.
    Free,
    UnderWay,
    Failed {
        at: Instant,
        error: RedisError,
    },
}

impl Line {
    pub(crate) fn new(connector: Connector, connect_timeout: Duration) -> Arc<Self> {
        let (attempt, live) = (watch::Sender::new(Attempt::Free), ArcSwapOption::empty());
        Arc::new(Self { connector, connect_timeout, live, attempt })
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.connector.is_cluster()
    }

    /// The connection; where there is none, one is made. Whoever gives up waiting for that does not stop it.
    pub(crate) async fn connection(self: &Arc<Self>) -> RedisResult<Arc<Connection>> {
        if let Some(connection) = self.live.load_full() {
            return Ok(connection);
        }
        let mut watched = self.attempt.subscribe();
        self.renew();
        let ended = watched.wait_for(|attempt| !matches!(attempt, Attempt::UnderWay)).await;
        let error = match ended.as_deref() {
            Ok(Attempt::Failed { error, .. }) => Some(error.clone()),
            _ => None,
        };
        drop(ended);
        self.live.load_full().ok_or_else(|| error.unwrap_or_else(gone))
    }

    /// Makes a new connection, which takes the place of the present one once it is there. Does nothing while one is being
    /// made, or just after that failed.
    pub(crate) fn renew(self: &Arc<Self>) {
        let begun = self.attempt.send_if_modified(|attempt| {
            let free = match attempt {
                Attempt::Free => true,
                Attempt::UnderWay => false,
                Attempt::Failed { at, .. } => at.elapsed() >= TRIED_EVERY,
            };
            if free {
                *attempt = Attempt::UnderWay;
            }
            free
        });
        if begun {
            tokio::spawn(Arc::clone(self).connect());
        }
    }

    /// Takes a connection out of use that was found broken.
    pub(crate) fn drop_broken(&self, broken: &Arc<Connection>) {
        // A cluster's heals by itself, and is still good for the other nodes.
        if matches!(**broken, Connection::One(_)) {
            self.live.compare_and_swap(broken, None);
        }
    }

    async fn connect(self: Arc<Self>) {
        let made = tokio::time::timeout(self.connect_timeout, self.connector.connect()).await;
        let ended = match made.unwrap_or_else(|_| Err(late())) {
            Ok(connection) => {
                self.live.store(Some(Arc::new(connection)));
                Attempt::Free
            }
            Err(error) => Attempt::Failed { at: Instant::now(), error },
        };
        self.attempt.send_replace(ended);
    }
}

fn gone() -> RedisError {
    (ErrorKind::Io, "connection broken").into()
}

fn late() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
