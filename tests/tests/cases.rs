//! Every case of `tests/cases`, at every door.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use keyward_testkit::RedisServer;
use keyward_tests::case::{Behaviour, Case, Shown, Typing, read_all};
use keyward_tests::run::run;
use keyward_tests::seen::Seen;
use keyward_tests::{Database, Deployment, Door, Hot, World, log};

/// What the first door to run a case showed: the others must show the same to the last reason.
static SEEN: Mutex<BTreeMap<String, (&str, Seen)>> = Mutex::new(BTreeMap::new());

#[tokio::test(flavor = "multi_thread")]
async fn in_this_process() {
    let deployment = Deployment::new();
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::in_process(&world);
    all("in this process", &deployment, &world, &door).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_wire() {
    let deployment = Deployment::new();
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::on_the_wire(&world).await;
    all("over the wire", &deployment, &world, &door).await;
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_wire_with_redis() {
    let redis = RedisServer::start().await.expect("redis starts");
    let deployment = Deployment::new();
    let world = deployment.start(Hot::Redis(&redis.url(), Duration::from_secs(2))).await;
    let door = Door::on_the_wire(&world).await;
    all("over the wire with redis", &deployment, &world, &door).await;
    door.close().await;
}

/// Equal rights: whoever opted out gets with a passkey what everybody gets.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_passkey_opting_out_changes_nothing() {
    let deployment = Deployment::new();
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::in_process(&world);
    let files = read_all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")));
    let shown = |case: &Case| !matches!(case.passkey, Shown::None);
    // What is looked at costs others something when it is suspicious; of an honest login the two are to be the same.
    let honest =
        |case: &Case| matches!(case.typing, Typing::None | Typing::Own) && case.earlier_attempts == 0;
    let cases = files.into_iter().flat_map(|(_, cases)| cases.cases);
    let cases: Vec<Case> = cases.filter(|case| shown(case) && honest(case)).collect();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    for (number, mut case) in cases.into_iter().enumerate() {
        case.behaviour = Behaviour::OptedOut;
        let seen = run(&deployment, &world, &door, &case, number).await.seen;
        let told = (seen.outcome, seen.evidence);
        assert_eq!(told, (case.expect.outcome, case.expect.evidence), "{}: {seen:?}", case.case);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_wire_with_postgres_and_redis() {
    let (database, redis) = (Database::start().await, RedisServer::start().await.expect("redis starts"));
    let deployment = Deployment::new();
    let hot = Hot::Redis(&redis.url(), Duration::from_secs(2));
    let world = deployment.start_on(database.open().await, hot).await;
    let door = Door::on_the_wire(&world).await;
    all("over the wire with postgres and redis", &deployment, &world, &door).await;
    door.close().await;
}

async fn all(name: &'static str, deployment: &Deployment, world: &World, door: &Door) {
    let files = read_all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")));
    let cases: Vec<_> =
        files.iter().flat_map(|(file, cases)| cases.cases.iter().map(move |case| (file, case))).collect();
    let names: HashSet<_> = cases.iter().map(|(_, case)| &case.case).collect();
    assert_eq!(names.len(), cases.len(), "no two cases have the same name");

    let (mut report, mut failed, mut given) = (String::new(), 0, Vec::new());
    for (number, (file, case)) in cases.iter().enumerate() {
        let mut ran = run(deployment, world, door, case, number).await;
        ran.wrong.extend(compare(name, &case.case, &ran.seen));
        given.append(&mut ran.given);
        if !ran.wrong.is_empty() {
            failed += 1;
            let _ = writeln!(report, "\n{file}: {}", case.case);
            for line in &ran.wrong {
                let _ = writeln!(report, "    {line}");
            }
            let _ = writeln!(report, "    all of it: {:?}", ran.seen);
        }
    }
    assert!(failed == 0, "{name}: {failed} of {} cases are wrong\n{report}", cases.len());
    log::holds(world, &given).await;
    let replayed = log::replayed(world).await;
    assert!(replayed >= cases.len() - 5, "nearly every case leaves a record: {replayed}");
    println!("{name}: {} cases, {replayed} decisions replayed from the log", cases.len());
}

fn compare(door: &'static str, case: &str, seen: &Seen) -> Option<String> {
    let mut first = SEEN.lock().expect("no test panics while it holds this");
    let (there, expected) = first.entry(case.to_owned()).or_insert_with(|| (door, seen.clone()));
    (expected != seen).then(|| format!("{there} it was {expected:?}"))
}
