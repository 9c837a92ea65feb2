//! The durable store: three sets of connections to one database.

use keyward_store::{AuditLog, StoreResult};

use crate::advice;
use crate::link::{self, Link};
use crate::schema::{self, SchemaState, Step};
use crate::settings::PostgresSettings;

/// Connections that only append to the log: an append never waits for a read.
const LOG_CONNECTIONS: u32 = 2;
/// Erasures at once, and other things that may take long.
const LONG_CONNECTIONS: u32 = 1;
/// How much longer these may take than other statements.
const LONG: u32 = 60;

/// Durable state in a PostgreSQL database, or one that speaks its protocol and SQL. Cheap to clone; all clones share the
/// connections. Several replicas may work on one database.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) state: Link,
    pub(crate) log: Link,
    /// For what may take long: erasures, counts, pages.
    pub(crate) long: Link,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects to a database whose schema is there.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached, when its schema is older than this program needs or newer than it knows.
    pub async fn connect(settings: &PostgresSettings) -> StoreResult<Self> {
        Self::schema(settings).await?.served()?;
        let long =
            PostgresSettings { response_timeout: settings.response_timeout * LONG, ..settings.clone() };
        Ok(Self {
            state: Link::new(settings, settings.pool_size.saturating_sub(LOG_CONNECTIONS).max(1))?,
            log: Link::new(settings, LOG_CONNECTIONS)?,
            long: Link::new(&long, LONG_CONNECTIONS)?,
        })
    }

    /// How far the schema is. Changes nothing.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be reached.
    pub async fn schema(settings: &PostgresSettings) -> StoreResult<SchemaState> {
        let mut connection = link::connect(&settings.options()?, settings.connect_timeout).await?;
        schema::state(&mut connection).await
    }

    /// Makes the schema, or brings it forward; returns the steps that were taken. Safe beside running replicas, and
    /// beside others that do the same.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be reached, the role may not change the schema, or the schema is newer than
    /// this program knows; `Damaged` when a step was taken that is not the one of its number.
    pub async fn migrate(settings: &PostgresSettings) -> StoreResult<Vec<Step>> {
        let mut connection = link::connect(&settings.options()?, settings.connect_timeout).await?;
        schema::migrate(&mut connection).await
    }

    /// What an operator should know about the server: what is wrong, and what to do.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be reached.
    pub async fn advice(settings: &PostgresSettings) -> StoreResult<Vec<(String, &'static str)>> {
        let mut connection = link::connect(&settings.options()?, settings.connect_timeout).await?;
        advice::of(&mut connection, settings.pool_size).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ping(&self) -> StoreResult<()> {
        self.size().await.map(|_| ())
    }

    /// Waits for what runs and closes the connections.
    pub async fn close(&self) {
        self.state.close().await;
        self.log.close().await;
        self.long.close().await;
    }
}
