//! Journeys that cannot have been made, between places that the caller tells.

use std::time::Duration;

use keyward_api::v1;
use keyward_domain::{ActionKind, Outcome, ReasonCode, Sensitivity};
use keyward_tests::person::action;
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place};

use super::export::export;

const VIENNA: v1::CoarseLocation = there(482, 164);
const GRAZ: v1::CoarseLocation = there(471, 154);
const BOSTON: v1::CoarseLocation = there(424, -711);

const fn there(latitude_tenths: i32, longitude_tenths: i32) -> v1::CoarseLocation {
    v1::CoarseLocation { latitude_tenths, longitude_tenths, uncertainty_km: 20 }
}

fn question(person: &Person, session: &str, location: Option<v1::CoarseLocation>) -> v1::Assessment {
    let mut question = person.asks(session);
    question.client.as_mut().expect("a client").location = location;
    question
}

/// A session begins with the passkey there, and goes on ten minutes later.
async fn proven(place: &Place, person: &Person, session: &str, location: Option<v1::CoarseLocation>) {
    let mut question = question(person, session, location);
    question.assertion = Some(place.door.show(person, session, None).await);
    assert_eq!(Seen::from(&place.door.ask(question).await.expect("a decision")).outcome, Outcome::Allow);
    place.world.engine.learned().await;
    place.world.clock.advance(Duration::from_mins(10));
}

/// A chart is opened from there.
async fn chart(
    place: &Place,
    person: &Person,
    session: &str,
    location: Option<v1::CoarseLocation>,
) -> v1::Decision {
    let mut question = question(person, session, location);
    question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
    place.door.ask(question).await.expect("a decision")
}

/// Whether the journey there is held against her.
async fn asked(place: &Place, person: &Person, session: &str, location: Option<v1::CoarseLocation>) -> bool {
    let seen = Seen::from(&chart(place, person, session, location).await);
    let said = seen.says(ReasonCode::TravelImpossible);
    assert_eq!(seen.outcome, if said { Outcome::StepUp } else { Outcome::Allow }, "{seen:?}");
    assert_eq!(seen.policies.contains(&"objection.travel-impossible".to_owned()), said, "{seen:?}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_have_come_so_far_shows_the_passkey_there() {
    Place::each(async |place| {
        let person = place.clinician("alice").await;
        assert!(!asked(&place, &person, "first-session-of-alice", Some(BOSTON)).await, "from nowhere known");
        proven(&place, &person, "s", Some(VIENNA)).await;
        for near in [None, Some(VIENNA), Some(GRAZ)] {
            assert!(!asked(&place, &person, "s", near).await, "{near:?}");
        }
        let decision = chart(&place, &person, "s", Some(BOSTON)).await;
        assert!(Seen::from(&decision).says(ReasonCode::TravelImpossible), "{decision:?}");
        // Nothing that nobody proved moves her.
        assert!(!asked(&place, &person, "s", Some(VIENNA)).await);
        let step_up = decision.step_up.as_ref().expect("a challenge");
        let answered = place.door.complete(&person, "s", step_up, None).await.expect("it verifies");
        assert_eq!(Seen::from(&answered).outcome, Outcome::Allow, "her passkey was there");
        place.world.engine.learned().await;
        place.world.clock.advance(Duration::from_mins(10));
        assert!(!asked(&place, &person, "s", Some(BOSTON)).await, "that is where she is now");
        assert!(asked(&place, &person, "s", Some(VIENNA)).await);
        place.world.clock.advance(Duration::from_hours(7));
        assert!(!asked(&place, &person, "s", Some(VIENNA)).await, "there is a flight");
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_place_is_given_out_and_none_is_kept_of_one_who_opted_out() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    assert!(export(&place, &person).await["last_place"].is_null());
    proven(&place, &person, "s", Some(BOSTON)).await;
    proven(&place, &person, "t", Some(VIENNA)).await;
    let document = export(&place, &person).await;
    let last = &document["last_place"];
    assert_eq!((&last["latitude"], &last["longitude"]), (&48.2.into(), &16.4.into()), "{last}");
    assert!(!document.to_string().contains("-71.1"), "one place and no other");

    place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
    assert!(export(&place, &person).await["last_place"].is_null());
    assert!(!asked(&place, &person, "t", Some(BOSTON)).await);
    proven(&place, &person, "u", Some(VIENNA)).await;
    assert!(export(&place, &person).await["last_place"].is_null());
    place.door.close().await;
}
