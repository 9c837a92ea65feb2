//! What an append costs, beside a bare write and sync of the same bytes on the same disk, taken in turn.
//!
//! `cargo bench -p keyward-store-embedded --bench append`

use std::fs::OpenOptions;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keyward_domain::{DecisionId, SubjectId, TenantId, Timestamp};
use keyward_store::{AuditLog, AuditRow};
use keyward_store_embedded::EmbeddedStore;
use tempfile::TempDir;
use uuid::Uuid;

/// About what a sealed record of a decision takes.
const SEALED_BYTES: usize = 1_500;

fn row() -> AuditRow {
    AuditRow {
        commitment: [7; 32],
        kind: "decision".to_owned(),
        tenant: TenantId::parse("st-mary").expect("legal"),
        subject: Some(SubjectId::parse("0190d2f4-clinician").expect("legal")),
        decision: Some(DecisionId(Uuid::now_v7())),
        at: Timestamp::from_secs(1_800_000_000),
        sealed: vec![42; SEALED_BYTES],
    }
}

/// Where to write: not a file system in memory, on which a sync costs nothing.
fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

fn append(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts");
    for rows in [1_usize, 16, 64] {
        let mut group = c.benchmark_group(format!("append_{rows}"));
        group.throughput(Throughput::Elements(rows as u64));

        let dir = directory();
        bare(&mut group, "bare_write_and_sync", dir.path(), rows);

        let store = runtime.block_on(EmbeddedStore::open(dir.path())).expect("opens");
        // The log's file grows until the first checkpoint; what follows is the steady state.
        for _ in 0..3_000_usize.div_ceil(rows) {
            runtime.block_on(store.append(vec![row(); rows])).expect("appended");
        }
        group.bench_function("embedded", |b| {
            // On a worker of the runtime, as in the service, not on the thread that blocks on it.
            b.iter_custom(|times| {
                let store = store.clone();
                let task = runtime.spawn(async move {
                    let begun = std::time::Instant::now();
                    for _ in 0..times {
                        let rows = (0..rows).map(|_| row()).collect();
                        black_box(store.append(rows).await.expect("appended"));
                    }
                    begun.elapsed()
                });
                runtime.block_on(task).expect("ran")
            });
        });
        bare(&mut group, "bare_write_and_sync_again", dir.path(), rows);
        group.finish();
    }
}

/// Overwrites a file that is there already, as a write-ahead log does.
fn bare(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    dir: &Path,
    rows: usize,
) {
    const FILE_BYTES: u64 = 8 << 20;
    let file =
        OpenOptions::new().create(true).truncate(true).write(true).open(dir.join("bare")).expect("opens");
    file.write_all_at(&vec![0; 8 << 20], 0).expect("written");
    file.sync_all().expect("synced");
    let bytes = vec![42; SEALED_BYTES * rows];
    let mut at = 0;
    group.bench_function(name, |b| {
        b.iter(|| {
            file.write_all_at(&bytes, at).expect("written");
            file.sync_data().expect("synced");
            at = (at + bytes.len() as u64) % (FILE_BYTES - bytes.len() as u64);
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(4));
    targets = append
}
criterion_main!(benches);
