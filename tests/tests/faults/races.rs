//! Two replicas on one Redis, and what only one of them may have.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use keyward_domain::{
    AssertionResponse, CeremonyId, ClaimKind, Outcome, ReasonCode, SessionId, SubjectId, TenantId,
};
use keyward_engine::{Engine, EngineError};
use keyward_testkit::RedisServer;
use keyward_tests::door::claim;
use keyward_tests::person::{TENANT, own, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Person, World, log};

const PATIENCE: Duration = Duration::from_secs(5);
/// How many challenges are answered twice.
const CHALLENGES: usize = 10_000;
/// How many people answer at the same time.
const PEOPLE: usize = 50;

async fn two(redis: &RedisServer) -> (Deployment, [World; 2]) {
    let deployment = Deployment::new();
    let first = deployment.start(Hot::Redis(&redis.url(), PATIENCE)).await;
    let second = deployment.replica(&first, Hot::Redis(&redis.url(), PATIENCE)).await;
    (deployment, [first, second])
}

/// Answers challenges, each at both replicas at once. How often one of them was accepted.
async fn answers(person: Person, engines: [Arc<Engine>; 2]) -> usize {
    let tenant = TenantId::parse(TENANT).expect("legal");
    let subject = SubjectId::parse(person.subject.as_str()).expect("legal");
    let mut accepted = 0;
    for n in 0..CHALLENGES / PEOPLE {
        let session = SessionId::parse(format!("s{n}")).expect("legal");
        let begun = engines[n % 2].begin_authentication(&tenant, Some(&subject), &session, None).await;
        let begun = begun.expect("it begins");
        let credential_json = person.authenticator.authenticate(&begun.options_json).expect("an answer");
        let ceremony = CeremonyId::parse(begun.id.as_str()).expect("legal");
        let finish = |engine: usize| {
            let assertion =
                AssertionResponse { ceremony: ceremony.clone(), credential_json: credential_json.clone() };
            engines[engine].finish_authentication(&tenant, &session, assertion)
        };
        let (one, other) = tokio::join!(finish(0), finish(1));
        for refused in [one.as_ref().err(), other.as_ref().err()].into_iter().flatten() {
            assert_eq!(*refused, EngineError::CeremonyUnknown);
        }
        assert!(one.is_ok() != other.is_ok(), "accepted by both or by neither");
        accepted += 1;
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn no_challenge_is_accepted_twice() {
    let redis = RedisServer::start().await.expect("redis starts");
    let (deployment, worlds) = two(&redis).await;
    let door = Door::in_process(&worlds[0]);
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        let person = deployment.person(&format!("clinician-{n}"));
        door.register(&person).await;
        people.push(person);
    }
    let begun = Instant::now();
    let engines = [worlds[0].engine.clone(), worlds[1].engine.clone()];
    let tasks = people.into_iter().map(|person| tokio::spawn(answers(person, engines.clone())));
    let accepted: usize = join_all(tasks).await.into_iter().map(|task| task.expect("it ends")).sum();
    println!("races: {accepted} challenges, each answered at two replicas at once, in {:?}", begun.elapsed());
    assert_eq!(accepted, CHALLENGES);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_nonce_one_session_and_one_request_at_two_replicas() {
    let redis = RedisServer::start().await.expect("redis starts");
    let (deployment, worlds) = two(&redis).await;
    let doors = [Door::in_process(&worlds[0]), Door::in_process(&worlds[1])];
    let person = deployment.person("alice");
    doors[0].register(&person).await;
    let mut given = Vec::new();
    for n in 0..100 {
        let session = format!("s{}", n / 10);
        let nonce = doors[0].nonce(&session).await;
        let mut question = person.asks(&session);
        question.claims = vec![claim(&worlds[0], ClaimKind::Password, Duration::from_secs(5))];
        question.telemetry = Some(typed(&own(n), &nonce));
        let second = format!("second-{n}");
        // Two requests under one nonce: one alone is told that it is fresh.
        let (one, other) = tokio::join!(doors[0].ask(question.clone()), doors[1].ask_as(&second, question));
        let seen = [one, other].map(|answer| {
            let decision = answer.expect("a decision");
            let seen = Seen::from(&decision);
            given.push(decision);
            seen
        });
        assert_eq!(seen.iter().filter(|s| s.says(ReasonCode::NonceReused)).count(), 1, "{seen:?}");
        // One request, sent to both: one decision.
        let mut question = person.asks(&session);
        question.claims = vec![claim(&worlds[0], ClaimKind::Password, Duration::from_secs(5))];
        let request = format!("twice-{n}");
        let (one, other) =
            tokio::join!(doors[0].ask_as(&request, question.clone()), doors[1].ask_as(&request, question));
        let (one, other) = (one.expect("a decision"), other.expect("a decision"));
        assert_eq!(one, other);
        assert_ne!(Seen::from(&one).outcome, Outcome::Deny);
        given.push(one);
    }
    log::holds(&worlds[0], &given).await;
    log::replayed(&worlds[0]).await;
}
