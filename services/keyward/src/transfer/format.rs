//! The form of an export: JSON, a line a row, between a line that says what it is and a line that says that it is whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyward_domain::{CredentialId, DecisionId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::transfer::{Counts, Row};
use keyward_store::{
    AuditRow, CosignatureRow, CredentialRow, DocumentVersion, PolicyRow, SampleRow, SubjectRow, Tile,
    TreeHead,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The version of the form. A reader takes its own alone.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Beginning {
    pub(super) keyward_export: u32,
    /// How many rows there will be, all kinds together.
    pub(super) rows: u64,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) end: Totals,
}

/// What both sides of a transfer must agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) subjects: u64,
    pub(super) credentials: u64,
    pub(super) documents: u64,
    pub(super) samples: u64,
    pub(super) records: u64,
    pub(super) tree: u64,
    pub(super) policies: u64,
    /// The RFC 6962 root over the records that are there, in hexadecimal.
    pub(super) log_root: String,
    /// A hash over every byte of every row, whatever their order.
    pub(super) content: String,
}

impl Totals {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            subjects: self.subjects,
            credentials: self.credentials,
            documents: self.documents,
            samples: self.samples,
            records: self.records,
            tree: self.tree,
            policies: self.policies,
        }
    }
}

/// Bytes as base64.
#[derive(Debug)]
pub(super) struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A line between the first and the last. Times are microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Subject {
        tenant: String,
        subject: String,
        wrapped_key: Bytes,
        created_at: i64,
    },
    Credential {
        tenant: String,
        subject: String,
        id: Bytes,
        credential: Bytes,
        name: String,
        created_at: i64,
        last_used_at: Option<i64>,
        version: u64,
    },
    Document {
        tenant: String,
        subject: String,
        name: String,
        version: u64,
        written_at: i64,
        sealed: Bytes,
    },
    Sample {
        tenant: String,
        subject: String,
        name: String,
        decision: Uuid,
        at: i64,
        sealed: Bytes,
    },
    Record {
        index: u64,
        commitment: Bytes,
        kind: String,
        tenant: String,
        subject: Option<String>,
        decision: Option<Uuid>,
        at: i64,
        sealed: Bytes,
    },
    Checkpoint {
        size: u64,
        signed_at: i64,
        note: String,
    },
    Tile {
        level: u8,
        index: u64,
        hashes: Bytes,
    },
    Cosignature {
        size: u64,
        witness: String,
        note: String,
        line: String,
    },
    Policy {
        digest: Bytes,
        text: String,
        schema: String,
        since: i64,
    },
}

impl From<Row> for Line {
    fn from(row: Row) -> Self {
        match row {
            Row::Subject(who, row) => Self::Subject {
                tenant: who.tenant.into(),
                subject: who.subject.into(),
                wrapped_key: Bytes(row.wrapped_key),
                created_at: row.created_at.micros,
            },
            Row::Credential(row) => Self::Credential {
                tenant: row.who.tenant.into(),
                subject: row.who.subject.into(),
                id: Bytes(row.id.0),
                credential: Bytes(row.credential),
                name: row.name,
                created_at: row.created_at.micros,
                last_used_at: row.last_used_at.map(|at| at.micros),
                version: row.version,
            },
            Row::Document(who, name, document) => Self::Document {
                tenant: who.tenant.into(),
                subject: who.subject.into(),
                name,
                version: document.version,
                written_at: document.written_at.micros,
                sealed: Bytes(document.sealed),
            },
            Row::Sample(who, name, sample) => Self::Sample {
                tenant: who.tenant.into(),
                subject: who.subject.into(),
                name,
                decision: sample.decision.0,
                at: sample.at.micros,
                sealed: Bytes(sample.sealed),
            },
            Row::Record(index, row) => Self::Record {
                index,
                commitment: Bytes(row.commitment.to_vec()),
                kind: row.kind,
                tenant: row.tenant.into(),
                subject: row.subject.map(Into::into),
                decision: row.decision.map(|decision| decision.0),
                at: row.at.micros,
                sealed: Bytes(row.sealed),
            },
            Row::Head(head) => {
                Self::Checkpoint { size: head.size, signed_at: head.signed_at.micros, note: head.note }
            }
            Row::Tile(tile) => {
                Self::Tile { level: tile.level, index: tile.index, hashes: Bytes(tile.hashes) }
            }
            Row::Cosignature(row) => {
                Self::Cosignature { size: row.size, witness: row.witness, note: row.note, line: row.line }
            }
            Row::Policy(row) => Self::Policy {
                digest: Bytes(row.digest.to_vec()),
                text: row.text,
                schema: row.schema,
                since: row.since.micros,
            },
        }
    }
}

impl Line {
    /// The row, if its ids are ids.
    pub(super) fn row(self) -> Result<Row, &'static str> {
        let time = |micros| Timestamp { micros };
        Ok(match self {
            Self::Subject { tenant, subject, wrapped_key, created_at } => Row::Subject(
                key(tenant, subject)?,
                SubjectRow { wrapped_key: wrapped_key.0, created_at: time(created_at) },
            ),
            Self::Credential { tenant, subject, id, credential, name, created_at, last_used_at, version } => {
                Row::Credential(CredentialRow {
                    id: CredentialId(id.0),
                    who: key(tenant, subject)?,
                    credential: credential.0,
                    name,
                    created_at: time(created_at),
                    last_used_at: last_used_at.map(time),
                    version,
                })
            }
            Self::Document { tenant, subject, name, version, written_at, sealed } => {
                let document = DocumentVersion { version, written_at: time(written_at), sealed: sealed.0 };
                Row::Document(key(tenant, subject)?, name, document)
            }
            Self::Sample { tenant, subject, name, decision, at, sealed } => {
                let sample = SampleRow { decision: DecisionId(decision), at: time(at), sealed: sealed.0 };
                Row::Sample(key(tenant, subject)?, name, sample)
            }
            Self::Record { index, commitment, kind, tenant, subject, decision, at, sealed } => {
                let subject = subject.map(SubjectId::parse).transpose();
                let row = AuditRow {
                    commitment: commitment.0.try_into().map_err(|_| "the commitment has not 32 bytes")?,
                    kind,
                    tenant: TenantId::parse(tenant).map_err(|_| "the tenant is no id")?,
                    subject: subject.map_err(|_| "the subject is no id")?,
                    decision: decision.map(DecisionId),
                    at: time(at),
                    sealed: sealed.0,
                };
                Row::Record(index, row)
            }
            Self::Checkpoint { size, signed_at, note } => {
                Row::Head(TreeHead { size, signed_at: time(signed_at), note })
            }
            Self::Tile { level, index, hashes } => Row::Tile(Tile { level, index, hashes: hashes.0 }),
            Self::Cosignature { size, witness, note, line } => {
                Row::Cosignature(CosignatureRow { size, witness, note, line })
            }
            Self::Policy { digest, text, schema, since } => {
                let digest = digest.0.try_into().map_err(|_| "the digest has not 32 bytes")?;
                Row::Policy(PolicyRow { digest, text, schema, since: time(since) })
            }
        })
    }
}

fn key(tenant: String, subject: String) -> Result<SubjectKey, &'static str> {
    let tenant = TenantId::parse(tenant).map_err(|_| "the tenant is no id")?;
    let subject = SubjectId::parse(subject).map_err(|_| "the subject is no id")?;
    Ok(SubjectKey { tenant, subject })
}
