//! PostgreSQL for tests: one server with one migrated database.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use keyward::compose::Durable;
use keyward_store_postgres::{PostgresSettings, PostgresStore, Tls};
use keyward_testkit::{Durability, PostgresServer};

/// The name of the database.
pub const DATABASE: &str = "keyward";

/// A server of the test's own.
pub struct Database {
    /// The server.
    pub server: PostgresServer,
}

impl Database {
    /// A server that syncs nothing, with the schema.
    pub async fn start() -> Self {
        Self::start_with(Durability::Fast, &[]).await
    }

    /// The same with further arguments of `postgres`.
    pub async fn start_with(durability: Durability, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(OsString::from).collect();
        let server =
            PostgresServer::start_with(durability, |_| Ok(arguments)).await.expect("postgres starts");
        server.create(DATABASE).expect("a database");
        let database = Self { server };
        PostgresStore::migrate(&database.patient()).await.expect("migrated");
        database
    }

    /// Settings with the program's own times.
    pub fn settings(&self) -> PostgresSettings {
        let mut settings = PostgresSettings::new(self.server.url(DATABASE));
        settings.tls = Tls::Off;
        settings
    }

    /// Settings for tests of what is right: machines that run tests are busy.
    pub fn patient(&self) -> PostgresSettings {
        PostgresSettings {
            connect_timeout: Duration::from_secs(20),
            response_timeout: Duration::from_secs(20),
            ..self.settings()
        }
    }

    /// Opens the store with patience.
    pub async fn open(&self) -> Durable {
        open(&self.patient()).await
    }

    /// Opens the store with the program's own times, by way of another address.
    pub async fn open_through(&self, address: SocketAddr) -> Durable {
        let url = format!("postgres://postgres@{address}/{DATABASE}");
        open(&PostgresSettings { url, ..self.settings() }).await
    }
}

/// Opens the store.
pub async fn open(settings: &PostgresSettings) -> Durable {
    Durable::Postgres(PostgresStore::connect(settings).await.expect("the store opens"))
}
