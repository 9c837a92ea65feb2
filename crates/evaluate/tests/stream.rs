//! The protocols `stream` and `poison` on synthetic typists, and, where the data is, what the README of
//! `scoring` states.

use std::path::{Path, PathBuf};

use clap::Parser;
use keyward_evaluate::{Common, Signal, run};

#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    signal: Signal,
    #[command(flatten)]
    common: Common,
}

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("KEYWARD_DATA").map_or_else(beside, PathBuf::from);
    let file = folder.join("cmu/DSL-StrongPasswordData.csv");
    if !file.exists() {
        println!("skipped: no data");
        return None;
    }
    Some(file)
}

fn evaluated(options: &str) -> Option<impl Fn(&str) -> f64> {
    let data = data()?;
    let words = ["evaluate", "keystroke", "--quiet", "--data"].map(str::to_owned).into_iter();
    let words = words.chain([data.display().to_string()]).chain(options.split(' ').map(str::to_owned));
    let command = Command::parse_from(words);
    let mut out = Vec::new();
    run(&command.signal, &command.common, &mut out).expect("the published format");
    let line = String::from_utf8(out).expect("figures are ASCII");
    println!("{options}: {line}");
    Some(move |name: &str| -> f64 {
        let value = line.split_whitespace().find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    })
}

#[test]
fn a_life_as_the_product_lives_it() {
    let Some(figure) = evaluated("--protocol stream --half even") else { return };
    assert!(figure("contamination_max") <= 0.0, "nobody teaches without a passkey");
    assert!(figure("eer_mean") <= 0.05 && figure("eer_common") <= 0.07);
}

#[test]
fn no_attacker_moves_a_template_without_a_passkey() {
    let Some(figure) = evaluated("--protocol poison --half even") else { return };
    assert!(figure("gain_most") <= 0.2);
    assert!(figure("attackers") >= 30.0);
}
