//! Redis fails over, moves slots and loses a master; what callers see meanwhile, and how long until it is well again.

use std::time::{Duration, Instant};

use keyward_api::v1;
use keyward_domain::{ClaimKind, Outcome, ReasonCode};
use keyward_store_redis::RedisSettings;
use keyward_testkit::{RedisCluster, RedisSentinel};
use keyward_tests::door::claim;
use keyward_tests::person::{own, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Person, Place, log};

/// What the program waits for Redis unless told otherwise.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(100);
/// The caller's deadline.
const DEADLINE: Duration = Duration::from_millis(400);
/// What a busy machine may add on the caller's side.
const SLACK: Duration = Duration::from_millis(200);

async fn place(mut settings: RedisSettings) -> Place {
    settings.response_timeout = RESPONSE_TIMEOUT;
    let deployment = Deployment::new();
    let world = deployment.start(Hot::In(Box::new(settings))).await;
    let door = Door::on_the_wire(&world).await;
    Place::from_parts(deployment, world, door)
}

/// A login that known typing opens, if all is well, and how long the answer took.
async fn login(place: &Place, person: &Person, n: u64) -> (v1::Decision, Duration) {
    let session = format!("s{n}");
    let mut question = person.asks(&session);
    question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(5))];
    question.telemetry = Some(typed(&own(n), &place.door.nonce(&session).await));
    let begun = Instant::now();
    let answer = place.door.ask_within(DEADLINE, question).await;
    let took = begun.elapsed();
    (answer.unwrap_or_else(|status| panic!("after {took:?}: {status:?}")), took)
}

/// What callers saw from a fault on until it was over.
struct Spell {
    longest: Duration,
    lasted: Duration,
    stricter: usize,
}

/// Asks until an answer is as it should be; every other one is stricter, and says why.
async fn until_well(place: &Place, person: &Person, n: &mut u64, given: &mut Vec<v1::Decision>) -> Spell {
    let begun = Instant::now();
    let mut spell = Spell { longest: Duration::ZERO, lasted: Duration::ZERO, stricter: 0 };
    loop {
        *n += 1;
        let (decision, took) = login(place, person, *n).await;
        spell.longest = spell.longest.max(took);
        let seen = Seen::from(&decision);
        given.push(decision);
        if seen.outcome == Outcome::Allow && !seen.says(ReasonCode::HotStoreUnavailable) {
            spell.lasted = begun.elapsed();
            return spell;
        }
        assert!(seen.outcome == Outcome::StepUp && seen.recorded, "{seen:?}");
        // Her own typing is unusual now and then, which says nothing of Redis.
        if seen.says(ReasonCode::TypingUnusual) && !seen.says(ReasonCode::HotStoreUnavailable) {
            continue;
        }
        assert!(seen.says(ReasonCode::HotStoreUnavailable), "{seen:?}");
        spell.stricter += 1;
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not recover: {seen:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn report(what: &str, spell: &Spell) {
    let Spell { longest, lasted, stricter } = spell;
    println!("{what}: longest answer {longest:?}, {stricter} stricter ones, well after {lasted:?}");
    assert!(*longest < DEADLINE + SLACK, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_makes_answers_stricter_until_there_is_another_master() {
    let mut redis = RedisSentinel::start(2).await.expect("a master with replicas and sentinels");
    let place = place(RedisSettings::sentinel(redis.urls(), RedisSentinel::MASTER)).await;
    let person = place.well_known_clinician("alice").await;
    let (mut n, mut given) = (0, Vec::new());
    until_well(&place, &person, &mut n, &mut given).await;

    // An open challenge that was replicated can be answered at the new master, once.
    let assertion = place.door.show(&person, "shown", None).await;
    redis.wait_for_sync().await.expect("in sync");
    redis.master().await.expect("named").kill();
    let spell = until_well(&place, &person, &mut n, &mut given).await;
    report("master killed, failed over by Sentinel", &spell);
    assert!(spell.stricter > 0, "there was a time without a master");
    place.door.authenticate("shown", assertion.clone()).await.expect("it is there");
    place.door.authenticate("shown", assertion).await.expect_err("and opens once");

    // A master that hangs, rather than dies, is followed by another one all the same, and does not come back as one.
    let old = redis.master().await.expect("named").address();
    redis.wait_for_sync().await.expect("in sync");
    redis.master().await.expect("named").freeze().expect("stopped");
    let spell = until_well(&place, &person, &mut n, &mut given).await;
    report("master hung, failed over by Sentinel", &spell);
    redis.servers().iter().find(|server| server.address() == old).expect("ours").thaw().expect("goes on");
    let spell = until_well(&place, &person, &mut n, &mut given).await;
    report("the old master is back", &spell);
    log::holds(&place.world, &given).await;
    log::replayed(&place.world).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_and_a_master_that_is_lost_make_answers_stricter_for_a_time() {
    let mut redis = RedisCluster::start().await.expect("a cluster");
    let place = place(RedisSettings::cluster(redis.urls())).await;
    let person = place.well_known_clinician("alice").await;
    let (mut n, mut given) = (0, Vec::new());
    until_well(&place, &person, &mut n, &mut given).await;
    let slot = redis.slot_of("{st-mary|alice}").await.expect("told");
    let from = RedisCluster::holder_of(slot);
    let to = (from + 1) % 3;

    redis.begin_move(slot, from, to).await.expect("begun");
    let moving = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis.end_move(slot, from, to).await.expect("ended");
    };
    let (spell, ()) = tokio::join!(until_well(&place, &person, &mut n, &mut given), moving);
    report("a slot moves for 300 ms", &spell);
    let spell = until_well(&place, &person, &mut n, &mut given).await;
    report("a slot has moved", &spell);
    assert_eq!(spell.stricter, 0, "redirections are followed");

    redis.server(to).kill();
    let spell = until_well(&place, &person, &mut n, &mut given).await;
    report("a cluster's master lost", &spell);
    assert!(spell.stricter > 0, "there was a time without a master");
    log::holds(&place.world, &given).await;
    log::replayed(&place.world).await;
    place.door.close().await;
}
