//! `keyward evaluate pointer` on the data at hand; skipped without it. A small archive tries the format.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;
use keyward_evaluate::{Common, Failed, Signal, run};

#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    signal: Signal,
    #[command(flatten)]
    common: Common,
}

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("KEYWARD_DATA").map_or_else(beside, PathBuf::from).join("balabit")
}

fn ran(data: &[&Path], labels: &Path, options: &[&str]) -> Result<String, Failed> {
    let mut words =
        vec!["evaluate".to_owned(), "pointer".to_owned(), "--quiet".to_owned(), "--data".to_owned()];
    words.extend(data.iter().map(|path| path.display().to_string()));
    words.extend(["--labels".to_owned(), labels.display().to_string()]);
    words.extend(options.iter().map(|&option| option.to_owned()));
    let command = Command::parse_from(words);
    let mut out = Vec::new();
    run(&command.signal, &command.common, &mut out)?;
    Ok(String::from_utf8(out).expect("figures are ASCII"))
}

fn figure(line: &str, name: &str) -> f64 {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

#[test]
fn more_movement_tells_people_better() {
    let (training, test) = (folder().join("mouse-training.tar.xz"), folder().join("mouse-test.tar.xz"));
    if !training.exists() {
        println!("skipped: no data");
        return;
    }
    let lines = ran(&[&training, &test], &folder().join("labels.csv"), &["--actions", "20,50,0"]);
    let lines = lines.expect("the published format");
    println!("{lines}");
    let auc: Vec<f64> = lines.lines().map(|line| figure(line, "auc_mean")).collect();
    assert!(auc.len() == 3 && auc[1] > auc[0] + 0.03 && auc[2] > 0.81, "{auc:?}");
}

#[test]
fn what_is_no_recording_is_named() {
    let mut tar = tar::Builder::new(Vec::new());
    let text = "record timestamp,client timestamp,button,state,x,y\n0.0,0.0,NoButton,Move,1\n";
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "training_files/user1/session_1", text.as_bytes()).expect("in memory");
    let (mut archive, mut packed) = (tempfile::NamedTempFile::new().expect("a file"), Vec::new());
    lzma_rs::xz_compress(&mut tar.into_inner().expect("in memory").as_slice(), &mut packed).expect("packs");
    archive.write_all(&packed).expect("writes");
    let mut labels = tempfile::NamedTempFile::new().expect("a file");
    labels.write_all(b"filename,is_illegal\nsession_1,0\n").expect("writes");
    let error = ran(&[archive.path()], labels.path(), &[]).expect_err("five columns").to_string();
    assert!(error.contains("session_1") && error.contains("line 2"), "{error}");
    let error = ran(&[archive.path()], archive.path(), &[]).expect_err("no labels").to_string();
    assert!(error.contains(&archive.path().display().to_string()), "{error}");
}
