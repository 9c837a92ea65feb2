//! Offline verification of a published log: finds what was changed, removed or moved, and says which.
//!
//! The tree is computed again from the entries, from the bottom up, and held against the tiles and the checkpoint. Where
//! the two differ, the tile above tells which of them is the one that was signed.

mod attribute;

use std::fmt;

use crate::checkpoint::Checkpoint;
use crate::hash::{Hash, leaf_hash, perfect_root};
use crate::note::{Note, VerifierKey};
use crate::tile::{TILE_WIDTH, TileId, entries_of, hashes_of, width_in};
use crate::tree::{Tiles, TreeError, root_of};

/// Files of a published log, by their paths (C2SP tlog-tiles).
pub trait Archive {
    /// The bytes of a file; none when there is no such file.
    ///
    /// # Errors
    /// Why a file that is there cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;
}

/// What is known beforehand.
#[derive(Debug, Clone, Default)]
pub struct Trusted<'a> {
    /// The key that signs the log's checkpoints.
    pub key: Option<&'a VerifierKey>,
    /// A checkpoint that was seen before: the log must have grown from it.
    pub previous: Option<&'a str>,
}

/// What is wrong with a published log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The checkpoint is not there, not one, or not signed by the key.
    Checkpoint(String),
    /// The checkpoint that was seen before is none of this log.
    Previous(String),
    /// The log did not grow from the checkpoint that was seen before.
    Rewritten {
        /// The size that it had.
        size: u64,
    },
    /// The log is shorter than the checkpoint that was seen before.
    Shortened {
        /// The size that it had.
        from: u64,
        /// The size that it has.
        to: u64,
    },
    /// A file is missing or is not of its form.
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The entry at a record's place is another one.
    Changed {
        /// The record.
        record: u64,
    },
    /// A record is not in its bundle.
    Removed {
        /// The record.
        record: u64,
    },
    /// A record stands at another place.
    Moved {
        /// The record.
        record: u64,
        /// Where it stands.
        to: u64,
    },
    /// There are entries beyond the last record of a bundle.
    Added {
        /// The bundle's path.
        path: String,
        /// How many.
        entries: u64,
    },
    /// Records were changed together with their hashes.
    Replaced {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A hash in a tile was changed.
    Hash {
        /// The tile's path.
        path: String,
        /// The place in it.
        place: usize,
        /// The first record that it is over.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Entries and tiles fit together, and not to the checkpoint.
    Root,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(what) => write!(f, "checkpoint: {what}"),
            Self::Previous(what) => write!(f, "previous checkpoint: {what}"),
            Self::Rewritten { size } => {
                write!(
                    f,
                    "the first {size} records are not those of the previous checkpoint: the log was rewritten"
                )
            }
            Self::Shortened { from, to } => {
                write!(
                    f,
                    "the previous checkpoint covers {from} records and this one {to}: records were removed"
                )
            }
            Self::File { path, what } => write!(f, "{path}: {what}"),
            Self::Changed { record } => write!(f, "record {record} was changed"),
            Self::Removed { record } => write!(f, "record {record} was removed"),
            Self::Moved { record, to } => write!(f, "record {record} was moved: it stands at {to}"),
            Self::Added { path, entries } => write!(f, "{path}: {entries} entries were added"),
            Self::Replaced { from, to } => {
                write!(f, "among records {from} to {to}, some were changed together with their hashes")
            }
            Self::Hash { path, place, from, to } if from == to => {
                write!(f, "{path}: hash {place}, that of record {from}, was changed")
            }
            Self::Hash { path, place, from, to } => {
                write!(f, "{path}: hash {place}, over records {from} to {to}, was changed")
            }
            Self::Root => {
                f.write_str("entries and tiles give another root than the checkpoint: the log was rewritten")
            }
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// What the checkpoint says, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// What is wrong; empty when all is well.
    pub findings: Vec<Finding>,
}

/// Verifies a published log. `progress` is told how many records of how many were looked at.
pub fn verify(
    archive: &dyn Archive,
    trusted: &Trusted<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Verification {
    let mut findings = Vec::new();
    let checkpoint =
        checkpoint(archive, trusted.key).map_err(|what| findings.push(Finding::Checkpoint(what)));
    let Ok(checkpoint) = checkpoint else { return Verification { checkpoint: None, findings } };
    let mut walk = Walk { archive, checkpoint: &checkpoint, findings, tiles: Tiles::default() };
    walk.entries(progress);
    walk.previous(trusted);
    let findings = walk.findings;
    Verification { checkpoint: Some(checkpoint), findings }
}

fn checkpoint(archive: &dyn Archive, key: Option<&VerifierKey>) -> Result<Checkpoint, String> {
    let bytes = archive.read("checkpoint")?.ok_or("is missing")?;
    let text = String::from_utf8(bytes).map_err(|_| "is no text")?;
    read_checkpoint(&text, key)
}

fn read_checkpoint(text: &str, key: Option<&VerifierKey>) -> Result<Checkpoint, String> {
    match key {
        Some(key) => Checkpoint::verify(text, key).map_err(|e| e.to_string()),
        None => Note::parse(text).and_then(|note| Checkpoint::parse(&note.text)).map_err(|e| e.to_string()),
    }
}

/// The walk over a log.
struct Walk<'a> {
    archive: &'a dyn Archive,
    checkpoint: &'a Checkpoint,
    findings: Vec<Finding>,
    /// Tiles as they are published.
    tiles: Tiles,
}

/// The hashes computed so far: the last, partial tile of each level.
type Levels = Vec<Vec<Hash>>;

impl Walk<'_> {
    /// Computes the tree from the entries, and looks at each tile when it is complete.
    fn entries(&mut self, progress: &mut dyn FnMut(u64, u64)) {
        let size = self.checkpoint.size;
        let mut levels = Levels::new();
        for index in 0..size.div_ceil(TILE_WIDTH as u64) {
            let id = TileId { level: 0, index, width: width_in(0, index, size) };
            for hash in self.bundle(id) {
                self.push(&mut levels, 0, index, hash);
            }
            progress((index * TILE_WIDTH as u64 + id.width as u64).min(size), size);
        }
        let computed = root_of(&levels);
        for (level, hashes) in (0..).zip(&levels).filter(|(_, hashes)| !hashes.is_empty()) {
            let index = (size >> (8 * u32::from(level))) / TILE_WIDTH as u64;
            let id = TileId { level, index, width: hashes.len() };
            self.compare(id, hashes, computed == self.checkpoint.root);
        }
        if computed != self.checkpoint.root && self.findings.is_empty() {
            self.findings.push(Finding::Root);
        }
    }

    fn push(&mut self, levels: &mut Levels, level: u8, index: u64, hash: Hash) {
        let at = usize::from(level);
        if levels.len() == at {
            levels.push(Vec::with_capacity(TILE_WIDTH));
        }
        levels[at].push(hash);
        if levels[at].len() == TILE_WIDTH {
            let hashes = std::mem::take(&mut levels[at]);
            self.compare(TileId { level, index, width: TILE_WIDTH }, &hashes, false);
            self.push(levels, level + 1, index / TILE_WIDTH as u64, perfect_root(&hashes));
        }
    }

    /// The leaf hashes of a bundle. Where it is missing or does not have as many as it must, the tile's stand in.
    fn bundle(&mut self, id: TileId) -> Vec<Hash> {
        let path = id.entries_path();
        let published = self.tile(id);
        match self.file(&path).as_deref().map(entries_of) {
            Some(Some(entries)) => {
                let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
                self.places(id, hashes, published)
            }
            Some(None) => {
                self.found(path, "is no bundle of entries");
                published.unwrap_or_else(|| vec![[0; 32]; id.width])
            }
            None => published.unwrap_or_else(|| vec![[0; 32]; id.width]),
        }
    }

    /// The hashes of a tile as it is published; none, once it was said, when it is missing.
    fn tile(&mut self, id: TileId) -> Option<Vec<Hash>> {
        let hashes = hashes_of(&self.file(&id.path())?);
        let hashes = hashes.filter(|hashes| hashes.len() == id.width);
        if hashes.is_none() {
            self.found(id.path(), &format!("is no tile of {} hashes", id.width));
        }
        hashes
    }

    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        match self.archive.read(path) {
            Ok(Some(bytes)) => return Some(bytes),
            Ok(None) => self.found(path.to_owned(), "is missing"),
            Err(reason) => self.found(path.to_owned(), &reason),
        }
        None
    }

    /// Notes something about a file, once.
    fn found(&mut self, path: String, what: &str) {
        let finding = Finding::File { path, what: what.to_owned() };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Holds the log against a checkpoint that was seen before.
    fn previous(&mut self, trusted: &Trusted<'_>) {
        let Some(text) = trusted.previous else { return };
        let previous = match read_checkpoint(text, trusted.key) {
            Ok(previous) if previous.origin == self.checkpoint.origin => previous,
            Ok(_) => return self.findings.push(Finding::Previous("it is of another log".to_owned())),
            Err(what) => return self.findings.push(Finding::Previous(what)),
        };
        let (from, to) = (previous.size, self.checkpoint.size);
        if from > to {
            return self.findings.push(Finding::Shortened { from, to });
        }
        if self.root(from).is_some_and(|root| root != previous.root) {
            self.findings.push(Finding::Rewritten { size: from });
        }
    }

    /// The root of the first `size` records by the tiles as they are published.
    fn root(&mut self, size: u64) -> Option<Hash> {
        loop {
            match self.tiles.root(size) {
                Ok(root) => return Some(root),
                Err(TreeError::Missing(id)) => {
                    let id = TileId { width: width_in(id.level, id.index, self.checkpoint.size), ..id };
                    let hashes = self.tile(id)?;
                    self.tiles.insert_hashes(id, hashes);
                }
                Err(_) => return None,
            }
        }
    }
}
