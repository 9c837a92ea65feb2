use std::sync::LazyLock;

use keyward_domain::KeyZone;
use keyward_features::fixed_text;
use keyward_simulate::typist::Typist;
use proptest::prelude::*;

use fearless_simd::Level;

use super::*;

/// Somebody whose typing is far from most people's.
fn typed(keys: usize, at: u64) -> FixedText {
    fixed_text(&Typist::new(9).type_text(keys, at)).unwrap()
}

fn window(keys: usize, n: u64) -> Vec<FixedText> {
    (0..n).map(|at| typed(keys, at + 200)).collect()
}

static MODEL: LazyLock<KeystrokeModel> = LazyLock::new(|| KeystrokeModel::train(&window(11, 60)).unwrap());
static SMALL: LazyLock<KeystrokeModel> = LazyLock::new(|| KeystrokeModel::train(&window(5, 3)).unwrap());

#[test]
fn a_model_ripens_with_its_samples() {
    let of = |n| KeystrokeModel::train(&window(11, n)).unwrap();
    let told: Vec<_> = [1, 9, 10, 29, 30].map(|n| (of(n).samples(), of(n).maturity())).into();
    assert_eq!(
        told,
        [
            (1, Maturity::Learning),
            (9, Maturity::Learning),
            (10, Maturity::Provisional),
            (29, Maturity::Provisional),
            (30, Maturity::Mature)
        ]
    );
    assert_eq!((MODEL.samples() as usize, MODEL.maturity()), (WINDOW, Maturity::Mature));
    assert_eq!(KeystrokeModel::train(&[]), Err(TrainError::Empty));
}

#[test]
fn later_samples_that_differ_keep_a_model_from_maturing() {
    let another = |at| fixed_text(&Typist::new(99).type_text(11, at)).unwrap();
    // The same person with another rhythm: every other time two fifths longer, the rest shorter.
    let changed = |at| {
        let text = typed(11, at + 250);
        let stretch = |(i, t): (usize, &f32)| if i % 2 == 0 { 1.4 * t } else { t / 1.4 };
        let times_s = text.times_s().iter().enumerate().map(stretch).collect();
        FixedText::new(text.shape().clone(), times_s).unwrap()
    };
    let after = |later: &dyn Fn(u64) -> FixedText| {
        let samples: Vec<_> = window(11, 42).into_iter().chain((0..8).map(later)).collect();
        KeystrokeModel::train(&samples).unwrap()
    };
    assert!(after(&changed).stranger_acceptance() < 0.1, "it is not for want of selectivity");
    assert_eq!(after(&changed).maturity(), Maturity::Provisional);
    assert_ne!(after(&another).maturity(), Maturity::Mature);
}

#[test]
fn repeated_samples_teach_nothing() {
    let same = vec![typed(11, 200); 20];
    assert_eq!(KeystrokeModel::train(&same), Err(TrainError::TooAlike));
    let mut padded = window(11, 20);
    padded.extend(vec![typed(11, 219); 15]);
    assert_ne!(KeystrokeModel::train(&padded).unwrap().maturity(), Maturity::Mature);
}

#[test]
fn the_template_restarts_when_three_samples_share_a_new_shape() {
    let mut samples = window(11, 20);
    samples.extend(window(8, 2));
    let old = KeystrokeModel::train(&samples).unwrap();
    assert_eq!((old.shape().keys(), old.samples()), (11, 20), "two odd samples change nothing");
    samples.push(typed(8, 300));
    let new = KeystrokeModel::train(&samples).unwrap();
    assert_eq!((new.shape().keys(), new.samples()), (8, 3));
    assert_eq!(old.score(&typed(8, 1)), Err(ShapeDiffers));
}

#[test]
fn scoring_agrees_with_the_definition() {
    let Kind::Svm { gamma, weights } = &MODEL.kind else { panic!("sixty samples make a machine") };
    for at in 300..340 {
        let sample = typed(11, at);
        let scale = |times: &[f32]| -> Vec<f64> {
            let scaled = times.iter().zip(&MODEL.centre).zip(&MODEL.scale);
            scaled
                .map(|((t, c), s)| ((f64::from(*t) - f64::from(*c)) / f64::from(*s)).clamp(-3.0, 3.0))
                .collect()
        };
        let query = scale(sample.times_s());
        let similar = |row: usize| {
            let rows = scale(&seconds(MODEL.row(row)));
            (-f64::from(*gamma) * rows.iter().zip(&query).map(|(a, b)| (a - b).abs()).sum::<f64>()).exp()
        };
        // The second opinion: half as much for every six newer rows instead of every twenty-five.
        let age = |row: usize| (WINDOW - 1 - row) as f64;
        let fresh: Vec<f64> = (0..WINDOW)
            .map(|row| f64::from(weights[row]) * (age(row) * (1.0 / 25.0 - 1.0 / 6.0)).exp2())
            .collect();
        let all: f64 = (0..WINDOW).map(|row| f64::from(weights[row]) * similar(row)).sum();
        let newest: f64 =
            (0..WINDOW).map(|row| fresh[row] * similar(row)).sum::<f64>() / fresh.iter().sum::<f64>();
        let raw =
            f64::midpoint(-all.ln(), -newest.ln()) - 0.1 * f64::from(MODEL.rhythm.surprise(sample.times_s()));
        let z = (raw - f64::from(MODEL.median)) / f64::from(MODEL.spread);
        let scored = MODEL.score(&sample).unwrap();
        assert!((f64::from(scored.z) - z).abs() < 1e-3, "{} {z}", scored.z);
    }
}

#[test]
fn every_set_of_instructions_gives_the_same_score() {
    let mut levels = vec![Level::baseline(), Level::new()];
    #[cfg(target_arch = "x86_64")]
    {
        levels.extend(Level::new().as_sse4_2().map(Level::Sse4_2));
        levels.extend(Level::new().as_avx2().map(Level::Avx2));
    }
    for (model, keys) in [(&*MODEL, 11), (&*SMALL, 5)] {
        for at in 300..340 {
            let times_s = typed(keys, at).times_s().to_vec();
            let expected = model.score_with(Level::baseline(), &times_s);
            for level in &levels {
                let scored = model.score_with(*level, &times_s);
                assert!((scored.z - expected.z).abs() < 1e-4, "{level:?} {} {}", scored.z, expected.z);
                assert!((scored.nearest_ms - expected.nearest_ms).abs() < 1e-3, "{level:?}");
            }
        }
    }
}

#[test]
fn somebody_whose_typing_varies_like_a_crowds_has_no_say() {
    let text = |seed, at| fixed_text(&Typist::new(seed).type_text(11, 200 + at)).unwrap();
    let crowd: Vec<FixedText> = (0..50).map(|at| text(at, at)).collect();
    let model = KeystrokeModel::train(&crowd).unwrap();
    assert!(model.stranger_acceptance() > 0.5, "{}", model.stranger_acceptance());
    assert_eq!(model.maturity(), Maturity::Learning);
    assert_eq!(KeystrokeModel::from_bytes(&model.to_bytes()), Ok(model));
    assert!(MODEL.stranger_acceptance() < 0.1, "{}", MODEL.stranger_acceptance());
}

#[test]
fn the_farthest_typing_still_gets_a_finite_score() {
    let shape = MODEL.shape().clone();
    for time in [600.0, -600.0, 0.0] {
        let far = FixedText::new(shape.clone(), vec![time; shape.features()]).unwrap();
        let scored = MODEL.score(&far).unwrap();
        assert!(scored.z.is_finite() && scored.nearest_ms.is_finite(), "{scored:?}");
        assert!((scored.llr - MAX_TYPING_LLR).abs() < f32::EPSILON, "{scored:?}");
    }
}

#[test]
fn the_nearest_row_is_found_wherever_it_lies() {
    for row in [0, 1, 7, 8, 31, 32, 49] {
        let sample = FixedText::new(MODEL.shape().clone(), seconds(MODEL.row(row))).unwrap();
        let scored = MODEL.score(&sample).unwrap();
        assert!(scored.nearest_ms < 1e-3 && scored.is_replay(), "{row} {scored:?}");
    }
}

#[test]
fn a_cached_model_takes_at_most_twice_its_numbers() {
    assert!(MODEL.memory_bytes() <= 2 * MODEL.payload_bytes(), "{}", MODEL.memory_bytes());
}

#[test]
fn a_replay_with_a_long_pause_is_still_one() {
    let mut times: Vec<Vec<f32>> = (0..MODEL.row_count()).map(|row| seconds(MODEL.row(row))).collect();
    times[7][4] += 20.0;
    let texts: Vec<FixedText> =
        times.into_iter().map(|times| FixedText::new(MODEL.shape().clone(), times).unwrap()).collect();
    let model = KeystrokeModel::train(&texts).unwrap();
    assert!(model.score(&texts[7]).unwrap().is_replay());
}

fn seconds(row: &[i16]) -> Vec<f32> {
    row.iter().map(|tick| ticks::to_seconds(*tick)).collect()
}

#[test]
fn models_survive_storage() {
    for model in [&*MODEL, &*SMALL] {
        let bytes = model.to_bytes();
        assert_eq!(KeystrokeModel::from_bytes(&bytes).as_ref(), Ok(model));
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(KeystrokeModel::from_bytes(&longer), Err(ModelError::Damaged));
        for cut in 0..bytes.len() {
            assert!(KeystrokeModel::from_bytes(&bytes[..cut]).is_err());
        }
        let mut newer = bytes.clone();
        newer[4] = 4;
        assert_eq!(KeystrokeModel::from_bytes(&newer), Err(ModelError::Version(4)));
        // Version 2 had another score's median and spread: the rows are trained on anew.
        newer[4] = 2;
        assert_eq!(KeystrokeModel::from_bytes(&newer).as_ref(), Ok(model));
        // Version 1 had the rows as f32 in seconds.
        let (head, _) = bytes.split_at(bytes.len() - 2 * model.rows.len());
        let mut older =
            [head, &seconds(&model.rows).iter().flat_map(|t| t.to_le_bytes()).collect::<Vec<_>>()].concat();
        older[4] = 1;
        assert_eq!(KeystrokeModel::from_bytes(&older).as_ref(), Ok(model));
        older.pop();
        assert_eq!(KeystrokeModel::from_bytes(&older), Err(ModelError::Damaged));
    }
    assert_eq!(KeystrokeModel::from_bytes(b"other"), Err(ModelError::NotAModel));
}

#[test]
fn debug_shows_no_behaviour() {
    assert_eq!(format!("{:?}", *SMALL), "KeystrokeModel { maturity: Learning, samples: 3, .. }");
}

#[test]
fn the_ratio_rises_with_z_within_its_bounds() {
    let llr: Vec<f32> = (-100_i16..=100).map(|z| calibration::llr(f32::from(z) / 5.0)).collect();
    assert!(llr.is_sorted());
    assert!(llr.iter().all(|l| l.abs() <= MAX_TYPING_LLR));
}

proptest! {
    #[test]
    fn damaged_bytes_give_an_error_or_a_model_that_scores(
        small in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let model = if small { &*SMALL } else { &*MODEL };
        let mut bytes = model.to_bytes();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(read) = KeystrokeModel::from_bytes(&bytes) {
            let times = vec![0.1; read.shape().features()];
            let scored = read.score(&FixedText::new(read.shape().clone(), times).unwrap()).unwrap();
            prop_assert!(scored.z.is_finite() && scored.llr.is_finite() && scored.nearest_ms.is_finite());
        }
    }

    #[test]
    fn any_bytes_give_an_answer(mut bytes in prop::collection::vec(any::<u8>(), 0..600), headed in any::<bool>()) {
        if headed && bytes.len() > 5 {
            bytes[..5].copy_from_slice(b"kwks\x01");
        }
        let _ = KeystrokeModel::from_bytes(&bytes).map(|m| m.to_bytes());
    }

    #[test]
    fn any_samples_train_or_are_refused(rows in prop::collection::vec(prop::collection::vec(-600.0_f32..600.0, 10), 1..16)) {
        let shape = Shape::new(vec![KeyZone::Character; 4]).unwrap();
        let samples: Vec<_> = rows.into_iter().map(|r| FixedText::new(shape.clone(), r).unwrap()).collect();
        if let Ok(model) = KeystrokeModel::train(&samples) {
            let read = KeystrokeModel::from_bytes(&model.to_bytes());
            prop_assert_eq!(read.as_ref(), Ok(&model));
            prop_assert!(model.score(&samples[0]).unwrap().z.is_finite());
        }
    }
}
