//! What an operator should know about the server.

use keyward_store::StoreResult;
use sqlx::postgres::PgConnection;

use crate::error::error;

/// What a server does not know is NULL: PostgreSQL-compatible ones lack some settings.
const LOOK: &str = "SELECT current_setting('fsync', true), current_setting('full_page_writes', true), \
     current_setting('default_transaction_read_only', true), current_setting('max_connections', true), \
     (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)";

pub(crate) const STATEMENTS: &[&str] = &[LOOK];

type Columns = (Option<String>, Option<String>, Option<String>, Option<String>, Option<bool>);

/// What is wrong, and what to do.
pub(crate) async fn of(
    connection: &mut PgConnection,
    pool_size: u32,
) -> StoreResult<Vec<(String, &'static str)>> {
    let found: Columns = sqlx::query_as(LOOK).fetch_one(connection).await.map_err(error)?;
    let (fsync, pages, read_only, most, superuser) = found;
    let is = |setting: &Option<String>, value: &str| setting.as_deref() == Some(value);
    let mut advice = Vec::new();
    if is(&fsync, "off") || is(&pages, "off") {
        let text = "fsync or full_page_writes is off: records that were acknowledged are lost with the power";
        advice.push((text.to_owned(), "set both to on"));
    }
    if is(&read_only, "on") {
        let text = "transactions are read-only: nothing can be recorded, and so nothing is allowed";
        advice.push((text.to_owned(), "connect to the primary, or set default_transaction_read_only to off"));
    }
    if superuser == Some(true) {
        let text = "the role is a superuser, who may change the audit log";
        advice.push((text.to_owned(), "serve as a role with the grants of crates/store-postgres/README.md"));
    }
    let most = most.and_then(|most| most.parse::<u32>().ok());
    if let Some(most) = most.filter(|most| *most < pool_size.saturating_mul(2)) {
        let text = format!("max_connections is {most} and each server takes up to {pool_size}");
        advice.push((text, "raise max_connections, or lower postgres.pool_size"));
    }
    Ok(advice)
}
