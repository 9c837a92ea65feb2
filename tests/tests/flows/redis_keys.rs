//! What a busy deployment leaves in Redis: every key has a documented shape and a time to live.

use std::time::Duration;

use keyward_domain::{DeviceClass, Outcome};
use keyward_tests::Place;
use keyward_tests::person::{history, own, somebody_elses};
use keyward_tests::seen::Seen;

/// Names of keys that are not as crates/store-redis/README.md says, or do not run out.
const ODD: &str = "local odd = {} for _, k in ipairs(redis.call('KEYS', '*')) do \
    local known = k:match('^keyward:h:{[^{}|]+|[^{}|]+}:[srn]:[^{}|]+$') or k:match('^keyward:h:{[^{}|]+|[^{}|]+}:[afv]$') \
    or k:match('^keyward:c:{[^{}|]+|[^{}|]+}$') or k:match('^keyward:l:{[^{}|]+}:[^{}|]+$') \
    if not known or redis.call('PTTL', k) <= 0 then table.insert(odd, k) end end return odd";
/// How many keys there are of a kind, and the bytes that they take.
const SIZE: &str = "local keys, bytes = redis.call('KEYS', '*' .. ARGV[1] .. '*'), 0 \
    for _, k in ipairs(keys) do bytes = bytes + redis.call('MEMORY', 'USAGE', k) end return {#keys, bytes}";

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_a_busy_run_is_documented_and_runs_out() {
    let mut place = Place::with_redis(Duration::from_secs(2)).await;
    for subject in ["alice", "bob"] {
        let person = place.clinician(subject).await;
        place.door.import(&person, DeviceClass::Personal, &history(50)).await;
        for n in 0..10 {
            let session = format!("session-{n}");
            let asked = place.door.password_login(&place.world, &person, &session, &own(n)).await;
            assert_ne!(Seen::from(&asked).outcome, Outcome::Deny);
            place.door.proven_login(&place.world, &person, &session, 20 + n).await;
            let other = format!("other-{n}");
            let asked = place.door.password_login(&place.world, &person, &other, &somebody_elses(n)).await;
            // Left unanswered: what a passkey proves is learned, and would soon be hers.
            assert!(asked.step_up.is_some(), "{asked:?}");
        }
        place.world.engine.learned().await;
    }
    let redis = place.redis();
    assert_eq!(redis.text(&format!("EVAL \"{ODD}\" 0")).await.expect("answered"), "*0\r\n");
    for kind in [":s:", ":r:", ":n:", ":a", ":v", "keyward:c:", "keyward:l:"] {
        let told = redis.text(&format!("EVAL \"{SIZE}\" 0 {kind}")).await.expect("answered");
        let numbers: Vec<u64> =
            told.lines().filter_map(|line| line.strip_prefix(':')).filter_map(|n| n.parse().ok()).collect();
        let [count, bytes] = numbers[..] else { panic!("{told}") };
        assert!(count > 0, "no key of kind {kind}");
        println!("redis: {count} keys {kind}, {} bytes each", bytes / count);
    }
    place.door.close().await;
}
