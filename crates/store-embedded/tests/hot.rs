//! The hot state in this process keeps what the port promises, and its bounds.

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{CeremonyId, RequestId, SessionId, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_store::{HotStore, HotWrite, HotWritten, StoreError, conformance};
use keyward_store_embedded::{DEFAULT_MAX_ENTRIES, InProcessHot};
use keyward_testkit::ManualClock;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_secs(1_000_000)))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let clock = clock();
    let make = async || InProcessHot::new(Arc::clone(&clock) as _, DEFAULT_MAX_ENTRIES);
    conformance::hot(make, async |time| clock.advance(time)).await;
}

fn write(n: usize, ttl: Duration) -> HotWrite {
    HotWrite {
        who: SubjectKey {
            tenant: TenantId::parse("t").expect("legal"),
            subject: SubjectId::parse(format!("s{n}")).expect("legal"),
        },
        session: SessionId::parse("s").expect("legal"),
        session_expected: 0,
        session_value: vec![0; 10],
        session_ttl: ttl,
        request: RequestId::parse("r").expect("legal"),
        reply: vec![0; 10],
        reply_ttl: ttl,
        use_nonce: None,
        count_attempt: Some(ttl),
        count_false_alarm: None,
    }
}

#[tokio::test]
async fn a_full_store_refuses_rather_than_forgets() {
    let (clock, minute) = (clock(), Duration::from_mins(1));
    let store = InProcessHot::new(Arc::clone(&clock) as _, 6_400);
    let mut outcomes = Vec::new();
    for n in 0..10_000 {
        outcomes.push(store.write(write(n, minute)).await);
    }
    let written = outcomes.iter().filter(|outcome| **outcome == Ok(HotWritten::Done)).count();
    assert!((1_800..=2_133).contains(&written), "three entries each: {written}");
    assert!(store.entries() <= 6_400, "{}", store.entries());
    let refused =
        outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::Unavailable(_)))).count();
    assert_eq!(refused, 10_000 - written);
    let tenant = TenantId::parse("t").expect("legal");
    let mut ceremonies_refused = 0;
    for n in 0..1_000 {
        let ceremony = CeremonyId::parse(format!("c{n}")).expect("legal");
        let put = store.put_ceremony(&tenant, &ceremony, vec![], minute).await;
        ceremonies_refused += usize::from(put.is_err());
    }
    assert!(ceremonies_refused > 500 && store.entries() <= 6_400, "{ceremonies_refused} {}", store.entries());
    // Nothing that was acknowledged went.
    let first = write(0, minute);
    assert!(store.session(&first.who, &first.session).await.expect("read").is_some());

    clock.advance(minute);
    for n in 0..1_000 {
        assert_eq!(store.write(write(n, minute)).await, Ok(HotWritten::Done), "room again when time is up");
    }
}

#[tokio::test]
async fn what_ran_out_is_removed_by_the_writes_that_follow() {
    let (clock, second) = (clock(), Duration::from_secs(1));
    let store = InProcessHot::new(Arc::clone(&clock) as _, DEFAULT_MAX_ENTRIES);
    for n in 0..50_000 {
        store.write(write(n, second)).await.expect("written");
        clock.advance(Duration::from_millis(1));
    }
    // A second's writes are 1,000, of three entries each; each of 64 shards may lag behind by a few writes.
    assert!(store.entries() < 5_000, "{} entries", store.entries());
}
