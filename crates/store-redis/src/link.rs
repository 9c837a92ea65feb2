//! One call: where it goes, how long it may take, and what its failure means for the next ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_store::{StoreError, StoreResult};
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use crate::RedisSettings;
use crate::breaker::Breaker;
use crate::connector::{Connection, Connector};
use crate::line::Line;

/// Whether a command may be sent again when the connection broke and nobody knows whether it ran.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    Never,
}

/// A cluster's slots share a breaker in groups of so many neighbours: nodes hold ranges, and one may be down alone.
const SLOTS_A_BREAKER: u16 = 256;
const SLOTS: u16 = 16_384;

/// What is sent.
enum Sent<'c> {
    /// To the holder of a slot.
    Command(u16, &'c Cmd),
    /// The same, by its hash, and whole.
    Script(u16, &'c Cmd, &'c (dyn Fn() -> Cmd + Sync)),
    ToAll(&'c Cmd),
}

impl Sent<'_> {
    async fn over(&self, connection: &mut Connection) -> RedisResult<Value> {
        match self {
            Self::Command(slot, command) => connection.send(command, *slot).await,
            Self::Script(slot, by_hash, whole) => match connection.send(by_hash, *slot).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    connection.send(&whole(), *slot).await
                }
                outcome => outcome,
            },
            Self::ToAll(command) => connection.send_to_all(command).await.map(Value::Array),
        }
    }
}

/// What calls go through.
pub(crate) struct Link {
    line: Arc<Line>,
    /// One; of a cluster, one for each group of slots, and a last one for what goes to all.
    breakers: Vec<Breaker>,
    timeout: Duration,
}

impl Link {
    /// A link that connects with its first call. Must be used within a Tokio runtime.
    pub(crate) fn new(settings: &RedisSettings) -> StoreResult<Self> {
        let connector = Connector::new(settings)?;
        let breakers = if connector.is_cluster() { SLOTS / SLOTS_A_BREAKER + 1 } else { 1 };
        Ok(Self {
            breakers: (0..breakers).map(|_| Breaker::new()).collect(),
            line: Line::new(connector, settings.connect_timeout),
            timeout: settings.response_timeout,
        })
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.line.is_cluster()
    }

    /// The slot of a key's part in braces. Without a cluster slots mean nothing, and cost nothing.
    pub(crate) fn slot(&self, tag: &str) -> u16 {
        if self.is_cluster() { crc16::State::<crc16::XMODEM>::calculate(tag.as_bytes()) % SLOTS } else { 0 }
    }

    /// Makes one call, which ends within the response timeout whatever the server does.
    pub(crate) async fn ask(&self, slot: u16, repeat: Repeat, command: &Cmd) -> StoreResult<Value> {
        self.call(self.breaker(slot), repeat, &Sent::Command(slot, command)).await
    }

    /// The same with a script, by its hash, or whole where the server does not know it (any more).
    pub(crate) async fn run(
        &self,
        slot: u16,
        by_hash: &Cmd,
        whole: &(dyn Fn() -> Cmd + Sync),
    ) -> StoreResult<Value> {
        self.call(self.breaker(slot), Repeat::Safe, &Sent::Script(slot, by_hash, whole)).await
    }

    /// The same to the server, or to each master of a cluster: an array of their answers.
    pub(crate) async fn ask_all(&self, repeat: Repeat, command: &Cmd) -> StoreResult<Value> {
        let all = self.breakers.last().unwrap_or(&self.breakers[0]);
        self.call(all, repeat, &Sent::ToAll(command)).await
    }

    fn breaker(&self, slot: u16) -> &Breaker {
        &self.breakers[usize::from(slot / SLOTS_A_BREAKER)]
    }

    async fn call(&self, breaker: &Breaker, repeat: Repeat, sent: &Sent<'_>) -> StoreResult<Value> {
        if !breaker.admits() {
            return Err(StoreError::Unavailable(
                "redis is down, as calls just before this one found".to_owned(),
            ));
        }
        let mut watch = Watch { link: self, breaker, begun: Instant::now(), settled: false };
        let outcome = tokio::time::timeout(self.timeout, self.attempts(repeat, sent)).await;
        watch.settled = true;
        match outcome {
            Ok(Ok(value)) => {
                breaker.answered();
                Ok(value)
            }
            Ok(Err(error)) => {
                if refused(&error) {
                    breaker.answered();
                } else {
                    self.failed(breaker);
                }
                Err(StoreError::Unavailable(text(&error)))
            }
            Err(_) => {
                self.failed(breaker);
                Err(StoreError::Unavailable(format!(
                    "redis did not answer within {} ms",
                    self.timeout.as_millis()
                )))
            }
        }
    }

    /// Sends once; once more on a new connection, where the first one turned out to be broken and that is safe.
    async fn attempts(&self, repeat: Repeat, sent: &Sent<'_>) -> RedisResult<Value> {
        let connection = self.line.connection().await?;
        let first = sent.over(&mut Connection::clone(&connection)).await;
        let Err(error) = &first else { return first };
        let demoted = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
        if !demoted && !error.is_unrecoverable_error() {
            return first;
        }
        self.line.drop_broken(&connection);
        // A server that is no master any more did not run it. A cluster's client repeats by itself.
        if self.is_cluster() || (repeat == Repeat::Never && !demoted) {
            return first;
        }
        let connection = self.line.connection().await?;
        sent.over(&mut Connection::clone(&connection)).await
    }

    /// A connection whose far end is gone without a word never becomes well by itself: when calls keep failing, a new one
    /// is made.
    fn failed(&self, breaker: &Breaker) {
        if breaker.failed() {
            self.line.renew();
        }
    }
}

/// Counts a call as failed whose caller waited and gave up before the timeout: deadlines may be shorter.
struct Watch<'l> {
    link: &'l Link,
    breaker: &'l Breaker,
    begun: Instant,
    settled: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.settled && self.begun.elapsed() >= self.link.timeout / 10 {
            self.link.failed(self.breaker);
        }
    }
}

/// Whether the server was there and said no.
fn refused(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType)
}

/// What went wrong, without what the server said of it: that may quote keys, and keys hold ids.
pub(crate) fn text(error: &RedisError) -> String {
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
