//! The durable store: three files in one directory.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use keyward_store::{StoreError, StoreResult};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use crate::audit::AuditFile;
use crate::tree::TreeFile;
use crate::{file, transfer};

pub(crate) const STATE_FILE: &str = "state.db";
pub(crate) const AUDIT_FILE: &str = "audit.db";
pub(crate) const TREE_FILE: &str = "tree.db";
const STATE_STEPS: &[file::Step] = &[
    (1, "subjects", include_str!("../migrations/state/0001_subjects.sql")),
    (2, "policies", include_str!("../migrations/state/0002_policies.sql")),
];

/// Durable state in a directory of this machine. Cheap to clone; all clones share the connections.
///
/// Several processes may have the directory open: SQLite orders their writes.
#[derive(Clone)]
pub struct EmbeddedStore {
    /// The one connection that writes state.
    pub(crate) writer: SqlitePool,
    /// Connections that read state.
    pub(crate) readers: SqlitePool,
    pub(crate) audit: AuditFile,
    pub(crate) tree: TreeFile,
    /// Keeps exports and imports away.
    _in_use: Arc<File>,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in a directory, and makes directory (0700), files (0600) and schema where they are missing.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be written or a schema is newer than this program; `Damaged` when a
    /// file is not what this crate writes. The message names the file.
    pub async fn open(dir: &Path) -> StoreResult<Self> {
        file::make_dir(dir)?;
        let in_use = Arc::new(transfer::share(dir)?);
        let state = file::make_file(dir, STATE_FILE)?;
        let audit = file::make_file(dir, AUDIT_FILE)?;
        let tree = file::make_file(dir, TREE_FILE)?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(file::options(&state))
            .await
            .map_err(|e| named(STATE_FILE, file::error(e)))?;
        let mut connection = writer.acquire().await.map_err(file::error)?;
        file::migrate(&mut connection, STATE_FILE, STATE_STEPS).await?;
        drop(connection);
        let audit = AuditFile::open(&audit, AUDIT_FILE).await.map_err(|e| named(AUDIT_FILE, e))?;
        let tree = TreeFile::open(&tree, TREE_FILE).await.map_err(|e| named(TREE_FILE, e))?;
        Ok(Self { writer, readers: file::readers(&state), audit, tree, _in_use: in_use })
    }

    /// Whether all files answer.
    ///
    /// # Errors
    /// `Unavailable` or `Damaged` when one does not.
    pub async fn ping(&self) -> StoreResult<()> {
        for pool in [&self.readers, &self.audit.readers, &self.tree.readers] {
            sqlx::query("SELECT count(*) FROM sqlite_schema").execute(pool).await.map_err(file::error)?;
        }
        Ok(())
    }

    /// Reads all of the files and says what is wrong with them; empty when all is well. Takes a second or so for
    /// each few hundred megabytes.
    ///
    /// # Errors
    /// `Unavailable` or `Damaged` when a file cannot be read far enough to be checked.
    pub async fn integrity(&self) -> StoreResult<Vec<String>> {
        let mut found = Vec::new();
        let files =
            [(STATE_FILE, &self.readers), (AUDIT_FILE, &self.audit.readers), (TREE_FILE, &self.tree.readers)];
        for (name, pool) in files {
            found.extend(file::integrity(pool).await?.into_iter().map(|line| format!("{name}: {line}")));
        }
        found.extend(self.audit.gaps().await?);
        Ok(found)
    }

    /// Waits for what runs and closes the files, all but the log's writer, which closes when the last clone is dropped.
    /// Dropping them all closes everything as well, a little later.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
        self.audit.close().await;
        self.tree.close().await;
    }
}

fn named(file: &str, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(text) => StoreError::Unavailable(format!("{file}: {text}")),
        StoreError::Damaged(text) => StoreError::Damaged(format!("{file}: {text}")),
        other => other,
    }
}
