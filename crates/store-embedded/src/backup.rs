//! Copies of the files, beside whoever has them open.

use std::fs::File;
use std::path::Path;

use keyward_store::{StoreError, StoreResult};
use sqlx::sqlite::SqlitePoolOptions;

use crate::file;
use crate::store::{AUDIT_FILE, EmbeddedStore, STATE_FILE, TREE_FILE};

impl EmbeddedStore {
    /// Copies the store in `from` into the folder `to`, consistently and without stopping anyone. The log last: whatever the
    /// copies of state and tree know, the copy of the log has the records of. Returns when the copies are on the disk.
    ///
    /// # Errors
    /// `Exists` when the folder holds a store already; `Unavailable` when there is nothing to copy or it cannot be written.
    pub async fn copy(from: &Path, to: &Path) -> StoreResult<()> {
        file::make_dir(to)?;
        for name in [STATE_FILE, TREE_FILE, AUDIT_FILE] {
            if to.join(name).exists() {
                return Err(StoreError::Exists);
            }
        }
        for name in [STATE_FILE, TREE_FILE, AUDIT_FILE] {
            // With the file there, SQLite keeps its mode, which lets its owner alone read it.
            let path = file::make_file(to, name)?;
            copy_file(&from.join(name), &path).await?;
        }
        Ok(())
    }
}

async fn copy_file(from: &Path, to: &Path) -> StoreResult<()> {
    let text =
        to.to_str().ok_or_else(|| StoreError::Unavailable(format!("{} is not UTF-8", to.display())))?;
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(file::options(from)).await;
    let pool = pool.map_err(file::error)?;
    let copied = sqlx::query("VACUUM INTO ?").bind(text).execute(&pool).await;
    pool.close().await;
    copied.map_err(file::error)?;
    let synced = File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|e| StoreError::Unavailable(format!("{} could not be written: {e}", to.display())))
}
