//! A deployment moves from SQLite files to PostgreSQL and back, and nothing of it is lost.

use std::path::Path;
use std::time::Duration;

use keyward_domain::{CredentialId, DecisionId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::transfer::{Row, Transfer};
use keyward_store::{
    AuditLog, AuditRow, CosignatureRow, CredentialRow, DurableStore, PolicyRow, SampleRow, StoreError,
    SubjectRow, Tile, TreeHead,
};
use keyward_store_embedded::EmbeddedStore;
use keyward_store_postgres::{PostgresSettings, PostgresStore, Tls};
use keyward_testkit::PostgresServer;
use tempfile::TempDir;
use uuid::Uuid;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn who(tenant: &str, subject: &str) -> SubjectKey {
    SubjectKey {
        tenant: TenantId::parse(tenant).expect("legal"),
        subject: SubjectId::parse(subject).expect("legal"),
    }
}

/// Several of each kind, more than a page of some, in orders that sort differently in different collations.
async fn fill(store: &dyn DurableStore) {
    for (n, (tenant, subject)) in
        [("st-mary", "alice"), ("St-Mary", "alice"), ("st-mary", "Bob"), ("a", "_"), ("A", "é%")]
            .into_iter()
            .filter(|(_, subject)| SubjectId::parse(*subject).is_ok())
            .enumerate()
    {
        let (who, byte) = (who(tenant, subject), u8::try_from(n).expect("small"));
        let row = SubjectRow { wrapped_key: vec![byte; 60], created_at: at(byte.into()) };
        store.ensure_subject(&who, row).await.expect("made");
        let credential = CredentialRow {
            id: CredentialId(vec![byte, 0, 255]),
            who: who.clone(),
            credential: vec![byte; 100],
            name: "Müller's key".to_owned(),
            created_at: at(5),
            last_used_at: n.is_multiple_of(2).then(|| at(6)),
            version: 1,
        };
        store.add_credential(credential.clone()).await.expect("added");
        store.update_credential(credential).await.expect("updated");
        for name in ["keystroke/personal/password", "Known", "known"] {
            for version in 0..12 {
                store.put_document(&who, name, version, vec![byte; 300], at(7)).await.expect("put");
            }
            let sample = |n: u128| SampleRow {
                decision: DecisionId(Uuid::from_u128(n)),
                at: at(8),
                sealed: vec![byte; 40],
            };
            store.add_samples(&who, name, (0..30).map(sample).collect()).await.expect("added");
        }
    }
    let record = |n: u32| AuditRow {
        commitment: [n.to_be_bytes()[3]; 32],
        kind: if n.is_multiple_of(7) { "erased" } else { "decision" }.to_owned(),
        tenant: TenantId::parse("st-mary").expect("legal"),
        subject: (!n.is_multiple_of(3)).then(|| SubjectId::parse("alice").expect("legal")),
        decision: (!n.is_multiple_of(7)).then(|| DecisionId(Uuid::from_u128(n.into()))),
        at: at(n.into()),
        sealed: n.to_be_bytes().repeat(100),
    };
    store.append((0..700).map(record).collect()).await.expect("appended");
    store.prune(100).await.expect("pruned");
    let head = TreeHead { size: 700, signed_at: at(9), note: "a checkpoint\n".to_owned() };
    let tile = |index| Tile { level: 0, index, hashes: vec![7; 32 * 100] };
    store.advance(0, head, (0..3).map(tile).collect()).await.expect("advanced");
    for n in 0..70 {
        let text = "permit (principal, action, resource);\n".repeat(usize::from(n));
        let policy = PolicyRow { digest: [n; 32], text, schema: "é".to_owned(), since: at(n.into()) };
        store.keep_policy(policy).await.expect("kept");
    }
    let cosignature = |size| CosignatureRow {
        size,
        witness: "witness".to_owned(),
        note: "a checkpoint\n".to_owned(),
        line: "a line".to_owned(),
    };
    for size in [300, 700] {
        store.cosign(cosignature(size)).await.expect("kept");
    }
}

/// Everything, a few rows at a time, in an order of our own.
async fn all(mut transfer: Box<dyn Transfer>) -> Vec<String> {
    let (mut rows, mut last): (Vec<Row>, Option<Row>) = (Vec::new(), None);
    loop {
        let page = transfer.rows_after(last.as_ref(), 50).await.expect("a page");
        let Some(end) = page.last() else { break };
        last = Some(end.clone());
        rows.extend(page);
    }
    assert!(rows.is_sorted_by_key(Row::kind));
    let counts = transfer.counts().await.expect("counted");
    assert_eq!(counts.total(), rows.len() as u64, "{counts:?}");
    let mut texts: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    texts.sort();
    texts
}

async fn copy(mut from: Box<dyn Transfer>, mut to: Box<dyn Transfer>, commits: bool) {
    let mut last = None;
    loop {
        let page = from.rows_after(last.as_ref(), 64).await.expect("a page");
        let Some(end) = page.last().cloned() else { break };
        last = Some(end);
        to.put(page).await.expect("put");
    }
    if commits {
        to.commit().await.expect("committed");
    }
}

fn settings(server: &PostgresServer, database: &str) -> PostgresSettings {
    let mut settings = PostgresSettings::new(server.url(database));
    settings.tls = Tls::Off;
    settings.connect_timeout = Duration::from_secs(20);
    settings.response_timeout = Duration::from_secs(20);
    settings
}

async fn embedded(dir: &Path) -> Box<dyn Transfer> {
    EmbeddedStore::read_all(dir).await.expect("opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_there_and_back() {
    let server = PostgresServer::start().await.expect("postgres starts");
    let american = "TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'";
    server.sql("postgres", &format!("CREATE DATABASE keyward {american}")).expect("a database");
    let settings = settings(&server, "keyward");
    PostgresStore::migrate(&settings).await.expect("migrated");
    let (old, new) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let store = EmbeddedStore::open(old.path()).await.expect("opens");
    fill(&store).await;
    store.close().await;
    drop(store);
    let before = all(embedded(old.path()).await).await;
    assert!(before.len() > 1000, "{}", before.len());

    // What is not committed was not put.
    copy(embedded(old.path()).await, PostgresStore::fill(&settings).await.expect("empty"), false).await;
    copy(embedded(old.path()).await, PostgresStore::fill(&settings).await.expect("empty still"), true).await;
    assert_eq!(PostgresStore::fill(&settings).await.err(), Some(StoreError::Exists));
    assert_eq!(all(PostgresStore::read_all(&settings).await.expect("opens")).await, before);

    let back = EmbeddedStore::fill(new.path()).await.expect("empty");
    copy(PostgresStore::read_all(&settings).await.expect("opens"), back, true).await;
    assert_eq!(EmbeddedStore::fill(new.path()).await.err(), Some(StoreError::Exists));
    assert_eq!(all(embedded(new.path()).await).await, before);

    // The moved log goes on where it was.
    let store = PostgresStore::connect(&settings).await.expect("connects");
    let (_, row) = store.read(699, 1).await.expect("read").remove(0);
    assert_eq!(store.append(vec![row.clone()]).await, Ok(700));
    store.close().await;
    let store = EmbeddedStore::open(new.path()).await.expect("opens");
    assert_eq!(store.append(vec![row]).await, Ok(700));
    assert_eq!(store.integrity().await, Ok(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_is_not_moved() {
    let server = PostgresServer::start().await.expect("postgres starts");
    server.create("keyward").expect("a database");
    let settings = settings(&server, "keyward");
    PostgresStore::migrate(&settings).await.expect("migrated");
    let serving = PostgresStore::connect(&settings).await.expect("connects");
    serving.ping().await.expect("answers");
    for outcome in [PostgresStore::read_all(&settings).await, PostgresStore::fill(&settings).await] {
        let error = outcome.err().expect("must be refused").to_string();
        assert!(error.contains("stop all servers"), "{error}");
    }
    serving.close().await;

    let dir = TempDir::new().expect("a directory");
    assert_eq!(EmbeddedStore::read_all(dir.path()).await.err(), Some(StoreError::NotFound));
    let serving = EmbeddedStore::open(dir.path()).await.expect("opens");
    let error = EmbeddedStore::read_all(dir.path()).await.err().expect("must be refused").to_string();
    assert!(error.contains("stop the server"), "{error}");
    drop(serving);
    let reading = EmbeddedStore::read_all(dir.path()).await.expect("opens");
    let error = EmbeddedStore::open(dir.path()).await.expect_err("must be refused").to_string();
    assert!(error.contains("export or import"), "{error}");
    drop(reading);
    std::fs::write(dir.path().join("import-unfinished"), "").expect("written");
    let error = EmbeddedStore::open(dir.path()).await.expect_err("must be refused").to_string();
    assert!(error.contains("was not finished"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_gap_is_not_committed() {
    let server = PostgresServer::start().await.expect("postgres starts");
    server.create("keyward").expect("a database");
    let settings = settings(&server, "keyward");
    PostgresStore::migrate(&settings).await.expect("migrated");
    let old = TempDir::new().expect("a directory");
    let store = EmbeddedStore::open(old.path()).await.expect("opens");
    fill(&store).await;
    store.close().await;
    drop(store);
    let mut from = embedded(old.path()).await;
    let mut records = Vec::new();
    let mut last = None;
    loop {
        let page = from.rows_after(last.as_ref(), 100).await.expect("a page");
        let Some(end) = page.last().cloned() else { break };
        last = Some(end);
        records.extend(page.into_iter().filter(|row| matches!(row, Row::Record(..))));
    }
    records.remove(records.len() / 2);
    let new = TempDir::new().expect("a directory");
    for mut to in [
        PostgresStore::fill(&settings).await.expect("empty"),
        EmbeddedStore::fill(new.path()).await.expect("empty"),
    ] {
        to.put(records.clone()).await.expect("put");
        let error = to.commit().await.expect_err("must be refused").to_string();
        assert!(error.contains("gap"), "{error}");
    }
    let store = EmbeddedStore::open(new.path()).await.expect("opens");
    assert_eq!(store.size().await, Ok(0), "nothing was put");
}
