//! Opting out of behaviour, and in again.

use keyward_api::v1;
use keyward_domain::{Outcome, ReasonCode};
use keyward_engine::EngineError;
use keyward_tests::person::{history, own, subject, typed};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place};
use tonic::Code;

async fn status(place: &Place, person: &Person) -> v1::GetProfileStatusResponse {
    let (tenant, subject) = (keyward_tests::person::TENANT.to_owned(), person.subject.clone());
    let request = v1::GetProfileStatusRequest { tenant, subject };
    place.door.profiles().get_profile_status(request).await.expect("a status").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_is_gone_and_nothing_is_learned_any_more() {
    Place::each(async |place| {
        let person = place.well_known_clinician("alice").await;
        let before = status(&place, &person).await;
        assert_eq!(before.profiles.len(), 1);
        assert_eq!(before.behaviour_consent(), v1::BehaviourConsent::OptedIn);
        assert_eq!(before.behaviour_consent_since, None, "she has said nothing yet");

        let set = place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
        assert_eq!((set.consent(), set.erased_profiles), (v1::BehaviourConsent::OptedOut, 1));
        for n in 1..5 {
            let decision = place.door.proven_login(&place.world, &person, &format!("s{n}"), n).await;
            let seen = Seen::from(&decision);
            assert_eq!(seen.outcome, Outcome::Allow);
            assert!(seen.says(ReasonCode::BehaviourOptedOut), "{seen:?}");
            assert!(decision.signals.iter().all(|signal| signal.samples == 0), "no model was asked");
        }
        place.world.engine.learned().await;
        let after = status(&place, &person).await;
        assert_eq!((after.profiles.len(), after.behaviour_consent()), (0, v1::BehaviourConsent::OptedOut));
        assert_eq!(after.behaviour_consent_since, set.since);
        assert_eq!(place.stored_samples(&person).await, 0);

        let request = v1::ImportSamplesRequest {
            tenant: keyward_tests::person::TENANT.to_owned(),
            subject: person.subject.clone(),
            device_class: 1,
            samples: history(3).iter().map(keyward_api::convert::keystrokes_to_wire).collect(),
        };
        let refused = refusal(place.door.profiles().import_samples(request).await);
        assert_eq!(refused, (Code::FailedPrecondition, "BEHAVIOUR_OPTED_OUT".to_owned()));

        let again = place.door.consent(&person, v1::BehaviourConsent::OptedIn).await;
        assert_eq!((again.consent(), again.erased_profiles), (v1::BehaviourConsent::OptedIn, 0));
        place.door.proven_login(&place.world, &person, "afterwards", 9).await;
        place.world.engine.learned().await;
        let learned = status(&place, &person).await;
        assert_eq!(learned.profiles.first().map(|profile| profile.samples), Some(1), "it begins anew");
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lesson_that_waits_is_not_learned_after_the_word() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    // Handed to the learner and not waited for: the word may come before, amid or after each of them.
    for round in 0..20_u64 {
        let session = format!("s{round}");
        place.door.proven_login(&place.world, &person, &session, round).await;
        place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
        place.world.engine.learned().await;
        assert_eq!(place.stored_samples(&person).await, 0, "round {round}");
        assert_eq!(status(&place, &person).await.profiles, []);
        place.door.consent(&person, v1::BehaviourConsent::OptedIn).await;
    }
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_challenge_keeps_no_typing_of_one_who_opted_out() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
    let open = place.door.password_login(&place.world, &person, "s", &own(2)).await;
    let step_up = open.step_up.as_ref().expect("the passkey is asked for");
    let decision = place.door.complete(&person, "s", step_up, None).await.expect("it verifies");
    let seen = Seen::from(&decision);
    assert!(seen.outcome == Outcome::Allow && seen.says(ReasonCode::BehaviourOptedOut), "{seen:?}");
    // She opts in again between a challenge and its answer: what was withheld is not there to be learned.
    let open = place.door.password_login(&place.world, &person, "t", &own(3)).await;
    place.door.consent(&person, v1::BehaviourConsent::OptedIn).await;
    let step_up = open.step_up.as_ref().expect("the passkey is asked for");
    place.door.complete(&person, "t", step_up, None).await.expect("it verifies");
    place.world.engine.learned().await;
    assert_eq!(place.stored_samples(&person).await, 0);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_survives_a_restart_and_ends_with_the_person() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
    let Place { deployment, world, door, .. } = place;
    door.close().await;
    world.stop().await;
    let world = deployment.start(keyward_tests::Hot::InProcess).await;
    let door = keyward_tests::Door::on_the_wire(&world).await;
    let place = Place::from_parts(deployment, world, door);
    assert_eq!(status(&place, &person).await.behaviour_consent(), v1::BehaviourConsent::OptedOut);
    let who = subject(&person);
    place.world.engine.erase_subject(&who).await.expect("erased");
    assert_eq!(status(&place, &person).await.behaviour_consent(), v1::BehaviourConsent::OptedIn);
    assert_eq!(place.world.engine.behaviour_consent(&who).await, Ok::<_, EngineError>(None));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsaid_word_is_refused() {
    let place = Place::open().await;
    let request = v1::SetBehaviourConsentRequest {
        tenant: keyward_tests::person::TENANT.to_owned(),
        subject: "alice".to_owned(),
        consent: 0,
    };
    let refused = refusal(place.door.profiles().set_behaviour_consent(request).await);
    assert_eq!(refused, (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    // Typing sent for a person without any word is looked at as ever.
    let person = place.clinician("bob").await;
    let nonce = place.door.nonce("s").await;
    let mut question = person.asks("s");
    question.telemetry = Some(typed(&own(1), &nonce));
    assert!(
        Seen::from(&place.door.ask(question).await.expect("a decision")).says(ReasonCode::TypingLearning)
    );
    place.door.close().await;
}
