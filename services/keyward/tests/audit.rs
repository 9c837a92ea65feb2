//! The log as a user exports and verifies it, beside a server that is killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyward::clock::SystemClock;
use keyward_api::v1;
use keyward_api::v1::audit_service_client::AuditServiceClient;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_domain::Clock as _;

fn keyward(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.arg("--data-dir").arg(data).args(arguments).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A server that signs checkpoints at this interval, once it says that it serves, and where. Each start by itself records
/// nothing but what has changed: the first one, which policy decides.
fn serve(data: &Path, interval_ms: u32) -> (Child, SocketAddr) {
    let interval = format!("audit.checkpoint_interval_ms={interval_ms}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0", "--set", "http.enabled=false"]);
    let mut child =
        command.args(["--set", &interval]).stdout(Stdio::piped()).spawn().expect("the program runs");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut lines = lines.map_while(Result::ok);
    let told = lines.find_map(|line| line.trim_start().strip_prefix("gRPC").map(str::to_owned));
    let told = told.expect("it serves");
    let address = told.split_whitespace().next().and_then(|text| text.parse().ok()).expect("an address");
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

#[test]
fn what_was_appended_before_a_kill_is_exported_and_a_changed_export_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("export"));
    let export = out.to_str().expect("UTF-8");
    let none = keyward(&data, &["audit", "checkpoint"]);
    assert!(!none.status.success() && !data.exists(), "reading makes nothing");

    // Killed before its next checkpoint is due: the record stands, and the next start integrates it.
    let (mut killed, _) = serve(&data, 3_600_000);
    killed.kill().expect("killed");
    killed.wait().expect("waited for");
    let (mut server, _) = serve(&data, 20);
    let patience = Instant::now() + Duration::from_secs(20);
    let checkpoint = loop {
        let shown = keyward(&data, &["audit", "checkpoint"]);
        if shown.status.success() {
            break said(&shown);
        }
        assert!(Instant::now() < patience, "{}", String::from_utf8_lossy(&shown.stderr));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(checkpoint.starts_with("keyward.localhost/audit\n1\n"), "{checkpoint}");
    let key = said(&keyward(&data, &["audit", "key"]));
    let key = key.trim();
    assert!(key.starts_with("keyward.localhost/audit+"), "{key}");

    // Beside the running server, and again.
    for _ in 0..2 {
        let text = said(&keyward(&data, &["audit", "export", "--out", export]));
        assert!(text.contains("1 records exported"), "{text}");
    }
    let earlier = folder.path().join("earlier");
    std::fs::copy(out.join("checkpoint"), &earlier).expect("copied");
    let earlier = earlier.to_str().expect("UTF-8");
    let verify = ["audit", "verify", export, "--key", key, "--previous", earlier];
    assert!(said(&keyward(&data, &verify)).contains("ok  1 records"));
    server.kill().expect("killed");
    server.wait().expect("waited for");

    let bundle = out.join("tile/entries/000.p/1");
    let mut bytes = std::fs::read(&bundle).expect("a bundle");
    bytes[10] ^= 1;
    std::fs::write(&bundle, &bytes).expect("written");
    let verified = keyward(&data, &verify);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!((verified.status.code(), text.as_str()), (Some(1), "WRONG  record 0 was changed\n"));
    let refused = keyward(&data, &["audit", "export", "--out", export]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("is not what the log has"), "{error}");
    let wrong = keyward(&data, &["audit", "verify", export, "--key", "no key"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("name+id+base64"));
    let sound = said(&keyward(&data, &["doctor"]));
    assert!(sound.contains("ok    audit log: 1 records, 1 of them in a signed checkpoint"), "{sound}");
}

/// Someone at the front desk looks at a schedule.
fn question() -> v1::AssessRequest {
    let now = prost_types::Timestamp { seconds: SystemClock.now().secs(), nanos: 0 };
    v1::AssessRequest {
        request_id: "request-1".to_owned(),
        assessment: Some(v1::Assessment {
            tenant: "st-mary".to_owned(),
            subject: "front-7".to_owned(),
            roles: vec!["front_desk".to_owned()],
            session: "session-1".to_owned(),
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

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_an_old_decision_is_found_and_gives_the_same_answer_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (mut server, address) = serve(&data, 20);
    let url = format!("http://{address}");
    let mut decisions = DecisionServiceClient::connect(url.clone()).await.expect("connects");
    let decision = decisions.assess(question()).await.expect("an answer").into_inner().decision.expect("one");
    let mut audit = AuditServiceClient::connect(url).await.expect("connects");
    let name = Some(v1::get_record_request::Name::DecisionId(decision.id));
    let request = v1::GetRecordRequest { tenant: "st-mary".to_owned(), name };
    let found = audit.get_record(request).await.expect("a record").into_inner();
    let digest = found.record.and_then(|record| record.decision).expect("a decision").policy_digest;
    let answer = serde_json::json!({
        "proof": { "text": found.proof.expect("a proof").text },
        "opening": STANDARD.encode(found.opening),
    });
    let record = file("record.json", &answer.to_string());
    server.kill().expect("killed");
    server.wait().expect("waited for");

    // Another policy comes into force. The old one is there still.
    let policy = file("other.cedar", r#"@id("nothing") forbid (principal, action, resource);"#);
    let set = format!("policy.file={policy}");
    let status = keyward(&data, &["keys", "rotate", "--prepare", "--set", &set]);
    assert!(
        said(&status).contains("is prepared"),
        "a command that starts the engine, under the other policy"
    );
    let listed = said(&keyward(&data, &["audit", "policy"]));
    assert!(listed.lines().count() == 2 && listed.starts_with(&digest), "{listed}");
    let text = said(&keyward(&data, &["audit", "policy", &digest]));
    assert_eq!(text, include_str!("../../../crates/policy/policies/telemedicine.cedar"));
    let decided = file("decided.cedar", &text);
    let key = said(&keyward(&data, &["audit", "key"]));
    let check =
        |policy: &str| keyward(&data, &["audit", "check", &record, "--key", key.trim(), "--policy", policy]);
    let text = said(&check(&decided));
    assert!(text.contains("ok  the policy set that decided gives the same answer: allow"), "{text}");
    let other = check(&policy);
    let text = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(!other.status.success() && text.contains(&format!("the digest {digest} decided")), "{text}");
}
