//! Wrapping keys that are missing or rotated, and rows that are damaged.

use std::time::Duration;

use keyward_api::v1;
use keyward_domain::{ActionKind, ClaimKind, Outcome, ReasonCode, Sensitivity, SubjectKey};
use keyward_engine::{EngineError, Rewrapping};
use keyward_seal::KeyRing;
use keyward_tests::door::claim;
use keyward_tests::person::{TENANT, action, own, subject, typed};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Person, Place, World, log};
use tonic::Code;

/// The name of the profile that logins at the usual place train.
const PROFILE: &str = "keystroke/personal/password";

async fn restarted(place: Place) -> Place {
    let Place { deployment, world, door, .. } = place;
    door.close().await;
    world.stop().await;
    opened(deployment).await
}

async fn opened(deployment: Deployment) -> Place {
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::on_the_wire(&world).await;
    Place::from_parts(deployment, world, door)
}

async fn rewrap(world: &World) -> Rewrapping {
    let mut so_far = Rewrapping::default();
    while !so_far.done {
        so_far = world.engine.rewrap_page(&so_far).await.expect("a page");
    }
    so_far
}

/// Wraps everything anew and drops the old key, as `keyward keys` does: unless somebody needs it. A newcomer's key may be
/// on its way into the store meanwhile; then the key comes back, and false comes out.
async fn retired(place: &Place) -> bool {
    assert_eq!(rewrap(&place.world).await.stuck, 0);
    let usage = place.world.engine.key_usage().await.expect("it counts");
    assert_eq!(usage.damaged, 0);
    if usage.old() > 0 {
        return false;
    }
    let before = place.deployment.ring();
    let oldest = usage.has.last().expect("a key").0.parse().expect("a number");
    place.deployment.change_ring(|ring| ring.without(oldest).expect("it is old"));
    let late = place.world.engine.key_usage().await.expect("it counts").untold().count() > 0;
    if late {
        place.deployment.change_ring(|_| before);
    }
    !late
}

/// Sets a wrapped key, whatever is there.
async fn set_wrapped(world: &World, who: &SubjectKey, wrapped: Vec<u8>) {
    let there = world.store.subject(who).await.expect("it reads").expect("a row").wrapped_key;
    world.store.replace_wrapped_key(who, &there, wrapped).await.expect("it is replaced");
}

/// She asks with everything that usually lets her in: password, typing, a fresh passkey.
async fn asks(world: &World, door: &Door, person: &Person, session: &str) -> Seen {
    Seen::from(&door.proven_login(world, person, session, 3).await)
}

/// Nobody of theirs gets in, the others do, and everything is as it was once the key is.
async fn held_until_mended(place: &Place, person: &Person, cause: &str, bad: Vec<u8>) {
    let who = subject(person);
    let bob = place.clinician("bob").await;
    let good = place.world.store.subject(&who).await.expect("it reads").expect("a row");
    set_wrapped(&place.world, &who, bad.clone()).await;
    // What this engine has cached of her runs out within a minute.
    let again = opened_again(place).await;
    let door = &again.door;

    let mut question = person.asks("s");
    question.claims = vec![claim(&again.world, ClaimKind::Password, Duration::from_secs(5))];
    question.assertion = Some(door.show(person, "s", None).await);
    let decision = door.ask(question).await.expect("a decision");
    let seen = Seen::from(&decision);
    assert_eq!(seen.outcome, Outcome::Deny, "{seen:?}");
    assert!(seen.says(ReasonCode::KeyUnavailable) && !seen.token && !seen.recorded, "{seen:?}");
    let why = decision.reasons.iter().find(|r| r.code() == v1::ReasonCode::KeyUnavailable);
    assert_eq!(why.and_then(|reason| reason.metadata.get("cause")).map(String::as_str), Some(cause));
    let status = v1::GetProfileStatusRequest { tenant: TENANT.to_owned(), subject: person.subject.clone() };
    let refused = refusal(door.profiles().get_profile_status(status).await);
    assert_eq!(refused, (Code::Unavailable, "KEY_UNAVAILABLE".to_owned()));
    assert_eq!(
        asks(&again.world, door, &bob, "bobs").await.outcome,
        Outcome::Allow,
        "others are none the wiser"
    );
    let there = again.world.store.subject(&who).await.expect("it reads").expect("a row");
    assert_eq!(there.wrapped_key, bad, "no key is made in its place");

    set_wrapped(&again.world, &who, good.wrapped_key).await;
    let mended = asks(&again.world, door, person, "mended").await;
    assert_eq!(mended.outcome, Outcome::Allow);
    assert!(mended.says(ReasonCode::TypingMatches), "her profile is as it was: {mended:?}");
    assert!(!mended.says(ReasonCode::DeviceNew), "{mended:?}");
    again.door.close().await;
}

/// A second engine on the same deployment, with nothing cached.
async fn opened_again(place: &Place) -> Again {
    let world = place.deployment.start(Hot::InProcess).await;
    let door = Door::on_the_wire(&world).await;
    Again { world, door }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_without_the_old_key_stops_whom_it_wrapped_and_nobody_else() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let who = subject(&person);
    let old = place.world.store.subject(&who).await.expect("it reads").expect("a row").wrapped_key;
    place.deployment.change_ring(|ring| ring.rotated(&keyward_tests::world::Random));
    let done = rewrap(&place.world).await;
    assert_eq!((done.rewrapped, done.stuck), (done.seen, 0));
    place.deployment.change_ring(|ring| ring.without(1).expect("it is old"));
    held_until_mended(&place, &person, "missing_key", old).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_wrapped_key_stops_its_person_and_nobody_else() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let mut damaged =
        place.world.store.subject(&subject(&person)).await.expect("it reads").expect("a row").wrapped_key;
    *damaged.last_mut().expect("65 bytes") ^= 1;
    held_until_mended(&place, &person, "damaged", damaged).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_ring_does_not_start() {
    let place = Place::open().await;
    let Place { deployment, world, door, .. } = place;
    door.close().await;
    world.stop().await;
    let right = deployment.ring();
    let random = &keyward_tests::world::Random;
    // Another deployment's ring, and one whose old key was dropped too early.
    let too_early = right.rotated(random).without(1).expect("it is old");
    for (ring, cause) in [(KeyRing::generate(random), "damaged"), (too_early, "missing_key")] {
        deployment.change_ring(|_| ring);
        let refused = deployment.try_start(Hot::InProcess).await.err();
        assert_eq!(refused, Some(EngineError::KeyUnavailable { cause }));
    }
    deployment.change_ring(|_| right);
    let place = opened(deployment).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_beside_running_servers_and_nobody_notices() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let people: Vec<Person> = {
        let mut people = Vec::new();
        for n in 0..30 {
            people.push(place.clinician(&format!("person-{n}")).await);
        }
        people
    };
    let other = opened_again(&place).await;
    let random = &keyward_tests::world::Random;
    let rotating = async {
        for round in 0..3 {
            place.deployment.change_ring(|ring| ring.rotated(random));
            let mut passes = 0;
            while !retired(&place).await {
                passes += 1;
                assert!(passes < 20, "round {round}: there is always one more that needs the old key");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let asking = async {
        for n in 0..60 {
            // New people come while keys change; the other engine has nobody cached.
            let newcomer = place.deployment.person(&format!("newcomer-{n}"));
            for (door, world, who) in [
                (&place.door, &place.world, &people[n % people.len()]),
                (&other.door, &other.world, &people[(n * 7) % people.len()]),
                (&other.door, &other.world, &newcomer),
            ] {
                let mut question = who.asks(&format!("rotating-{n}"));
                question.action = Some(action(ActionKind::Read, Sensitivity::Routine));
                question.claims = vec![claim(world, ClaimKind::Password, Duration::from_secs(5))];
                let seen = Seen::from(&door.ask(question).await.expect("a decision"));
                assert_eq!(seen.outcome, Outcome::Allow, "{seen:?}");
            }
        }
    };
    tokio::join!(rotating, asking);
    let usage = other.world.engine.key_usage().await.expect("it counts");
    assert_eq!(usage.untold().count(), 0, "{usage:?}");
    assert_eq!(usage.needed.values().sum::<u64>(), 1 + 1 + 1 + 30 + 60, "deployment, tenant, everybody");
    let place = restarted(place).await;
    let seen = asks(&place.world, &place.door, &person, "afterwards").await;
    assert!(seen.outcome == Outcome::Allow && seen.says(ReasonCode::TypingMatches), "{seen:?}");
    log::replayed(&place.world).await;
    other.door.close().await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrapping_anew_is_taken_up_where_it_was_interrupted() {
    let place = Place::open().await;
    for n in 0..12 {
        place.door.ask(Person::new(&format!("p{n}")).asks("s")).await.expect("a decision");
    }
    place.deployment.change_ring(|ring| ring.rotated(&keyward_tests::world::Random));
    let first = place.world.engine.rewrap_page(&Rewrapping::default()).await.expect("a page");
    assert!(first.rewrapped >= 13 && !first.done);
    // Interrupted here, and begun from the beginning by another process.
    let again = rewrap(&place.world).await;
    assert_eq!((again.rewrapped, again.stuck), (0, 0));
    let usage = place.world.engine.key_usage().await.expect("it counts");
    assert_eq!((usage.old(), usage.needed.len()), (0, 1));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_profile_asks_for_a_passkey_and_is_mended_by_the_next_proven_login() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let who = subject(&person);
    let there = place.world.store.document(&who, PROFILE).await.expect("it reads").expect("a profile");
    let mut damaged = there.sealed;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let at = place.world.clock().now();
    place.world.store.put_document(&who, PROFILE, there.version, damaged, at).await.expect("put");
    let place = restarted(place).await;
    let shown = place.door.show(&person, "s", None).await;
    place.door.authenticate("s", shown).await.expect("it verifies");
    place.world.clock.advance(Duration::from_hours(2));
    let chart = async |n| {
        let mut question = person.asks("s");
        question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
        question.telemetry = Some(typed(&own(n), &place.door.nonce("s").await));
        Seen::from(&place.door.ask(question).await.expect("a decision"))
    };
    let without = chart(1).await;
    assert_eq!(without.outcome, Outcome::StepUp, "{without:?}");
    assert!(without.says(ReasonCode::ModelUnavailable), "{without:?}");
    assert_eq!(
        asks(&place.world, &place.door, &person, "proven").await.outcome,
        Outcome::Allow,
        "the passkey opens"
    );
    place.world.engine.learned().await;
    let with = chart(2).await;
    assert_eq!(with.outcome, Outcome::Allow, "{with:?}");
    assert!(with.says(ReasonCode::TypingMatches), "her samples are there still: {with:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_surroundings_are_new_ones_and_no_behaviour_is_looked_at() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let who = subject(&person);
    let there = place.world.store.document(&who, "known").await.expect("it reads").expect("a document");
    let at = place.world.clock().now();
    place.world.store.put_document(&who, "known", there.version, vec![0; 40], at).await.expect("put");
    let place = restarted(place).await;
    let login = place.door.password_login(&place.world, &person, "s", &own(1)).await;
    let seen = Seen::from(&login);
    assert_eq!(seen.outcome, Outcome::StepUp, "{seen:?}");
    // A word against behaviour may have stood there.
    assert!(seen.says(ReasonCode::DeviceNew) && seen.says(ReasonCode::BehaviourOptedOut), "{seen:?}");
    let opened = asks(&place.world, &place.door, &person, "proven").await;
    assert_eq!(opened.outcome, Outcome::Allow, "{opened:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_was_erased_and_comes_back_is_somebody_new() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let who = subject(&person);
    for round in 0..10_u64 {
        // A lesson is under way when the erasure comes.
        place.door.proven_login(&place.world, &person, &format!("s{round}"), round).await;
        place.world.engine.erase_subject(&who).await.expect("erased");
        place.world.engine.learned().await;
        assert_eq!(
            place.world.store.subject(&who).await,
            Ok(None),
            "round {round}: no lesson brings her back"
        );
        assert_eq!(place.world.store.document_names(&who).await, Ok(vec![]), "round {round}");
        assert_eq!(place.stored_samples(&person).await, 0, "round {round}");
        place.door.register(&person).await;
    }
    let seen = asks(&place.world, &place.door, &person, "again").await;
    assert_eq!(seen.outcome, Outcome::Allow);
    assert!(seen.says(ReasonCode::DeviceNew) && !seen.says(ReasonCode::TypingMatches), "{seen:?}");
    assert!(!seen.says(ReasonCode::ModelUnavailable), "nothing of the old key is left: {seen:?}");
    place.door.close().await;
}

/// A second engine with a door.
struct Again {
    world: World,
    door: Door,
}
