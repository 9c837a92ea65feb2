//! One SQLite file: how it is made, opened and migrated, and what its errors mean.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward_store::{StoreError, StoreResult};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlSafeStr};

/// How long a statement waits for another process's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that only read.
const READERS: u32 = 2;
/// A write-ahead log that grew beyond this (a reader held it back) is cut when it starts over.
const WAL_BYTES_KEPT: &str = "67108864";

/// A migration: its number, what it does, its text.
pub(crate) type Step = (i64, &'static str, &'static str);

/// Makes the directory (mode 0700) unless it is there.
pub(crate) fn make_dir(dir: &Path) -> StoreResult<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| {
        StoreError::Unavailable(format!("cannot make the data directory {}: {e}", dir.display()))
    })
}

/// Makes the file (mode 0600; SQLite gives its side files the same) unless it is there, and proves it writable.
pub(crate) fn make_file(dir: &Path, name: &str) -> StoreResult<PathBuf> {
    let path = dir.join(name);
    let made = || -> io::Result<()> {
        fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        // The name itself must survive a crash of the machine, too.
        fs::File::open(dir)?.sync_all()
    };
    made().map_err(|e| StoreError::Unavailable(format!("cannot write {}: {e}", path.display())))?;
    prove_dir_writable(dir)?;
    Ok(path)
}

/// SQLite makes its write-ahead log beside the file, so that the directory must be writable as well.
fn prove_dir_writable(dir: &Path) -> StoreResult<()> {
    let probe = dir.join(".keyward-probe");
    let probed = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&probe);
    probed.and_then(|_| fs::remove_file(&probe)).map_err(|e| {
        StoreError::Unavailable(format!("the data directory {} is not writable: {e}", dir.display()))
    })
}

/// How both files are opened: readers run beside the writer, and a commit returns when it is on the disk.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("journal_size_limit", WAL_BYTES_KEPT)
        // What is deleted is overwritten: an erased subject's wrapped key must not stay in a free page.
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
}

/// Connections that only read.
pub(crate) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_lazy_with(options(path).pragma("query_only", "ON"))
}

/// Brings the file's schema to the newest step, and refuses one that is newer.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    file: &str,
    steps: &[Step],
) -> StoreResult<()> {
    let migrations = steps
        .iter()
        .map(|(version, what, sql)| {
            Migration::new(*version, (*what).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
        })
        .collect();
    let newest = steps.iter().map(|step| step.0).max().unwrap_or(0);
    let run = Migrator::with_migrations(migrations).run_direct(None, connection, false).await;
    run.map_err(|e| match e {
        MigrateError::VersionMissing(found) if found > newest => StoreError::Unavailable(format!(
            "{file} has schema version {found} and this program knows versions up to {newest}: \
             run the newer program, or restore the copy made before it ran"
        )),
        MigrateError::VersionMissing(found) | MigrateError::VersionMismatch(found) => {
            StoreError::Damaged(format!("{file} has a schema version {found} that this program never made"))
        }
        MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => error(e),
        other => StoreError::Unavailable(format!("cannot migrate {file}: {other}")),
    })
}

/// What SQLite's integrity check finds wrong; empty when all is well.
pub(crate) async fn integrity(pool: &SqlitePool) -> StoreResult<Vec<String>> {
    let found: Vec<(String,)> =
        sqlx::query_as("PRAGMA integrity_check(20)").fetch_all(pool).await.map_err(error)?;
    Ok(found.into_iter().map(|row| row.0).filter(|line| line != "ok").collect())
}

/// An error of sqlx in the terms of the port. SQLite's messages name tables and columns, never values.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(crate) fn error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(e) if e.is_unique_violation() => StoreError::Exists,
        // SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html).
        sqlx::Error::Database(e) if matches!(primary(e.code().as_deref()), 11 | 26) => {
            StoreError::Damaged(e.message().to_owned())
        }
        sqlx::Error::Database(e) => StoreError::Unavailable(e.message().to_owned()),
        sqlx::Error::ColumnDecode { index, .. } => {
            StoreError::Damaged(format!("column {index} does not decode"))
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// The primary result code: the low byte of the extended one.
fn primary(code: Option<&str>) -> u32 {
    code.and_then(|code| code.parse::<u32>().ok()).map_or(0, |code| code & 0xff)
}

/// A count or version as SQLite holds it.
pub(crate) fn to_column(value: u64) -> StoreResult<i64> {
    i64::try_from(value).map_err(|_| StoreError::Conflict)
}

/// A count or version as the port gives it.
pub(crate) fn from_column(value: i64) -> StoreResult<u64> {
    u64::try_from(value).map_err(|_| StoreError::Damaged("a count is negative".to_owned()))
}
