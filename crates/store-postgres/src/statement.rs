//! Every statement of this crate, listed once: a test prepares each against the migrated schema. Which one does what is
//! written where it is used.

use keyward_store::{StoreError, StoreResult};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, Encode, Type};

use crate::{advice, audit, credentials, documents, policies, samples, schema, subjects, transfer, tree};

/// See [`crate::connections`].
pub(crate) const BEGIN_SESSION: &str = "SELECT set_config('statement_timeout', $1::TEXT, false), \
     set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
         ELSE current_setting('synchronous_commit') END, false)";

/// All statements.
pub const STATEMENTS: &[&[&str]] = &[
    &[BEGIN_SESSION],
    subjects::STATEMENTS,
    credentials::STATEMENTS,
    documents::STATEMENTS,
    samples::STATEMENTS,
    policies::STATEMENTS,
    audit::STATEMENTS,
    schema::STATEMENTS,
    advice::STATEMENTS,
    transfer::STATEMENTS,
    transfer::PUT_STATEMENTS,
    tree::STATEMENTS,
];

/// The arguments of a statement, in order.
#[derive(Default)]
pub(crate) struct Values(PgArguments);

impl Values {
    pub(crate) fn with<'v, T: Encode<'v, Postgres> + Type<Postgres>>(
        mut self,
        value: T,
    ) -> StoreResult<Self> {
        self.0
            .add(value)
            .map_err(|_| StoreError::Unavailable("a value is too large for postgres".to_owned()))?;
        Ok(self)
    }

    pub(crate) fn end(self) -> PgArguments {
        self.0
    }
}

/// The arguments of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        crate::statement::Values::default()$(.with($value)?)*.end()
    };
}
pub(crate) use values;

/// A count or version as PostgreSQL holds it; what is too large for it is the version of nothing.
pub(crate) fn to_column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(-1)
}

/// A count or version as the port gives it.
pub(crate) fn from_column(value: i64) -> StoreResult<u64> {
    u64::try_from(value).map_err(|_| StoreError::Damaged("a count is negative".to_owned()))
}

/// A limit as PostgreSQL takes it.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
