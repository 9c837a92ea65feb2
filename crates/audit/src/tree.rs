//! The Merkle tree (RFC 6962 §2.1), read from tiles and grown at its right edge.
//!
//! Tiles of level 0 hold entries (commitments of 32 bytes), from which the leaf hashes are computed; those of higher
//! levels hold hashes. Nothing here reads or writes: what is missing is named, the caller brings it and asks again.

use std::collections::HashMap;

use crate::hash::{Hash, empty_root, leaf_hash, node_hash, perfect_root};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileId, hashes_at, hashes_of, width_in};

/// Why a question about the tree has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// This tile must be [inserted](Tiles::insert) first.
    #[error("tile {} is missing", .0.path())]
    Missing(TileId),
    /// A tile was inserted that cannot be one.
    #[error("tile {} is damaged", .0.path())]
    Damaged(TileId),
    /// The tree has no such entry, or no such size.
    #[error("the tree is not as large as that")]
    Beyond,
}

/// Tiles at hand.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    /// By level and index; at level 0 the hashes of the entries.
    hashes: HashMap<(u8, u64), Vec<Hash>>,
}

impl Tiles {
    /// Adds a tile as the store has it: at level 0 entries, above hashes.
    ///
    /// # Errors
    /// [`TreeError::Damaged`] when the bytes are fewer hashes than `wanted`, or none.
    pub fn insert(&mut self, wanted: TileId, bytes: &[u8]) -> Result<(), TreeError> {
        let damaged = TreeError::Damaged(wanted);
        let hashes = hashes_of(bytes).filter(|hashes| (wanted.width..=TILE_WIDTH).contains(&hashes.len()));
        let hashes = hashes.ok_or(damaged)?;
        let hashes = match wanted.level {
            0 => hashes.iter().map(|entry| leaf_hash(entry)).collect(),
            _ => hashes,
        };
        self.hashes.insert((wanted.level, wanted.index), hashes);
        Ok(())
    }

    /// Adds a tile as it is published: hashes at level 0, too.
    pub(crate) fn insert_hashes(&mut self, id: TileId, hashes: Vec<Hash>) {
        self.hashes.insert((id.level, id.index), hashes);
    }

    /// The root of the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`TreeError::Missing`].
    pub fn root(&self, size: u64) -> Result<Hash, TreeError> {
        if size == 0 { Ok(empty_root()) } else { self.range(0, size) }
    }

    /// The proof that entry `index` is in the tree of the first `size` entries (RFC 6962 §2.1.1).
    ///
    /// # Errors
    /// [`TreeError::Missing`], [`TreeError::Beyond`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        if index >= size {
            return Err(TreeError::Beyond);
        }
        let mut proof = Vec::new();
        let (mut from, mut to) = (0, size);
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                proof.push(self.range(middle, to)?);
                to = middle;
            } else {
                proof.push(self.range(from, middle)?);
                from = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// The proof that the tree of the first `old` entries is the beginning of that of the first `new` (RFC 6962 §2.1.2).
    ///
    /// # Errors
    /// [`TreeError::Missing`], [`TreeError::Beyond`] when `old` is 0 or more than `new`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        if old == 0 || old > new {
            return Err(TreeError::Beyond);
        }
        let mut proof = Vec::new();
        let (mut from, mut to) = (0, new);
        while to != old {
            let middle = from + split(to - from);
            if old <= middle {
                proof.push(self.range(middle, to)?);
                to = middle;
            } else {
                proof.push(self.range(from, middle)?);
                from = middle;
            }
        }
        // A subtree that begins the tree is known to whoever knows the old root.
        if from > 0 {
            proof.push(self.range(from, to)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The hashes of the last tile of a level, while it is partial; empty when it is full.
    fn partial(&self, level: u8, size: u64) -> Result<Vec<Hash>, TreeError> {
        let index = hashes_at(level, size) / TILE_WIDTH as u64;
        let width = width_in(level, index, size);
        if width == 0 {
            return Ok(Vec::new());
        }
        let id = TileId { level, index, width };
        self.tile(id).map(<[Hash]>::to_vec)
    }

    /// The hash over the entries `from..to`, a subtree of a tree as RFC 6962 splits it.
    fn range(&self, from: u64, to: u64) -> Result<Hash, TreeError> {
        let length = to - from;
        if length.is_power_of_two() {
            return self.node(length.ilog2(), from / length);
        }
        let middle = from + split(length);
        Ok(node_hash(&self.range(from, middle)?, &self.range(middle, to)?))
    }

    /// The hash over the entries `index * 2^height .. (index + 1) * 2^height`.
    fn node(&self, height: u32, index: u64) -> Result<Hash, TreeError> {
        let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = index << within;
        let offset = usize::try_from(first % TILE_WIDTH as u64).expect("less than 256");
        let count = 1 << within;
        let level = u8::try_from(level).expect("64 bits are 8 levels");
        let id = TileId { level, index: first / TILE_WIDTH as u64, width: offset + count };
        Ok(perfect_root(&self.tile(id)?[offset..]))
    }

    /// The first `id.width` hashes of a tile.
    fn tile(&self, id: TileId) -> Result<&[Hash], TreeError> {
        let hashes = self.hashes.get(&(id.level, id.index));
        hashes.and_then(|hashes| hashes.get(..id.width)).ok_or(TreeError::Missing(id))
    }
}

/// The greatest power of two below `length`, which is at least 2.
const fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// The right edge of a tree: what must be known of it to add entries.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    size: u64,
    /// The entries of the last, partial tile of level 0.
    entries: Vec<Hash>,
    /// The hashes of the last, partial tile of each level; of level 0, those of the entries.
    levels: Vec<Vec<Hash>>,
    /// Levels whose partial tile grew.
    grew: Vec<bool>,
    full: Vec<(TileId, Vec<u8>)>,
}

impl Edge {
    /// The edge of the tree of the first `size` entries. `entries` are those of its last, partial tile, as the store has
    /// them (empty if there is none); `tiles` holds the partial tiles of the levels above.
    ///
    /// # Errors
    /// [`TreeError::Missing`] names a tile to insert first; [`TreeError::Damaged`] when `entries` are not as many as they
    /// must be.
    pub fn of(size: u64, entries: &[u8], tiles: &Tiles) -> Result<Self, TreeError> {
        let last = Self::last_entries(size);
        let mut edge = Self { size, ..Self::default() };
        if let Some(id) = last {
            let entries = hashes_of(entries).ok_or(TreeError::Damaged(id))?;
            edge.entries = entries.get(..id.width).ok_or(TreeError::Damaged(id))?.to_vec();
        }
        edge.levels.push(edge.entries.iter().map(|entry| leaf_hash(entry)).collect());
        for level in (1..8).take_while(|level| hashes_at(*level, size) > 0) {
            edge.levels.push(tiles.partial(level, size)?);
        }
        edge.grew = vec![false; edge.levels.len()];
        Ok(edge)
    }

    /// The last, partial tile of level 0 in a tree of this size, if it has one.
    pub fn last_entries(size: u64) -> Option<TileId> {
        let index = size / TILE_WIDTH as u64;
        let width = width_in(0, index, size);
        (width > 0).then_some(TileId { level: 0, index, width })
    }

    /// How many entries the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: Hash) {
        self.size += 1;
        self.entries.push(entry);
        self.push_hash(0, leaf_hash(&entry));
    }

    fn push_hash(&mut self, level: usize, hash: Hash) {
        if level == self.levels.len() {
            self.levels.push(Vec::with_capacity(TILE_WIDTH));
            self.grew.push(false);
        }
        self.levels[level].push(hash);
        self.grew[level] = true;
        if self.levels[level].len() == TILE_WIDTH {
            self.complete(level);
        }
    }

    /// A tile is full: it is done with, and its root goes one level up.
    fn complete(&mut self, level: usize) {
        let tile = self.tile(level);
        self.full.push(tile);
        let root = perfect_root(&self.levels[level]);
        self.levels[level].clear();
        self.grew[level] = false;
        if level == 0 {
            self.entries.clear();
        }
        self.push_hash(level + 1, root);
    }

    /// The tile of a level as it stands, in the form of the store. A full one is still at its place.
    fn tile(&self, level: usize) -> (TileId, Vec<u8>) {
        let hashes = if level == 0 { &self.entries } else { &self.levels[level] };
        let level = u8::try_from(level).expect("64 bits are 8 levels");
        let index = (hashes_at(level, self.size) - 1) / TILE_WIDTH as u64;
        (TileId { level, index, width: hashes.len() }, hashes.concat())
    }

    /// The tiles that were completed or grew since the last time, each in the form of the store.
    pub fn take_tiles(&mut self) -> Vec<(TileId, Vec<u8>)> {
        let mut tiles = std::mem::take(&mut self.full);
        for level in 0..self.levels.len() {
            if std::mem::take(&mut self.grew[level]) {
                tiles.push(self.tile(level));
            }
        }
        tiles
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        root_of(&self.levels)
    }
}

/// The root over the partial tiles of all levels, from level 0 up.
pub(crate) fn root_of(levels: &[Vec<Hash>]) -> Hash {
    let mut root: Option<Hash> = None;
    for hashes in levels {
        // The subtrees of this level from right to left: one for each bit of the width, the smallest first.
        let mut end = hashes.len();
        while end > 0 {
            let begin = end & (end - 1);
            let left = perfect_root(&hashes[begin..end]);
            root = Some(root.map_or(left, |right| node_hash(&left, &right)));
            end = begin;
        }
    }
    root.unwrap_or_else(empty_root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 §2.1, word for word.
    fn defined(entries: &[Hash]) -> Hash {
        match entries {
            [] => empty_root(),
            [entry] => leaf_hash(entry),
            more => {
                let (left, right) = more.split_at(usize::try_from(split(more.len() as u64)).unwrap());
                node_hash(&defined(left), &defined(right))
            }
        }
    }

    fn entry(n: u64) -> Hash {
        crate::hash::sha256(&[&n.to_be_bytes()])
    }

    /// Grows a tree by the given steps, through the store's form, and returns its tiles.
    fn grown(steps: &[u64]) -> (HashMap<(u8, u64), Vec<u8>>, Edge) {
        let mut stored: HashMap<(u8, u64), Vec<u8>> = HashMap::new();
        let mut size = 0;
        let mut edge = Edge::default();
        for step in steps {
            let entries = Edge::last_entries(size).map(|id| stored[&(0, id.index)].clone());
            let mut tiles = Tiles::default();
            edge = loop {
                match Edge::of(size, entries.as_deref().unwrap_or_default(), &tiles) {
                    Err(TreeError::Missing(id)) => tiles.insert(id, &stored[&(id.level, id.index)]).unwrap(),
                    edge => break edge.unwrap(),
                }
            };
            for n in size..size + step {
                edge.push(entry(n));
            }
            size += step;
            for (id, bytes) in edge.take_tiles() {
                let before = stored.insert((id.level, id.index), bytes.clone()).unwrap_or_default();
                assert!(
                    bytes.starts_with(&before) && bytes.len() == id.width * 32,
                    "a tile grows at its end"
                );
            }
        }
        (stored, edge)
    }

    fn all(stored: &HashMap<(u8, u64), Vec<u8>>) -> Tiles {
        let mut tiles = Tiles::default();
        for ((level, index), bytes) in stored {
            tiles.insert(TileId { level: *level, index: *index, width: bytes.len() / 32 }, bytes).unwrap();
        }
        tiles
    }

    #[test]
    fn a_grown_tree_is_the_defined_one_whatever_the_steps() {
        for steps in [vec![1; 300], vec![255, 1, 1], vec![700], vec![256, 256, 3], vec![3, 66_000, 9]] {
            let (stored, edge) = grown(&steps);
            let size: u64 = steps.iter().sum();
            let entries: Vec<Hash> = (0..size).map(entry).collect();
            assert_eq!((edge.size(), edge.root()), (size, defined(&entries)), "{steps:?}");
            let mut wanted: Vec<_> =
                crate::tile::tiles_of(size).map(|t| (t.level, t.index, t.width)).collect();
            let mut there: Vec<_> = stored.iter().map(|((l, i), bytes)| (*l, *i, bytes.len() / 32)).collect();
            wanted.sort_unstable();
            there.sort_unstable();
            assert_eq!(there, wanted, "{steps:?}");
            let tiles = all(&stored);
            for size in [1, 2, 3, 255, 256, 257, 299, size - 1, size].into_iter().filter(|it| *it <= size) {
                let first = &entries[..usize::try_from(size).unwrap()];
                assert_eq!(tiles.root(size), Ok(defined(first)), "the first {size}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_beyond_is_refused() {
        let tiles = Tiles::default();
        assert_eq!(tiles.root(3), Err(TreeError::Missing(TileId { level: 0, index: 0, width: 2 })));
        assert_eq!(tiles.inclusion(3, 3), Err(TreeError::Beyond));
        assert_eq!(tiles.consistency(0, 3), Err(TreeError::Beyond));
        assert_eq!(tiles.consistency(4, 3), Err(TreeError::Beyond));
        let id = TileId { level: 0, index: 0, width: 2 };
        for bytes in [&[0_u8; 32][..], &[0; 63], &[0; 257 * 32]] {
            assert_eq!(Tiles::default().insert(id, bytes), Err(TreeError::Damaged(id)));
        }
    }
}
