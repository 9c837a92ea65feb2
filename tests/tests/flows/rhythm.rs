//! When a person is at work: learned of proven logins, heard beside typing alone.

use std::time::Duration;

use keyward_api::convert::WireEnum;
use keyward_api::v1;
use keyward_domain::{
    ActionKind, Band, DecisionId, Evidence, KeystrokeSample, Outcome, ReasonCode, Sensitivity, SignalKind,
};
use keyward_engine::ReportedOutcome;
use keyward_scoring::rhythm::MAX_RHYTHM_LLR;
use keyward_tests::person::{action, own, somebody_elses, subject, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place};

use super::export::export;
use super::friction::mixed;
use super::habits::proven;

/// Her shift begins at nine.
const DAY: i64 = 9;
/// When she sleeps.
const NIGHT: i64 = 3;

/// Moves on to the next time that it is this hour, of UTC.
fn wait_until(place: &Place, hour: i64) {
    place.world.clock.advance(Duration::from_mins(1));
    let now = place.world.clock().now().secs();
    let ahead = (hour * 3600 - now).rem_euclid(24 * 3600);
    place.world.clock.advance(Duration::from_secs(u64::try_from(ahead).expect("within a day")));
}

/// She is proven on so many days at this hour.
async fn worked(place: &Place, person: &Person, days: u32, hour: i64) {
    for _ in 0..days {
        wait_until(place, hour);
        let session = format!("shift-{}", place.world.clock().now().secs());
        proven(place, person, &session).await;
        place.world.engine.learned().await;
    }
}

/// A session whose passkey was shown more than an hour before this hour.
async fn session_at(place: &Place, person: &Person, hour: i64) -> String {
    wait_until(place, hour);
    let session = format!("session-{}", place.world.clock().now().secs());
    let assertion = place.door.show(person, &session, None).await;
    place.door.authenticate(&session, assertion).await.expect("it verifies");
    place.world.clock.advance(Duration::from_mins(65));
    session
}

/// A chart is opened, while something is typed or not.
async fn chart(
    place: &Place,
    person: &Person,
    session: &str,
    sample: Option<&KeystrokeSample>,
) -> v1::Decision {
    let mut question = person.asks(session);
    question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
    if let Some(sample) = sample {
        question.telemetry = Some(typed(sample, &place.door.nonce(session).await));
    }
    place.door.ask(question).await.expect("a decision")
}

/// What the hour contributed; none where nothing was looked at.
fn hour_of(decision: &v1::Decision) -> Option<f32> {
    let signal = decision.signals.iter().find(|signal| signal.kind == SignalKind::Rhythm.number())?;
    (signal.status() == v1::SignalStatus::Scored).then_some(signal.contribution)
}

/// How many moments of hers are kept, as an export tells it.
async fn kept(place: &Place, person: &Person) -> usize {
    export(place, person).await["proven_around"].as_array().expect("moments").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusual_hour_alone_is_said_and_asks_for_nothing() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    worked(&place, &person, 20, DAY).await;
    let session = session_at(&place, &person, NIGHT).await;
    assert_eq!(hour_of(&chart(&place, &person, &session, None).await), None, "three weeks are not over");
    worked(&place, &person, 6, DAY).await;

    let session = session_at(&place, &person, NIGHT).await;
    let decision = chart(&place, &person, &session, None).await;
    let seen = Seen::from(&decision);
    assert!(seen.outcome == Outcome::Allow && seen.says(ReasonCode::HourUnusual), "{decision:?}");
    assert_eq!(seen.band, Some(Band::Low), "{decision:?}");
    assert!(hour_of(&decision).is_some_and(|llr| (llr - MAX_RHYTHM_LLR).abs() < 1e-6), "{decision:?}");
    let session = session_at(&place, &person, DAY).await;
    let decision = chart(&place, &person, &session, None).await;
    assert!(hour_of(&decision) == Some(0.0) && !Seen::from(&decision).says(ReasonCode::HourUnusual));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_that_passes_by_day_may_be_asked_at_night() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    worked(&place, &person, 25, DAY).await;
    let odd =
        |percent: u64, round: u64| mixed(&own(round + percent), &somebody_elses(round + percent), percent);
    let session = session_at(&place, &person, DAY).await;
    for percent in 0..50 {
        let seen = Seen::from(&chart(&place, &person, &session, Some(&odd(percent, 100))).await);
        assert!(!seen.says(ReasonCode::HourUnusual), "{seen:?}");
        if seen.says(ReasonCode::TypingMatches) {
            assert_eq!(seen.outcome, Outcome::Allow, "{percent} %: {seen:?}");
        }
        if seen.says(ReasonCode::TypingDiffers) {
            break;
        }
    }
    // Night after night, each time until her typing by itself is taken for unusual: where the hour tips the balance is a narrow
    // band, which one sweep may step over.
    let mut asked = None;
    for night in 2..22 {
        let session = session_at(&place, &person, NIGHT).await;
        for percent in 0..50 {
            let seen = Seen::from(&chart(&place, &person, &session, Some(&odd(percent, 100 * night))).await);
            assert!(seen.says(ReasonCode::HourUnusual), "{seen:?}");
            assert!(!seen.says(ReasonCode::AttemptsLimited), "{percent} %: {seen:?}");
            if seen.says(ReasonCode::TypingUnusual) || seen.says(ReasonCode::TypingDiffers) {
                break;
            }
            if seen.outcome == Outcome::StepUp && seen.says(ReasonCode::TypingMatches) {
                asked = asked.or(Some(seen));
                break;
            }
            assert_eq!(seen.outcome, Outcome::Allow, "what is no more unusual is let in: {seen:?}");
        }
        if asked.is_some() {
            break;
        }
    }
    let asked = asked.expect("the hour tips the balance somewhere");
    assert_eq!(asked.evidence, Some(Evidence::Passkey));
    assert!(asked.policies.contains(&"objection.typing-unusual".to_owned()), "{asked:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_to_nights_is_learned_within_days() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    // Her first login was at any time.
    place.world.engine.reset_profile(&subject(&person), None).await.expect("a reset");
    worked(&place, &person, 30, DAY).await;
    let mut nights = Vec::new();
    for _ in 0..10 {
        worked(&place, &person, 1, NIGHT).await;
        let decision = chart(&place, &person, &session_at(&place, &person, NIGHT).await, None).await;
        nights.push(Seen::from(&decision).says(ReasonCode::HourUnusual));
    }
    assert!(nights[0] && !nights[7..].contains(&true), "{nights:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_are_given_out_and_end_with_a_reset_an_attack_a_word_and_the_person() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let who = subject(&person);
    worked(&place, &person, 3, DAY).await;
    assert_eq!(kept(&place, &person).await, 4, "her first login too");
    place.world.engine.reset_profile(&who, None).await.expect("a reset");
    assert_eq!(kept(&place, &person).await, 0);

    worked(&place, &person, 3, DAY).await;
    let decision = chart(&place, &person, &session_at(&place, &person, DAY).await, None).await;
    let id = DecisionId(decision.id.parse().expect("a uuid"));
    assert_eq!(kept(&place, &person).await, 3, "what nobody proved is not kept");
    place.world.engine.report_outcome(&who, id, ReportedOutcome::ConfirmedAttack).await.expect("recorded");
    assert_eq!(kept(&place, &person).await, 0);

    worked(&place, &person, 3, DAY).await;
    place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
    assert_eq!(kept(&place, &person).await, 0, "gone when the call returns");
    worked(&place, &person, 3, DAY).await;
    assert_eq!(kept(&place, &person).await, 0, "and not kept any more");
    let decision = chart(&place, &person, &session_at(&place, &person, DAY).await, None).await;
    let hours = decision.signals.iter().filter(|signal| signal.kind == SignalKind::Rhythm.number());
    assert_eq!(hours.count(), 0, "{decision:?}");

    place.door.consent(&person, v1::BehaviourConsent::OptedIn).await;
    worked(&place, &person, 3, DAY).await;
    assert_eq!(kept(&place, &person).await, 3, "it begins anew");
    place.world.engine.erase_subject(&who).await.expect("erased");
    place.door.register(&person).await;
    assert_eq!(kept(&place, &person).await, 0);
    place.door.close().await;
}
