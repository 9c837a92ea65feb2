//! Rows as columns: many rows of one kind in one statement.

use keyward_domain::SubjectId;
use keyward_store::StoreResult;
use keyward_store::transfer::Row;
use sqlx::postgres::PgArguments;

use crate::statement::{to_column, values};

const PUT_SUBJECTS: &str = "INSERT INTO subject (tenant, subject, wrapped_key, created_at_us) \
     SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::BYTEA[], $4::BIGINT[])";

const PUT_CREDENTIALS: &str = "INSERT INTO credential \
         (tenant, id, subject, credential, name, created_at_us, last_used_at_us, version) \
     SELECT * FROM unnest($1::TEXT[], $2::BYTEA[], $3::TEXT[], $4::BYTEA[], $5::TEXT[], $6::BIGINT[], \
         $7::BIGINT[], $8::BIGINT[])";

const PUT_DOCUMENTS: &str = "INSERT INTO document (tenant, subject, name, version, written_at_us, sealed) \
     SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BYTEA[])";

const PUT_SAMPLES: &str = "INSERT INTO sample (tenant, subject, name, decision, at_us, sealed) \
     SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BYTEA[], $5::BIGINT[], $6::BYTEA[])";

const PUT_RECORDS: &str = "INSERT INTO record (log_index, commitment, kind, tenant, subject, decision, at_us, sealed) \
     SELECT * FROM unnest($1::BIGINT[], $2::BYTEA[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::BYTEA[], $7::BIGINT[], $8::BYTEA[])";

const PUT_HEAD: &str =
    "UPDATE tree_head SET size = $1::BIGINT, signed_at_us = $2::BIGINT, note = $3::TEXT WHERE id = 0";

const PUT_TILES: &str = "INSERT INTO tile (level, place, hashes) \
     SELECT * FROM unnest($1::SMALLINT[], $2::BIGINT[], $3::BYTEA[])";

const PUT_COSIGNATURES: &str = "INSERT INTO cosignature (size, witness, note, line) \
     SELECT * FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[])";

const PUT_POLICIES: &str = "INSERT INTO policy_set (digest, policies, schema_text, since_us) \
     SELECT * FROM unnest($1::BYTEA[], $2::TEXT[], $3::TEXT[], $4::BIGINT[])";

pub(crate) const STATEMENTS: &[&str] = &[
    PUT_SUBJECTS,
    PUT_CREDENTIALS,
    PUT_DOCUMENTS,
    PUT_SAMPLES,
    PUT_RECORDS,
    PUT_HEAD,
    PUT_TILES,
    PUT_COSIGNATURES,
    PUT_POLICIES,
];

/// Tenant and subject of a row that has them.
fn whose(row: &Row) -> (&str, Option<&str>) {
    match row {
        Row::Subject(who, _) | Row::Document(who, ..) | Row::Sample(who, ..) => {
            (who.tenant.as_str(), Some(who.subject.as_str()))
        }
        Row::Credential(row) => (row.who.tenant.as_str(), Some(row.who.subject.as_str())),
        Row::Record(_, row) => (row.tenant.as_str(), row.subject.as_ref().map(SubjectId::as_str)),
        Row::Head(_) | Row::Tile(_) | Row::Cosignature(_) | Row::Policy(_) => ("", None),
    }
}

/// The statement that puts rows of one kind, with their columns.
pub(super) fn columns(rows: &[Row]) -> StoreResult<(&'static str, PgArguments)> {
    let (tenants, subjects): (Vec<&str>, Vec<Option<&str>>) = rows.iter().map(whose).unzip();
    Ok(match rows.first() {
        None | Some(Row::Subject(..)) => {
            let (mut keys, mut times) = (Vec::new(), Vec::new());
            for row in rows {
                let Row::Subject(_, row) = row else { continue };
                keys.push(row.wrapped_key.as_slice());
                times.push(row.created_at.micros);
            }
            (PUT_SUBJECTS, values![tenants, subjects, keys, times])
        }
        Some(Row::Credential(..)) => {
            let (mut ids, mut credentials, mut names) = (Vec::new(), Vec::new(), Vec::new());
            let (mut created, mut used, mut versions) = (Vec::new(), Vec::new(), Vec::new());
            for row in rows {
                let Row::Credential(row) = row else { continue };
                ids.push(row.id.0.as_slice());
                credentials.push(row.credential.as_slice());
                names.push(row.name.as_str());
                created.push(row.created_at.micros);
                used.push(row.last_used_at.map(|at| at.micros));
                versions.push(to_column(row.version));
            }
            (PUT_CREDENTIALS, values![tenants, ids, subjects, credentials, names, created, used, versions])
        }
        Some(Row::Document(..)) => {
            let (mut names, mut versions) = (Vec::new(), Vec::new());
            let (mut times, mut sealed) = (Vec::new(), Vec::new());
            for row in rows {
                let Row::Document(_, name, document) = row else { continue };
                names.push(name.as_str());
                versions.push(to_column(document.version));
                times.push(document.written_at.micros);
                sealed.push(document.sealed.as_slice());
            }
            (PUT_DOCUMENTS, values![tenants, subjects, names, versions, times, sealed])
        }
        Some(Row::Sample(..)) => {
            let (mut names, mut decisions) = (Vec::new(), Vec::new());
            let (mut times, mut sealed) = (Vec::new(), Vec::new());
            for row in rows {
                let Row::Sample(_, name, sample) = row else { continue };
                names.push(name.as_str());
                decisions.push(sample.decision.0.as_bytes().as_slice());
                times.push(sample.at.micros);
                sealed.push(sample.sealed.as_slice());
            }
            (PUT_SAMPLES, values![tenants, subjects, names, decisions, times, sealed])
        }
        Some(Row::Record(..)) => {
            let (mut indices, mut commitments, mut decisions) = (Vec::new(), Vec::new(), Vec::new());
            let (mut kinds, mut times, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
            for row in rows {
                let Row::Record(index, row) = row else { continue };
                indices.push(to_column(*index));
                commitments.push(row.commitment.as_slice());
                kinds.push(row.kind.as_str());
                decisions.push(row.decision.as_ref().map(|id| id.0.as_bytes().as_slice()));
                times.push(row.at.micros);
                sealed.push(row.sealed.as_slice());
            }
            (PUT_RECORDS, values![indices, commitments, kinds, tenants, subjects, decisions, times, sealed])
        }
        Some(Row::Head(head)) => {
            (PUT_HEAD, values![to_column(head.size), head.signed_at.micros, head.note.as_str()])
        }
        Some(Row::Tile(..)) => {
            let (mut levels, mut places, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
            for row in rows {
                let Row::Tile(tile) = row else { continue };
                levels.push(i16::from(tile.level));
                places.push(to_column(tile.index));
                hashes.push(tile.hashes.as_slice());
            }
            (PUT_TILES, values![levels, places, hashes])
        }
        Some(Row::Cosignature(..)) => {
            let (mut sizes, mut witnesses) = (Vec::new(), Vec::new());
            let (mut notes, mut lines) = (Vec::new(), Vec::new());
            for row in rows {
                let Row::Cosignature(row) = row else { continue };
                sizes.push(to_column(row.size));
                witnesses.push(row.witness.as_str());
                notes.push(row.note.as_str());
                lines.push(row.line.as_str());
            }
            (PUT_COSIGNATURES, values![sizes, witnesses, notes, lines])
        }
        Some(Row::Policy(..)) => (PUT_POLICIES, policies(rows)?),
    })
}

fn policies(rows: &[Row]) -> StoreResult<PgArguments> {
    let (mut digests, mut texts) = (Vec::new(), Vec::new());
    let (mut schemas, mut times) = (Vec::new(), Vec::new());
    for row in rows {
        let Row::Policy(row) = row else { continue };
        digests.push(row.digest.as_slice());
        texts.push(row.text.as_str());
        schemas.push(row.schema.as_str());
        times.push(row.since.micros);
    }
    Ok(values![digests, texts, schemas, times])
}
