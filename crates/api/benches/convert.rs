//! What it costs to take a question in: bytes to message to domain value. 100 key events in two fields, as a login has.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use keyward_api::{convert, v1};
use keyward_domain::Timestamp;
use prost::Message as _;

const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

fn sample(field: &str, presses: u32) -> v1::KeystrokeSample {
    v1::KeystrokeSample {
        field: field.to_owned(),
        position: (0..presses).collect(),
        zone: (0..presses).map(|i| i32::try_from(1 + i % 19).expect("small")).collect(),
        down_us: (0..presses).map(|i| i * 183_217).collect(),
        up_us: (0..presses).map(|i| i * 183_217 + 91_003).collect(),
        ..Default::default()
    }
}

fn question() -> v1::AssessRequest {
    let verified_at = Some(prost_types::Timestamp { seconds: NOW.secs(), nanos: 0 });
    let assessment = v1::Assessment {
        tenant: "st-mary".into(),
        subject: "0193f0a0-0000-7000".into(),
        roles: vec!["clinician".into()],
        session: "0193f0a0-0000-7001".into(),
        device: Some(v1::Device {
            id: "ward-3-east".into(),
            device_class: v1::DeviceClass::SharedWorkstation.into(),
        }),
        action: Some(v1::Action {
            kind: v1::ActionKind::Login.into(),
            sensitivity: v1::Sensitivity::Clinical.into(),
            in_care_team: None,
        }),
        client: Some(v1::ClientContext { ip: "192.0.2.7".into(), recent_failures: 0, ..Default::default() }),
        claims: vec![v1::Claim { kind: v1::ClaimKind::Password.into(), verified_at }],
        telemetry: Some(v1::Telemetry {
            nonce: "n".repeat(64),
            keystrokes: vec![sample("user", 40), sample("password", 60)],
            ..Default::default()
        }),
        ..Default::default()
    };
    v1::AssessRequest { request_id: "0193f0a0-0000-7002".into(), assessment: Some(assessment) }
}

fn convert(criterion: &mut Criterion) {
    let message = question();
    let bytes = message.encode_to_vec();
    criterion.bench_function("decode_100_keys", |bencher| {
        bencher.iter(|| v1::AssessRequest::decode(black_box(bytes.as_slice())).expect("decodes"));
    });
    criterion.bench_function("convert_100_keys", |bencher| {
        bencher.iter_batched(
            || message.clone(),
            |it| convert::assess(it, NOW).expect("is valid"),
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("decode_and_convert_100_keys", |bencher| {
        bencher.iter(|| {
            let message = v1::AssessRequest::decode(black_box(bytes.as_slice())).expect("decodes");
            convert::assess(message, NOW).expect("is valid")
        });
    });
}

criterion_group!(benches, convert);
criterion_main!(benches);
