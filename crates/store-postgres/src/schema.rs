//! The schema: its steps, how far a database is, and bringing it forward.

use std::time::Duration;

use keyward_store::{StoreError, StoreResult};
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;

use crate::error::{error, store_error};

/// A migration: its number, what it does, its text. One that older programs can go on with begins with [`EXPANDS`].
type Source = (i64, &'static str, &'static str);

const STEPS: &[Source] = &[
    (1, "state", include_str!("../migrations/0001_state.sql")),
    (2, "log", include_str!("../migrations/0002_log.sql")),
    (3, "tree", include_str!("../migrations/0003_tree.sql")),
    (4, "expand: policy sets", include_str!("../migrations/0004_policies.sql")),
];

/// What the name of a step begins with that only adds what older programs need not know.
const EXPANDS: &str = "expand: ";

const APPLIED: &str = "SELECT version, description FROM _sqlx_migrations ORDER BY version";

/// A migration waits for no lock longer than this, for everything that comes later waits behind it.
const LOCK_TIMEOUT: &str = "SELECT set_config('lock_timeout', '5s', false)";

pub(crate) const STATEMENTS: &[&str] = &[APPLIED, LOCK_TIMEOUT];

/// How often a migration is begun again because another program migrates at the same time, and the pause between.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// A step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// What it does.
    pub what: String,
}

/// How far a database's schema is, beside what this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// These steps are to come; all of them when the database is empty.
    Behind(Vec<Step>),
    /// As this program needs it.
    Current,
    /// A newer program added these steps, which this one can go on with.
    Expanded(Vec<Step>),
    /// A newer program made these steps, which this one cannot go on with.
    Ahead(Vec<Step>),
}

impl SchemaState {
    /// Whether a program may serve on it.
    ///
    /// # Errors
    /// `Unavailable`, which says what to do.
    pub fn served(&self) -> StoreResult<()> {
        match self {
            Self::Current | Self::Expanded(_) => Ok(()),
            Self::Behind(steps) => Err(StoreError::Unavailable(format!(
                "the schema lacks {}: run `keyward migrate`, or set postgres.migrate_on_start",
                numbers(steps)
            ))),
            Self::Ahead(steps) => Err(StoreError::Unavailable(format!(
                "the schema has {} of a newer program, and this one knows steps up to {}: run the newer program",
                numbers(steps),
                newest()
            ))),
        }
    }
}

fn numbers(steps: &[Step]) -> String {
    let numbers: Vec<String> = steps.iter().map(|step| format!("{} ({})", step.version, step.what)).collect();
    format!("step{} {}", if steps.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

fn newest() -> i64 {
    STEPS.iter().map(|step| step.0).max().unwrap_or(0)
}

/// How far the schema is. Changes nothing.
pub(crate) async fn state(connection: &mut PgConnection) -> StoreResult<SchemaState> {
    let applied = applied(connection).await?;
    let unknown: Vec<Step> =
        applied.iter().filter(|step| !STEPS.iter().any(|known| known.0 == step.version)).cloned().collect();
    if unknown.iter().any(|step| !step.what.starts_with(EXPANDS)) {
        return Ok(SchemaState::Ahead(unknown));
    }
    let missing: Vec<Step> = STEPS
        .iter()
        .filter(|known| !applied.iter().any(|step| step.version == known.0))
        .map(|(version, what, _)| Step { version: *version, what: (*what).to_owned() })
        .collect();
    Ok(match (missing.is_empty(), unknown.is_empty()) {
        (false, _) => SchemaState::Behind(missing),
        (true, true) => SchemaState::Current,
        (true, false) => SchemaState::Expanded(unknown),
    })
}

async fn applied(connection: &mut PgConnection) -> StoreResult<Vec<Step>> {
    match sqlx::query_as::<_, (i64, String)>(APPLIED).fetch_all(connection).await {
        Ok(rows) => Ok(rows.into_iter().map(|(version, what)| Step { version, what }).collect()),
        // undefined_table: nothing was ever migrated here.
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42P01") => Ok(Vec::new()),
        Err(e) => Err(error(e)),
    }
}

/// Takes the steps that are missing, each in a transaction of its own, and returns them. Several programs may do so at
/// once: no lock is held between them, for not every database has one; whoever comes second finds the step taken.
pub(crate) async fn migrate(connection: &mut PgConnection) -> StoreResult<Vec<Step>> {
    sqlx::query(LOCK_TIMEOUT).execute(&mut *connection).await.map_err(error)?;
    let missing = match state(connection).await? {
        SchemaState::Behind(missing) => missing,
        SchemaState::Current | SchemaState::Expanded(_) => return Ok(Vec::new()),
        ahead @ SchemaState::Ahead(_) => return ahead.served().map(|()| Vec::new()),
    };
    for attempt in 1.. {
        match migrator().run_direct(None, connection, false).await {
            Ok(()) => break,
            Err(e) if attempt < ATTEMPTS && raced(&e) => tokio::time::sleep(PAUSE).await,
            Err(e) => return Err(failed(&e)),
        }
    }
    Ok(missing)
}

fn migrator() -> Migrator {
    let migrations = STEPS.iter().map(|(version, what, sql)| {
        Migration::new(*version, (*what).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // What it would lock with is an advisory lock, which not every database has.
    migrator.set_locking(false);
    // What is unknown was judged before.
    migrator.set_ignore_missing(true);
    migrator
}

/// Whether another program got in between: the step is there now, or its lock is held.
fn raced(error: &MigrateError) -> bool {
    let (MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _)) = error else { return false };
    let code = e.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // unique_violation, duplicate_table, duplicate_object, serialization_failure, deadlock_detected, lock_not_available
    matches!(code.as_deref(), Some("23505" | "42P07" | "42710" | "40001" | "40P01" | "55P03"))
}

fn failed(error: &MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(e) => store_error(e),
        MigrateError::ExecuteMigration(e, version) => {
            StoreError::Unavailable(format!("step {version} of the schema: {}", store_error(e)))
        }
        MigrateError::VersionMismatch(version) => StoreError::Damaged(format!(
            "step {version} of the schema is not the one that this program knows"
        )),
        other => StoreError::Unavailable(format!("cannot migrate: {other}")),
    }
}
