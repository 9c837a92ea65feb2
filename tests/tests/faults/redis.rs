//! Redis dies, comes back, and is slow.

use std::time::{Duration, Instant};

use keyward_api::v1;
use keyward_domain::{ClaimKind, Outcome, ReasonCode};
use keyward_testkit::{ChaosProxy, Fault, RedisServer};
use keyward_tests::door::claim;
use keyward_tests::person::{own, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Person, Place, World, log};

/// What the program waits for Redis unless told otherwise.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(100);
/// The caller's deadline.
const DEADLINE: Duration = Duration::from_millis(400);

/// A login that known typing opens, if all is well.
async fn question(world: &World, door: &Door, person: &Person, n: u64) -> v1::Assessment {
    let session = format!("s{n}");
    let mut question = person.asks(&session);
    question.claims = vec![claim(world, ClaimKind::Password, Duration::from_secs(5))];
    question.telemetry = Some(typed(&own(n), &door.nonce(&session).await));
    question
}

/// Asks within the deadline; the decision and how long it took.
async fn timed(door: &Door, question: v1::Assessment) -> (v1::Decision, Duration) {
    let begun = Instant::now();
    let answer = door.ask_within(DEADLINE, question).await;
    let took = begun.elapsed();
    (answer.unwrap_or_else(|status| panic!("after {took:?}: {status:?}")), took)
}

fn is_stricter(seen: &Seen) {
    assert_eq!(seen.outcome, Outcome::StepUp, "{seen:?}");
    assert!(seen.says(ReasonCode::HotStoreUnavailable) && !seen.challenge && seen.recorded, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_dies_makes_answers_stricter_until_it_is_back() {
    let mut place = Place::with_redis(RESPONSE_TIMEOUT).await;
    let person = place.well_known_clinician("alice").await;
    let mut given = Vec::new();
    let (before, _) = timed(&place.door, question(&place.world, &place.door, &person, 1).await).await;
    assert_eq!(Seen::from(&before).outcome, Outcome::Allow);
    given.push(before);

    place.redis().kill();
    let mut longest = Duration::ZERO;
    for n in 2..12 {
        let (decision, took) =
            timed(&place.door, question(&place.world, &place.door, &person, n).await).await;
        is_stricter(&Seen::from(&decision));
        longest = longest.max(took);
        given.push(decision);
    }

    place.redis().restart().await.expect("it starts again");
    let back = Instant::now();
    let mut n = 12;
    loop {
        let (decision, _) = timed(&place.door, question(&place.world, &place.door, &person, n).await).await;
        let seen = Seen::from(&decision);
        given.push(decision);
        if seen.outcome == Outcome::Allow {
            break;
        }
        is_stricter(&seen);
        assert!(back.elapsed() < Duration::from_secs(5), "it does not recover: {seen:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        n += 1;
    }
    println!("redis killed: longest answer {longest:?}; back {:?} after it answers again", back.elapsed());
    log::holds(&place.world, &given).await;
    log::replayed(&place.world).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_is_slow_does_not_make_callers_wait() {
    // Slower than keyward waits for it; then slower than the caller waits, with a keyward that would wait longer.
    for (patience, late) in [(RESPONSE_TIMEOUT, false), (Duration::from_secs(2), true)] {
        for fault in [Fault::Delay(Duration::from_millis(500)), Fault::Blackhole] {
            let redis = RedisServer::start().await.expect("redis starts");
            let proxy = ChaosProxy::start(redis.address()).await.expect("a proxy");
            let deployment = Deployment::new();
            let url = format!("redis://{}", proxy.address());
            let world = deployment.start(Hot::Redis(&url, patience)).await;
            let door = Door::on_the_wire(&world).await;
            let place = Place::from_parts(deployment, world, door);
            let person = place.well_known_clinician("alice").await;
            let asked = question(&place.world, &place.door, &person, 1).await;
            let (decision, _) = timed(&place.door, asked).await;
            assert_eq!(Seen::from(&decision).outcome, Outcome::Allow);

            let assertion = place.door.show(&person, "shown", None).await;
            proxy.set(fault);
            let mut longest = Duration::ZERO;
            let mut shown = person.asks("shown");
            shown.assertion = Some(assertion);
            let (decision, took) = timed(&place.door, shown).await;
            let seen = Seen::from(&decision);
            is_stricter(&seen);
            assert_eq!(seen.says(ReasonCode::DeadlineShort), late, "{seen:?}");
            assert!(seen.says(ReasonCode::PasskeyRejected) && took < DEADLINE, "{took:?} {seen:?}");
            for n in 2..6 {
                let asked = question(&place.world, &place.door, &person, n).await;
                let (decision, took) = timed(&place.door, asked).await;
                let seen = Seen::from(&decision);
                is_stricter(&seen);
                assert!(took < DEADLINE, "{took:?}");
                longest = longest.max(took);
            }
            println!("redis {fault:?}, waited for {patience:?}: longest answer {longest:?} of {DEADLINE:?}");
            log::replayed(&place.world).await;
            place.door.close().await;
        }
    }
}
