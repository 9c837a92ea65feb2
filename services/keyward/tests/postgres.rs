//! `migrate`, `export`, `import`, `doctor` and `serve` on PostgreSQL, as an operator runs them; and what SIGKILL leaves.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyward::clock::SystemClock;
use keyward_api::v1;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_domain::{Clock as _, DecisionId, TenantId};
use keyward_store::DurableStore;
use keyward_store_embedded::EmbeddedStore;
use keyward_store_postgres::{PostgresSettings, PostgresStore, Tls};
use keyward_testkit::{Durability, PostgresServer};
use tempfile::TempDir;

/// Kills of each store. More with `KEYWARD_TEST_KILLS`.
const KILLS: u64 = 12;

fn command(data: &Path, postgres: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(arguments).arg("--data-dir").arg(data);
    command.args(["--set", "http.enabled=false", "--set", "limits.caller_calls_per_second=0"]);
    // A kill comes whenever it comes; who asks under load may wait a little.
    command.args([
        "--set",
        "assessment.default_deadline_ms=4000",
        "--set",
        "limits.attempts_per_window=1000000",
    ]);
    if let Some(url) = postgres {
        command.args(["--set", "store.durable=postgres", "--set", "postgres.tls=off"]);
        command.args(["--set", &format!("postgres.url={url}")]);
        command.args([
            "--set",
            "postgres.connect_timeout_ms=20000",
            "--set",
            "postgres.response_timeout_ms=20000",
        ]);
    }
    command
}

fn run(data: &Path, postgres: Option<&str>, arguments: &[&str]) -> Output {
    command(data, postgres, arguments).output().expect("the program runs")
}

fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    text
}

/// A served keyward, killed when it is dropped.
struct Served {
    child: Child,
    address: SocketAddr,
    _out: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(data: &Path, postgres: Option<&str>) -> Self {
        let mut command = command(data, postgres, &["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let address = loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).expect("read") > 0, "it ended before it served");
            if let Some(address) =
                line.trim_start().strip_prefix("gRPC").and_then(|rest| rest.split_whitespace().next())
            {
                break address.parse().expect("an address");
            }
        };
        Self { child, address, _out: out }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Someone at the front desk looks at a schedule: allowed by policy with a password alone.
fn question(request: u64) -> v1::AssessRequest {
    let now = SystemClock.now();
    let now = prost_types::Timestamp { seconds: now.secs(), nanos: 0 };
    v1::AssessRequest {
        request_id: format!("request-{request}"),
        assessment: Some(v1::Assessment {
            tenant: "st-mary".to_owned(),
            subject: format!("front-{}", request % 5),
            roles: vec!["front_desk".to_owned()],
            session: format!("session-{request}"),
            device: Some(v1::Device {
                id: "desk".to_owned(),
                device_class: v1::DeviceClass::SharedWorkstation.into(),
            }),
            action: Some(v1::Action {
                kind: v1::ActionKind::Read.into(),
                sensitivity: v1::Sensitivity::Routine.into(),
                in_care_team: None,
            }),
            claims: vec![v1::Claim { kind: v1::ClaimKind::Password.into(), verified_at: Some(now) }],
            ..v1::Assessment::default()
        }),
    }
}

/// Asks until the server is gone; what was allowed, with the index that its record was said to have.
async fn load(address: SocketAddr, requests: Arc<AtomicU64>) -> Vec<(String, u64)> {
    let mut allowed = Vec::new();
    let Ok(mut client) = DecisionServiceClient::connect(format!("http://{address}")).await else {
        return allowed;
    };
    loop {
        let asked = question(requests.fetch_add(1, Ordering::Relaxed));
        let Ok(answer) = client.assess(asked).await else { return allowed };
        let decision = answer.into_inner().decision.expect("a decision");
        if decision.outcome() == v1::Outcome::Allow {
            allowed.push((decision.id, decision.audit_index.expect("an ALLOW has a record")));
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
    let requests = Arc::new(AtomicU64::new(0));
    let (mut acknowledged, mut records) = (0, 0);
    for kill in 0..kills {
        let mut served = Served::start(data, postgres);
        let asking: Vec<_> =
            (0..8).map(|_| tokio::spawn(load(served.address, Arc::clone(&requests)))).collect();
        // Moments that differ, from the first answers on.
        tokio::time::sleep(Duration::from_millis(40 + kill * 37 % 230)).await;
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
    let asking = load(old.address, Arc::new(AtomicU64::new(0)));
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
