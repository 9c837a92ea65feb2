//! Whether the strangers that never were tell which models let people in: measured on the development part
//! of the CMU benchmark data. Skipped without the data.

use std::path::{Path, PathBuf};

use keyward_domain::Maturity;
use keyward_features::{FixedText, fixed_text};
use keyward_scoring::KeystrokeModel;
use keyward_scoring::fusion::MEDIUM_LLR;
use keyward_simulate::recorded;

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn texts() -> Option<Vec<Vec<FixedText>>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("KEYWARD_DATA").map_or_else(beside, PathBuf::from);
    let file = folder.join("cmu/DSL-StrongPasswordData.csv");
    if !file.exists() {
        println!("skipped: no data");
        return None;
    }
    let text = |s| fixed_text(s).expect("typed from beginning to end");
    let data = recorded::cmu(&file).expect("the published format");
    Some(data.iter().map(|r| r.samples.iter().map(text).collect()).collect())
}

/// What was estimated of a model, and the share of other people's samples that it gives the band LOW: of
/// their first five each, and of all.
struct Measured {
    maturity: Maturity,
    estimated: f64,
    first: f64,
    all: f64,
}

fn accepted(model: &KeystrokeModel, samples: &[&FixedText]) -> f64 {
    let low = |s: &&&FixedText| model.score(s).expect("the same text").llr < MEDIUM_LLR;
    samples.iter().filter(low).count() as f64 / samples.len() as f64
}

/// Models of samples in a row and of mixed age, of beginners and of practised people.
fn models(own: &[FixedText]) -> Vec<KeystrokeModel> {
    let in_a_row =
        [(0, 20), (0, 50), (50, 50), (100, 20), (100, 50), (150, 50), (200, 20), (250, 50), (350, 50)];
    let rows = in_a_row.map(|(from, n)| own[from..from + n].to_vec());
    let mixed = [2, 4, 8].map(|step| own.iter().take(50 * step).step_by(step).cloned().collect::<Vec<_>>());
    let train = |samples: &Vec<FixedText>| KeystrokeModel::train(samples).expect("samples of one person");
    rows.iter().chain(&mixed).map(train).collect()
}

fn measure(texts: &[Vec<FixedText>]) -> Vec<Measured> {
    let of = |(user, own): (usize, &Vec<FixedText>)| {
        let others = || texts.iter().enumerate().filter(move |(other, _)| *other != user).map(|(_, own)| own);
        let first: Vec<&FixedText> = others().flat_map(|own| &own[..5]).collect();
        let all: Vec<&FixedText> = others().flatten().collect();
        let measured = |model: KeystrokeModel| Measured {
            maturity: model.maturity(),
            estimated: f64::from(model.stranger_acceptance()),
            first: accepted(&model, &first),
            all: accepted(&model, &all),
        };
        models(own).into_iter().map(measured).collect::<Vec<_>>()
    };
    texts.iter().enumerate().flat_map(of).collect()
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (a, b) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    sum(&|p| (p.0 - a) * (p.1 - b)) / (sum(&|p| (p.0 - a).powi(2)) * sum(&|p| (p.1 - b).powi(2))).sqrt()
}

fn share(of: &[&Measured], holds: impl Fn(&Measured) -> bool) -> f64 {
    of.iter().filter(|m| holds(m)).count() as f64 / of.len() as f64
}

#[test]
fn models_that_let_people_in_have_no_say() {
    let Some(texts) = texts() else { return };
    let measured = measure(&texts);
    for (name, truth) in [("first five", (|m| m.first) as fn(&Measured) -> f64), ("all", |m| m.all)] {
        let pairs: Vec<_> = measured.iter().map(|m| (m.estimated, truth(m))).collect();
        let bad: Vec<_> = measured.iter().filter(|m| truth(m) > 0.2).collect();
        let good: Vec<_> = measured.iter().filter(|m| truth(m) < 0.05).collect();
        let mute = |m: &Measured| m.maturity == Maturity::Learning;
        let mature = |m: &Measured| m.maturity == Maturity::Mature;
        println!(
            "{} models, {name} repetitions of others: correlation {:.3}; of {} that let in > 20 %: learning {:.3}, \
             mature {:.3}; of {} that let in < 5 %: learning {:.3}",
            measured.len(),
            correlation(&pairs),
            bad.len(),
            share(&bad, mute),
            share(&bad, mature),
            good.len(),
            share(&good, mute),
        );
        let kept = measured.iter().filter(|m| !mute(m)).map(truth).fold(0.0, f64::max);
        let kept_mature = measured.iter().filter(|m| mature(m)).map(truth).fold(0.0, f64::max);
        println!("most that a model with a say lets in {kept:.3}, a mature one {kept_mature:.3}");
        assert!(correlation(&pairs) >= 0.8, "{name}");
        assert!(share(&bad, mute) >= 0.9 && share(&bad, mature) <= 0.02, "{name}");
    }
    let good: Vec<_> = measured.iter().filter(|m| m.all < 0.05).collect();
    assert!(share(&good, |m| m.maturity == Maturity::Learning) <= 0.1);
    let everyone: Vec<_> = measured.iter().collect();
    println!("learning {:.3} of all", share(&everyone, |m| m.maturity == Maturity::Learning));
}
