//! Behaviour that asks in vain again and again is left out for the week, and nothing else is.

use std::time::Duration;

use keyward_api::v1;
use keyward_domain::{ActionKind, ClaimKind, KeyEvents, KeystrokeSample, Outcome, ReasonCode, Sensitivity};
use keyward_tests::door::claim;
use keyward_tests::person::{action, own, somebody_elses, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Person, Place, log};

/// How often behaviour may ask in vain.
const LIMIT: u32 = 3;
/// How often it asks without being answered.
const UNANSWERED: u32 = 3;

/// Reads a chart in a session, typing the password on the way.
async fn chart(place: &Place, person: &Person, session: &str, sample: &KeystrokeSample) -> v1::Decision {
    let mut question = person.asks(session);
    question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
    question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(5))];
    question.telemetry = Some(typed(sample, &place.door.nonce(session).await));
    place.door.ask(question).await.expect("a decision")
}

/// Types more and more like somebody else until the model finds it unusual and not yet different: a narrow band, which
/// chance may step over, so that several sweeps look for it. All texts of a sweep come in one session: alarms are forgotten
/// after a week, which sessions of an hour each would use up.
async fn unusual(place: &Place, person: &Person, round: u32) -> (String, v1::Decision) {
    for sweep in 0..10 {
        // The passkey is more than an hour old, so that unusual typing asks for another one; and what counted as an attempt
        // in the sweep before is forgotten.
        let session = format!("s{round}-{sweep}");
        let assertion = place.door.show(person, &session, None).await;
        place.door.authenticate(&session, assertion).await.expect("it verifies");
        place.world.clock.advance(Duration::from_mins(65));
        for percent in (10..90).step_by(2) {
            let n = u64::from(round) * 1_000 + sweep * 100 + percent;
            let sample = mixed(&own(n), &somebody_elses(n), percent);
            let decision = chart(place, person, &session, &sample).await;
            let seen = Seen::from(&decision);
            if seen.says(ReasonCode::TypingUnusual) {
                return (session, decision);
            }
            if seen.says(ReasonCode::TypingDiffers) {
                break;
            }
        }
    }
    panic!("nothing is unusual in round {round}");
}

/// Answers with a passkey that was not bound to the typing, so that nothing is learned from it: the model of what comes next
/// is the one that asked.
async fn prove(place: &Place, person: &Person, session: &str) -> v1::Decision {
    let mut question = person.asks(session);
    question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
    question.assertion = Some(place.door.show(person, session, None).await);
    place.door.ask(question).await.expect("a decision")
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_typing_that_was_proven_genuine_too_often_asks_no_more_this_week() {
    let mut deployment = Deployment::new();
    deployment.settings.false_alarms_limit = LIMIT;
    let place = Place::open_in(deployment).await;
    let person = place.well_known_clinician("alice").await;
    // What nobody answers counts for nothing, or an impostor could use it up.
    for round in 10..10 + UNANSWERED {
        let (_, unanswered) = unusual(&place, &person, round).await;
        assert_eq!(Seen::from(&unanswered).outcome, Outcome::StepUp, "round {round}");
    }
    for round in 0..LIMIT {
        let (session, decision) = unusual(&place, &person, round).await;
        let seen = Seen::from(&decision);
        assert!(seen.outcome == Outcome::StepUp && !seen.says(ReasonCode::FrictionCapped), "{seen:?}");
        let answered = prove(&place, &person, &session).await;
        assert_eq!(Seen::from(&answered).outcome, Outcome::Allow);
    }
    let (session, decision) = unusual(&place, &person, 50).await;
    let spared = Seen::from(&decision);
    assert!(spared.outcome == Outcome::Allow && spared.says(ReasonCode::FrictionCapped), "{decision:?}");

    // Very unusual typing asks all the same; and while someone fails as her, so does what is merely unusual.
    let seen = Seen::from(&chart(&place, &person, &session, &somebody_elses(5)).await);
    assert!(seen.outcome == Outcome::StepUp && seen.says(ReasonCode::TypingDiffers), "{seen:?}");
    for percent in (10..90).step_by(4) {
        let sample = mixed(&own(700 + percent), &somebody_elses(700 + percent), percent);
        let seen = Seen::from(&chart(&place, &person, &session, &sample).await);
        assert!(!seen.says(ReasonCode::FrictionCapped), "{seen:?}");
        assert!(!seen.says(ReasonCode::TypingUnusual) || seen.outcome == Outcome::StepUp, "{seen:?}");
    }
    log::replayed(&place.world).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_that_is_completed_counts_as_one_that_asked_in_vain() {
    let mut deployment = Deployment::new();
    deployment.settings.false_alarms_limit = LIMIT;
    let place = Place::open_in(deployment).await;
    let person = place.well_known_clinician("alice").await;
    for round in 0..LIMIT {
        let (session, decision) = unusual(&place, &person, round).await;
        let seen = Seen::from(&decision);
        assert!(seen.outcome == Outcome::StepUp && !seen.says(ReasonCode::FrictionCapped), "{seen:?}");
        let answered = if round + 1 < LIMIT {
            prove(&place, &person, &session).await
        } else {
            let step_up = decision.step_up.expect("a challenge");
            let answered = place.door.complete(&person, &session, &step_up, None).await.expect("a decision");
            // The same answer again is no other alarm.
            let again = place.door.complete(&person, &session, &step_up, None).await.expect("the same");
            assert_eq!(again.id, answered.id);
            answered
        };
        assert_eq!(Seen::from(&answered).outcome, Outcome::Allow);
        // What was typed in the last round is proven genuine now: the model learns from it.
        place.world.engine.learned().await;
    }
    let (_, decision) = unusual(&place, &person, 50).await;
    let spared = Seen::from(&decision);
    assert!(spared.outcome == Outcome::Allow && spared.says(ReasonCode::FrictionCapped), "{spared:?}");
    let count = decision.reasons.iter().find_map(|reason| reason.metadata.get("count"));
    assert_eq!(count, Some(&LIMIT.to_string()), "each counted once");
    log::replayed(&place.world).await;
    place.door.close().await;
}

/// Times so many percent of the way from one sample to the other.
pub(super) fn mixed(one: &KeystrokeSample, other: &KeystrokeSample, percent: u64) -> KeystrokeSample {
    let between = |a: &[u32], b: &[u32]| -> Vec<u32> {
        let mix = |a: u32, b: u32| (u64::from(a) * (100 - percent) + u64::from(b) * percent) / 100;
        a.iter().zip(b).map(|(a, b)| u32::try_from(mix(*a, *b)).expect("between two")).collect()
    };
    let (one_events, other_events) = (&one.events, &other.events);
    let events = KeyEvents::new(
        one_events.position().to_vec(),
        one_events.zone().to_vec(),
        between(one_events.down_us(), other_events.down_us()),
        between(one_events.up_us(), other_events.up_us()),
    );
    KeystrokeSample { events: events.expect("in order, as both are"), ..one.clone() }
}
