//! Assess is idempotent by its request id; GetRisk looks at what a session has.

use std::time::Duration;

use futures::future::join_all;
use keyward_api::v1;
use keyward_domain::ClaimKind;
use keyward_tests::door::claim;
use keyward_tests::person::{TENANT, own, typed};
use keyward_tests::place::refusal;
use keyward_tests::{Person, Place, log};
use tonic::Code;

/// A login with password, typing and passkey.
async fn login(place: &Place, person: &Person, session: &str) -> v1::Assessment {
    let telemetry = typed(&own(1), &place.door.nonce(session).await);
    let mut question = person.asks(session);
    question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(5))];
    question.assertion = Some(place.door.show(person, session, Some(&telemetry)).await);
    question.telemetry = Some(telemetry);
    question
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_asked_again_gets_the_same_answer() {
    Place::each(async |place| {
        let person = place.clinician("alice").await;
        let question = login(&place, &person, "s").await;
        let first = place.door.ask_as("r", question.clone()).await.expect("a decision");
        assert!(!first.token.is_empty() && first.audit_index.is_some());
        place.world.clock.advance(Duration::from_mins(1));
        for _ in 0..3 {
            let again = place.door.ask_as("r", question.clone()).await.expect("a decision");
            assert!(again == first, "token, index and all: {again:?} {first:?}");
        }
        let asked =
            log::decisions(&place.world).await.into_iter().filter(|(_, _, it)| it.request.as_str() == "r");
        assert_eq!(asked.count(), 1);

        let mut other = question;
        other.client.as_mut().expect("a client").recent_failures = 1;
        let refused = refusal(place.door.ask_as("r", other).await);
        assert_eq!(refused, (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_asked_twice_at_once_gets_one_answer() {
    Place::each(async |place| {
        let person = place.clinician("alice").await;
        for round in 0..10 {
            let session = format!("s{round}");
            let question = login(&place, &person, &session).await;
            let request = format!("r{round}");
            let answers = join_all((0..4).map(|_| place.door.ask_as(&request, question.clone()))).await;
            let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("a decision")).collect();
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        }
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_looked_at() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let look = |session: &str| v1::GetRiskRequest {
        tenant: TENANT.to_owned(),
        subject: person.subject.clone(),
        session: session.to_owned(),
    };
    let unknown = place.door.decisions().get_risk(look("never")).await;
    assert_eq!(refusal(unknown), (Code::NotFound, "NOT_FOUND".to_owned()));

    let question = login(&place, &person, "s").await;
    let decision = place.door.ask(question).await.expect("a decision");
    let logged = log::rows(&place.world).await.len();
    let risk = place.door.decisions().get_risk(look("s")).await.expect("a risk").into_inner();
    assert_eq!((risk.decision_id, risk.outcome), (decision.id, decision.outcome));
    assert_eq!((risk.risk, risk.assurance), (decision.risk, decision.assurance));
    assert_eq!(log::rows(&place.world).await.len(), logged, "looking decides nothing");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_session_at_once_are_decided_one_after_another() {
    Place::each(async |place| {
        let person = place.clinician("alice").await;
        let mut question = person.asks("s");
        question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(5))];
        let answers = join_all((0..6).map(|_| place.door.ask(question.clone()))).await;
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("a decision")).collect();
        log::holds(&place.world, &answers).await;
        log::replayed(&place.world).await;
        place.door.close().await;
    })
    .await;
}
