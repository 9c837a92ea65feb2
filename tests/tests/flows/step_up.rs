//! A STEP_UP is answered once.

use futures::future::join_all;
use keyward_api::v1;
use keyward_domain::{Outcome, ReasonCode};
use keyward_tests::person::{own, somebody_elses, typed};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place, log};
use tonic::Code;

/// The answer to a decision's challenge.
fn answer(person: &Person, decision: &v1::Decision) -> v1::PasskeyAssertion {
    let step_up = decision.step_up.as_ref().expect("a step-up");
    let credential_json =
        person.authenticator.authenticate(&step_up.options_json).expect("the authenticator answers");
    v1::PasskeyAssertion { ceremony_id: step_up.ceremony_id.clone(), credential_json }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_answers_at_once_open_the_challenge_once() {
    Place::each(async |place| {
        let person = place.clinician("alice").await;
        let asked = place.door.password_login(&place.world, &person, "s", &own(1)).await;
        let assertion = answer(&person, &asked);
        let racing = (0..50).map(|_| place.door.complete_with(&person, "s", assertion.clone(), None));
        let mut given = Vec::new();
        for answer in join_all(racing).await {
            match answer {
                Ok(decision) => given.push(decision),
                refused => {
                    assert_eq!(refusal(refused), (Code::FailedPrecondition, "CEREMONY_UNKNOWN".to_owned()));
                }
            }
        }
        assert!(!given.is_empty() && given.iter().all(|decision| *decision == given[0]), "{given:?}");
        assert_eq!(Seen::from(&given[0]).outcome, Outcome::Allow);
        let logged = log::decisions(&place.world).await;
        let stepped_up: Vec<_> =
            logged.iter().filter(|(_, _, it)| it.request.as_str().starts_with("step-up:")).collect();
        assert_eq!(stepped_up.len(), 1, "one verification counts");

        let again = place.door.complete_with(&person, "s", assertion, None).await.expect("the same decision");
        assert!(again == given[0]);
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_of_one_person_and_one_session() {
    let place = Place::open().await;
    let (alice, bob) = (place.clinician("alice").await, place.clinician("bob").await);
    let unknown = (Code::FailedPrecondition, "CEREMONY_UNKNOWN".to_owned());

    let asked = place.door.password_login(&place.world, &alice, "s", &own(1)).await;
    let elsewhere = place.door.complete_with(&alice, "t", answer(&alice, &asked), None).await;
    assert_eq!(refusal(elsewhere), unknown);
    let late = place.door.complete_with(&alice, "s", answer(&alice, &asked), None).await;
    assert_eq!(refusal(late), unknown, "it opened for the wrong session and is gone");

    let asked = place.door.password_login(&place.world, &alice, "s", &own(2)).await;
    let other_person = place.door.complete_with(&bob, "s", answer(&alice, &asked), None).await;
    assert_eq!(refusal(other_person), unknown);

    let asked = place.door.password_login(&place.world, &alice, "s", &own(3)).await;
    place.world.clock.advance(std::time::Duration::from_mins(6));
    let expired = place.door.complete_with(&alice, "s", answer(&alice, &asked), None).await;
    assert_eq!(refusal(expired), unknown);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_verify_is_a_decision_and_not_an_error() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let asked = place.door.password_login(&place.world, &person, "s", &own(1)).await;
    let mut assertion = answer(&person, &asked);
    let other = place.door.password_login(&place.world, &person, "t", &own(2)).await;
    assertion.credential_json = answer(&person, &other).credential_json;
    let decision = place.door.complete_with(&person, "s", assertion, None).await.expect("a decision");
    let seen = Seen::from(&decision);
    assert_eq!(seen.outcome, Outcome::StepUp);
    assert!(seen.says(ReasonCode::PasskeyRejected) && seen.challenge, "{seen:?}");
    let next = place.door.complete(&person, "s", decision.step_up.as_ref().expect("a step-up"), None).await;
    assert_eq!(Seen::from(&next.expect("a decision")).outcome, Outcome::Allow);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_made_for_other_telemetry_counts_as_none_and_teaches_nothing() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let (a, b) = (own(1), somebody_elses(1));
    let sent = typed(&b, &place.door.nonce("s").await);
    let bound = v1::Telemetry { nonce: sent.nonce.clone(), ..typed(&a, "") };
    let mut question = person.asks("s");
    question.assertion = Some(place.door.show(&person, "s", Some(&bound)).await);
    question.telemetry = Some(sent);
    let seen = Seen::from(&place.door.ask(question).await.expect("a decision"));
    assert_eq!(seen.outcome, Outcome::StepUp);
    assert!(
        seen.says(ReasonCode::PasskeyTelemetryMismatch) && !seen.says(ReasonCode::PasskeyVerified),
        "{seen:?}"
    );
    place.world.engine.learned().await;
    assert_eq!(place.door.status(&person).await, []);
    place.door.close().await;
}
