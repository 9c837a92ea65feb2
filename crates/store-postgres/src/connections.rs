//! Connections that rest between statements.
//!
//! Not sqlx's pool: that asks the server once more after every use, and waits out its whole timeout when a connection is
//! refused, where a decision must be told at once that nothing can be recorded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::statement::BEGIN_SESSION;

/// A connection that rested longer is asked for a sign of life before it is used.
const RESTED: Duration = Duration::from_secs(1);
/// After this long a connection is replaced, so that load finds its way to new servers behind a name.
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// What rested longer, because fewer are needed now, is closed.
const IDLE: Duration = Duration::from_mins(5);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Unconnected {
    /// The server refused, or the network did.
    Error(sqlx::Error),
    /// None was free, or none was made, in time.
    Late,
    /// The store was closed.
    Closed,
}

/// A bounded number of connections. The one that rested least is used first.
pub(crate) struct Connections {
    options: PgConnectOptions,
    connect_timeout: Duration,
    statement_timeout: Duration,
    places: Arc<Semaphore>,
    resting: Mutex<Vec<Resting>>,
}

struct Resting {
    connection: PgConnection,
    made: Instant,
    since: Instant,
}

/// A connection in use, with its place among those that may be.
pub(crate) struct Lease {
    pub(crate) connection: PgConnection,
    made: Instant,
    _place: OwnedSemaphorePermit,
}

impl Connections {
    /// None is made before it is needed.
    pub(crate) fn new(
        options: PgConnectOptions,
        most: u32,
        connect_timeout: Duration,
        statement_timeout: Duration,
    ) -> Self {
        let places = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX)));
        Self { options, connect_timeout, statement_timeout, places, resting: Mutex::default() }
    }

    /// A connection that rested, or a new one. Dropping the lease closes it.
    pub(crate) async fn take(&self) -> Result<Lease, Unconnected> {
        tokio::time::timeout(self.connect_timeout, self.find()).await.unwrap_or(Err(Unconnected::Late))
    }

    /// Lets a connection rest that is good for another statement.
    pub(crate) fn give_back(&self, lease: Lease) {
        let Lease { connection, made, .. } = lease;
        let now = Instant::now();
        let mut resting = self.resting();
        resting.push(Resting { connection, made, since: now });
        // Those at the bottom rested longest.
        let outdated = resting.iter().take_while(|one| now.duration_since(one.since) > IDLE).count();
        resting.drain(..outdated);
    }

    /// Closes those that rest, and gives out no more.
    pub(crate) async fn close(&self) {
        self.places.close();
        let resting = std::mem::take(&mut *self.resting());
        for one in resting {
            // It ends either way.
            let _ = tokio::time::timeout(self.connect_timeout, one.connection.close()).await;
        }
    }

    async fn find(&self) -> Result<Lease, Unconnected> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Unconnected::Closed)?;
        while let Some(mut rested) = self.pop() {
            let fresh = rested.since.elapsed() <= RESTED;
            if rested.made.elapsed() <= MAX_LIFETIME && (fresh || rested.connection.ping().await.is_ok()) {
                return Ok(Lease { connection: rested.connection, made: rested.made, _place: place });
            }
        }
        let connection = self.connect().await.map_err(Unconnected::Error)?;
        Ok(Lease { connection, made: Instant::now(), _place: place })
    }

    /// Commits are durable whatever the server's default, and nothing runs or waits on the server that nobody waits for
    /// here.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let millis = self.statement_timeout.as_millis().to_string();
        sqlx::query(BEGIN_SESSION).bind(millis).execute(&mut connection).await?;
        Ok(connection)
    }

    fn pop(&self) -> Option<Resting> {
        self.resting().pop()
    }

    /// The list is whole between any two statements that can panic.
    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
