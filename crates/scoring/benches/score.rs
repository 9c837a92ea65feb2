//! One score of a mature model (50 rows of 31 times), beside what linfa-svm takes for the same; one training; and one
//! window of record access.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use keyward_features::{AccessCounts, FixedText, fixed_text};
use keyward_scoring::KeystrokeModel;
use keyward_scoring::record_access::{AccessHabits, AccessSession, AccessWindow, PeerGroup};
use keyward_simulate::shifts::{Role, Worker};
use keyward_simulate::typist::Typist;
use linfa::dataset::{DatasetBase, Pr};
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::{Array1, Array2};

fn samples() -> Vec<FixedText> {
    (0..51)
        .map(|at| fixed_text(&Typist::new(1).type_text(11, 300 + at)).expect("typed from beginning to end"))
        .collect()
}

fn score(c: &mut Criterion) {
    let samples = samples();
    let model = KeystrokeModel::train(&samples[..50]).expect("fifty different samples");
    c.bench_function("score/keyward 50x31", |b| {
        b.iter(|| model.score(black_box(&samples[50])));
    });

    let times: Vec<f64> =
        samples.iter().flat_map(|s| s.times_s().iter().map(|t| 10.0 * f64::from(*t))).collect();
    let rows = Array2::from_shape_vec((50, 31), times[..50 * 31].to_vec()).expect("fifty rows of 31");
    let query = Array1::from_vec(times[50 * 31..].to_vec());
    let machine = Svm::<f64, Pr>::params().nu_weight(0.5).gaussian_kernel(1.0).eps(1e-6).shrinking(false);
    let machine = machine.fit(&DatasetBase::from(rows)).expect("a fit of fifty rows");
    c.bench_function(&format!("score/linfa-svm {}x31", machine.nsupport()), |b| {
        b.iter(|| machine.weighted_sum(black_box(&query)) - machine.rho);
    });
}

fn train(c: &mut Criterion) {
    let samples = samples();
    let mut group = c.benchmark_group("train");
    group.sample_size(10);
    for n in [9, 10, 30, 50] {
        group.bench_function(format!("{n}x31"), |b| {
            b.iter(|| KeystrokeModel::train(black_box(&samples[..n])));
        });
    }
    let bytes = KeystrokeModel::train(&samples[..50]).expect("fifty different samples").to_bytes();
    group.bench_function("read 50x31", |b| {
        b.iter(|| KeystrokeModel::from_bytes(black_box(&bytes)));
    });
    group.finish();
}

fn record_access(c: &mut Criterion) {
    let (worker, peers) = (Worker::new(1, Role::Nurse, 1), PeerGroup::of_role("nurse"));
    let windows = |nth| {
        let looked_at = |window: keyward_simulate::shifts::Observed| AccessWindow {
            counts: AccessCounts::of(&window.access).with_outside_care(window.outside_care),
            hour: Some(window.hour),
        };
        worker.shift(nth).into_iter().map(looked_at)
    };
    let session = |nth| windows(nth).fold(AccessSession::default(), |session, window| session.after(&window));
    let mut habits = AccessHabits::default();
    (0..40).for_each(|nth| habits.end(&peers, &session(nth), true));
    let (window, session) = (windows(40).next().expect("a shift has windows"), session(40));
    c.bench_function("score/record access", |b| {
        b.iter(|| habits.score(&peers, black_box(&window), black_box(&session)));
    });
}

criterion_group!(benches, score, train, record_access);
criterion_main!(benches);
