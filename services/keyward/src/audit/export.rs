//! The log as files: tiles and entries first, the checkpoint over them last, each in one step.
//!
//! An export that was interrupted is completed by repeating it; until then the checkpoint that was there before stands,
//! with everything that belongs to it. What is of no use to the new one is removed at the end.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use keyward_audit::{Checkpoint, Note, TILE_WIDTH, TileId, bundle, hashes_of, leaf_hash, tiles_of};
use keyward_store::{DurableStore, StoreError};

/// Why the log could not be exported.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error("{}: {reason}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        reason: ErrorKind,
    },
    /// There is nothing to export.
    #[error("there is no checkpoint yet: has `keyward serve` run?")]
    NoCheckpoint,
    /// The folder holds something else.
    #[error("{}: is not what the log has. The export was changed, or is of another log: export to an empty folder", .0.display())]
    Differs(PathBuf),
    /// The tree in the store is not whole.
    #[error("the store's {0} is missing or damaged")]
    Damaged(String),
}

/// Writes the log up to its newest checkpoint, and returns how many records that are.
pub(super) async fn export(
    store: &dyn DurableStore,
    dir: &Path,
    bar: &ProgressBar,
) -> Result<u64, ExportError> {
    let head = store.head().await?.ok_or(ExportError::NoCheckpoint)?;
    let mut note = head.note;
    for row in store.cosignatures().await?.iter().filter(|row| row.size == head.size) {
        note.push_str(&row.line);
        note.push('\n');
    }
    let before = exported(dir);
    bar.set_length(tiles_of(head.size).count() as u64);
    for tile in tiles_of(head.size) {
        write_tile(store, dir, tile).await?;
        bar.inc(1);
    }
    put(&dir.join("checkpoint"), note.as_bytes())?;
    // Partial tiles of the checkpoint before are of no use to this one.
    for tile in partial(before).filter(|old| !partial(head.size).any(|new| new == *old)) {
        for path in [tile.path(), tile.entries_path()] {
            let _ = fs::remove_file(dir.join(&path));
            let _ = dir.join(&path).parent().map(fs::remove_dir);
        }
    }
    Ok(head.size)
}

/// The size of the checkpoint that the folder holds; 0 without one.
fn exported(dir: &Path) -> u64 {
    let text = fs::read_to_string(dir.join("checkpoint")).unwrap_or_default();
    let checkpoint = Note::parse(&text).and_then(|note| Checkpoint::parse(&note.text));
    checkpoint.map_or(0, |checkpoint| checkpoint.size)
}

fn partial(size: u64) -> impl Iterator<Item = TileId> {
    tiles_of(size).filter(|tile| tile.width < TILE_WIDTH)
}

async fn write_tile(store: &dyn DurableStore, dir: &Path, tile: TileId) -> Result<(), ExportError> {
    let damaged = || ExportError::Damaged(tile.path());
    let bytes = store.tile(tile.level, tile.index).await?.ok_or_else(damaged)?;
    let hashes = hashes_of(bytes.get(..tile.width * 32).ok_or_else(damaged)?).ok_or_else(damaged)?;
    if tile.level > 0 {
        return keep(&dir.join(tile.path()), &hashes.concat());
    }
    keep(&dir.join(tile.entries_path()), &bundle(&hashes))?;
    let leaves: Vec<u8> = hashes.iter().flat_map(|entry| leaf_hash(entry)).collect();
    keep(&dir.join(tile.path()), &leaves)
}

/// Writes a file that never changes: one that is there must be the same.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        Ok(_) => Err(ExportError::Differs(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => put(path, bytes),
        Err(error) => Err(file(path, &error)),
    }
}

/// Writes a file in one step: nobody sees half of it.
fn put(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let draft = folder.join(format!(".draft-{}", std::process::id()));
    let written = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|error| {
        let _ = fs::remove_file(&draft);
        file(path, &error)
    })
}

fn file(path: &Path, error: &io::Error) -> ExportError {
    ExportError::File { path: path.to_owned(), reason: error.kind() }
}
