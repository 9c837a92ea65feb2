//! One statement, from a free connection to its rows: how long it may take, when it is repeated, and what becomes of the
//! connection.

use std::sync::Arc;
use std::time::Duration;

use keyward_store::{StoreError, StoreResult};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::{Connection, FromRow};

use crate::PostgresSettings;
use crate::connections::{Connections, Unconnected};
use crate::error::{Meaning, error, meaning, store_error};

/// Whether a statement may be sent again when the connection broke and nobody knows whether it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    Never,
}

/// How often a statement is sent again that the server rolled back because of another transaction.
const ROLLED_BACK: u32 = 12;
/// How often a statement is sent again whose connection broke. A restart of the server has cut all that rest.
const BROKEN: u32 = 3;

/// Connections, and the time that they may take. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Link {
    connections: Arc<Connections>,
    response_timeout: Duration,
}

impl Link {
    /// Connections that are made when they are needed.
    pub(crate) fn new(settings: &PostgresSettings, most: u32) -> StoreResult<Self> {
        let response_timeout = settings.response_timeout;
        let connections =
            Connections::new(settings.options()?, most, settings.connect_timeout, response_timeout);
        Ok(Self { connections: Arc::new(connections), response_timeout })
    }

    /// The rows of one statement.
    ///
    /// It runs in a task of its own: a caller that gives up leaves it to its end, so that no connection is left in the
    /// middle of an answer.
    pub(crate) async fn rows<T>(
        &self,
        repeat: Repeat,
        statement: &'static str,
        arguments: PgArguments,
    ) -> StoreResult<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static,
    {
        let link = self.clone();
        let task = tokio::spawn(async move { link.attempts(repeat, statement, arguments).await });
        task.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the statement's task ended".to_owned())))
    }

    /// The first row of one statement.
    pub(crate) async fn row<T>(
        &self,
        repeat: Repeat,
        statement: &'static str,
        arguments: PgArguments,
    ) -> StoreResult<Option<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static,
    {
        Ok(self.rows(repeat, statement, arguments).await?.into_iter().next())
    }

    pub(crate) async fn close(&self) {
        self.connections.close().await;
    }

    async fn attempts<T>(
        &self,
        repeat: Repeat,
        statement: &'static str,
        arguments: PgArguments,
    ) -> StoreResult<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (mut rolled_back, mut broken) = (0, 0);
        loop {
            let failure = match self.once(statement, arguments.clone()).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => failure,
            };
            match failure.meaning {
                Meaning::RolledBack if rolled_back < ROLLED_BACK => {
                    rolled_back += 1;
                    tokio::time::sleep(pause(rolled_back)).await;
                }
                Meaning::Broken if failure.may_be_repeated && repeat == Repeat::Safe && broken < BROKEN => {
                    broken += 1;
                }
                _ => return Err(failure.error),
            }
        }
    }

    async fn once<T>(&self, statement: &'static str, arguments: PgArguments) -> Result<Vec<T>, Failure>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut lease = self.connections.take().await.map_err(|e| Failure::unconnected(&e))?;
        let query = sqlx::query_as_with(statement, arguments).fetch_all(&mut lease.connection);
        let outcome = tokio::time::timeout(self.response_timeout, query).await;
        let outcome = match outcome {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(e)) => Err(Failure::of(&e)),
            Err(_) => Err(Failure::late(self.response_timeout)),
        };
        if outcome.as_ref().err().is_none_or(|failure| failure.meaning != Meaning::Broken) {
            self.connections.give_back(lease);
        }
        outcome
    }
}

/// A statement that failed.
struct Failure {
    meaning: Meaning,
    error: StoreError,
    /// Whether there was a connection that broke, and time is left.
    may_be_repeated: bool,
}

impl Failure {
    fn of(error: &sqlx::Error) -> Self {
        Self { meaning: meaning(error), error: store_error(error), may_be_repeated: true }
    }

    fn late(after: Duration) -> Self {
        Self::given_up(&format!("did not answer within {} ms", after.as_millis()))
    }

    fn unconnected(why: &Unconnected) -> Self {
        match why {
            // The next attempt would meet the same.
            Unconnected::Error(e) => Self { may_be_repeated: false, ..Self::of(e) },
            Unconnected::Late => Self::given_up("gave no connection in time"),
            Unconnected::Closed => Self::given_up("was closed"),
        }
    }

    fn given_up(what: &str) -> Self {
        let error = StoreError::Unavailable(format!("postgres {what}"));
        Self { meaning: Meaning::Broken, error, may_be_repeated: false }
    }
}

/// Longer with each attempt, and different from one connection's to the next.
fn pause(attempt: u32) -> Duration {
    let spread = std::collections::hash_map::RandomState::new();
    let jitter = std::hash::BuildHasher::hash_one(&spread, attempt) % 1000;
    Duration::from_micros(500 * u64::from(attempt) + jitter * u64::from(attempt))
}

/// A connection beside the others, for what is no single statement.
pub(crate) async fn connect(options: &PgConnectOptions, timeout: Duration) -> StoreResult<PgConnection> {
    match tokio::time::timeout(timeout, PgConnection::connect_with(options)).await {
        Ok(connected) => connected.map_err(error),
        Err(_) => Err(StoreError::Unavailable("postgres: no connection in time".to_owned())),
    }
}
