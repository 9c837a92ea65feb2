//! Subjects.

use std::collections::HashMap;

use async_trait::async_trait;
use keyward_domain::{SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{DocumentVersion, OpenedSubject, Removed, StoreError, StoreResult, SubjectRow, Subjects};

use crate::PostgresStore;
use crate::link::Repeat;
use crate::statement::{from_column, limit, values};

const SUBJECT: &str =
    "SELECT wrapped_key, created_at_us FROM subject WHERE tenant = $1::TEXT AND subject = $2::TEXT";

/// A row for each document asked for, or one row when none was; no row when there is no subject.
const OPEN: &str = "SELECT s.wrapped_key, s.created_at_us, wanted.name, d.version, d.written_at_us, d.sealed \
     FROM subject AS s \
     LEFT JOIN unnest($3::TEXT[]) AS wanted (name) ON TRUE \
     LEFT JOIN LATERAL (SELECT version, written_at_us, sealed FROM document \
         WHERE tenant = s.tenant AND subject = s.subject AND name = wanted.name \
         ORDER BY version DESC LIMIT 1) AS d ON TRUE \
     WHERE s.tenant = $1::TEXT AND s.subject = $2::TEXT";

/// No row when there is a subject.
const CREATE: &str = "INSERT INTO subject (tenant, subject, wrapped_key, created_at_us) \
     VALUES ($1::TEXT, $2::TEXT, $3::BYTEA, $4::BIGINT) \
     ON CONFLICT DO NOTHING RETURNING wrapped_key, created_at_us";

/// All or nothing, and how many rows it touched.
const ERASE: &str = "WITH \
     cleared AS (UPDATE record SET subject = NULL WHERE tenant = $1::TEXT AND subject = $2::TEXT RETURNING 1), \
     samples AS (DELETE FROM sample WHERE tenant = $1::TEXT AND subject = $2::TEXT RETURNING 1), \
     documents AS (DELETE FROM document WHERE tenant = $1::TEXT AND subject = $2::TEXT RETURNING 1), \
     credentials AS (DELETE FROM credential WHERE tenant = $1::TEXT AND subject = $2::TEXT RETURNING 1), \
     subjects AS (DELETE FROM subject WHERE tenant = $1::TEXT AND subject = $2::TEXT RETURNING 1) \
     SELECT (SELECT count(*) FROM subjects), (SELECT count(*) FROM credentials), \
         (SELECT count(*) FROM documents), (SELECT count(*) FROM samples), (SELECT count(*) FROM cleared)";

/// In the order of bytes, whatever the database's collation is. Columns are not declared so: not every database can.
const PAGE: &str = "SELECT tenant, subject, wrapped_key, created_at_us FROM subject \
     WHERE (tenant COLLATE \"C\", subject COLLATE \"C\") > ($1::TEXT, $2::TEXT) \
     ORDER BY tenant COLLATE \"C\", subject COLLATE \"C\" LIMIT $3::BIGINT";

const COUNT: &str = "SELECT count(*) FROM subject";

const REPLACE_KEY: &str = "UPDATE subject SET wrapped_key = $4::BYTEA \
     WHERE tenant = $1::TEXT AND subject = $2::TEXT AND wrapped_key = $3::BYTEA RETURNING created_at_us";

pub(crate) const STATEMENTS: &[&str] = &[SUBJECT, OPEN, CREATE, ERASE, PAGE, COUNT, REPLACE_KEY];

/// How often an erasure looks again for what was written while it ran.
const ERASE_ROUNDS: usize = 8;

type Columns = (Vec<u8>, i64);
type OpenColumns = (Vec<u8>, i64, Option<String>, Option<i64>, Option<i64>, Option<Vec<u8>>);

#[async_trait]
impl Subjects for PostgresStore {
    async fn subject(&self, who: &SubjectKey) -> StoreResult<Option<SubjectRow>> {
        let key = values![who.tenant.as_str(), who.subject.as_str()];
        let row: Option<Columns> = self.state.row(Repeat::Safe, SUBJECT, key).await?;
        Ok(row.map(from_columns))
    }

    async fn open_subject(&self, who: &SubjectKey, names: &[&str]) -> StoreResult<Option<OpenedSubject>> {
        let key = values![who.tenant.as_str(), who.subject.as_str(), names.to_vec()];
        let rows: Vec<OpenColumns> = self.state.rows(Repeat::Safe, OPEN, key).await?;
        let Some((wrapped_key, created_at, ..)) = rows.first() else { return Ok(None) };
        let row = from_columns((wrapped_key.clone(), *created_at));
        let mut found = HashMap::new();
        for (_, _, name, version, written_at, sealed) in rows {
            if let (Some(name), Some(version), Some(micros), Some(sealed)) =
                (name, version, written_at, sealed)
            {
                let version = from_column(version)?;
                found.insert(name, DocumentVersion { version, written_at: Timestamp { micros }, sealed });
            }
        }
        let documents = names.iter().map(|name| ((*name).to_owned(), found.remove(*name))).collect();
        Ok(Some(OpenedSubject { row, documents }))
    }

    async fn ensure_subject(&self, who: &SubjectKey, row: SubjectRow) -> StoreResult<SubjectRow> {
        if let Some(there) = self.subject(who).await? {
            return Ok(there);
        }
        let new = values![
            who.tenant.as_str(),
            who.subject.as_str(),
            row.wrapped_key.as_slice(),
            row.created_at.micros
        ];
        // Repeated after a break it finds the row that it made, which is as well.
        if let Some(made) = self.state.row(Repeat::Safe, CREATE, new).await? {
            return Ok(from_columns(made));
        }
        self.subject(who).await?.ok_or(StoreError::Conflict)
    }

    async fn erase_subject(&self, who: &SubjectKey) -> StoreResult<Removed> {
        let mut removed = Removed::default();
        for _ in 0..ERASE_ROUNDS {
            let key = values![who.tenant.as_str(), who.subject.as_str()];
            // Repeated after a break it could not say any more what it removed.
            let counts: Option<(i64, i64, i64, i64, i64)> = self.long.row(Repeat::Never, ERASE, key).await?;
            let (subjects, credentials, documents, samples, audit_records) = counts.unwrap_or_default();
            let round = Removed {
                subject: subjects > 0,
                credentials: from_column(credentials)?,
                documents: from_column(documents)?,
                samples: from_column(samples)?,
                audit_records: from_column(audit_records)?,
            };
            if !round.anything() {
                return Ok(removed);
            }
            removed.subject |= round.subject;
            removed.credentials += round.credentials;
            removed.documents += round.documents;
            removed.samples += round.samples;
            removed.audit_records += round.audit_records;
        }
        Err(StoreError::Conflict)
    }

    async fn subjects_after(
        &self,
        after: Option<&SubjectKey>,
        most: usize,
    ) -> StoreResult<Vec<(SubjectKey, SubjectRow)>> {
        // No id is empty, so that every subject comes after two empty texts.
        let (tenant, subject) = after.map_or(("", ""), |who| (who.tenant.as_str(), who.subject.as_str()));
        let rows: Vec<(String, String, Vec<u8>, i64)> =
            self.long.rows(Repeat::Safe, PAGE, values![tenant, subject, limit(most)]).await?;
        let damaged = |_| StoreError::Damaged("an id of a subject".to_owned());
        rows.into_iter()
            .map(|(tenant, subject, wrapped_key, created_at)| {
                let tenant = TenantId::parse(tenant).map_err(damaged)?;
                let subject = SubjectId::parse(subject).map_err(damaged)?;
                Ok((SubjectKey { tenant, subject }, from_columns((wrapped_key, created_at))))
            })
            .collect()
    }

    async fn subject_count(&self) -> StoreResult<u64> {
        let count: Option<(i64,)> = self.long.row(Repeat::Safe, COUNT, values![]).await?;
        from_column(count.map_or(0, |(count,)| count))
    }

    async fn replace_wrapped_key(
        &self,
        who: &SubjectKey,
        expected: &[u8],
        wrapped_key: Vec<u8>,
    ) -> StoreResult<()> {
        let values = values![who.tenant.as_str(), who.subject.as_str(), expected, wrapped_key.as_slice()];
        let replaced: Option<(i64,)> = self.state.row(Repeat::Never, REPLACE_KEY, values).await?;
        if replaced.is_some() {
            return Ok(());
        }
        Err(self.subject(who).await?.map_or(StoreError::NotFound, |_| StoreError::Conflict))
    }
}

fn from_columns((wrapped_key, micros): Columns) -> SubjectRow {
    SubjectRow { wrapped_key, created_at: Timestamp { micros } }
}
