//! `try`, `bench` and `doctor` as a user runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use keyward_testkit::{RedisCluster, RedisSentinel};

fn keyward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keyward")).args(arguments).output().expect("the program runs")
}

fn told(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in text.lines() {
        // A path may be as long as it likes.
        assert!(
            line.chars().count() <= 110 || line.starts_with("Typing recorded from people"),
            "too wide: {line}"
        );
    }
    assert!(!text.contains('\u{1b}'), "colour without a terminal");
    text
}

/// The folder of recordings, which are no part of the project.
fn recordings() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not a setting")]
    let folder = std::env::var_os("KEYWARD_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let file = folder.join("cmu/DSL-StrongPasswordData.csv");
    file.exists().then_some(file)
}

#[test]
fn try_comes_out_as_told_and_says_that_its_typing_is_synthetic() {
    let text = told(&keyward(&["try"]));
    assert_eq!(text.matches("SYNTHETIC").count(), 2, "{text}");
    for said in
        ["PROVISIONAL", "MATURE", "TELEMETRY_REPLAYED", "STEP_UP hardware passkey", "BREAK_GLASS_GRANTED"]
    {
        assert!(text.contains(said), "{said} is missing:\n{text}");
    }
}

#[test]
fn try_on_recordings_comes_out_as_told() {
    let Some(file) = recordings() else {
        println!("skipped: no data");
        return;
    };
    let text = told(&keyward(&["try", "--data", file.to_str().expect("UTF-8")]));
    assert!(text.contains("Typing recorded from people") && !text.contains("SYNTHETIC"), "{text}");
    assert!(text.contains("first tries"), "{text}");
}

#[test]
fn try_refuses_what_is_no_recording() {
    let output = keyward(&["try", "--data", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("Cargo.toml: header: column 1"), "{error}");
}

#[test]
fn bench_prints_a_figure_a_line() {
    let output = keyward(&["bench", "--seconds", "0.1", "--redis", "off", "--only", "assess"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let number = line.and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        number.parse().unwrap_or_else(|_| panic!("{name} is missing:\n{text}"))
    };
    for name in ["echo_lone_p50_us", "echo_batched_rps", "assess_lone_p99_us", "assess_batched_rps"] {
        assert!(value(name) > 0.0, "{name}");
    }
    assert!(value("assess_over_echo_rps") > 0.0);
    assert!(text.lines().all(|line| line.starts_with('#') || line.contains('=')), "{text}");
}

/// What `doctor` says of a deployment with this `[redis]`.
fn examined(redis: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keyward.toml");
    let data = folder.path().join("data");
    let text = format!("[store]\ndata_dir = \"{}\"\nhot = \"redis\"\n[redis]\n{redis}\n", data.display());
    std::fs::write(&file, text).expect("written");
    let output = keyward(&["doctor", "--config", file.to_str().expect("UTF-8")]);
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_at_a_master_through_its_sentinels() {
    let mut redis = RedisSentinel::start(1).await.expect("a master with a replica and sentinels");
    let master = RedisSentinel::MASTER;
    let section = format!("mode = \"sentinel\"\nnodes = {:?}\nsentinel_master = {master:?}", redis.urls());
    let told = examined(&section);
    assert!(told.contains("ok    redis: the master that the Sentinels name answers"), "{told}");
    assert!(told.contains("warn  redis: a master that is cut off") && !told.contains("FAIL"), "{told}");

    for server in redis.servers() {
        server.text("CONFIG SET min-replicas-to-write 1").await.expect("set");
        server.text("CONFIG SET maxmemory-policy allkeys-lru").await.expect("set");
    }
    redis.sentinels()[0].kill();
    redis.sentinels()[1].kill();
    // The third takes a second to notice.
    let begun = Instant::now();
    while redis.sentinels()[2].text(&format!("SENTINEL CKQUORUM {master}")).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not notice");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = examined(&section);
    assert!(
        told.contains("warn  redis: maxmemory-policy is allkeys-lru") && !told.contains("cut off"),
        "{told}"
    );
    assert!(told.contains("FAIL  redis: the Sentinels that are left cannot agree"), "{told}");
    assert!(told.contains("warn  redis: 2 of 3 Sentinels do not answer"), "{told}");

    let told = examined(&format!("mode = \"sentinel\"\nnodes = {:?}\nsentinel_master = \"x\"", redis.urls()));
    assert!(told.contains("FAIL  redis: "), "{told}");
    let told = examined(&format!("url = {:?}", redis.servers()[1].url()));
    assert!(told.contains("FAIL  redis: is a replica, which takes no writes"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_at_every_master_of_a_cluster() {
    let mut redis = RedisCluster::start().await.expect("a cluster");
    let section = format!("mode = \"cluster\"\nnodes = {:?}", &redis.urls()[..2]);
    let told = examined(&section);
    assert!(
        told.contains("ok    redis: every master of the cluster answers") && !told.contains("FAIL"),
        "{told}"
    );
    redis.server(2).text("CONFIG SET maxmemory-policy allkeys-lru").await.expect("set");
    let told = examined(&section);
    assert!(told.contains("warn  redis: maxmemory-policy is allkeys-lru"), "{told}");
    // A replica that is gone leaves its master with nobody to follow it.
    redis.server(4).kill();
    let begun = Instant::now();
    while !redis.server(1).text("INFO replication").await.expect("told").contains("connected_slaves:0") {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not notice");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = examined(&section);
    assert!(told.contains("warn  redis: a master has no replica"), "{told}");
}
