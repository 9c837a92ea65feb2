//! `keyward evaluate free-text` on the data at hand; skipped without it. A small archive tries the format.

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
fn data() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("KEYWARD_DATA").map_or_else(beside, PathBuf::from).join("buffalo/free-text-zones.tar.xz")
}

fn ran(data: &Path, options: &[&str]) -> Result<String, Failed> {
    let data = data.display().to_string();
    let words = ["evaluate", "free-text", "--quiet", "--data", &data];
    let command = Command::parse_from(words.iter().chain(options));
    let mut out = Vec::new();
    run(&command.signal, &command.common, &mut out)?;
    Ok(String::from_utf8(out).expect("figures are ASCII"))
}

fn figure(line: &str, name: &str) -> f64 {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

/// An archive of tasks: path and text.
fn archive(files: &[(&str, &str)]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes())?;
    }
    let (mut file, mut packed) = (tempfile::NamedTempFile::new()?, Vec::new());
    lzma_rs::xz_compress(&mut tar.into_inner()?.as_slice(), &mut packed)?;
    file.write_all(&packed)?;
    Ok(file)
}

#[test]
fn more_typing_tells_people_better_and_a_changed_keyboard_worse() {
    if !data().exists() {
        println!("skipped: no data");
        return;
    }
    let lines = ran(&data(), &["--strokes", "50,200"]).expect("the published format");
    println!("{lines}");
    let eer = |protocol: &str| {
        let mark = format!(" protocol={protocol} ");
        figure(lines.lines().find(|line| line.contains(&mark)).expect("a line"), "eer_mean")
    };
    assert!(eer("baseline-200") <= 0.06 && eer("baseline-50") <= 0.14);
    assert!(eer("rotation-200") > eer("baseline-200"));
}

#[test]
fn what_is_no_such_data_is_named() {
    const HEADER: &str = "zone1,zone2,hold1_s,hold2_s,down_down_s,up_down_s\n";
    let bad = format!("{HEADER}SPACE,SPACE,0.1,0.1,0.2,0.1\nSPACE,NOWHERE,0.1,0.1,0.2,0.1\n");
    for (files, problem) in [
        (vec![("readme.txt", "")], "no file is named"),
        (vec![("baseline/001/001000.csv", "other\n")], "another header"),
        (vec![("baseline/001/001000.csv", bad.as_str())], "line 3: not a digraph"),
        (vec![("baseline/001/001000.csv", HEADER)], "fewer than two subjects"),
    ] {
        let file = archive(&files).unwrap();
        let error = ran(file.path(), &[]).expect_err("no such data").to_string();
        assert!(error.contains(problem), "{error}");
    }
    let mut plain = tempfile::NamedTempFile::new().unwrap();
    plain.write_all(b"not packed").unwrap();
    assert!(matches!(ran(plain.path(), &[]), Err(Failed::Data { .. })));
}
