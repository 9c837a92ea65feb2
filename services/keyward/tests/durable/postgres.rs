//! `migrate`, `export`, `import`, `doctor` and `serve` on PostgreSQL, as an operator runs them; and what SIGKILL leaves.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward_api::v1;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_domain::{DecisionId, TenantId};
use keyward_store::DurableStore;
use keyward_store_embedded::EmbeddedStore;
use keyward_store_postgres::{PostgresSettings, PostgresStore, Tls};
use keyward_testkit::{Durability, PostgresServer};
use tempfile::TempDir;

use crate::served::{Served, question, refused, run, told};

/// Kills of each store. More with `KEYWARD_TEST_KILLS`.
const KILLS: u64 = 12;
/// How long a server may take to answer so many.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who asks, all together.
#[derive(Default)]
struct Asked {
    /// Questions so far; each has its number.
    requests: AtomicU64,
    /// How many were allowed.
    allowed: AtomicU64,
}

/// Asks until the server is gone; what was allowed, with the index that its record was said to have.
async fn load(address: SocketAddr, all: Arc<Asked>) -> Vec<(String, u64)> {
    let mut allowed = Vec::new();
    let Ok(mut client) = DecisionServiceClient::connect(format!("http://{address}")).await else {
        return allowed;
    };
    loop {
        let asked = question(all.requests.fetch_add(1, Ordering::Relaxed));
        let Ok(answer) = client.assess(asked).await else { return allowed };
        let decision = answer.into_inner().decision.expect("a decision");
        if decision.outcome() == v1::Outcome::Allow {
            allowed.push((decision.id, decision.audit_index.expect("an ALLOW has a record")));
            all.allowed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Kills a server at a moment that load has come to, again and again, and looks for every ALLOW in the store.
async fn killed_under_load(
    data: &Path,
    postgres: Option<&str>,
    store: impl AsyncFn() -> Arc<dyn DurableStore>,
) {
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not a setting")]
    let kills = std::env::var("KEYWARD_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let all = Arc::new(Asked::default());
    let (mut acknowledged, mut records) = (0, 0);
    for kill in 0..kills {
        let mut served = Served::start(data, postgres);
        let asking: Vec<_> = (0..8).map(|_| tokio::spawn(load(served.address, Arc::clone(&all)))).collect();
        // Moments that differ: after so many answers, and in the middle of others.
        let enough = all.allowed.load(Ordering::Relaxed) + 10 + kill * 37 % 100;
        let begun = Instant::now();
        while all.allowed.load(Ordering::Relaxed) < enough {
            assert!(begun.elapsed() < PATIENCE, "kill {kill}: no answers");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        served.child.kill().expect("killed");
        served.child.wait().expect("gone");
        let mut allowed = Vec::new();
        for task in asking {
            allowed.extend(task.await.expect("ran"));
        }
        let store = store().await;
        let tenant = TenantId::parse("st-mary").expect("legal");
        for (id, index) in &allowed {
            let decision = DecisionId(id.parse().expect("an id"));
            let found = store.by_decision(&tenant, decision).await.expect("read");
            assert_eq!(
                found.map(|(there, _)| there),
                Some(*index),
                "kill {kill}: an ALLOW without its record"
            );
        }
        records = store.size().await.expect("read");
        let rows = store.commitments(0, usize::MAX).await.expect("read");
        assert!(rows.iter().map(|(index, _)| *index).eq(0..records), "kill {kill}: a gap");
        acknowledged += allowed.len();
    }
    assert!(acknowledged as u64 >= 10 * kills, "{acknowledged} in {kills} kills");
    println!("{kills} kills: {acknowledged} ALLOWs acknowledged, all among {records} records");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_under_load_loses_no_acknowledged_allow_in_postgres() {
    let server =
        PostgresServer::start_with(Durability::Synced, |_| Ok(Vec::new())).await.expect("postgres starts");
    server.create("keyward").expect("a database");
    let (data, url) = (TempDir::new().expect("a folder"), server.url("keyward"));
    told(&run(data.path(), Some(&url), &["migrate"]));
    let mut settings = PostgresSettings::new(&url);
    settings.tls = Tls::Off;
    settings.connect_timeout = Duration::from_secs(20);
    let open = async || {
        let store: Arc<dyn DurableStore> =
            Arc::new(PostgresStore::connect(&settings).await.expect("connects"));
        store
    };
    killed_under_load(data.path(), Some(&url), open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_under_load_loses_no_acknowledged_allow_in_the_embedded_store() {
    let data = TempDir::new().expect("a folder");
    let open = async || {
        let store: Arc<dyn DurableStore> = Arc::new(EmbeddedStore::open(data.path()).await.expect("opens"));
        store
    };
    killed_under_load(data.path(), None, open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_migrates_moves_and_serves() {
    let server = PostgresServer::start().await.expect("postgres starts");
    server.create("keyward").expect("a database");
    let (folder, url) = (TempDir::new().expect("a folder"), server.url("keyward"));
    let data = folder.path().join("data");
    let file = folder.path().join("export.jsonl");
    let name = file.to_str().expect("UTF-8");

    // A deployment on SQLite that has decided a little.
    let mut old = Served::start(&data, None);
    let asking = load(old.address, Arc::default());
    let (answers, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(30), asking), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let error = refused(&run(&data, None, &["export", "--to", name]));
        assert!(error.contains("stop the server"), "{error}");
        old.child.kill().expect("killed");
        old.child.wait().expect("gone");
    });
    let given = answers.expect("the server was killed");
    assert!(!given.is_empty());

    // Before the schema is there nothing goes, and all say so.
    for arguments in [&["serve"][..], &["import", "--from", name]] {
        let error = refused(&run(&data, Some(&url), arguments));
        assert!(error.contains("keyward migrate") || error.contains("No such file"), "{error}");
    }
    let doctor = run(&data, Some(&url), &["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        !doctor.status.success() && text.contains("FAIL  postgres") && text.contains("keyward migrate"),
        "{text}"
    );
    let check = run(&data, Some(&url), &["migrate", "--check"]);
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(!check.status.success() && text.contains("step 1 (state): to come"), "{text}");
    assert!(told(&run(&data, Some(&url), &["migrate"])).contains("step 1 (state): done"));
    assert!(told(&run(&data, Some(&url), &["migrate"])).contains("nothing was done"));
    assert!(told(&run(&data, Some(&url), &["migrate", "--check"])).contains("as it should be"));
    let text = told(&run(&data, Some(&url), &["doctor"]));
    assert!(text.contains("ok    postgres: answers") && text.contains("superuser"), "{text}");

    // The move.
    let out = told(&run(&data, None, &["export", "--to", name]));
    assert!(refused(&run(&data, None, &["export", "--to", name])).contains("exists"));
    let whole = std::fs::read_to_string(&file).expect("the export");
    let (cut, _) = whole.trim_end().rsplit_once('\n').expect("more than a line");
    let cut = format!("{cut}\n");
    let changed = whole.replacen("\"created_at\":1", "\"created_at\":2", 1);
    assert_ne!(changed, whole);
    for (text, why) in [(cut, "not whole"), (changed, "content differ"), ("{}\n".to_owned(), "no export")] {
        std::fs::write(&file, text).expect("written");
        let error = refused(&run(&data, Some(&url), &["import", "--from", name]));
        assert!(error.contains(why), "{error}");
    }
    std::fs::write(&file, whole).expect("written");
    let moved = told(&run(&data, Some(&url), &["import", "--from", name]));
    let totals = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("The key ring"));
        lines.map(|line| line.replacen("imported", "exported", 1)).collect()
    };
    assert_eq!(totals(&moved), totals(&out), "counts, root and content are the same");
    assert!(refused(&run(&data, Some(&url), &["import", "--from", name])).contains("not empty"));
    let again = folder.path().join("again.jsonl");
    let back = told(&run(&data, Some(&url), &["export", "--to", again.to_str().expect("UTF-8")]));
    assert_eq!(totals(&back), totals(&out));

    // It serves on, with the same keys and the same log.
    let new = Served::start(&data, Some(&url));
    let mut client =
        DecisionServiceClient::connect(format!("http://{}", new.address)).await.expect("connects");
    let answer = client.assess(question(1_000_000)).await.expect("an answer").into_inner();
    let decision = answer.decision.expect("a decision");
    assert_eq!(decision.outcome(), v1::Outcome::Allow, "{decision:?}");
    assert!(decision.audit_index.is_some_and(|index| index >= given.len() as u64), "{decision:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_doctor_look_into_the_store_that_is_configured() {
    let server = PostgresServer::start().await.expect("postgres starts");
    server.create("keyward").expect("a database");
    let (folder, url) = (TempDir::new().expect("a folder"), server.url("keyward"));
    let data = folder.path().join("data");
    let keys = |postgres, arguments: &[&str]| run(&data, postgres, &[&["keys"], arguments].concat());
    let line = |status: &str, key: &str| {
        status.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{status}")).to_owned()
    };
    // Who looks makes no store, and no schema either.
    assert!(refused(&keys(None, &["status"])).contains("there is no store yet"));
    let migrates = ["status", "--set", "postgres.migrate_on_start=true"];
    assert!(refused(&keys(Some(&url), &migrates)).contains("keyward migrate"));

    // One ring, and two stores: the files hold one data key, under key 1; the database one, under key 2.
    assert!(told(&keys(None, &["rotate"])).starts_with("key 2 is current."));
    told(&run(&data, Some(&url), &["migrate"]));
    assert!(told(&keys(Some(&url), &["rewrap"])).starts_with("0 of 1 data keys"));
    let (files, database) = (told(&keys(None, &["status"])), told(&keys(Some(&url), &["status"])));
    assert!(line(&files, "key 1").contains(" 1 data keys   old"), "{files}");
    assert!(line(&files, "key 2").contains(" 0 data keys   current"), "{files}");
    assert!(line(&database, "key 1").contains(" 0 data keys   not needed"), "{database}");
    assert!(line(&database, "key 2").contains(" 1 data keys   current"), "{database}");

    // A data key that is damaged in the database is found there, and there alone.
    let damaged =
        "INSERT INTO subject (tenant, subject, wrapped_key, created_at_us) VALUES ('t', 's', '', 0)";
    server.sql("keyward", damaged).expect("written");
    assert!(told(&keys(Some(&url), &["status"])).contains("1 data keys   DAMAGED"));
    assert!(!told(&keys(None, &["status"])).contains("DAMAGED"));
    let doctor = |postgres| String::from_utf8_lossy(&run(&data, postgres, &["doctor"]).stdout).into_owned();
    let (files, database) = (doctor(None), doctor(Some(&url)));
    assert!(database.contains("FAIL  data keys: 1 wrapped keys are damaged"), "{database}");
    assert!(files.contains("ok    data keys: all unwrap; 1 need an old key"), "{files}");
    // Key 1 is retired from the ring by the database's need, for which the damaged one stands in the way.
    assert!(refused(&keys(Some(&url), &["retire", "1"])).contains("1 wrapped keys do not say"));
}
