//! The Merkle tree over the audit log.

use async_trait::async_trait;
use keyward_domain::Timestamp;
use keyward_store::{CosignatureRow, KEPT_COSIGNATURES, LogTree, StoreError, StoreResult, Tile, TreeHead};

use crate::PostgresStore;
use crate::link::Repeat;
use crate::statement::{from_column, limit, to_column, values};

/// The row is there from the beginning; a note without text is none.
pub(crate) const HEAD: &str = "SELECT size, signed_at_us, note FROM tree_head WHERE id = 0 AND note <> ''";

const TILE: &str = "SELECT hashes FROM tile WHERE level = $1::SMALLINT AND place = $2::BIGINT";

/// All or nothing, in one round trip. Of two that come at once, the second waits for the row and then finds another size.
const ADVANCE: &str = "WITH moved AS ( \
         UPDATE tree_head SET size = $2::BIGINT, signed_at_us = $3::BIGINT, note = $4::TEXT \
         WHERE id = 0 AND size = $1::BIGINT RETURNING size), \
     grown AS ( \
         INSERT INTO tile (level, place, hashes) \
         SELECT new.level, new.place, new.hashes \
         FROM moved, unnest($5::SMALLINT[], $6::BIGINT[], $7::BYTEA[]) AS new (level, place, hashes) \
         ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes RETURNING 1) \
     SELECT size, (SELECT count(*) FROM grown) FROM moved";

const COSIGN: &str = "INSERT INTO cosignature (size, witness, note, line) \
     VALUES ($1::BIGINT, $2::TEXT, $3::TEXT, $4::TEXT) \
     ON CONFLICT (size, witness) DO UPDATE SET note = excluded.note, line = excluded.line";

/// What follows the newest `$1`.
const FORGET_OLD: &str = "DELETE FROM cosignature WHERE (size, witness) IN ( \
     SELECT size, witness FROM cosignature ORDER BY size DESC, witness COLLATE \"C\" OFFSET $1::BIGINT)";

const COSIGNATURES: &str =
    "SELECT size, witness, note, line FROM cosignature ORDER BY size DESC, witness COLLATE \"C\"";

pub(crate) const STATEMENTS: &[&str] = &[HEAD, TILE, ADVANCE, COSIGN, FORGET_OLD, COSIGNATURES];

#[async_trait]
impl LogTree for PostgresStore {
    async fn head(&self) -> StoreResult<Option<TreeHead>> {
        let row: Option<(i64, i64, String)> = self.state.row(Repeat::Safe, HEAD, values![]).await?;
        row.map(|(size, micros, note)| {
            Ok(TreeHead { size: from_column(size)?, signed_at: Timestamp { micros }, note })
        })
        .transpose()
    }

    async fn tile(&self, level: u8, index: u64) -> StoreResult<Option<Vec<u8>>> {
        let place = values![i16::from(level), to_column(index)];
        let row: Option<(Vec<u8>,)> = self.state.row(Repeat::Safe, TILE, place).await?;
        Ok(row.map(|(hashes,)| hashes))
    }

    async fn advance(&self, expected: u64, head: TreeHead, tiles: Vec<Tile>) -> StoreResult<()> {
        let values = values![
            to_column(expected),
            to_column(head.size),
            head.signed_at.micros,
            head.note.as_str(),
            tiles.iter().map(|tile| i16::from(tile.level)).collect::<Vec<_>>(),
            tiles.iter().map(|tile| to_column(tile.index)).collect::<Vec<_>>(),
            tiles.iter().map(|tile| tile.hashes.as_slice()).collect::<Vec<_>>(),
        ];
        let moved: Option<(i64, i64)> = self.state.row(Repeat::Never, ADVANCE, values).await?;
        moved.map(|_| ()).ok_or(StoreError::Conflict)
    }

    async fn cosign(&self, row: CosignatureRow) -> StoreResult<()> {
        let values = values![to_column(row.size), row.witness.as_str(), row.note.as_str(), row.line.as_str()];
        let _: Vec<()> = self.state.rows(Repeat::Safe, COSIGN, values).await?;
        let _: Vec<()> = self.state.rows(Repeat::Safe, FORGET_OLD, values![limit(KEPT_COSIGNATURES)]).await?;
        Ok(())
    }

    async fn cosignatures(&self) -> StoreResult<Vec<CosignatureRow>> {
        let rows: Vec<(i64, String, String, String)> =
            self.state.rows(Repeat::Safe, COSIGNATURES, values![]).await?;
        rows.into_iter()
            .map(|(size, witness, note, line)| {
                Ok(CosignatureRow { size: from_column(size)?, witness, note, line })
            })
            .collect()
    }
}
