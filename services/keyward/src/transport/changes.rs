//! Notices that files changed, so that a renewed certificate is served without anyone sending a signal. Asks by metadata
//! from time to time: Kubernetes replaces mounted secrets by moving a symbolic link, which watches on files miss.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Reload;

/// What tells one state of a file from another: device, inode, change and size; nothing when it is not there.
type Mark = Option<(u64, u64, i64, i64, u64)>;

/// Looks at the files of `reload` every so often, and reads them again when one changed. A change that cannot be used, such
/// as a certificate whose key has not come yet, leaves in use what was, and is tried again with the next change.
pub(super) async fn watch(reload: Reload, files: Vec<PathBuf>, every: Duration) {
    let mut before = marks(&files);
    loop {
        tokio::time::sleep(every).await;
        let now = marks(&files);
        if now != before {
            before = now;
            reload.reload_and_tell("changed on disk");
        }
    }
}

fn marks(files: &[PathBuf]) -> Vec<Mark> {
    files.iter().map(|path| mark(path)).collect()
}

fn mark(path: &Path) -> Mark {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.ctime(), found.ctime_nsec(), found.size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_link_a_new_text_and_an_absent_file_are_changes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("tls.crt"), "same").unwrap();
        }
        std::os::unix::fs::symlink("v1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/tls.crt", at("tls.crt")).unwrap();
        let files = [at("tls.crt")];
        let first = marks(&files);
        assert_eq!(first, marks(&files), "nothing changed");
        std::os::unix::fs::symlink("v2", at("..data.tmp")).unwrap();
        std::fs::rename(at("..data.tmp"), at("..data")).unwrap();
        let second = marks(&files);
        assert_ne!(first, second, "the link was moved");
        std::fs::write(at("v2/tls.crt"), "other").unwrap();
        let third = marks(&files);
        assert_ne!(second, third, "the text is another");
        std::fs::remove_file(at("v2/tls.crt")).unwrap();
        assert_eq!(marks(&files), [None]);
    }
}
