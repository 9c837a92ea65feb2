//! Synthetic typists differ about as much as people do. What is measured here is synthetic.

use keyward_domain::{KeystrokeSample, Maturity};
use keyward_features::{FixedText, fixed_text, integrity::machine_like};
use keyward_scoring::KeystrokeModel;
use keyward_scoring::evaluation::equal_error_rate;
use keyward_simulate::typist::{Typist, jittered, machine, replay};

fn text(seed: u64, at: u64) -> FixedText {
    fixed_text(&Typist::new(seed).type_text(11, at)).expect("typed from beginning to end")
}

fn model(seed: u64) -> KeystrokeModel {
    KeystrokeModel::train(&(150..200).map(|at| text(seed, at)).collect::<Vec<_>>())
        .expect("samples of one typist")
}

#[test]
fn synthetic_typists_are_as_hard_to_tell_apart_as_people() {
    let typists = 30;
    let eers: Vec<f64> = (0..typists)
        .map(|seed| {
            let model = model(seed);
            let z = |s: FixedText| model.score(&s).unwrap().z;
            let genuine: Vec<f32> = (200..400).map(|at| z(text(seed, at))).collect();
            let others = (0..typists).filter(|other| *other != seed);
            let attacks: Vec<f32> = others.flat_map(|o| (0..5).map(move |at| text(o, at))).map(z).collect();
            equal_error_rate(&genuine, &attacks).unwrap()
        })
        .collect();
    let mean = eers.iter().sum::<f64>() / eers.len() as f64;
    println!("synthetic: mean EER {mean:.4} of {typists} typists");
    assert!((0.02..=0.08).contains(&mean), "{mean}");
}

#[test]
fn forgeries_are_noticed() {
    let model = model(9);
    assert_eq!(model.maturity(), Maturity::Mature);
    let original = Typist::new(9).type_text(11, 180);
    let scored = |sample: &KeystrokeSample| model.score(&fixed_text(sample).unwrap()).unwrap();
    let exact = scored(&replay(&original));
    // Rows are kept to 0.1 ms.
    assert!(exact.is_replay() && exact.nearest_ms <= 0.051, "{exact:?}");
    assert!(scored(&jittered(&original, 2.0, 9)).is_replay());
    assert!(!scored(&Typist::new(9).type_text(11, 201)).is_replay());
    assert!(machine_like(&machine(11)).is_some());
    assert!(scored(&machine(11)).llr >= keyward_scoring::fusion::HIGH_LLR);
}
