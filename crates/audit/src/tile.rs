//! Tiles and entry bundles, and the paths under which they are published (C2SP tlog-tiles).

use crate::hash::Hash;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 256;
/// How many levels of the tree one level of tiles spans: 2^8 = 256.
pub(crate) const TILE_HEIGHT: u32 = 8;

/// A tile, and how many hashes of it are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// The level: the hashes are those of 256^level entries each.
    pub level: u8,
    /// The place within its level.
    pub index: u64,
    /// How many hashes, 1 to 256.
    pub width: usize,
}

impl TileId {
    /// The path of the tile's hashes: `tile/<L>/<N>[.p/<W>]`.
    pub fn path(&self) -> String {
        path(&self.level.to_string(), self.index, self.width)
    }

    /// The path of the entries that a tile of level 0 is made of: `tile/entries/<N>[.p/<W>]`.
    pub fn entries_path(&self) -> String {
        path("entries", self.index, self.width)
    }
}

fn path(level: &str, index: u64, width: usize) -> String {
    let mut digits = vec![format!("{:03}", index % 1000)];
    let mut rest = index / 1000;
    while rest > 0 {
        digits.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    digits.reverse();
    let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{level}/{}{partial}", digits.join("/"))
}

/// How many hashes of a level a tree of this size has.
pub(crate) fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * TILE_HEIGHT).unwrap_or(0)
}

/// How many hashes a tile has in a tree of this size; 0: it has no such tile.
pub fn width_in(level: u8, index: u64, size: u64) -> usize {
    let begin = index.checked_mul(TILE_WIDTH as u64);
    let beyond = begin.map_or(0, |begin| hashes_at(level, size).saturating_sub(begin));
    usize::try_from(beyond).map_or(TILE_WIDTH, |beyond| beyond.min(TILE_WIDTH))
}

/// Every tile of a tree of this size, level by level.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TileId> {
    (0..=7).flat_map(move |level| {
        let tiles = hashes_at(level, size).div_ceil(TILE_WIDTH as u64);
        (0..tiles).map(move |index| TileId { level, index, width: width_in(level, index, size) })
    })
}

/// Entries as a bundle: each after its length in two bytes, big endian.
pub fn bundle(entries: &[Hash]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 34);
    for entry in entries {
        out.extend_from_slice(&[0, 32]);
        out.extend_from_slice(entry);
    }
    out
}

/// The entries of a bundle; none when the bytes are no bundle.
pub fn entries_of(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::with_capacity(TILE_WIDTH);
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    Some(entries)
}

/// Bytes as hashes; none when they are not a whole number of them.
pub fn hashes_of(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |level, index, width| TileId { level, index, width };
        assert_eq!(tile(0, 1_234_067, 256).path(), "tile/0/x001/x234/067");
        assert_eq!(tile(1, 0, 17).path(), "tile/1/000.p/17");
        assert_eq!(tile(0, 1000, 1).entries_path(), "tile/entries/x001/000.p/1");
    }

    #[test]
    fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
        let tiles: Vec<TileId> = tiles_of(70_000).collect();
        let of = |level, width: usize| tiles.iter().filter(|t| t.level == level && t.width == width).count();
        assert_eq!((of(0, 256), of(0, 112), of(1, 256), of(1, 17), of(2, 1)), (273, 1, 1, 1, 1));
        assert_eq!(tiles.len(), 277);
        assert_eq!(tiles_of(256).map(|tile| tile.width).collect::<Vec<_>>(), [256, 1]);
        assert_eq!(tiles_of(0).count(), 0);
    }

    #[test]
    fn bundles_come_back_and_others_are_refused() {
        let entries = [[1; 32], [2; 32]];
        let bytes = bundle(&entries);
        assert_eq!(entries_of(&bytes).unwrap(), [[1; 32], [2; 32]]);
        assert_eq!(entries_of(&bytes[..60]), None);
        assert_eq!(entries_of(&bytes[..1]), None);
        assert_eq!(entries_of(&[]), Some(vec![]));
    }
}
