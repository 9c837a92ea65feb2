//! Which of two that differ was changed: the one that the level above does not know.

use std::collections::HashMap;

use super::{Finding, Walk};
use crate::hash::{Hash, perfect_root};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileId, width_in};

impl Walk<'_> {
    /// Holds the entries of a bundle against the hashes of its tile, and returns the hashes to go on with: as many as
    /// there must be.
    pub(super) fn places(
        &mut self,
        id: TileId,
        entries: Vec<Hash>,
        published: Option<Vec<Hash>>,
    ) -> Vec<Hash> {
        if entries.len() > id.width {
            let entries = (entries.len() - id.width) as u64;
            self.findings.push(Finding::Added { path: id.entries_path(), entries });
        }
        let Some(published) = published else {
            let mut hashes = entries;
            hashes.resize(id.width, [0; 32]);
            return hashes;
        };
        if entries == published {
            return entries;
        }
        // Whether the tile is the one that was signed, so that the entries are not.
        let signed = match self.above(id) {
            Some(above) => above == perfect_root(&published),
            None => self.signed(),
        };
        if !signed && entries.len() == id.width {
            return entries;
        }
        self.displaced(id.index * TILE_WIDTH as u64, &entries, &published);
        published
    }

    /// Says of each record what became of it.
    fn displaced(&mut self, first: u64, entries: &[Hash], published: &[Hash]) {
        let stands: HashMap<&Hash, u64> = entries.iter().zip(0..).collect();
        let belongs: HashMap<&Hash, u64> = published.iter().zip(0..).collect();
        for (place, hash) in (0..).zip(published) {
            let there = entries.get(usize::try_from(place).expect("below 256"));
            let record = first + place;
            let finding = match (stands.get(hash), there) {
                _ if there == Some(hash) => continue,
                (Some(to), _) => Finding::Moved { record, to: first + to },
                (None, Some(other)) if !belongs.contains_key(other) => Finding::Changed { record },
                (None, _) => Finding::Removed { record },
            };
            self.findings.push(finding);
        }
    }

    /// Holds computed hashes against a tile. `right` tells that the hashes computed give the root that was signed.
    pub(super) fn compare(&mut self, id: TileId, computed: &[Hash], right: bool) {
        let Some(published) = self.tile(id) else { return };
        if published == computed {
            return;
        }
        let signed = match self.above(id) {
            Some(above) => above == perfect_root(&published),
            None => !right && self.signed(),
        };
        for (place, (ours, theirs)) in computed.iter().zip(&published).enumerate() {
            // What differs because of something below was said there.
            if ours != theirs && self.below(id, place) != Some(*theirs) {
                let finding = differing(id, place, signed);
                self.findings.push(finding);
            }
        }
    }

    /// The hash of a full tile in the tile above it, as published.
    fn above(&mut self, id: TileId) -> Option<Hash> {
        if id.width < TILE_WIDTH {
            return None;
        }
        let (level, index) = (id.level + 1, id.index / TILE_WIDTH as u64);
        let above = TileId { level, index, width: width_in(level, index, self.checkpoint.size) };
        let place = usize::try_from(id.index % TILE_WIDTH as u64).expect("below 256");
        self.tile(above)?.get(place).copied()
    }

    /// The root of the tile below a hash, as published.
    fn below(&mut self, id: TileId, place: usize) -> Option<Hash> {
        let level = id.level.checked_sub(1)?;
        let index = id.index * TILE_WIDTH as u64 + place as u64;
        Some(perfect_root(&self.tile(TileId { level, index, width: TILE_WIDTH })?))
    }

    /// Whether the tiles at the end of the log, as published, give the root that was signed.
    fn signed(&mut self) -> bool {
        self.root(self.checkpoint.size) == Some(self.checkpoint.root)
    }
}

/// What a hash that differs means: of two, the one that was not signed was changed.
fn differing(id: TileId, place: usize, signed: bool) -> Finding {
    let span = 1_u64 << (TILE_HEIGHT * u32::from(id.level));
    let from = (id.index * TILE_WIDTH as u64 + place as u64) * span;
    let to = from + span - 1;
    match (signed, id.level) {
        (true, 0) => Finding::Changed { record: from },
        (true, _) => Finding::Replaced { from, to },
        (false, _) => Finding::Hash { path: id.path(), place, from, to },
    }
}
