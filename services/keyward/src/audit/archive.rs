//! A published log in a folder.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use keyward_audit::Archive;

/// The longest file that is read, in bytes: many times a bundle of 256 commitments.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Archive for Folder {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let file = match File::open(self.0.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|e| e.kind().to_string())?,
        };
        let mut bytes = Vec::new();
        let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
        match read.map_err(|e| e.kind().to_string())? as u64 {
            0..=MAX_FILE_BYTES => Ok(Some(bytes)),
            _ => Err("is too long".to_owned()),
        }
    }
}
