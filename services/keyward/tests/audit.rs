//! The log as a user exports and verifies it, beside a server that is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn keyward(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.arg("--data-dir").arg(data).args(arguments).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A server that signs checkpoints at this interval, once it says that it serves. Each start by itself records nothing but
/// what has changed: the first one, which policy decides.
fn serve(data: &Path, interval_ms: u32) -> Child {
    let interval = format!("audit.checkpoint_interval_ms={interval_ms}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0", "--set", "http.enabled=false"]);
    let mut child =
        command.args(["--set", &interval]).stdout(Stdio::piped()).spawn().expect("the program runs");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("is serving")), "it serves");
    std::thread::spawn(move || lines.for_each(drop));
    child
}

#[test]
fn what_was_appended_before_a_kill_is_exported_and_a_changed_export_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("export"));
    let export = out.to_str().expect("UTF-8");
    let none = keyward(&data, &["audit", "checkpoint"]);
    assert!(!none.status.success() && !data.exists(), "reading makes nothing");

    // Killed before its next checkpoint is due: the record stands, and the next start integrates it.
    let mut killed = serve(&data, 3_600_000);
    killed.kill().expect("killed");
    killed.wait().expect("waited for");
    let mut server = serve(&data, 20);
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
