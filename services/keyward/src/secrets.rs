//! Files that hold secrets: made once with access for their owner alone, and read into memory that is wiped.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A file or folder could not be read or made.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct SecretError {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub reason: ErrorKind,
}

/// Makes a folder, and those above it, with access for their owner alone. One that is there is left as it is.
///
/// # Errors
/// [`SecretError`] naming the folder.
pub fn make_folder(path: &Path) -> Result<(), SecretError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// Reads a secret.
///
/// # Errors
/// [`SecretError`] naming the file.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    fs::read(path).map(Zeroizing::new).map_err(at(path))
}

/// Reads a secret, and makes it first when it is not there. Whoever races, all get the same secret, and a crash leaves
/// either none or all of it.
///
/// # Errors
/// [`SecretError`] naming the file.
pub fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map(Zeroizing::new).map_err(at(path)),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    let draft = folder.join(format!(".draft-{}-{}", std::process::id(), draft_number()));
    let placed = write_durably(&draft, &make()).and_then(|()| place(&draft, path, folder));
    // Gone already, or it could not be made: either way nothing is left to do.
    let _ = fs::remove_file(&draft);
    placed.map_err(at(path))?;
    read(path)
}

fn draft_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn write_durably(path: &Path, secret: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret)?;
    file.sync_all()
}

/// A link, unlike a rename, never replaces what another process placed first.
fn place(draft: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked.and_then(|()| fs::File::open(folder)?.sync_all()),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> SecretError {
    move |error| SecretError { path: path.to_owned(), reason: error.kind() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/keys/ring");
        let first = read_or_make(&path, || Zeroizing::new(b"first".to_vec())).unwrap();
        assert_eq!(*first, b"first");
        assert_eq!(
            (mode(&path), mode(path.parent().unwrap()), mode(&folder.path().join("data"))),
            (0o600, 0o700, 0o700)
        );
        let second = read_or_make(&path, || panic!("must not be made again")).unwrap();
        assert_eq!(*second, b"first");
        let names: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["ring"], "no draft is left");
    }

    #[test]
    fn whoever_races_gets_the_same_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let path = &path;
            let racers: Vec<_> = (0..8_u8)
                .map(|n| scope.spawn(move || read_or_make(path, || Zeroizing::new(vec![n; 4096])).unwrap()))
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0] && secret.len() == 4096));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            read_or_make(folder.path(), || panic!("must not be made")).expect_err("a folder is no secret");
        assert!(error.to_string().contains(&folder.path().display().to_string()));
        assert!(read(&folder.path().join("absent")).is_err());
    }
}
