//! Cost of sealing and opening one kilobyte, and of the keys.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use keyward_domain::{Entropy, SubjectId, SubjectKey, TenantId};
use keyward_seal::{Bound, DataSecret, KeyRing};

/// A counter: distinct nonces at no cost, for measuring alone.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            chunk.copy_from_slice(&n[..chunk.len()]);
        }
    }
}

fn seal(c: &mut Criterion) {
    let entropy = Counting(AtomicU64::new(1));
    let ring = KeyRing::generate(&entropy);
    let who = SubjectKey {
        tenant: TenantId::parse("st-mary").expect("a valid id"),
        subject: SubjectId::parse("clinician-0042").expect("a valid id"),
    };
    let secret = DataSecret::generate(&entropy);
    let (key, wrapped) = (secret.sealing_key("data"), ring.wrap(&who, &secret, &entropy));
    let bound = Bound { who: &who, kind: "document", name: "keystroke/password/personal", version: 7 };
    let plaintext = vec![7_u8; 1024];
    let sealed = key.seal(&bound, &plaintext, &entropy);

    c.bench_function("seal 1 KiB", |b| {
        b.iter(|| key.seal(&bound, black_box(&plaintext), &entropy));
    });
    c.bench_function("open 1 KiB", |b| b.iter(|| key.open(&bound, black_box(&sealed))));
    c.bench_function("unwrap a data key", |b| {
        b.iter(|| ring.unwrap(&who, black_box(&wrapped)));
    });
    c.bench_function("derive a sealing key", |b| {
        b.iter(|| secret.sealing_key(black_box("hot")));
    });
    let page_token = secret.mac_key("page-token");
    c.bench_function("mac 64 bytes", |b| {
        b.iter(|| page_token.mac(&[black_box(&[1; 64])]));
    });
}

criterion_group!(benches, seal);
criterion_main!(benches);
