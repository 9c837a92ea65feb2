//! The data folder, and files with secrets.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use keyward_domain::Timestamp;

use super::Finding;
use crate::clock::timestamp;
use crate::settings::Settings;
use crate::transport::callers::token_hashes;

/// The data folder exists or can be made, is written to by its owner, and read by nobody else.
pub(super) fn data_folder(settings: &Settings) -> Vec<Finding> {
    let folder = &settings.store.data_dir;
    let subject = format!("store.data_dir {}", folder.display());
    let finding = match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Finding::fail(subject, "is not a folder", "name another one"),
        Ok(found) => match (writable(folder), mode(&found)) {
            (false, _) => {
                Finding::fail(subject, "cannot be written to", "give it to the user that runs keyward")
            }
            (true, mode) if mode & 0o077 != 0 => {
                Finding::warn(subject, format!("is open to others (mode {mode:03o})"), "chmod 700")
            }
            _ => Finding::ok(subject, "is written to by its owner alone"),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => absent_folder(subject, folder),
        Err(error) => {
            Finding::fail(subject, error.kind().to_string(), "give it to the user that runs keyward")
        }
    };
    vec![finding]
}

fn absent_folder(subject: String, folder: &Path) -> Finding {
    let parent = folder.ancestors().skip(1).find(|parent| parent.exists());
    if writable(parent.unwrap_or(Path::new("."))) {
        Finding::ok(subject, "will be made on the first start")
    } else {
        Finding::fail(subject, "is not there and cannot be made", "make it, for the user that runs keyward")
    }
}

/// Asks by making a file, which also sees read-only and full file systems. An empty path is the working folder.
fn writable(folder: &Path) -> bool {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let probe = folder.join(format!(".keyward-doctor-{}", std::process::id()));
    let made = fs::OpenOptions::new().write(true).create_new(true).open(&probe).is_ok();
    made && fs::remove_file(&probe).is_ok()
}

/// Files that hold secrets are there and are read by their owner alone.
pub(super) fn secrets(settings: &Settings) -> Vec<Finding> {
    let made = "is made on the first start";
    let optional = [
        ("redis.password_file", settings.redis.password_file.clone(), ""),
        ("postgres.password_file", settings.postgres.password_file.clone(), ""),
        ("postgres.tls_key_file", settings.postgres.tls_key_file.clone(), ""),
        ("server.tls_key_file", settings.server.tls_key_file.clone(), ""),
    ];
    let ours = [
        ("keys.key_ring_file", Some(settings.key_ring_file()), made),
        ("keys.token_signing_key_file", Some(settings.token_signing_key_file()), made),
        ("audit.signing_key_file", Some(settings.audit_signing_key_file()), made),
    ];
    let files = optional.into_iter().chain(ours);
    files.filter_map(|(key, path, absent)| Some(secret(key, &path?, absent))).collect()
}

fn secret(key: &str, path: &Path, absent: &str) -> Finding {
    let subject = format!("{key} {}", path.display());
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && !absent.is_empty() => {
            Finding::ok(subject, absent)
        }
        Err(error) => Finding::fail(subject, error.kind().to_string(), "correct the path or its permissions"),
        Ok(found) if mode(&found) & BEYOND_GROUP_READ == 0 && is_handed_over(&found) => {
            Finding::ok(subject, "is handed over by its owner to this user's group alone")
        }
        Ok(found) if mode(&found) & 0o077 != 0 => {
            let text = format!("is open to others (mode {:03o})", mode(&found));
            Finding::fail(subject, text, "chmod 600, and replace the secret if others may have read it")
        }
        Ok(_) => Finding::ok(subject, "is read by its owner alone"),
    }
}

/// Token files hold hashes. They are no secrets, but whoever can write them can let callers in.
pub(super) fn token_files(settings: &Settings) -> Vec<Finding> {
    let files =
        settings.callers.iter().filter_map(|caller| Some((caller, caller.token_sha256_file.as_ref()?)));
    files
        .map(|(caller, path)| {
            let subject = format!("callers {} {}", caller.id, path.display());
            match token_hashes(path) {
                Err(error) => {
                    Finding::fail(subject, error.to_string(), "printf %s \"$TOKEN\" | sha256sum > FILE")
                }
                Ok(_) if fs::metadata(path).is_ok_and(|found| mode(&found) & 0o022 != 0) => {
                    Finding::fail(subject, "can be written by others", "chmod go-w")
                }
                Ok(hashes) => Finding::ok(subject, format!("{} known", hashes.len())),
            }
        })
        .collect()
}

/// Every permission of the group but reading, and all of others'.
const BEYOND_GROUP_READ: u32 = 0o037;

/// Kubernetes mounts secrets as root's, readable by the pod's group; their owner is not who runs keyward.
fn is_handed_over(found: &Metadata) -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() != found.uid() && this.gid() == found.gid())
}

fn mode(found: &Metadata) -> u32 {
    found.permissions().mode() & 0o777
}

/// When the newest file right in a folder was written.
pub(super) fn newest(folder: &Path) -> Option<Timestamp> {
    let times = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    times.map(timestamp).max()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::settings::CallerSettings;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_data_folder_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::defaults();
        settings.store.data_dir = folder.path().join("data");
        let level = |settings: &Settings| data_folder(settings)[0].level;
        assert_eq!(level(&settings), Level::Ok);
        assert!(!settings.store.data_dir.exists(), "a check changes nothing");
        fs::create_dir(&settings.store.data_dir).unwrap();
        chmod(&settings.store.data_dir, 0o700);
        assert_eq!(level(&settings), Level::Ok);
        chmod(&settings.store.data_dir, 0o755);
        assert_eq!(level(&settings), Level::Warn);
        settings.store.data_dir = folder.path().join("data/file");
        fs::write(&settings.store.data_dir, "").unwrap();
        assert_eq!(level(&settings), Level::Fail);
    }

    #[test]
    fn a_secret_that_others_can_read_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(secret("k", &path, "").level, Level::Fail);
        assert_eq!(secret("k", &path, "is made later").level, Level::Ok);
        fs::write(&path, "").unwrap();
        chmod(&path, 0o600);
        assert_eq!(secret("k", &path, "").level, Level::Ok);
        chmod(&path, 0o640);
        assert_eq!(secret("k", &path, "").level, Level::Fail);
    }

    #[test]
    fn every_secret_of_the_settings_is_looked_at() {
        let mut settings = Settings::defaults();
        settings.redis.password_file = Some("/nonexistent/a".into());
        settings.server.tls_key_file = Some("/nonexistent/b".into());
        let levels: Vec<_> = secrets(&settings).iter().map(|f| f.level).collect();
        assert_eq!(levels, [Level::Fail, Level::Fail, Level::Ok, Level::Ok, Level::Ok]);
    }

    #[test]
    fn a_token_file_that_others_can_write_or_that_holds_no_hash_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut settings = Settings::defaults();
        settings.callers.push(CallerSettings {
            id: "portal".to_owned(),
            tenants: vec!["*".to_owned()],
            token_sha256_file: Some(path.clone()),
            certificate_san: None,
            audit: false,
        });
        let level = |settings: &Settings| token_files(settings)[0].level;
        assert_eq!(level(&settings), Level::Fail);
        fs::write(&path, "0".repeat(64)).unwrap();
        chmod(&path, 0o644);
        assert_eq!(level(&settings), Level::Ok);
        chmod(&path, 0o666);
        assert_eq!(level(&settings), Level::Fail);
        chmod(&path, 0o644);
        fs::write(&path, "token").unwrap();
        assert_eq!(level(&settings), Level::Fail);
    }
}
