//! What went wrong, in the terms of the port.

use keyward_store::StoreError;
use sqlx::Error;

/// What a failed statement means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The server rolled it back because of another transaction: it did not happen, and may succeed when repeated.
    RolledBack,
    /// The connection is of no use any more, and nobody knows whether the statement happened.
    Broken,
    /// The server was there and refused.
    Refused,
}

/// SQLSTATE classes and codes: postgresql.org/docs/current/errcodes-appendix.html.
pub(crate) fn meaning(error: &Error) -> Meaning {
    match error {
        Error::Database(database) => match database.code().as_deref().unwrap_or_default() {
            // serialization_failure, deadlock_detected
            "40001" | "40P01" => Meaning::RolledBack,
            // read_only_sql_transaction: this server was demoted, or its disk is nearly full; the next may be another.
            "25006" => Meaning::Broken,
            code if code.starts_with("08") || code.starts_with("57P") => Meaning::Broken,
            _ => Meaning::Refused,
        },
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::Encode(_) => Meaning::Refused,
        _ => Meaning::Broken,
    }
}

/// The server's messages name tables, columns and constraints; values stand in its details, which are left out.
pub(crate) fn store_error(error: &Error) -> StoreError {
    match error {
        Error::Database(e) => match e.code().as_deref().unwrap_or_default() {
            "23505" => StoreError::Exists,
            // data_corrupted, index_corrupted
            "XX001" | "XX002" => StoreError::Damaged(e.message().to_owned()),
            code => StoreError::Unavailable(format!("postgres: {} ({code})", e.message())),
        },
        Error::ColumnDecode { index, .. } => StoreError::Damaged(format!("column {index} does not decode")),
        Error::PoolTimedOut => StoreError::Unavailable("postgres: no connection in time".to_owned()),
        Error::Io(e) => StoreError::Unavailable(format!("postgres: {}", e.kind())),
        // What was given to log in with must not be repeated.
        Error::Configuration(_) => StoreError::Unavailable("postgres: settings are not usable".to_owned()),
        other => StoreError::Unavailable(format!("postgres: {other}")),
    }
}

/// `map_err` for what is done outside [`Link`](crate::link::Link).
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(crate) fn error(error: Error) -> StoreError {
    store_error(&error)
}
