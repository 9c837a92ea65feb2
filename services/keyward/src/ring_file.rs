//! The file that a key ring lies in: read again when it changed, and changed as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use keyward_seal::KeyRing;
use zeroize::Zeroizing;

use crate::secrets;

/// A key ring's file could not be read, changed, or is none.
#[derive(Debug, thiserror::Error)]
#[error("{}: {text}", .path.display())]
pub struct RingFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong. Never what the file holds.
    pub text: String,
}

/// What a file looked like when it was last read.
type Look = (u64, i64, i64, u64);

/// A key ring's file.
pub struct RingFile {
    path: PathBuf,
    seen: Mutex<Option<Look>>,
}

impl RingFile {
    /// The file at a path; it need not be there yet.
    pub fn at(path: PathBuf) -> Self {
        Self { path, seen: Mutex::default() }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the ring.
    ///
    /// # Errors
    /// [`RingFileError`].
    pub fn read(&self) -> Result<KeyRing, RingFileError> {
        let looked = look(&self.path);
        let bytes = secrets::read(&self.path).map_err(|e| self.error(&e.reason))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.error(&"is not text"))?;
        let ring = KeyRing::parse(text).map_err(|e| self.error(&e))?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = looked;
        Ok(ring)
    }

    /// The ring, if the file changed since it was last read. A file that cannot be read, or is no ring, changes nothing:
    /// whoever is writing it may not be done.
    pub fn newer(&self) -> Option<KeyRing> {
        let looked = look(&self.path)?;
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == Some(looked) {
            return None;
        }
        match self.read() {
            Ok(ring) => {
                tracing::info!(keys = ring.ids().len(), "the key ring was read again");
                Some(ring)
            }
            Err(error) => {
                tracing::error!(%error, "the key ring stays as it was");
                None
            }
        }
    }

    /// Changes the ring: nobody else changes it meanwhile, and whoever reads sees the old file or the new one, whole.
    ///
    /// # Errors
    /// [`RingFileError`], also with what `change` says against it.
    pub fn change(
        &self,
        change: impl FnOnce(KeyRing) -> Result<KeyRing, String>,
    ) -> Result<KeyRing, RingFileError> {
        let _lock = self.lock().map_err(|e| self.error(&e.kind()))?;
        let ring = change(self.read()?).map_err(|text| self.error(&text))?;
        self.replace(&ring).map_err(|e| self.error(&e.kind()))?;
        self.read()
    }

    /// Writes a key of the ring into a file of its own beside it, and gives that file's path.
    ///
    /// # Errors
    /// [`RingFileError`].
    pub fn set_aside(&self, id: u32) -> Result<PathBuf, RingFileError> {
        let ring = self.read()?.only(id).ok_or_else(|| self.error(&format!("has no key {id}")))?;
        let path = self.beside(&format!(".retired-{id}"));
        let written = secrets::read_or_make(&path, || Zeroizing::new(ring.to_text().as_bytes().to_vec()));
        let written = written.map_err(|e| RingFileError { path: e.path, text: e.reason.to_string() })?;
        if written.as_slice() == ring.to_text().as_bytes() {
            Ok(path)
        } else {
            let text = "holds another key: move it away first".to_owned();
            Err(RingFileError { path, text })
        }
    }

    /// Held until it is dropped. The file stays: to remove it would let two hold it.
    fn lock(&self) -> io::Result<File> {
        let path = self.beside(".lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.lock()?;
        Ok(file)
    }

    fn replace(&self, ring: &KeyRing) -> io::Result<()> {
        let draft = self.beside(&format!(".draft-{}", std::process::id()));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(ring.to_text().as_bytes())?;
            file.sync_all()?;
            // A link, such as one that an operator made, stays one.
            let target = fs::canonicalize(&self.path)?;
            fs::rename(&draft, &target)?;
            File::open(target.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        let written = write();
        // Gone already when all went well.
        let _ = fs::remove_file(&draft);
        written
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    fn error(&self, text: &impl ToString) -> RingFileError {
        RingFileError { path: self.path.clone(), text: text.to_string() }
    }
}

/// Through links, as secrets of Kubernetes are.
fn look(path: &Path) -> Option<Look> {
    fs::metadata(path).ok().map(|found| (found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::clock::SystemEntropy;

    fn file(folder: &Path) -> RingFile {
        let file = RingFile::at(folder.join("key-ring"));
        fs::write(file.path(), KeyRing::generate(&SystemEntropy).to_text().as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (file(folder.path()), RingFile::at(folder.path().join("key-ring")));
        file.read().unwrap();
        assert!(file.newer().is_none());
        other.change(|ring| Ok(ring.rotated(&SystemEntropy))).unwrap();
        assert_eq!(file.newer().unwrap().ids(), [2, 1]);
        assert!(file.newer().is_none());
        fs::write(file.path(), "2:half of a").unwrap();
        assert!(file.newer().is_none());
        assert!(file.read().is_err());
        fs::remove_file(file.path()).unwrap();
        assert!(file.newer().is_none());
    }

    #[test]
    fn a_change_is_for_the_owner_alone_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        file.change(|ring| Ok(ring.rotated(&SystemEntropy))).unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = file.change(|_| Err("no".to_owned())).unwrap_err();
        assert!(refused.to_string().ends_with("key-ring: no"));
        assert_eq!(file.read().unwrap().ids(), [2, 1]);
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["key-ring", "key-ring.lock"]);
    }

    #[test]
    fn whoever_rotates_at_once_gets_a_key_each() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    RingFile::at(file.path().to_owned())
                        .change(|ring| Ok(ring.rotated(&SystemEntropy)))
                        .unwrap()
                });
            }
        });
        assert_eq!(file.read().unwrap().ids(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn a_retired_key_is_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let ring = file.change(|ring| Ok(ring.rotated(&SystemEntropy))).unwrap();
        let kept = file.set_aside(1).unwrap();
        assert_eq!(file.set_aside(1).unwrap(), kept, "repeated");
        assert!(file.set_aside(7).is_err());
        let text = fs::read_to_string(&kept).unwrap();
        assert!(ring.to_text().ends_with(&text) && text.starts_with("1:"));
    }
}
