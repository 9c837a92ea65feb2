//! The audit log.

use async_trait::async_trait;
use keyward_domain::{DecisionId, SubjectId, TenantId, Timestamp};
use keyward_store::{AuditLog, AuditRow, AuditSelection, DECISION_KIND, StoreError, StoreResult};

use crate::PostgresStore;
use crate::link::Repeat;
use crate::samples::decision_from;
use crate::statement::{from_column, limit, values};

/// One statement, one round trip, one commit, however many rows. Raising the head locks it until the commit, so that
/// replicas append one after the other and an index is given once the records before it are sure to be there.
const APPEND: &str = "WITH head AS ( \
         UPDATE log_head SET size = size + $1::BIGINT WHERE id = 0 RETURNING size - $1::BIGINT AS first), \
     added AS ( \
         INSERT INTO record (log_index, commitment, kind, tenant, subject, decision, at_us, sealed) \
         SELECT head.first + new.n - 1, new.commitment, new.kind, new.tenant, new.subject, new.decision, new.at_us, \
             new.sealed \
         FROM head, unnest($2::BYTEA[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::BYTEA[], $7::BIGINT[], $8::BYTEA[]) \
             WITH ORDINALITY AS new (commitment, kind, tenant, subject, decision, at_us, sealed, n) \
         RETURNING 1) \
     SELECT first, (SELECT count(*) FROM added) FROM head";

pub(crate) const READ: &str = "SELECT log_index, commitment, kind, tenant, subject, decision, at_us, sealed FROM record \
     WHERE log_index >= $1::BIGINT ORDER BY log_index LIMIT $2::BIGINT";

const BY_DECISION: &str = "SELECT log_index, commitment, kind, tenant, subject, decision, at_us, sealed FROM record \
     WHERE decision = $1::BYTEA AND tenant = $2::TEXT ORDER BY log_index LIMIT 1";

const COMMITMENTS: &str = "SELECT log_index, commitment FROM record \
     WHERE log_index >= $1::BIGINT ORDER BY log_index LIMIT $2::BIGINT";

const SIZE: &str = "SELECT size FROM log_head WHERE id = 0";

/// A few at a time: appends go on in between. The newest record stays.
const PRUNE: &str = "WITH pruned AS (DELETE FROM record WHERE log_index IN ( \
         SELECT log_index FROM record \
         WHERE log_index < $1::BIGINT AND log_index < (SELECT size - 1 FROM log_head WHERE id = 0) \
         ORDER BY log_index LIMIT $2::BIGINT) RETURNING 1) \
     SELECT count(*) FROM pruned";

/// The records of a tenant with indices from `$1` to below `$2`, at most `$4`; `$5` is the subject, `$6` the kind.
macro_rules! select {
    ($which:literal, $order:literal) => {
        concat!(
            "SELECT log_index, commitment, kind, tenant, subject, decision, at_us, sealed FROM record \
             WHERE log_index >= $1::BIGINT AND log_index < $2::BIGINT AND tenant = $3::TEXT ",
            $which,
            " ORDER BY log_index ",
            $order,
            " LIMIT $4::BIGINT"
        )
    };
}

/// The same filter in both orders: the oldest first, the newest first. What a filter does not ask for is NULL.
macro_rules! both_orders {
    ($which:literal) => {
        [select!($which, "ASC"), select!($which, "DESC")]
    };
}

const SELECT_ALL: [&str; 2] = both_orders!("AND $5::TEXT IS NULL AND $6::TEXT IS NULL");
const SELECT_SUBJECT: [&str; 2] = both_orders!("AND subject = $5::TEXT AND $6::TEXT IS NULL");
const SELECT_SUBJECT_AND_KIND: [&str; 2] = both_orders!("AND subject = $5::TEXT AND kind = $6::TEXT");
const SELECT_DECISIONS: [&str; 2] = both_orders!("AND $5::TEXT IS NULL AND kind = $6::TEXT");
/// By the index of records that are no decisions.
const SELECT_EVENTS: [&str; 2] =
    both_orders!("AND $5::TEXT IS NULL AND kind = $6::TEXT AND kind <> 'decision'");

pub(crate) const STATEMENTS: &[&str] = &[
    APPEND,
    READ,
    BY_DECISION,
    COMMITMENTS,
    SIZE,
    PRUNE,
    SELECT_ALL[0],
    SELECT_ALL[1],
    SELECT_SUBJECT[0],
    SELECT_SUBJECT[1],
    SELECT_SUBJECT_AND_KIND[0],
    SELECT_SUBJECT_AND_KIND[1],
    SELECT_DECISIONS[0],
    SELECT_DECISIONS[1],
    SELECT_EVENTS[0],
    SELECT_EVENTS[1],
];

/// How many records are pruned in one commit.
const PRUNED_AT_ONCE: usize = 1000;

#[async_trait]
impl AuditLog for PostgresStore {
    async fn append(&self, rows: Vec<AuditRow>) -> StoreResult<u64> {
        if rows.is_empty() {
            return self.size().await;
        }
        let column = |of: fn(&AuditRow) -> &[u8]| rows.iter().map(of).collect::<Vec<_>>();
        let decisions: Vec<Option<&[u8]>> =
            rows.iter().map(|row| row.decision.as_ref().map(|id| &id.0.as_bytes()[..])).collect();
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let values = values![
            count,
            column(|row| &row.commitment),
            rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(),
            rows.iter().map(|row| row.tenant.as_str()).collect::<Vec<_>>(),
            rows.iter().map(|row| row.subject.as_ref().map(SubjectId::as_str)).collect::<Vec<_>>(),
            decisions,
            rows.iter().map(|row| row.at.micros).collect::<Vec<_>>(),
            column(|row| &row.sealed),
        ];
        // Repeated after a break, records that were written would be written twice.
        let appended: Option<(i64, i64)> = self.log.row(Repeat::Never, APPEND, values).await?;
        match appended {
            Some((first, added)) if added == count => from_column(first),
            _ => Err(without_head()),
        }
    }

    async fn read(&self, from: u64, most: usize) -> StoreResult<Vec<(u64, AuditRow)>> {
        let Ok(from) = i64::try_from(from) else {
            return Ok(Vec::new());
        };
        let rows: Vec<Columns> = self.state.rows(Repeat::Safe, READ, values![from, limit(most)]).await?;
        rows.into_iter().map(from_columns).collect()
    }

    async fn commitments(&self, from: u64, most: usize) -> StoreResult<Vec<(u64, [u8; 32])>> {
        let Ok(from) = i64::try_from(from) else {
            return Ok(Vec::new());
        };
        let rows: Vec<(i64, Vec<u8>)> =
            self.state.rows(Repeat::Safe, COMMITMENTS, values![from, limit(most)]).await?;
        rows.into_iter().map(|(index, bytes)| Ok((from_column(index)?, commitment(index, bytes)?))).collect()
    }

    async fn select(&self, what: &AuditSelection) -> StoreResult<Vec<(u64, AuditRow)>> {
        let Ok(from) = i64::try_from(what.indices.start) else {
            return Ok(Vec::new());
        };
        let to = i64::try_from(what.indices.end).unwrap_or(i64::MAX);
        let statements = match (&what.subject, what.kind.as_deref()) {
            (Some(_), None) => SELECT_SUBJECT,
            (Some(_), Some(_)) => SELECT_SUBJECT_AND_KIND,
            (None, None) => SELECT_ALL,
            (None, Some(DECISION_KIND)) => SELECT_DECISIONS,
            (None, Some(_)) => SELECT_EVENTS,
        };
        let values = values![
            from,
            to,
            what.tenant.as_str(),
            limit(what.limit),
            what.subject.as_ref().map(SubjectId::as_str),
            what.kind.as_deref(),
        ];
        let statement = statements[usize::from(what.newest_first)];
        let rows: Vec<Columns> = self.state.rows(Repeat::Safe, statement, values).await?;
        rows.into_iter().map(from_columns).collect()
    }

    async fn by_decision(
        &self,
        tenant: &TenantId,
        decision: DecisionId,
    ) -> StoreResult<Option<(u64, AuditRow)>> {
        let key = values![decision.0.as_bytes().as_slice(), tenant.as_str()];
        let row: Option<Columns> = self.state.row(Repeat::Safe, BY_DECISION, key).await?;
        row.map(from_columns).transpose()
    }

    async fn size(&self) -> StoreResult<u64> {
        let size: Option<(i64,)> = self.state.row(Repeat::Safe, SIZE, values![]).await?;
        let (size,) = size.ok_or_else(without_head)?;
        from_column(size)
    }

    async fn prune(&self, below: u64) -> StoreResult<u64> {
        let below = i64::try_from(below).unwrap_or(i64::MAX);
        let mut pruned = 0;
        loop {
            let some: Option<(i64,)> =
                self.long.row(Repeat::Never, PRUNE, values![below, limit(PRUNED_AT_ONCE)]).await?;
            let some = from_column(some.map_or(0, |(some,)| some))?;
            pruned += some;
            if some < PRUNED_AT_ONCE as u64 {
                return Ok(pruned);
            }
        }
    }
}

fn without_head() -> StoreError {
    StoreError::Damaged("log_head has no row: restore the database from a backup".to_owned())
}

pub(crate) type Columns = (i64, Vec<u8>, String, String, Option<String>, Option<Vec<u8>>, i64, Vec<u8>);

fn commitment(index: i64, bytes: Vec<u8>) -> StoreResult<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Damaged(format!("the commitment of record {index}")))
}

pub(crate) fn from_columns(
    (index, bytes, kind, tenant, subject, decision, at, sealed): Columns,
) -> StoreResult<(u64, AuditRow)> {
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of record {index}"));
    let row = AuditRow {
        commitment: commitment(index, bytes)?,
        kind,
        tenant: TenantId::parse(tenant).map_err(|_| damaged("the tenant"))?,
        subject: subject.map(SubjectId::parse).transpose().map_err(|_| damaged("the subject"))?,
        decision: decision.map(|bytes| decision_from(&bytes)).transpose()?,
        at: Timestamp { micros: at },
        sealed,
    };
    Ok((from_column(index)?, row))
}
