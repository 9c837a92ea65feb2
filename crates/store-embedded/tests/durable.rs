//! The embedded durable store keeps what the port promises, and what a directory on a disk makes possible.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use keyward_domain::{DecisionId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{AuditLog, AuditRow, Documents, StoreError, SubjectRow, Subjects, conformance};
use keyward_store_embedded::EmbeddedStore;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// Set in the process that appends until it is killed: the directory to append in.
const CHILD_DIR: &str = "KEYWARD_TEST_APPEND_DIR";

fn alice() -> SubjectKey {
    SubjectKey {
        tenant: TenantId::parse("st-mary").expect("legal"),
        subject: SubjectId::parse("alice").expect("legal"),
    }
}

fn row(n: u64) -> AuditRow {
    AuditRow {
        commitment: [7; 32],
        kind: "decision".to_owned(),
        tenant: alice().tenant,
        subject: Some(alice().subject),
        decision: Some(DecisionId(Uuid::from_u128(n.into()))),
        at: Timestamp::from_secs(1),
        sealed: n.to_be_bytes().repeat(190),
    }
}

async fn open(dir: &TempDir) -> EmbeddedStore {
    EmbeddedStore::open(dir.path()).await.expect("opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let root = TempDir::new().expect("a directory");
    let numbers = std::sync::atomic::AtomicUsize::new(0);
    let make = async || {
        let n = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        EmbeddedStore::open(&root.path().join(n.to_string())).await.expect("opens")
    };
    conformance::durable(make).await;
}

#[tokio::test]
async fn a_reopened_directory_holds_everything() {
    let dir = TempDir::new().expect("a directory");
    let subject = SubjectRow { wrapped_key: vec![1, 2, 3], created_at: Timestamp::from_secs(5) };
    let store = open(&dir).await;
    store.ensure_subject(&alice(), subject.clone()).await.expect("made");
    store.put_document(&alice(), "profile", 0, vec![9], Timestamp::from_secs(6)).await.expect("put");
    store.append((0..100).map(row).collect()).await.expect("appended");
    store.close().await;

    let store = open(&dir).await;
    assert_eq!(store.subject(&alice()).await, Ok(Some(subject)));
    assert_eq!(store.document_names(&alice()).await, Ok(vec![("profile".to_owned(), 1)]));
    assert_eq!(store.read(99, 5).await, Ok(vec![(99, row(99))]));
    assert_eq!(store.append(vec![row(100)]).await, Ok(100));
    assert_eq!(store.integrity().await, Ok(vec![]));
}

#[tokio::test]
async fn a_copy_made_beside_a_writer_is_whole_and_for_its_owner_alone() {
    let (dir, backups) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let store = open(&dir).await;
    store.append((0..50).map(row).collect()).await.expect("appended");
    store.put_document(&alice(), "profile", 0, vec![9], Timestamp::from_secs(6)).await.expect("put");
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 50..80 {
                store.append(vec![row(n)]).await.expect("appended while it was copied");
            }
        }
    });
    let to = backups.path().join("monday");
    EmbeddedStore::copy(dir.path(), &to).await.expect("copied");
    writer.await.expect("the writer was not disturbed");

    for name in ["state.db", "audit.db"] {
        let mode = std::fs::metadata(to.join(name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let copy = EmbeddedStore::open(&to).await.expect("opens");
    assert_eq!(copy.integrity().await, Ok(Vec::new()));
    let size = copy.size().await.expect("counted");
    assert!((50..=80).contains(&size), "{size}");
    let rows = |store: EmbeddedStore| async move { store.read(0, 50).await.expect("read") };
    assert_eq!(rows(copy.clone()).await, rows(store).await);
    assert!(copy.document(&alice(), "profile").await.expect("read").is_some());
    assert_eq!(EmbeddedStore::copy(dir.path(), &to).await, Err(StoreError::Exists), "nothing is overwritten");
    let nothing = EmbeddedStore::copy(&backups.path().join("absent"), &backups.path().join("x")).await;
    assert!(matches!(nothing, Err(StoreError::Unavailable(_))), "{nothing:?}");
}

#[tokio::test]
async fn two_openings_of_one_directory_agree() {
    let dir = TempDir::new().expect("a directory");
    let (one, other) = (open(&dir).await, open(&dir).await);
    assert_eq!(one.append(vec![row(0)]).await, Ok(0));
    assert_eq!(other.append(vec![row(1), row(2)]).await, Ok(1));
    assert_eq!(one.append(vec![row(3)]).await, Ok(3));
    assert_eq!(one.put_document(&alice(), "p", 0, vec![1], Timestamp::from_secs(1)).await, Ok(1));
    let stale = other.put_document(&alice(), "p", 0, vec![2], Timestamp::from_secs(1)).await;
    assert_eq!(stale, Err(StoreError::Conflict));
    assert_eq!(other.size().await, Ok(4));
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let root = TempDir::new().expect("a directory");
    let dir = root.path().join("a/b");
    let store = EmbeddedStore::open(&dir).await.expect("opens");
    store.append(vec![row(0)]).await.expect("appended");
    store.put_document(&alice(), "p", 0, vec![1], Timestamp::from_secs(1)).await.expect("put");
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> =
        dir.read_dir().expect("readable").map(|entry| entry.expect("readable").path()).collect();
    assert!(files.len() >= 6, "three files and their write-ahead logs: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    for file in ["state.db", "audit.db", "tree.db"] {
        let dir = TempDir::new().expect("a directory");
        open(&dir).await.close().await;
        let options = SqliteConnectOptions::new().filename(dir.path().join(file));
        let mut connection = SqliteConnection::connect_with(&options).await.expect("opens");
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (99, 'from the future', TRUE, x'00', 0)";
        sqlx::query(newer).execute(&mut connection).await.expect("written");
        connection.close().await.expect("closed");
        let error = EmbeddedStore::open(dir.path()).await.expect_err("must be refused").to_string();
        assert!(error.contains(file) && error.contains("version 99"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let dir = TempDir::new().expect("a directory");
    std::fs::write(dir.path().join("state.db"), "x".repeat(10_000)).expect("written");
    let error = EmbeddedStore::open(dir.path()).await.expect_err("must be refused");
    assert!(matches!(&error, StoreError::Damaged(text) if text.contains("state.db")), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_or_written_is_named() {
    let root = TempDir::new().expect("a directory");
    let file = root.path().join("file");
    std::fs::write(&file, "").expect("written");
    let error = EmbeddedStore::open(&file.join("data")).await.expect_err("no directory").to_string();
    assert!(error.contains("cannot make the data directory") && error.contains("file/data"), "{error}");

    // Root writes where it likes; only where no one can write it is refused as others are.
    let read_only = Path::new("/proc/self/task");
    let error = EmbeddedStore::open(read_only).await.expect_err("not writable").to_string();
    assert!(error.contains("/proc/self/task"), "{error}");

    let data = root.path().join("data");
    EmbeddedStore::open(&data).await.expect("opens").close().await;
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o500)).expect("changed");
    if std::fs::write(data.join("probe"), "").is_err() {
        let error = EmbeddedStore::open(&data).await.expect_err("not writable").to_string();
        assert!(error.contains("not writable"), "{error}");
    }
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).expect("changed");
}

#[tokio::test]
async fn an_erased_key_is_in_no_byte_of_the_directory() {
    let dir = TempDir::new().expect("a directory");
    let planted = b"planted wrapped key, to be searched for".to_vec();
    let store = open(&dir).await;
    let row = SubjectRow { wrapped_key: planted.clone(), created_at: Timestamp::from_secs(1) };
    store.ensure_subject(&alice(), row).await.expect("made");
    assert!(found(dir.path(), &planted), "the search itself must work");
    store.erase_subject(&alice()).await.expect("erased");
    assert!(!found(dir.path(), &planted));
}

fn found(dir: &Path, bytes: &[u8]) -> bool {
    let files = dir.read_dir().expect("readable").map(|entry| entry.expect("readable").path());
    files
        .map(|file| std::fs::read(file).expect("readable"))
        .any(|all| all.windows(bytes.len()).any(|w| w == bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_does_not_grow_without_end() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir).await;
    for batch in 0..1000_u64 {
        store.append((batch * 32..batch * 32 + 32).map(row).collect()).await.expect("appended");
    }
    let wal = dir.path().join("audit.db-wal").metadata().expect("there").len();
    // 32,000 records are 50 MB; a checkpoint is due every 4 MB, and appends go on while it runs.
    assert!(wal < 32 << 20, "{wal} bytes");
    assert_eq!(store.integrity().await, Ok(vec![]));
}

/// SIGKILL in the middle of appends: what was acknowledged is there, what is there has no gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_no_acknowledged_record() {
    let dir = TempDir::new().expect("a directory");
    let mut acknowledged = 0;
    for acknowledgements in [1, 40, 200, 333] {
        let own = std::env::current_exe().expect("this program");
        let mut child = Command::new(own)
            .args(["--exact", "appends_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut seen = 0;
        for size in
            lines.filter_map(|line| line.strip_prefix("acknowledged ").and_then(|n| n.parse::<u64>().ok()))
        {
            acknowledged = acknowledged.max(size);
            seen += 1;
            if seen == acknowledgements {
                child.kill().expect("killed");
            }
        }
        child.wait().expect("waited for");
        assert!(seen >= acknowledgements, "the child ended by itself");

        let store = open(&dir).await;
        let size = store.size().await.expect("read");
        assert!(size >= acknowledged, "{acknowledged} were acknowledged and {size} are there");
        let all = store.read(0, usize::MAX).await.expect("read");
        assert!(all.iter().map(|(index, row)| (*index, row.clone())).eq((0..size).map(|n| (n, row(n)))));
        assert_eq!(store.integrity().await, Ok(vec![]));
        store.close().await;
    }
}

#[tokio::test]
#[ignore = "is run, and killed, by the test before it"]
#[expect(clippy::disallowed_methods, reason = "the edge of a process that the test itself starts")]
async fn appends_until_it_is_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let store = EmbeddedStore::open(Path::new(&dir)).await.expect("opens");
    loop {
        let next = store.size().await.expect("read");
        let rows = next % 7 + 1;
        store.append((next..next + rows).map(row).collect()).await.expect("appended");
        println!("acknowledged {}", next + rows);
    }
}
