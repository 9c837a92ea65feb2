//! What the README states, measured on the development part of the CMU benchmark data. Skipped without the
//! data.

use std::path::{Path, PathBuf};

use keyward_domain::{Band, Maturity};
use keyward_features::{FixedText, Shape, fixed_text, integrity::machine_like};
use keyward_scoring::evaluation::{equal_error_rate, frr_at_far, quantile, rejected};
use keyward_scoring::{KeystrokeModel, MATURE_SAMPLES, SVM_SAMPLES, Scored, fusion};
use keyward_simulate::recorded::{self, Recording};
use keyward_simulate::typist::jittered;

const WINDOW: usize = keyward_scoring::WINDOW;

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn data() -> Option<Vec<Recording>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("KEYWARD_DATA").map_or_else(beside, PathBuf::from);
    let file = folder.join("cmu/DSL-StrongPasswordData.csv");
    if !file.exists() {
        println!("skipped: no data");
        return None;
    }
    Some(recorded::cmu(&file).expect("the published format"))
}

fn texts(data: &[Recording]) -> Vec<Vec<FixedText>> {
    let text = |s| fixed_text(s).expect("typed from beginning to end");
    data.iter().map(|r| r.samples.iter().map(text).collect()).collect()
}

/// The first five samples of everybody else.
fn impostors(texts: &[Vec<FixedText>], user: usize) -> Vec<&FixedText> {
    texts.iter().enumerate().filter(|(other, _)| *other != user).flat_map(|(_, own)| &own[..5]).collect()
}

fn score(model: &KeystrokeModel, sample: &FixedText) -> Scored {
    model.score(sample).expect("the same text")
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn killourhy_and_maxions_protocol_with_a_recency_window() {
    let Some(data) = data() else { return };
    let texts = texts(&data);
    let (mut eer, mut frr, mut practised) = (Vec::new(), Vec::new(), Vec::new());
    for (user, own) in texts.iter().enumerate() {
        let model = KeystrokeModel::train(&own[..200]).unwrap();
        assert_eq!(model.samples() as usize, WINDOW);
        let z = |samples: &[FixedText]| -> Vec<f32> { samples.iter().map(|s| score(&model, s).z).collect() };
        let others = || texts.iter().enumerate().filter(|(other, _)| *other != user).map(|(_, own)| own);
        let (genuine, impostor) = (z(&own[200..]), others().flat_map(|own| z(&own[..5])).collect::<Vec<_>>());
        eer.push(equal_error_rate(&genuine, &impostor).unwrap());
        frr.push(frr_at_far(&genuine, &impostor, 0.01).unwrap());
        let impostor: Vec<f32> = others().flat_map(|own| z(&own[own.len() - 5..])).collect();
        practised.push(equal_error_rate(&genuine, &impostor).unwrap());
    }
    println!("mean EER {:.4}, FRR at FAR 1 % {:.3}, {} subjects", mean(&eer), mean(&frr), eer.len());
    println!("mean EER against impostors after 395 repetitions of practice {:.4}", mean(&practised));
    assert!(mean(&eer) <= 0.050, "{}", mean(&eer));
    assert!(mean(&practised) <= 0.100, "{}", mean(&practised));
}

/// One user's life: `(samples before, maturity, score)` of genuine logins and of attacks.
#[derive(Default)]
struct Life {
    genuine: Vec<(usize, Maturity, Scored)>,
    attacks: Vec<(usize, Maturity, Scored)>,
}

/// Every sample in order, learned after it was scored; trained anew after each `step`, and then attacked with
/// every impostor's samples.
fn lives(texts: &[Vec<FixedText>], step: usize) -> Vec<Life> {
    let live = |user: usize| {
        let (own, impostors) = (&texts[user], impostors(texts, user));
        let mut life = Life::default();
        for from in (SVM_SAMPLES..own.len()).step_by(step) {
            let model = KeystrokeModel::train(&own[..from]).expect("samples of one person");
            let logins = own.iter().enumerate().skip(from).take(step);
            life.genuine.extend(logins.map(|(at, s)| (at, model.maturity(), score(&model, s))));
            life.attacks.extend(impostors.iter().map(|s| (from, model.maturity(), score(&model, s))));
        }
        life
    };
    (0..texts.len()).map(live).collect()
}

fn z(scores: &[(usize, Maturity, Scored)], from: usize) -> Vec<f32> {
    scores.iter().filter(|(at, ..)| *at >= from).map(|(.., scored)| scored.z).collect()
}

/// Mean per-user EER and EER at one threshold for all, of logins from `from` on.
fn rates(lives: &[Life], from: usize) -> (f64, f64) {
    let eer =
        |genuine: &[f32], attacks: &[f32]| equal_error_rate(genuine, attacks).expect("scores on both sides");
    let each: Vec<f64> = lives.iter().map(|l| eer(&z(&l.genuine, from), &z(&l.attacks, from))).collect();
    let all = |pick: fn(&Life) -> &Vec<(usize, Maturity, Scored)>| -> Vec<f32> {
        lives.iter().flat_map(|l| z(pick(l), from)).collect()
    };
    (mean(&each), eer(&all(|l| &l.genuine), &all(|l| &l.attacks)))
}

fn report_rates(lives: &[Life]) {
    for from in [SVM_SAMPLES, MATURE_SAMPLES, 100, 200] {
        let (each, common) = rates(lives, from);
        println!("logins from {from} on: per-user EER {each:.4}, common threshold {common:.4}");
    }
}

/// Shares of mature logins in the band MEDIUM or above, and in HIGH, by typing alone, from login 200 on.
fn bands(lives: &[Life], pick: fn(&Life) -> &Vec<(usize, Maturity, Scored)>) -> (f64, f64) {
    let mature = |(at, maturity, _): &&(usize, Maturity, Scored)| *at >= 200 && *maturity == Maturity::Mature;
    let llr: Vec<f32> =
        lives.iter().flat_map(|l| pick(l).iter().filter(mature).map(|(.., s)| s.llr)).collect();
    let reached =
        |band: Band| llr.iter().filter(|llr| fusion::band(**llr) >= band).count() as f64 / llr.len() as f64;
    (reached(Band::Medium), reached(Band::High))
}

/// What is asserted leaves a tenth or so above what was measured.
#[test]
fn the_adaptive_stream_trained_after_every_tenth_sample() {
    let Some(data) = data() else { return };
    let texts = texts(&data);
    let lives = lives(&texts, 10);
    report_rates(&lives);
    let (each, common) = rates(&lives, 200);
    assert!(each <= 0.038, "per-user EER {each}");
    assert!(common <= 0.055, "EER at a common threshold {common}");

    let logins = || lives.iter().flat_map(|l| l.genuine.iter().filter(|g| g.0 >= 200).map(|g| g.1));
    let share = |of: Maturity| logins().filter(|m| *m == of).count() as f64 / logins().count() as f64;
    let (mature, learning) = (share(Maturity::Mature), share(Maturity::Learning));
    let (medium, high) = bands(&lives, |l| &l.genuine);
    let (caught_medium, caught_high) = bands(&lives, |l| &l.attacks);
    println!("from login 200 on: mature {mature:.3}, learning {learning:.3}");
    println!("genuine, mature, from login 200 on: MEDIUM or above {medium:.4}, HIGH {high:.4}");
    println!("attacks, mature, from login 200 on: MEDIUM or above {caught_medium:.4}, HIGH {caught_high:.4}");
    assert!(mature >= 0.6 && learning <= 0.3, "{mature} {learning}");
    assert!((0.04..=0.08).contains(&medium) && (0.008..=0.022).contains(&high), "{medium} {high}");
    assert!(caught_medium >= 0.98 && caught_high >= 0.92, "{caught_medium} {caught_high}");

    let nearest: Vec<f32> = lives.iter().flat_map(|l| l.genuine.iter().map(|g| g.2.nearest_ms)).collect();
    let replays = lives.iter().flat_map(|l| &l.genuine).filter(|g| g.2.is_replay()).count();
    println!(
        "nearest sample of genuine logins: least {:?} ms, 0.1 % {:?} ms",
        quantile(&nearest, 0.0),
        quantile(&nearest, 0.001)
    );
    assert!(replays as f64 <= 0.005 * nearest.len() as f64, "{replays} false alarms");
}

/// A text's first keys.
fn cut(text: &FixedText, keys: usize) -> FixedText {
    let shape = Shape::new(text.shape().zones()[..keys].to_vec()).expect("four keys or more");
    let times = text.times_s()[..shape.features()].to_vec();
    FixedText::new(shape, times).expect("a part of a typing")
}

#[test]
fn replays_with_jitter_are_told_from_typing_in_long_and_in_short_texts() {
    let Some(data) = data() else { return };
    for keys in [6, 8, 11] {
        let texts: Vec<Vec<FixedText>> =
            texts(&data).iter().map(|own| own.iter().map(|t| cut(t, keys)).collect()).collect();
        let (mut caught, mut replays, mut alarms, mut genuine) = (0, 0, 0, 0);
        for (user, own) in texts.iter().enumerate() {
            let model = KeystrokeModel::train(&own[150..200]).unwrap();
            for (at, sample) in data[user].samples.iter().enumerate().take(200).skip(150) {
                let forged = fixed_text(&jittered(sample, 2.0, (1000 * user + at) as u64)).unwrap();
                caught += u32::from(score(&model, &cut(&forged, keys)).is_replay());
                replays += 1;
            }
            alarms += own[200..].iter().filter(|s| score(&model, s).is_replay()).count();
            genuine += own.len() - 200;
        }
        let (caught, alarms) = (f64::from(caught) / f64::from(replays), alarms as f64 / genuine as f64);
        println!("{keys} keys: {caught:.4} of replays with 2 ms jitter caught, {alarms:.4} false alarms");
        assert!(caught >= if keys == 11 { 0.99 } else { 0.97 }, "{keys} keys: {caught}");
        assert!(alarms <= 0.005, "{keys} keys: {alarms}");
    }
}

#[test]
fn people_are_not_taken_for_machines() {
    let Some(data) = data() else { return };
    let samples: Vec<_> = data.iter().flat_map(|r| &r.samples).collect();
    let flagged = samples.iter().filter(|s| machine_like(s).is_some()).count();
    println!("{flagged} of {} genuine samples look machine-like", samples.len());
    assert!(flagged as f64 <= 0.005 * samples.len() as f64);
}

#[test]
fn the_population_prior_tells_people_apart_from_a_few_samples() {
    let Some(data) = data() else { return };
    let texts = texts(&data);
    let (mut genuine, mut attacks) = (Vec::new(), Vec::new());
    for (user, own) in texts.iter().enumerate() {
        for n in 5..SVM_SAMPLES {
            let model = KeystrokeModel::train(&own[..n]).unwrap();
            assert_eq!(model.maturity(), Maturity::Learning);
            genuine.push(score(&model, &own[n]).z);
            attacks.extend(impostors(&texts, user).iter().map(|s| score(&model, s).z));
        }
    }
    let eer = equal_error_rate(&genuine, &attacks).unwrap();
    println!(
        "5 to 9 samples: EER at a common threshold {eer:.3}; genuine above z = 3: {:.3}",
        rejected(&genuine, 3.0)
    );
    assert!(eer <= 0.16 && rejected(&genuine, 3.0) <= 0.05, "{eer}");
}
