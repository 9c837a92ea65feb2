//! Two replicas on one durable store and one Redis.

use std::time::{Duration, Instant};

use futures::future::join_all;
use keyward_api::convert::WireEnum;
use keyward_api::v1;
use keyward_domain::{ClaimKind, DeviceClass, Outcome, ReasonCode, SignalKind};
use keyward_testkit::RedisServer;
use keyward_tests::door::claim;
use keyward_tests::person::{TENANT, history, own, somebody_elses, subject, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Person, Place, World, log};

use super::habits;

const PATIENCE: Duration = Duration::from_secs(2);

/// A replica, and the way into it.
struct Replica {
    world: World,
    door: Door,
}

impl Replica {
    /// A login with the owner's typing, the `n`-th from now.
    async fn login(&self, person: &Person, n: u64) -> v1::Decision {
        self.door.password_login(&self.world, person, &format!("{}-{n}", person.subject), &own(n)).await
    }
}

async fn two(deployment: &Deployment, redis: &RedisServer) -> [Replica; 2] {
    let first = deployment.start(Hot::Redis(&redis.url(), PATIENCE)).await;
    let second = deployment.replica(&first, Hot::Redis(&redis.url(), PATIENCE)).await;
    let doors = [Door::on_the_wire(&first).await, Door::on_the_wire(&second).await];
    let [one, other] = doors;
    [Replica { world: first, door: one }, Replica { world: second, door: other }]
}

/// A clinician with a passkey and well known typing, known at her place to the first replica.
async fn known(deployment: Deployment, [one, other]: [Replica; 2]) -> (Place, Replica, Person) {
    let place = Place::from_parts(deployment, one.world, one.door);
    let person = place.well_known_clinician("alice").await;
    (place, other, person)
}

/// The version of the profile that judged the typing.
fn version(decision: &v1::Decision) -> u64 {
    decision.signals.iter().map(|signal| signal.profile_version).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_is_used_by_the_other_replica_at_once() {
    let redis = RedisServer::start().await.expect("redis starts");
    let deployment = Deployment::new();
    let replicas = two(&deployment, &redis).await;
    let (place, other, person) = known(deployment, replicas).await;
    let before = version(&other.login(&person, 1).await);
    assert!(before > 0, "typing was judged");
    let mut longest = Duration::ZERO;
    for n in 1..=5 {
        place.world.clock.advance(Duration::from_hours(1));
        let taught = place.door.proven_login(&place.world, &person, &format!("proven-{n}"), 10 + n).await;
        assert_eq!(Seen::from(&taught).outcome, Outcome::Allow);
        place.world.engine.learned().await;
        let written = Instant::now();
        let current = place.door.status(&person).await[0].version;
        assert_eq!(version(&other.login(&person, 20 + n).await), current, "round {n}");
        longest = longest.max(written.elapsed());
    }
    println!("replicas: a new version is used {longest:?} after it was written, at the latest");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    // A profile that is gone is gone for both, and so is a person.
    let reset = v1::ResetProfileRequest {
        tenant: TENANT.to_owned(),
        subject: person.subject.clone(),
        ..Default::default()
    };
    place.door.profiles().reset_profile(reset).await.expect("reset");
    let decision = Seen::from(&other.login(&person, 30).await);
    assert!(decision.says(ReasonCode::TypingLearning), "{decision:?}");
    let erase = v1::EraseSubjectRequest { tenant: TENANT.to_owned(), subject: person.subject.clone() };
    place.door.profiles().erase_subject(erase).await.expect("erased");
    let given = [
        other.login(&person, 31).await,
        place.door.password_login(&place.world, &person, "s", &own(32)).await,
    ];
    // Sealed under the new key, or the log could not open what the other replica wrote.
    log::holds(&place.world, &given).await;
    place.door.close().await;
    other.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_against_behaviour_holds_at_the_other_replica_at_once() {
    let redis = RedisServer::start().await.expect("redis starts");
    let deployment = Deployment::new();
    let replicas = two(&deployment, &redis).await;
    let (place, other, person) = known(deployment, replicas).await;
    for n in 0..3 {
        let before = other.login(&person, 10 * n).await;
        assert!(!Seen::from(&before).says(ReasonCode::BehaviourOptedOut), "round {n}");
        place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
        let after = other.login(&person, 10 * n + 1).await;
        assert!(Seen::from(&after).says(ReasonCode::BehaviourOptedOut), "round {n}");
        assert_eq!(version(&after), 0, "no model was asked");
        // The other one takes the next word, which the first has to hear of.
        other.door.consent(&person, v1::BehaviourConsent::OptedIn).await;
        let again = place.door.password_login(&place.world, &person, &format!("again-{n}"), &own(n)).await;
        assert!(!Seen::from(&again).says(ReasonCode::BehaviourOptedOut), "round {n}");
    }
    place.door.close().await;
    other.door.close().await;
}

/// The version of the habits that judged pointer movement, as the other replica tells it; none while it knows none.
async fn habits_version(replica: &Replica, person: &Person, session: &str) -> Option<u64> {
    let decision = habits::decided(&replica.door, person, session, habits::moved(1.0, 9)).await;
    let pointer = decision.signals.iter().find(|signal| signal.kind == SignalKind::Pointer.number());
    pointer.filter(|signal| signal.status() == v1::SignalStatus::Scored).map(|signal| signal.profile_version)
}

#[tokio::test(flavor = "multi_thread")]
async fn habits_are_known_and_gone_at_the_other_replica_at_once() {
    let redis = RedisServer::start().await.expect("redis starts");
    let deployment = Deployment::new();
    let replicas = two(&deployment, &redis).await;
    let (place, other, person) = known(deployment, replicas).await;
    assert_eq!(habits_version(&other, &person, "before").await, None);
    habits::learned(&place, &person, |n| habits::moved(1.0, n)).await;
    assert_eq!(habits_version(&other, &person, "after").await, Some(4), "one for each session");
    place.world.engine.reset_profile(&subject(&person), None).await.expect("a reset");
    assert_eq!(habits_version(&other, &person, "reset").await, None);
    place.door.close().await;
    other.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_whom_nothing_is_cached_costs_one_read() {
    let redis = RedisServer::start().await.expect("redis starts");
    let deployment = Deployment::new();
    let replicas = two(&deployment, &redis).await;
    let (place, other, person) = known(deployment, replicas).await;
    let nonces = [other.door.nonce("cold").await, other.door.nonce("warm").await];
    other.world.faults.take_reads();
    for (session, nonce, n, reads) in [
        ("cold", &nonces[0], 1, &["alice: known, keystroke/personal/password"][..]),
        ("warm", &nonces[1], 2, &[]),
    ] {
        let mut question = person.asks(session);
        question.claims = vec![claim(&other.world, ClaimKind::Password, Duration::from_secs(5))];
        question.telemetry = Some(typed(&own(n), nonce));
        let decision = other.door.ask(question).await.expect("a decision");
        assert!(version(&decision) > 0, "typing was judged");
        assert_eq!(other.world.faults.take_reads(), reads, "{session}");
    }
    // Whom nobody met before is looked for once, made, and known to have no profile.
    let stranger = place.deployment.person("bob");
    let first = other.door.password_login(&other.world, &stranger, "first", &own(2)).await;
    assert!(Seen::from(&first).says(ReasonCode::TypingLearning), "{first:?}");
    let reads = other.world.faults.take_reads();
    let hers: Vec<_> = reads.iter().filter(|read| read.starts_with("bob")).collect();
    assert_eq!(hers, ["bob: known, keystroke/personal/password"]);
    place.door.close().await;
    other.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_for_one_person_at_once_read_once() {
    let redis = RedisServer::start().await.expect("redis starts");
    let deployment = Deployment::new();
    let replicas = two(&deployment, &redis).await;
    let (place, other, person) = known(deployment, replicas).await;
    let nonces = join_all((0..64).map(|n| {
        let door = &other.door;
        async move { door.nonce(&format!("s{n}")).await }
    }))
    .await;
    other.world.faults.take_reads();
    let asked = nonces.iter().enumerate().map(|(n, nonce)| {
        let mut question = person.asks(&format!("s{n}"));
        question.claims = vec![claim(&other.world, ClaimKind::Password, Duration::from_secs(5))];
        question.telemetry = Some(typed(&own(n as u64), nonce));
        other.door.ask(question)
    });
    for decision in join_all(asked).await {
        assert!(version(&decision.expect("a decision")) > 0, "typing was judged");
    }
    // So many logins without a passkey may bring one up, in whatever order they come; challenges are sealed for the tenant,
    // whose key is read then, once.
    let (of_the_tenant, hers): (Vec<_>, Vec<_>) =
        other.world.faults.take_reads().into_iter().partition(|read| read.starts_with("*: "));
    assert_eq!(hers, ["alice: known, keystroke/personal/password"]);
    assert!(of_the_tenant.len() <= 1, "{of_the_tenant:?}");
    place.door.close().await;
    other.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_from_one_network_and_of_a_tenant_count_at_both_replicas() {
    let redis = RedisServer::start().await.expect("redis starts");
    let mut deployment = Deployment::new();
    deployment.settings.network_attempts_limit = 6;
    deployment.settings.tenant_attempts_limit = 9;
    let replicas = two(&deployment, &redis).await;
    let (place, other, person) = known(deployment, replicas).await;
    let victims = ["bob", "carol", "dan"].map(|name| place.deployment.person(name));
    for victim in &victims {
        place.door.import(victim, DeviceClass::Personal, &history(50)).await;
    }
    let attempt = async |replica: &Door, world: &World, n: usize, ip: &str| {
        let session = format!("attack-{n}");
        let mut question = victims[n % victims.len()].asks(&session);
        question.client =
            Some(v1::ClientContext { ip: ip.to_owned(), recent_failures: 0, ..Default::default() });
        question.claims = vec![claim(world, ClaimKind::Password, Duration::from_secs(5))];
        question.telemetry = Some(typed(&somebody_elses(n as u64), &replica.nonce(&session).await));
        Seen::from(&replica.ask(question).await.expect("a decision"))
    };
    let scopes = async |ip: &str, n: u64| {
        // What the store said is good for a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let session = format!("alice-{n}");
        let mut question = person.asks(&session);
        question.client =
            Some(v1::ClientContext { ip: ip.to_owned(), recent_failures: 0, ..Default::default() });
        question.claims = vec![claim(&other.world, ClaimKind::Password, Duration::from_secs(5))];
        question.telemetry = Some(typed(&own(n), &other.door.nonce(&session).await));
        let decision = other.door.ask(question).await.expect("a decision");
        let limited = decision.reasons.iter().filter_map(|reason| reason.metadata.get("scope").cloned());
        (Seen::from(&decision).outcome, limited.collect::<Vec<_>>())
    };
    for n in 0..6 {
        let (door, world) =
            if n % 2 == 0 { (&place.door, &place.world) } else { (&other.door, &other.world) };
        let seen = attempt(door, world, n, "203.0.113.9").await;
        assert!(seen.outcome == Outcome::StepUp && seen.says(ReasonCode::TypingDiffers), "{seen:?}");
    }
    assert_eq!(scopes("198.51.100.7", 50).await, (Outcome::Allow, vec![]), "her own network is another one");
    assert_eq!(scopes("203.0.113.77", 51).await.1, ["network"], "the same /24");
    for n in 6..9 {
        attempt(&place.door, &place.world, n, "192.0.2.1").await;
    }
    assert_eq!(scopes("198.51.100.7", 52).await, (Outcome::StepUp, vec!["tenant".to_owned()]));
    // Only a passkey opens, and it does.
    let proven = other.door.proven_login(&other.world, &person, "proven", 53).await;
    assert_eq!(Seen::from(&proven).outcome, Outcome::Allow);
    place.world.clock.advance(Duration::from_mins(20));
    log::replayed(&place.world).await;
    place.door.close().await;
    other.door.close().await;
}
