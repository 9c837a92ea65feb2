//! `keyward keys`, as an operator runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a command on a data folder.
fn keys(data: &Path, arguments: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["--data-dir", data.to_str().expect("UTF-8"), "keys"])
        .args(arguments)
        .output();
    program.expect("the program runs")
}

fn told(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_key_is_rotated_wrapped_anew_and_retired() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // The first command makes the deployment's own data key, under key 1.
    assert!(told(&keys(&data, &["rotate"])).starts_with("key 2 is current."));
    let status = told(&keys(&data, &["status"]));
    let line = |status: &str, key: &str| {
        status.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{status}")).to_owned()
    };
    assert!(line(&status, "key 2").ends_with("current"), "{status}");
    assert!(line(&status, "key 1").contains(" 1 data keys   old: keyward keys rewrap"), "{status}");
    let needed = refused(&keys(&data, &["retire", "1"]));
    assert!(needed.contains("1 data keys need key 1"), "{needed}");
    assert!(refused(&keys(&data, &["retire", "2"])).contains("is the current one"));
    assert!(refused(&keys(&data, &["retire", "9"])).contains("has no key 9"));

    assert!(told(&keys(&data, &["rewrap"])).starts_with("1 of 1 data keys were wrapped anew under key 2"));
    assert!(told(&keys(&data, &["rewrap"])).starts_with("0 of 1"), "once is enough");
    let status = told(&keys(&data, &["status"]));
    assert!(line(&status, "key 1").ends_with("not needed: keyward keys retire 1"), "{status}");
    assert!(told(&keys(&data, &["retire", "1"])).contains("key-ring.retired-1"));
    assert_eq!(told(&keys(&data, &["status"])).lines().count(), 1);
    for file in ["key-ring", "key-ring.retired-1"] {
        let mode = fs::metadata(data.join(file)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(told(&keys(&data, &["rotate"])).starts_with("key 3"), "no id is given twice in a ring");
}

#[test]
fn a_prepared_key_becomes_current_with_the_next_rotation() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    assert!(told(&keys(&data, &["rotate", "--prepare"])).starts_with("key 2 is prepared."));
    let status = told(&keys(&data, &["status"]));
    assert!(status.lines().next().is_some_and(|line| line.starts_with("key 1") && line.ends_with("current")));
    assert!(told(&keys(&data, &["rotate"])).starts_with("key 2 is current."));
}

#[test]
fn a_missing_key_is_named_and_a_missing_ring_is_not_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    told(&keys(&data, &["rotate"]));
    let ring = data.join("key-ring");
    let text = fs::read_to_string(&ring).expect("the ring");
    let newest: Vec<&str> = text.lines().take(1).collect();
    fs::write(&ring, newest[0]).expect("written");
    let status = told(&keys(&data, &["status"]));
    assert!(status.contains("NOT IN THE RING"), "{status}");
    let stopped = refused(&keys(&data, &["rewrap"]));
    assert!(stopped.contains("missing_key"), "{stopped}");
    let doctor = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["--data-dir", data.to_str().expect("UTF-8"), "doctor"])
        .output()
        .expect("the program runs");
    let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        !doctor.status.success() && found.contains("need key 1, which is not in the key ring"),
        "{found}"
    );
    for secret in text.lines().filter_map(|line| line.split_once(':')) {
        assert!(![&status, &stopped, &found].iter().any(|said| said.contains(secret.1)), "a key was printed");
    }

    fs::remove_file(&ring).expect("removed");
    let stopped = refused(&keys(&data, &["rewrap"]));
    assert!(stopped.contains("restore it from a backup"), "{stopped}");
    assert!(!ring.exists(), "no ring is made in its place");
}
