//! All rows of the database, on one connection and in one transaction.

mod put;

use std::time::Duration;

use async_trait::async_trait;
use keyward_domain::{CredentialId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::transfer::{Counts, Row, Transfer};
use keyward_store::{
    CosignatureRow, DocumentVersion, SampleRow, StoreError, StoreResult, SubjectRow, Tile, TreeHead,
};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Connection, FromRow};

use crate::audit::{self, READ};
use crate::error::error;
use crate::samples::decision_from;
use crate::statement::{from_column, limit, to_column, values};
use crate::{PostgresSettings, PostgresStore, credentials, link, policies, schema, tree};

/// As the database was when the first statement ran.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITE: &str = "BEGIN";
const COMMIT: &str = "COMMIT";

/// Whoever serves keeps connections; those of other roles cannot be seen by every role.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE application_name = 'keyward' AND datname = current_database() AND pid <> pg_backend_pid()";

/// Holds up whoever would append meanwhile; no row unless the log is empty.
const LOCK_HEAD: &str = "UPDATE log_head SET size = size WHERE id = 0 AND size = 0 RETURNING size";

/// Sets the head behind the last record; no row when the records that were put have a gap.
const SET_HEAD: &str = "UPDATE log_head SET size = (SELECT coalesce(max(log_index) + 1, 0) FROM record) \
     WHERE id = 0 AND (SELECT count(*) = coalesce(max(log_index) + 1 - min(log_index), 0) FROM record) \
     RETURNING size";

const COUNTS: &str = "SELECT (SELECT count(*) FROM subject), (SELECT count(*) FROM credential), \
     (SELECT count(*) FROM document), (SELECT count(*) FROM sample), (SELECT count(*) FROM record), \
     (SELECT count(*) FROM tree_head WHERE note <> '') + (SELECT count(*) FROM tile) \
         + (SELECT count(*) FROM cosignature), \
     (SELECT count(*) FROM policy_set)";

// Pages go by the primary key, in whatever order the database keeps it.
const SUBJECTS: &str = "SELECT tenant, subject, wrapped_key, created_at_us FROM subject \
     WHERE (tenant, subject) > ($1::TEXT, $2::TEXT) ORDER BY tenant, subject LIMIT $3::BIGINT";

const CREDENTIALS: &str = "SELECT tenant, id, subject, credential, name, created_at_us, last_used_at_us, version FROM credential \
     WHERE (tenant, id) > ($1::TEXT, $2::BYTEA) ORDER BY tenant, id LIMIT $3::BIGINT";

const DOCUMENTS: &str = "SELECT tenant, subject, name, version, written_at_us, sealed FROM document \
     WHERE (tenant, subject, name, version) > ($1::TEXT, $2::TEXT, $3::TEXT, $4::BIGINT) \
     ORDER BY tenant, subject, name, version LIMIT $5::BIGINT";

const SAMPLES: &str = "SELECT tenant, subject, name, decision, at_us, sealed FROM sample \
     WHERE (tenant, subject, name, decision) > ($1::TEXT, $2::TEXT, $3::TEXT, $4::BYTEA) \
     ORDER BY tenant, subject, name, decision LIMIT $5::BIGINT";

const TILES: &str = "SELECT level, place, hashes FROM tile \
     WHERE (level, place) > ($1::SMALLINT, $2::BIGINT) ORDER BY level, place LIMIT $3::BIGINT";

const COSIGNATURES: &str = "SELECT size, witness, note, line FROM cosignature \
     WHERE (size, witness) > ($1::BIGINT, $2::TEXT) ORDER BY size, witness LIMIT $3::BIGINT";

const POLICIES: &str = "SELECT digest, policies, schema_text, since_us FROM policy_set \
     WHERE digest > $1::BYTEA ORDER BY digest LIMIT $2::BIGINT";

pub(crate) use put::STATEMENTS as PUT_STATEMENTS;

pub(crate) const STATEMENTS: &[&str] = &[
    OTHERS,
    LOCK_HEAD,
    SET_HEAD,
    COUNTS,
    SUBJECTS,
    CREDENTIALS,
    DOCUMENTS,
    SAMPLES,
    TILES,
    COSIGNATURES,
    POLICIES,
];

type CredentialColumns = (String, Vec<u8>, String, Vec<u8>, String, i64, Option<i64>, i64);
type DocumentColumns = (String, String, String, i64, i64, Vec<u8>);
type SampleColumns = (String, String, String, Vec<u8>, i64, Vec<u8>);

/// How often it is looked for others, and the pause between.
const LOOKS: u32 = 15;
const PAUSE: Duration = Duration::from_millis(100);

/// The database, opened for a transfer. Dropping it rolls back.
struct PostgresTransfer {
    connection: PgConnection,
    writes: bool,
}

impl PostgresStore {
    /// Opens the database to be read as it is now.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached, has another schema, or is used by others.
    pub async fn read_all(settings: &PostgresSettings) -> StoreResult<Box<dyn Transfer>> {
        Ok(Box::new(PostgresTransfer::open(settings, false).await?))
    }

    /// Opens an empty database to be filled.
    ///
    /// # Errors
    /// As for [`PostgresStore::read_all`]; `Exists` when it is not empty.
    pub async fn fill(settings: &PostgresSettings) -> StoreResult<Box<dyn Transfer>> {
        let mut transfer = PostgresTransfer::open(settings, true).await?;
        let head: Option<(i64,)> = transfer.row(LOCK_HEAD, values![]).await?;
        if head.is_none() || transfer.counts().await?.total() > 0 {
            return Err(StoreError::Exists);
        }
        Ok(Box::new(transfer))
    }
}

impl PostgresTransfer {
    async fn open(settings: &PostgresSettings, writes: bool) -> StoreResult<Self> {
        let mut connection = link::connect(&settings.options()?, settings.connect_timeout).await?;
        schema::state(&mut connection).await?.served()?;
        alone(&mut connection).await?;
        let begin = if writes { BEGIN_WRITE } else { BEGIN_READ };
        sqlx::raw_sql(begin).execute(&mut connection).await.map_err(error)?;
        Ok(Self { connection, writes })
    }

    async fn rows<T>(&mut self, statement: &'static str, arguments: PgArguments) -> StoreResult<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        sqlx::query_as_with(statement, arguments).fetch_all(&mut self.connection).await.map_err(error)
    }

    async fn row<T>(&mut self, statement: &'static str, arguments: PgArguments) -> StoreResult<Option<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        Ok(self.rows(statement, arguments).await?.into_iter().next())
    }

    async fn subjects(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let (tenant, subject) = match after {
            Some(Row::Subject(who, _)) => (who.tenant.as_str(), who.subject.as_str()),
            _ => ("", ""),
        };
        let rows: Vec<(String, String, Vec<u8>, i64)> =
            self.rows(SUBJECTS, values![tenant, subject, limit(most)]).await?;
        rows.into_iter()
            .map(|(tenant, subject, wrapped_key, micros)| {
                let row = SubjectRow { wrapped_key, created_at: Timestamp { micros } };
                Ok(Row::Subject(key(tenant, subject)?, row))
            })
            .collect()
    }

    async fn credentials(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let none = CredentialId(Vec::new());
        let (tenant, id) = match after {
            Some(Row::Credential(row)) => (row.who.tenant.as_str(), &row.id),
            _ => ("", &none),
        };
        let rows: Vec<CredentialColumns> =
            self.rows(CREDENTIALS, values![tenant, id.0.as_slice(), limit(most)]).await?;
        rows.into_iter()
            .map(|(tenant, id, subject, credential, name, created, used, version)| {
                let tenant = TenantId::parse(tenant).map_err(|_| damaged())?;
                let columns = (id, subject, credential, name, created, used, version);
                credentials::from_columns(&tenant, columns).map(Row::Credential)
            })
            .collect()
    }

    async fn documents(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let (tenant, subject, name, version) = match after {
            Some(Row::Document(who, name, document)) => {
                (who.tenant.as_str(), who.subject.as_str(), name.as_str(), to_column(document.version))
            }
            _ => ("", "", "", -1),
        };
        let rows: Vec<DocumentColumns> =
            self.rows(DOCUMENTS, values![tenant, subject, name, version, limit(most)]).await?;
        rows.into_iter()
            .map(|(tenant, subject, name, version, micros, sealed)| {
                let version = from_column(version)?;
                let document = DocumentVersion { version, written_at: Timestamp { micros }, sealed };
                Ok(Row::Document(key(tenant, subject)?, name, document))
            })
            .collect()
    }

    async fn samples(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let (tenant, subject, name, decision) = match after {
            Some(Row::Sample(who, name, sample)) => (
                who.tenant.as_str(),
                who.subject.as_str(),
                name.as_str(),
                sample.decision.0.as_bytes().as_slice(),
            ),
            _ => ("", "", "", [].as_slice()),
        };
        let rows: Vec<SampleColumns> =
            self.rows(SAMPLES, values![tenant, subject, name, decision, limit(most)]).await?;
        rows.into_iter()
            .map(|(tenant, subject, name, decision, micros, sealed)| {
                let decision = decision_from(&decision)?;
                let sample = SampleRow { decision, at: Timestamp { micros }, sealed };
                Ok(Row::Sample(key(tenant, subject)?, name, sample))
            })
            .collect()
    }

    async fn records(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let from = match after {
            Some(Row::Record(index, _)) => to_column(index.saturating_add(1)),
            _ => 0,
        };
        let rows: Vec<audit::Columns> = self.rows(READ, values![from, limit(most)]).await?;
        rows.into_iter()
            .map(|columns| audit::from_columns(columns).map(|(n, row)| Row::Record(n, row)))
            .collect()
    }

    async fn head(&mut self, after: Option<&Row>) -> StoreResult<Vec<Row>> {
        if matches!(after, Some(Row::Head(_))) {
            return Ok(Vec::new());
        }
        let row: Option<(i64, i64, String)> = self.row(tree::HEAD, values![]).await?;
        row.into_iter()
            .map(|(size, micros, note)| {
                let size = from_column(size)?;
                Ok(Row::Head(TreeHead { size, signed_at: Timestamp { micros }, note }))
            })
            .collect()
    }

    async fn tiles(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let (level, place) = match after {
            Some(Row::Tile(tile)) => (i16::from(tile.level), to_column(tile.index)),
            _ => (-1, -1),
        };
        let rows: Vec<(i16, i64, Vec<u8>)> = self.rows(TILES, values![level, place, limit(most)]).await?;
        rows.into_iter()
            .map(|(level, place, hashes)| {
                let level = u8::try_from(level).map_err(|_| damaged())?;
                Ok(Row::Tile(Tile { level, index: from_column(place)?, hashes }))
            })
            .collect()
    }

    async fn cosignatures(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let (size, witness) = match after {
            Some(Row::Cosignature(row)) => (to_column(row.size), row.witness.as_str()),
            _ => (-1, ""),
        };
        let rows: Vec<(i64, String, String, String)> =
            self.rows(COSIGNATURES, values![size, witness, limit(most)]).await?;
        rows.into_iter()
            .map(|(size, witness, note, line)| {
                Ok(Row::Cosignature(CosignatureRow { size: from_column(size)?, witness, note, line }))
            })
            .collect()
    }

    async fn policies(&mut self, after: Option<&Row>, most: usize) -> StoreResult<Vec<Row>> {
        let digest = match after {
            Some(Row::Policy(row)) => row.digest.as_slice(),
            _ => [].as_slice(),
        };
        let rows: Vec<policies::Columns> = self.rows(POLICIES, values![digest, limit(most)]).await?;
        rows.into_iter().map(|columns| policies::from_columns(columns).map(Row::Policy)).collect()
    }
}

/// Refuses when others are connected. One that has just gone is seen for a moment longer.
async fn alone(connection: &mut PgConnection) -> StoreResult<()> {
    let mut others = (0_i64,);
    for _ in 0..LOOKS {
        others = sqlx::query_as(OTHERS).fetch_one(&mut *connection).await.map_err(error)?;
        if others.0 == 0 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    let text = format!("{} connections of keyward are open: stop all servers first", others.0);
    Err(StoreError::Unavailable(text))
}

fn key(tenant: String, subject: String) -> StoreResult<SubjectKey> {
    let tenant = TenantId::parse(tenant).map_err(|_| damaged())?;
    let subject = SubjectId::parse(subject).map_err(|_| damaged())?;
    Ok(SubjectKey { tenant, subject })
}

fn damaged() -> StoreError {
    StoreError::Damaged("an id of a row".to_owned())
}

#[async_trait]
impl Transfer for PostgresTransfer {
    async fn counts(&mut self) -> StoreResult<Counts> {
        let counts: Option<(i64, i64, i64, i64, i64, i64, i64)> = self.row(COUNTS, values![]).await?;
        let (subjects, credentials, documents, samples, records, tree, policies) = counts.unwrap_or_default();
        Ok(Counts {
            subjects: from_column(subjects)?,
            credentials: from_column(credentials)?,
            documents: from_column(documents)?,
            samples: from_column(samples)?,
            records: from_column(records)?,
            tree: from_column(tree)?,
            policies: from_column(policies)?,
        })
    }

    async fn rows_after(&mut self, after: Option<&Row>, limit: usize) -> StoreResult<Vec<Row>> {
        for kind in after.map_or(0, Row::kind)..Row::KINDS {
            let rows = match kind {
                0 => self.subjects(after, limit).await?,
                1 => self.credentials(after, limit).await?,
                2 => self.documents(after, limit).await?,
                3 => self.samples(after, limit).await?,
                4 => self.records(after, limit).await?,
                5 => self.head(after).await?,
                6 => self.tiles(after, limit).await?,
                7 => self.cosignatures(after, limit).await?,
                _ => self.policies(after, limit).await?,
            };
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    async fn put(&mut self, rows: Vec<Row>) -> StoreResult<()> {
        let mut rest = rows.as_slice();
        while let Some(first) = rest.first() {
            let alike = rest.iter().take_while(|row| row.kind() == first.kind()).count();
            let (these, others) = rest.split_at(alike);
            let (statement, values) = put::columns(these)?;
            let _: Vec<()> = self.rows(statement, values).await?;
            rest = others;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> StoreResult<()> {
        if self.writes {
            let head: Option<(i64,)> = self.row(SET_HEAD, values![]).await?;
            head.ok_or_else(|| StoreError::Damaged("the log that was put has a gap".to_owned()))?;
        }
        sqlx::raw_sql(COMMIT).execute(&mut self.connection).await.map_err(error)?;
        self.connection.close().await.map_err(error)
    }
}
