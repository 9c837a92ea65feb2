//! The disk under the embedded store is full, in two ways: a file system without room, and a limit on the size of files. What
//! callers see meanwhile, and that nothing is lost.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::future::join_all;
use keyward_api::v1;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_domain::{DecisionId, TenantId};
use keyward_store::AuditLog as _;
use keyward_store_embedded::EmbeddedStore;
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::served::{SERVE, Served, command, question, refused, run, told};

/// What a caller waits at most.
const DEADLINE: Duration = Duration::from_millis(400);
/// How much longer an answer's way may take that left in time: machines that run tests are busy.
const SLACK: Duration = Duration::from_millis(300);
/// Until when it must be normal again. What it really took is printed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Refusals that are looked at while the disk is full.
const REFUSALS: usize = 40;

/// Someone who asks, and what came of it.
struct Caller {
    client: DecisionServiceClient<Channel>,
    asked: u64,
    /// What was allowed, with the index that its record was said to have.
    allowed: HashMap<String, u64>,
    longest: Duration,
}

impl Caller {
    async fn of(served: &Served) -> Self {
        let client = DecisionServiceClient::connect(format!("http://{}", served.address)).await;
        let client = client.expect("connects");
        Self { client, asked: 0, allowed: HashMap::new(), longest: Duration::ZERO }
    }

    /// Asks a few times at once, within the deadline, and keeps account.
    async fn ask(&mut self, change: impl Fn(&mut v1::Assessment)) -> Vec<v1::Decision> {
        let asking = (0..4).map(|_| {
            self.asked += 1;
            let mut asked = question(1_000_000 + self.asked);
            change(asked.assessment.as_mut().expect("an assessment"));
            let mut request = tonic::Request::new(asked);
            request.set_timeout(DEADLINE);
            let mut client = self.client.clone();
            async move {
                let begun = Instant::now();
                let answer = client.assess(request).await.expect("an answer in time").into_inner();
                (answer.decision.expect("a decision"), begun.elapsed())
            }
        });
        let (decisions, times): (Vec<_>, Vec<_>) =
            join_all(asking.collect::<Vec<_>>()).await.into_iter().unzip();
        self.longest = times.into_iter().fold(self.longest, Duration::max);
        for decision in &decisions {
            if decision.outcome() == v1::Outcome::Allow {
                let index = decision.audit_index.expect("an ALLOW says where its record is");
                self.allowed.insert(decision.id.clone(), index);
            }
        }
        decisions
    }

    /// Asks until one in all four is allowed again; how long that took.
    async fn until_normal(&mut self) -> Duration {
        let begun = Instant::now();
        while self.ask(|_| ()).await.iter().any(|decision| decision.outcome() != v1::Outcome::Allow) {
            assert!(begun.elapsed() < PATIENCE, "it is not normal again");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    }
}

/// Not recorded, so not allowed, and it says why.
fn is_stricter(decision: &v1::Decision) {
    let reason = decision.reasons.first().map(v1::Reason::code);
    assert_eq!(reason, Some(v1::ReasonCode::AuditUnavailable), "{decision:?}");
    assert_ne!(decision.outcome(), v1::Outcome::Allow, "{decision:?}");
    assert!(decision.token.is_empty() && decision.audit_index.is_none(), "{decision:?}");
}

/// A clinician at her own computer looks at a chart: that needs a passkey.
fn chart(asked: &mut v1::Assessment) {
    asked.roles = vec!["clinician".to_owned()];
    "dr-amara".clone_into(&mut asked.subject);
    if let Some(action) = &mut asked.action {
        action.sensitivity = v1::Sensitivity::Clinical.into();
    }
}

/// Asks while there is no room. A record that fits into what is left is kept, and allows; so it may take a few.
async fn without_room(caller: &mut Caller) {
    caller.longest = Duration::ZERO;
    let (begun, mut refusals) = (Instant::now(), 0);
    while refusals < REFUSALS {
        assert!(begun.elapsed() < PATIENCE, "there is room");
        for decision in caller.ask(|_| ()).await {
            if decision.outcome() != v1::Outcome::Allow {
                is_stricter(&decision);
                assert_eq!(decision.outcome(), v1::Outcome::Deny, "{decision:?}");
                refusals += 1;
            }
        }
    }
    for decision in caller.ask(chart).await {
        is_stricter(&decision);
        assert_eq!(decision.outcome(), v1::Outcome::StepUp, "step-ups stay step-ups: {decision:?}");
    }
    // Of whom nothing is known yet nothing can be kept either.
    for decision in caller.ask(|asked| asked.subject = format!("new-{}", asked.session)).await {
        is_stricter(&decision);
    }
    assert!(caller.longest < DEADLINE + SLACK, "{:?}", caller.longest);
}

/// All that was allowed is in the store where the caller was told, and the store is whole.
async fn nothing_was_lost(data: &Path, caller: &Caller) {
    let store = EmbeddedStore::open(data).await.expect("it opens");
    let tenant = TenantId::parse("st-mary").expect("legal");
    for (id, index) in &caller.allowed {
        let decision = DecisionId(id.parse().expect("an id"));
        let found = store.by_decision(&tenant, decision).await.expect("read");
        assert_eq!(found.map(|(there, _)| there), Some(*index), "an ALLOW without its record");
    }
    let rows = store.commitments(0, usize::MAX).await.expect("read");
    assert!(rows.iter().map(|(index, _)| *index).eq(0..rows.len() as u64), "a gap");
    assert_eq!(store.integrity().await, Ok(vec![]));
    store.close().await;
}

/// A small file system of its own. Ends when it is dropped.
struct Disk {
    dir: TempDir,
}

impl Disk {
    /// None where this process may not mount one.
    fn mount() -> Option<Self> {
        let dir = TempDir::new().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs"]).arg(dir.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self { dir })
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let zeroes = vec![0; 4096];
        let mut ballast = std::fs::File::create(self.dir.path().join("ballast")).expect("made");
        while std::io::Write::write_all(&mut ballast, &zeroes).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.dir.path().join("ballast")).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: something may look at it still. Where it fails, the folder stays.
        let _ = Command::new("umount").arg("--lazy").arg(self.dir.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_lets_nothing_through_and_loses_nothing() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: no file system may be mounted");
        return;
    };
    let data = disk.data();
    let mut served = Served::start(&data, None);
    let mut caller = Caller::of(&served).await;
    assert!(caller.ask(|_| ()).await.iter().all(|decision| decision.outcome() == v1::Outcome::Allow));
    for round in 1..=2 {
        disk.fill();
        without_room(&mut caller).await;
        let longest = caller.longest;
        disk.free();
        let normal = caller.until_normal().await;
        println!(
            "disk full, round {round}: longest answer {longest:?}; allowed again {normal:?} after there was room"
        );
    }

    // It is killed while the disk is full; started again it says what is wrong, and goes on when there is room.
    disk.fill();
    without_room(&mut caller).await;
    served.child.kill().expect("killed");
    served.child.wait().expect("gone");
    let error = refused(&run(&data, None, SERVE));
    assert!(error.contains("disk is full"), "{error}");
    let doctor = run(&data, None, &["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!doctor.status.success() && text.contains("make room on the disk"), "{text}");
    disk.free();
    nothing_was_lost(&data, &caller).await;
    assert!(told(&run(&data, None, &["doctor"])).contains("is whole"));
    let served = Served::start(&data, None);
    let mut after = Caller::of(&served).await;
    after.asked = caller.asked;
    after.until_normal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_grow_let_nothing_through_and_lose_nothing() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    // Past its limit a write fails, once the signal is ignored that would end the process.
    let serve = command(&data, None, SERVE);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(serve.get_program()).args(serve.get_args());
    let mut served = Served::started_by(shell);
    let limit = |size: &str| {
        let (process, size) = (served.child.id().to_string(), format!("--fsize={size}:"));
        let set = Command::new("prlimit").args(["--pid", &process, &size]).status();
        assert!(set.expect("prlimit runs").success(), "{size}");
    };
    let mut caller = Caller::of(&served).await;
    assert!(caller.ask(|_| ()).await.iter().all(|decision| decision.outcome() == v1::Outcome::Allow));
    let log = std::fs::metadata(data.join("audit.db-wal")).expect("the log's file").len();
    // In the middle of a page: what fits is written, and does not count.
    limit(&(log + 10_000).to_string());
    without_room(&mut caller).await;
    let longest = caller.longest;
    limit("unlimited");
    let normal = caller.until_normal().await;
    println!("files limited: longest answer {longest:?}; allowed again {normal:?} after they might grow");
    served.child.kill().expect("killed");
    served.child.wait().expect("gone");
    nothing_was_lost(&data, &caller).await;
}
