//! The durable store refuses, or time is up.

use std::time::{Duration, Instant};

use futures::future::join_all;
use keyward_api::v1;
use keyward_domain::{ActionKind, ClaimKind, Outcome, ReasonCode, Sensitivity};
use keyward_tests::door::claim;
use keyward_tests::person::{action, own, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Person, Place, World, log};
use tonic::Code;
use tonic_types::StatusExt as _;

fn schedule(world: &World, person: &Person, session: &str) -> v1::Assessment {
    let mut question = person.asks(session);
    question.action = Some(action(ActionKind::Read, Sensitivity::Routine));
    question.claims = vec![claim(world, ClaimKind::Password, Duration::from_secs(5))];
    question
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_comes_and_goes_never_lets_an_unrecorded_allow_out() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let (mut given, mut refused) = (Vec::new(), 0);
    for round in 0..12 {
        let asked = (0..8).map(|n| place.door.ask(schedule(&place.world, &person, &format!("s{round}-{n}"))));
        let switching = async {
            place.world.faults.append(round % 3 != 0);
            tokio::time::sleep(Duration::from_millis(2)).await;
            place.world.faults.append(round % 3 == 1);
        };
        let (answers, ()) = tokio::join!(join_all(asked), switching);
        for answer in answers {
            let decision = answer.expect("a decision");
            let seen = Seen::from(&decision);
            assert_eq!(seen.recorded, seen.outcome == Outcome::Allow, "{seen:?}");
            assert_eq!(seen.token, seen.outcome == Outcome::Allow, "{seen:?}");
            if seen.outcome != Outcome::Allow {
                assert!(seen.outcome == Outcome::Deny && seen.says(ReasonCode::AuditUnavailable), "{seen:?}");
                refused += 1;
            }
            given.push(decision);
        }
    }
    place.world.faults.none();
    assert!(refused >= 8 && refused < given.len(), "{refused} of {}", given.len());
    log::holds(&place.world, &given).await;
    let again = place.door.ask(schedule(&place.world, &person, "afterwards")).await.expect("a decision");
    assert_eq!(Seen::from(&again).outcome, Outcome::Allow);
    log::replayed(&place.world).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_do_without_a_store_says_which() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let asked = place.door.password_login(&place.world, &person, "s", &own(1)).await;
    let step_up = asked.step_up.as_ref().expect("a step-up");
    place.world.faults.hot(true);
    let status = place.door.complete(&person, "s", step_up, None).await.expect_err("must be refused");
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str()), (Code::Unavailable, "STORE_UNAVAILABLE"));
    assert_eq!(info.metadata.get("store").map(String::as_str), Some("hot"));
    place.world.faults.none();
    let decision =
        place.door.complete(&person, "s", step_up, None).await.expect("the challenge is as it was");
    assert_eq!(Seen::from(&decision).outcome, Outcome::Allow);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_of_a_millisecond_is_an_answer_or_an_error_at_once() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let mut answered = 0;
    for n in 0..20 {
        let session = format!("s{n}");
        let mut question = person.asks(&session);
        question.telemetry = Some(typed(&own(n), &place.door.nonce(&session).await));
        let begun = Instant::now();
        let answer = place.door.ask_within(Duration::from_millis(1), question).await;
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        match answer {
            Ok(_) => answered += 1,
            // The client's own timer says CANCELLED when it is faster than the server's answer.
            Err(status) => {
                assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
            }
        }
    }
    println!("a deadline of 1 ms: {answered} of 20 answered");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_cannot_be_read_asks_for_a_passkey_and_says_so() {
    let deployment = Deployment::new();
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::on_the_wire(&world).await;
    let place = Place::from_parts(deployment, world, door);
    let person = place.well_known_clinician("alice").await;
    let Place { deployment, world, door, .. } = place;
    door.close().await;
    world.stop().await;

    // A new engine has nothing cached.
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::on_the_wire(&world).await;
    world.faults.profiles(true);
    let assertion = door.show(&person, "s", None).await;
    door.authenticate("s", assertion).await.expect("it verifies");
    world.clock.advance(Duration::from_hours(2));
    let chart = async |n| {
        let mut question = person.asks("s");
        question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
        question.telemetry = Some(typed(&own(n), &door.nonce("s").await));
        Seen::from(&door.ask(question).await.expect("a decision"))
    };
    let without = chart(1).await;
    assert_eq!(without.outcome, Outcome::StepUp, "{without:?}");
    assert!(without.says(ReasonCode::ModelUnavailable), "{without:?}");
    world.faults.none();
    let with = chart(2).await;
    assert_eq!(with.outcome, Outcome::Allow, "{with:?}");
    log::replayed(&world).await;
    door.close().await;
}
