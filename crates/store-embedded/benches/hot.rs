//! What a call of the in-process hot state costs.
//!
//! `cargo bench -p keyward-store-embedded --bench hot`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use keyward_domain::{RequestId, SessionId, SubjectId, SubjectKey, TelemetryNonce, TenantId, Timestamp};
use keyward_store::{HotRead, HotStore, HotWrite};
use keyward_store_embedded::InProcessHot;
use keyward_testkit::ManualClock;

const SUBJECTS: usize = 10_000;
const TTL: Duration = Duration::from_secs(100);

fn who(n: usize) -> SubjectKey {
    SubjectKey {
        tenant: TenantId::parse("st-mary").expect("legal"),
        subject: SubjectId::parse(format!("subject-{}", n % SUBJECTS)).expect("legal"),
    }
}

/// A decision's write: a session of its own, a reply, a nonce and an attempt.
fn write(n: usize) -> HotWrite {
    HotWrite {
        who: who(n),
        session: SessionId::parse(format!("session-{n}")).expect("legal"),
        session_expected: 0,
        session_value: vec![0; 500],
        session_ttl: TTL,
        request: RequestId::parse(format!("request-{n}")).expect("legal"),
        reply: vec![0; 500],
        reply_ttl: TTL,
        use_nonce: Some((TelemetryNonce::parse(format!("nonce-{n}")).expect("legal"), TTL)),
        count_attempt: Some(TTL),
        count_false_alarm: None,
    }
}

fn read(n: usize) -> HotRead {
    let written = write(n);
    HotRead {
        who: written.who,
        session: written.session,
        request: written.request,
        nonce: written.use_nonce.map(|(nonce, _)| nonce),
    }
}

fn calls(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_000_000)));
    let hot = InProcessHot::new(Arc::clone(&clock) as _, 10_000_000);
    let mut n = 0;
    // Full of live entries; from here on each write finds as much that ran out as it adds.
    let mut put = |what: HotWrite| {
        clock.advance(Duration::from_millis(1));
        black_box(runtime.block_on(hot.write(what))).expect("written");
    };
    for _ in 0..200_000 {
        put(write(n));
        n += 1;
    }
    c.bench_function("in_process/write", |b| {
        b.iter_batched(
            || {
                n += 1;
                write(n)
            },
            &mut put,
            criterion::BatchSize::SmallInput,
        );
    });
    let last = n;
    let mut k = 0;
    c.bench_function("in_process/read", |b| {
        b.iter_batched(
            || {
                k += 1;
                read(last - k % 50_000)
            },
            |what| black_box(runtime.block_on(hot.read(&what))).expect("read"),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, calls);
criterion_main!(benches);
