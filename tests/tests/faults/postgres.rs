//! PostgreSQL dies, comes back, has no room, takes no writes, is slow; and two replicas race on it.

use std::process::Child;
use std::time::{Duration, Instant};

use futures::future::join_all;
use keyward_api::v1;
use keyward_domain::{ClaimKind, Outcome, ReasonCode};
use keyward_simulate::authenticator::{Behaviour, Counter};
use keyward_store_postgres::PostgresStore;
use keyward_testkit::{ChaosProxy, Durability, Fault, PostgresServer, RedisServer};
use keyward_tests::database::{self, DATABASE, Database};
use keyward_tests::door::claim;
use keyward_tests::person::{own, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Person, Place, World, log};

/// The caller's deadline.
const DEADLINE: Duration = Duration::from_millis(400);
/// How much longer an answer's way may take that left in time: machines that run tests are busy.
const SLACK: Duration = Duration::from_millis(200);
/// Until when it must be normal again. What it really took is printed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A login that known typing opens, if all is well.
async fn question(world: &World, door: &Door, person: &Person, session: &str, n: u64) -> v1::Assessment {
    let mut question = person.asks(session);
    question.claims = vec![claim(world, ClaimKind::Password, Duration::from_secs(5))];
    question.telemetry = Some(typed(&own(n), &door.nonce(session).await));
    question
}

/// Asks within the deadline; the decision and how long it took.
async fn timed(place: &Place, person: &Person, n: u64) -> (v1::Decision, Duration) {
    let asked = question(&place.world, &place.door, person, &format!("s{n}"), n).await;
    let begun = Instant::now();
    let answer = place.door.ask_within(DEADLINE, asked).await;
    let took = begun.elapsed();
    (answer.unwrap_or_else(|status| panic!("after {took:?}: {status:?}")), took)
}

/// What is said when nothing can be recorded: no ALLOW, no token, and why.
fn is_stricter(seen: &Seen) {
    assert_ne!(seen.outcome, Outcome::Allow, "{seen:?}");
    assert!(seen.says(ReasonCode::AuditUnavailable) && !seen.token && !seen.recorded, "{seen:?}");
}

/// Asks while something is out of order; every answer in time and stricter. Returns the longest time.
async fn stricter(place: &Place, person: &Person, range: std::ops::Range<u64>) -> Duration {
    let mut longest = Duration::ZERO;
    for n in range {
        let (decision, took) = timed(place, person, n).await;
        is_stricter(&Seen::from(&decision));
        assert!(took < DEADLINE + SLACK, "{took:?}");
        longest = longest.max(took);
    }
    longest
}

/// Milliseconds since then: numbers for sessions that no other has.
fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).expect("no test runs that long")
}

/// Asks until an ALLOW comes; how long that took, and the ALLOW.
async fn until_normal(place: &Place, person: &Person, from: u64) -> (Duration, v1::Decision) {
    let begun = Instant::now();
    for n in from.. {
        let (decision, _) = timed(place, person, n).await;
        if Seen::from(&decision).outcome == Outcome::Allow {
            return (begun.elapsed(), decision);
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", Seen::from(&decision));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("numbers do not end")
}

/// A place on PostgreSQL with the program's own times, where a clinician is well known and was let in once.
async fn place(durable: keyward::compose::Durable) -> (Place, Person, v1::Decision) {
    let deployment = Deployment::new();
    let world = deployment.start_on(durable, Hot::InProcess).await;
    let door = Door::on_the_wire(&world).await;
    let place = Place::from_parts(deployment, world, door);
    let person = place.well_known_clinician("alice").await;
    let (before, _) = timed(&place, &person, 1).await;
    assert_eq!(Seen::from(&before).outcome, Outcome::Allow, "{before:?}");
    (place, person, before)
}

/// Every ALLOW that was given stands in the log, and all of the log says what the policy says.
async fn nothing_was_lost(place: &Place, given: &[v1::Decision]) {
    log::holds(&place.world, given).await;
    log::replayed(&place.world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_dies_lets_nothing_through_until_it_is_back() {
    let mut database = Database::start_with(Durability::Synced, &[]).await;
    let (place, person, before) = place(database::open(&database.settings()).await).await;
    let mut given = vec![before];
    for round in 1..=4 {
        let backends = database.server.others();
        let mut late = 0;
        if round % 2 == 1 {
            // All of it at once: from then on nothing can be acknowledged.
            database.server.kill_all();
        } else {
            // The server alone. Its backends end when they notice; what they acknowledge until then must last like all else.
            database.server.kill();
            let killed = Instant::now();
            while backends.iter().any(|backend| PostgresServer::runs(*backend)) {
                assert!(killed.elapsed() < PATIENCE, "backends outlive their server");
                let n = round * 100_000 + late;
                let (decision, _) = timed(&place, &person, n).await;
                late += 1;
                if Seen::from(&decision).outcome == Outcome::Allow {
                    given.push(decision);
                }
            }
        }
        let longest = stricter(&place, &person, round * 100..round * 100 + 10).await;
        database.server.restart().await.expect("it starts again");
        let (normal, decision) = until_normal(&place, &person, round * 100 + 10).await;
        given.push(decision);
        println!(
            "postgres killed, {}: longest answer {longest:?}; allowed again {normal:?} after it answered",
            if round % 2 == 1 { "all of it" } else { "the server alone" }
        );
    }
    nothing_was_lost(&place, &given).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_without_room_for_connections_lets_nothing_through() {
    let database = Database::start_with(
        Durability::Fast,
        &[
            "-c",
            "max_connections=6",
            "-c",
            "superuser_reserved_connections=0",
            "-c",
            "client_connection_check_interval=100",
        ],
    )
    .await;
    let proxy = ChaosProxy::start(database.server.address()).await.expect("a proxy");
    let (place, person, before) = place(database.open_through(proxy.address()).await).await;
    // keyward's connections break, and others come and take every place before it is back.
    proxy.set(Fault::Cut);
    let mut others: Vec<Child> = Vec::new();
    let begun = Instant::now();
    while database.server.sql(DATABASE, "SELECT 1").is_ok() {
        assert!(begun.elapsed() < PATIENCE, "the places were never all taken");
        for _ in 0..3 {
            others.push(database.server.begin_sql(DATABASE, "SELECT pg_sleep(120)").expect("psql runs"));
        }
    }
    proxy.set(Fault::None);
    let longest = stricter(&place, &person, 100_000..100_010).await;
    for mut other in others {
        let _ = other.kill();
        let _ = other.wait();
    }
    let (normal, decision) = until_normal(&place, &person, 200_000).await;
    // Theirs end one after another; reading the log needs a place, too.
    let left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
    let begun = Instant::now();
    while database.server.sql(DATABASE, left).ok().as_deref() != Some("0") {
        assert!(begun.elapsed() < PATIENCE, "the others never left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!(
        "out of connections: longest answer {longest:?}; allowed again {normal:?} after the others left"
    );
    nothing_was_lost(&place, &[before, decision]).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_takes_no_writes_lets_nothing_through() {
    let database = Database::start().await;
    let (place, person, before) = place(database::open(&database.settings()).await).await;
    let set = |value: &str| {
        let change = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        for statement in [change.as_str(), "SELECT pg_reload_conf()"] {
            database.server.sql(DATABASE, statement).expect("set");
        }
    };
    set("on");
    let begun = Instant::now();
    // The server reads its settings again a moment later.
    loop {
        let (decision, _) = timed(&place, &person, 50 + millis(begun)).await;
        if Seen::from(&decision).says(ReasonCode::AuditUnavailable) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it never became read-only");
    }
    let longest = stricter(&place, &person, 100_000..100_010).await;
    let advice = PostgresStore::advice(&database.settings()).await.expect("it can be read");
    assert!(advice.iter().any(|(text, _)| text.contains("read-only")), "{advice:?}");
    set("off");
    let (normal, decision) = until_normal(&place, &person, 200_000).await;
    println!("read-only: longest answer {longest:?}; allowed again {normal:?} after writes were allowed");
    nothing_was_lost(&place, &[before, decision]).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_is_slow_or_silent_lets_nothing_through_and_hangs_nobody() {
    let database = Database::start().await;
    for fault in [Fault::Delay(Duration::from_millis(500)), Fault::Blackhole, Fault::CutAfter(20), Fault::Cut]
    {
        let proxy = ChaosProxy::start(database.server.address()).await.expect("a proxy");
        let (place, person, before) = place(database.open_through(proxy.address()).await).await;
        proxy.set(fault);
        let longest = stricter(&place, &person, 100..106).await;
        proxy.set(Fault::None);
        let (normal, decision) = until_normal(&place, &person, 200).await;
        println!(
            "postgres {fault:?}: longest answer {longest:?}; allowed again {normal:?} after it was well"
        );
        // What was recorded too late was never acknowledged as an ALLOW; the log has it, and is whole.
        let rows = log::rows(&place.world).await;
        for given in [before, decision] {
            let index = given.audit_index.expect("an ALLOW says where its record is");
            assert!(
                rows.iter().any(|(there, row)| *there == index
                    && row.decision.is_some_and(|id| id.to_string() == given.id))
            );
        }
        place.door.close().await;
        let Place { world, .. } = place;
        world.stop().await;
        database
            .server
            .sql(
                DATABASE,
                "TRUNCATE subject, credential, document, sample, record; UPDATE log_head SET size = 0",
            )
            .expect("emptied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_agree_on_one_session_and_one_passkey_counter() {
    const ROUNDS: u64 = 10;
    let database = Database::start().await;
    let redis = RedisServer::start().await.expect("redis starts");
    let deployment = Deployment::new();
    let url = redis.url();
    let hot = || Hot::Redis(&url, Duration::from_secs(5));
    let worlds = [
        deployment.start_on(database.open().await, hot()).await,
        deployment.start_on(database.open().await, hot()).await,
    ];
    let doors = [Door::on_the_wire(&worlds[0]).await, Door::on_the_wire(&worlds[1]).await];
    let person = deployment.person_with_security_key("alice");
    doors[0].register(&person).await;
    let mut given = Vec::new();
    for round in 0..ROUNDS {
        // One assertion, shown at both doors at once in one session: it counts once.
        let session = format!("one-{round}");
        let assertion = doors[0].show(&person, &session, None).await;
        let asked = (0..8_usize).map(|n| {
            let mut question = person.asks(&session);
            question.assertion = Some(assertion.clone());
            let door = &doors[n % 2];
            // Each door counts its requests by itself; what is asked under one name gets one answer.
            async move { door.ask_as(&format!("one-{round}-{n}"), question).await }
        });
        let answers: Vec<v1::Decision> =
            join_all(asked).await.into_iter().map(|answer| answer.expect("a decision")).collect();
        // The session is proven from the first one on, so that others may be let in by it; the assertion counts once.
        let accepted =
            answers.iter().filter(|decision| !Seen::from(*decision).says(ReasonCode::PasskeyRejected));
        assert_eq!(accepted.count(), 1, "round {round}");
        given.extend(answers);

        // Two assertions with one counter, each for a challenge of its own: the second shows a copied key.
        let twins = format!("twins-{round}");
        let mut shown = Vec::new();
        for door in &doors {
            let (ceremony_id, options) = door.begin(&person.subject, &twins, None).await;
            let counter = Counter::Fixed(1000 * (u32::try_from(round).expect("small") + 1));
            person.authenticator.behave(Behaviour { counter, ..Behaviour::hardware() });
            let credential_json = person.authenticator.authenticate(&options).expect("it answers");
            shown.push(v1::PasskeyAssertion { ceremony_id, credential_json });
        }
        // Where the next round goes on counting from.
        person.authenticator.behave(Behaviour::hardware());
        let asked = doors.iter().zip(shown).zip(0..).map(|((door, assertion), n)| {
            let mut question = person.asks(&twins);
            question.assertion = Some(assertion);
            async move { door.ask_as(&format!("twins-{round}-{n}"), question).await }
        });
        let answers: Vec<v1::Decision> =
            join_all(asked).await.into_iter().map(|answer| answer.expect("a decision")).collect();
        let regressed = answers
            .iter()
            .filter(|decision| Seen::from(*decision).says(ReasonCode::PasskeyCounterRegressed))
            .count();
        assert_eq!(regressed, 1, "round {round}: {:?}", answers.iter().map(Seen::from).collect::<Vec<_>>());
        given.extend(answers);
    }
    log::holds(&worlds[0], &given).await;
    assert_eq!(log::rows(&worlds[0]).await, log::rows(&worlds[1]).await);
    log::replayed(&worlds[1]).await;
    for door in doors {
        door.close().await;
    }
    for world in worlds {
        world.stop().await;
    }
}
