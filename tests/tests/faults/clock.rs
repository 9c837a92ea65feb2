//! The clock steps.

use std::time::Duration;

use keyward_api::v1;
use keyward_domain::{ActionKind, ClaimKind, Outcome, ReasonCode, Sensitivity, Timestamp};
use keyward_tests::door::claim;
use keyward_tests::person::{action, own, typed};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place, log};
use tonic::Code;

const HOUR: Duration = Duration::from_hours(1);

async fn chart(place: &Place, person: &Person, session: &str) -> Seen {
    let mut question = person.asks(session);
    question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
    Seen::from(&place.door.ask(question).await.expect("a decision"))
}

fn login(place: &Place, person: &Person, session: &str, nonce: &str, n: u64) -> v1::Assessment {
    let mut question = person.asks(session);
    question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(5))];
    question.telemetry = Some(typed(&own(n), nonce));
    question
}

fn step_back(place: &Place) {
    let now = place.world.clock().now().micros;
    let hour = i64::try_from(HOUR.as_micros()).expect("fits");
    place.world.clock.set(Timestamp { micros: now - hour });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_forward_and_an_hour_back_make_answers_stricter_and_never_laxer() {
    for place in [Place::open().await, Place::with_redis(Duration::from_secs(2)).await] {
        let person = place.well_known_clinician("alice").await;
        let assertion = place.door.show(&person, "s", None).await;
        place.door.authenticate("s", assertion).await.expect("it verifies");
        assert_eq!(chart(&place, &person, "s").await.outcome, Outcome::Allow);
        let (nonce, open) = (place.door.nonce("login").await, place.door.show(&person, "open", None).await);

        // Forward: what was open has run out.
        place.world.clock.advance(HOUR);
        let seen = place.door.ask(login(&place, &person, "login", &nonce, 1)).await.expect("a decision");
        let seen = Seen::from(&seen);
        assert!(seen.outcome == Outcome::StepUp && seen.says(ReasonCode::NonceStale), "{seen:?}");
        let refused = refusal(place.door.authenticate("open", open).await);
        assert_eq!(refused, (Code::FailedPrecondition, "CEREMONY_UNKNOWN".to_owned()));
        let assertion = place.door.show(&person, "later", None).await;
        place.door.authenticate("later", assertion).await.expect("it verifies");
        let later = place.door.nonce("login").await;

        // Back: what was proven ahead of now does not count, for it would not age.
        step_back(&place);
        let seen = chart(&place, &person, "later").await;
        assert!(seen.outcome == Outcome::StepUp && !seen.says(ReasonCode::PasskeyVerified), "{seen:?}");
        let seen = place.door.ask(login(&place, &person, "login", &later, 2)).await.expect("a decision");
        let seen = Seen::from(&seen);
        assert!(seen.outcome == Outcome::StepUp && seen.says(ReasonCode::NonceStale), "{seen:?}");
        assert_eq!(
            chart(&place, &person, "s").await.outcome,
            Outcome::Allow,
            "what was proven before counts"
        );
        // And a new proof puts things right.
        let assertion = place.door.show(&person, "later", None).await;
        place.door.authenticate("later", assertion).await.expect("it verifies");
        assert_eq!(chart(&place, &person, "later").await.outcome, Outcome::Allow);
        log::replayed(&place.world).await;
        place.door.close().await;
    }
}
