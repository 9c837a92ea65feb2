//! What the fuzz target and its bounded run in the test suite have in common.

use keyward_api::{convert, v1};
use keyward_features::{fixed_text, integrity, sample_digest, telemetry_hash};
use prost::Message as _;

/// Takes bytes all the way that telemetry goes before a model sees it: decode, convert, hash, extract features, judge.
/// Whatever the bytes are, this must not panic. Tells whether they were telemetry that is accepted.
pub(crate) fn fuzz_telemetry(bytes: &[u8]) -> bool {
    let Ok(message) = v1::Telemetry::decode(bytes) else {
        return false;
    };
    let telemetry = match convert::telemetry(message) {
        Ok(telemetry) => telemetry,
        Err(refused) => {
            assert!(!refused.named().is_empty(), "refused without a reason");
            return false;
        }
    };
    let again = convert::telemetry(convert::telemetry_to_wire(&telemetry));
    assert_eq!(again.as_ref(), Ok(&telemetry), "what is accepted comes back the same");
    assert_eq!(telemetry_hash(&telemetry), telemetry_hash(&telemetry.clone()));
    for sample in &telemetry.keystrokes {
        let _ = sample_digest(&sample.events);
        let _ = integrity::machine_like(sample);
        if let Ok(features) = fixed_text(sample) {
            assert!(features.times_s().iter().all(|time| time.is_finite()));
        }
    }
    true
}
