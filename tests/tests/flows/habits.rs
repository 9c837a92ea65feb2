//! Habits: free text and pointer movement, learned in proven sessions and asked at checkpoints.

use std::time::Duration;

use keyward_api::convert::WireEnum;
use keyward_api::v1;
use keyward_domain::{ActionKind, DecisionId, KeyZone, Outcome, ReasonCode, Sensitivity, SignalKind};
use keyward_engine::ReportedOutcome;
use keyward_tests::person::{action, subject};
use keyward_tests::seen::Seen;
use keyward_tests::{Door, Person, Place};

/// Clicks of a hand of this pace, the `nth` time, varied without chance.
fn pointer(pace: f64, nth: u32) -> v1::PointerSample {
    let (mut sample, mut now_s) = (v1::PointerSample::default(), 0.0_f64);
    for click in 0..110_u32 {
        let vary = f64::from((click * 37 + nth * 11) % 101) / 100.0;
        for step in 0..12_u32 {
            let part = f64::from(step) / 11.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a few minutes, a screen"
            )]
            let (at, x, y) = (
                (now_s * 1e6) as u32,
                ((200.0 + 300.0 * vary) * part) as i32,
                ((10.0 + 20.0 * vary) * (std::f64::consts::PI * part).sin()) as i32,
            );
            sample.t_us.push(at);
            sample.x.push(x);
            sample.y.push(y);
            sample.pressed.push(step == 10);
            now_s += (0.03 + 0.01 * vary) / pace;
        }
        now_s += 1.2 + vary;
    }
    sample
}

/// A note of 400 presses by hands of this pace, the `seed`-th time.
fn note(pace: u32, seed: u32) -> v1::KeystrokeSample {
    let zones = [KeyZone::LeftHome, KeyZone::RightTop, KeyZone::Space, KeyZone::LeftTop, KeyZone::RightHome];
    let vary = |i: u32| 700 + (i * 37 + seed * 13) % 101 * 6;
    let mut sample = v1::KeystrokeSample { field: "note".to_owned(), free_text: true, ..Default::default() };
    let mut now = 0;
    for i in 0..400_u32 {
        sample.position.push(i);
        sample.zone.push(zones[((i * 7 + i / 3 + seed) % 5) as usize].number());
        sample.down_us.push(now);
        sample.up_us.push(now + pace * vary(i));
        now += 2 * pace * vary(i + 5);
    }
    sample
}

/// A chart is opened while all this was recorded.
pub(super) async fn decided(
    door: &Door,
    person: &Person,
    session: &str,
    telemetry: v1::Telemetry,
) -> v1::Decision {
    let mut question = person.asks(session);
    question.action = Some(action(ActionKind::Read, Sensitivity::Clinical));
    question.telemetry = Some(v1::Telemetry { nonce: door.nonce(session).await, ..telemetry });
    door.ask(question).await.expect("a decision")
}

/// The same, as a caller sees it.
async fn checkpoint(place: &Place, person: &Person, session: &str, telemetry: v1::Telemetry) -> Seen {
    Seen::from(&decided(&place.door, person, session, telemetry).await)
}

/// A session that begins with the passkey.
pub(super) async fn proven(place: &Place, person: &Person, session: &str) {
    let mut question = person.asks(session);
    question.assertion = Some(place.door.show(person, session, None).await);
    assert_eq!(Seen::from(&place.door.ask(question).await.expect("a decision")).outcome, Outcome::Allow);
}

/// Four proven sessions, learned.
pub(super) async fn learned(place: &Place, person: &Person, own: impl Fn(u32) -> v1::Telemetry) {
    for n in 0..4 {
        let session = format!("proven-{n}");
        proven(place, person, &session).await;
        assert_eq!(checkpoint(place, person, &session, own(n)).await.outcome, Outcome::Allow);
        place.world.engine.learned().await;
    }
}

/// Movement of a hand of this pace.
pub(super) fn moved(pace: f64, nth: u32) -> v1::Telemetry {
    v1::Telemetry { pointer: Some(pointer(pace, nth)), ..Default::default() }
}

/// A note by hands of this pace, with movement.
fn noted(pace: u32, nth: u32) -> v1::Telemetry {
    v1::Telemetry {
        keystrokes: vec![note(pace, nth)],
        pointer: Some(pointer(1.0, nth)),
        ..Default::default()
    }
}

/// Learns four sessions of `own`, then asks an hour after a passkey what `own` and `other` are taken for.
async fn own_and_others(own: impl Fn(u32) -> v1::Telemetry, other: v1::Telemetry) {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    learned(&place, &person, &own).await;
    proven(&place, &person, "later").await;
    place.world.clock.advance(Duration::from_mins(61));
    let hers = checkpoint(&place, &person, "later", own(9)).await;
    assert!(hers.outcome == Outcome::Allow && !hers.says(ReasonCode::HabitsUnusual), "{hers:?}");
    let theirs = checkpoint(&place, &person, "later", other.clone()).await;
    assert!(theirs.outcome == Outcome::StepUp && theirs.says(ReasonCode::HabitsUnusual), "{theirs:?}");
    // What is long after the passkey is not learned, and habits are forgotten with everything else that was learned.
    place.world.engine.learned().await;
    let again = checkpoint(&place, &person, "later", other.clone()).await;
    assert_eq!(again.outcome, Outcome::StepUp, "{again:?}");
    place.world.engine.reset_profile(&subject(&person), None).await.expect("a reset");
    let unknown = checkpoint(&place, &person, "later", other).await;
    assert!(unknown.outcome == Outcome::Allow && !unknown.says(ReasonCode::HabitsUnusual), "{unknown:?}");
    place.door.close().await;
}

/// Names of the documents that hold a person's habits.
async fn kept(place: &Place, person: &Person) -> Vec<String> {
    let names = place.world.store.document_names(&subject(person)).await.expect("names");
    names.into_iter().map(|(name, _)| name).filter(|name| name.starts_with("habits/")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_hand_on_the_pointer_is_asked_for_the_passkey() {
    own_and_others(|n| moved(1.0, n), moved(2.5, 9)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_hand_at_the_keyboard_is_asked_for_the_passkey() {
    let typed = |pace, n| v1::Telemetry { keystrokes: vec![note(pace, n)], ..Default::default() };
    own_and_others(|n| typed(100, n), typed(190, 9)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn habits_spare_nobody_a_factor() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    learned(&place, &person, |n| moved(1.0, n)).await;
    let mut login = person.asks("password-alone");
    login.claims = vec![keyward_tests::door::claim(
        &place.world,
        keyward_domain::ClaimKind::Password,
        Duration::from_secs(5),
    )];
    login.telemetry = Some(v1::Telemetry {
        nonce: place.door.nonce("password-alone").await,
        pointer: Some(pointer(1.0, 9)),
        ..Default::default()
    });
    let seen = Seen::from(&place.door.ask(login).await.expect("a decision"));
    assert_eq!(seen.outcome, Outcome::StepUp, "{seen:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_habits() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    learned(&place, &person, |n| noted(100, n)).await;
    let document = super::export::export(&place, &person).await;
    let habits = document["habits"].as_array().expect("habits");
    assert!(habits.len() == 1 && habits[0]["device_class"] == "personal", "{habits:#?}");
    assert_eq!(habits[0]["damaged"], false);
    let count = |name: &str| habits[0][name].as_u64().expect("a count");
    assert!(count("strokes") > 1000 && count("pointer_actions") > 200, "{habits:#?}");
    assert!(habits[0]["learned"]["free_text"].is_object() && habits[0]["learned"]["pointer"].is_object());
    let versions = habits[0]["versions"].as_array().expect("versions");
    assert_eq!(versions[0]["version"], 4, "one for each session");
    assert!(document["records"].is_array() && document["sessions"].is_array());
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_who_opted_out_no_habit_is_scored_kept_or_learned() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    learned(&place, &person, |n| noted(100, n)).await;
    assert_eq!(kept(&place, &person).await, ["habits/personal"]);
    proven(&place, &person, "later").await;
    place.world.clock.advance(Duration::from_mins(61));
    let theirs = || checkpoint(&place, &person, "later", noted(190, 9));
    assert_eq!(theirs().await.outcome, Outcome::StepUp, "before the word");

    place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
    assert!(kept(&place, &person).await.is_empty(), "gone when the call returns");
    let seen = theirs().await;
    assert!(seen.outcome == Outcome::Allow && seen.says(ReasonCode::BehaviourOptedOut), "{seen:?}");
    for n in 5..9 {
        let session = format!("opted-out-{n}");
        proven(&place, &person, &session).await;
        let decision = decided(&place.door, &person, &session, noted(100, n)).await;
        let habits = [SignalKind::FreeText.number(), SignalKind::Pointer.number()];
        assert!(!decision.signals.iter().any(|signal| habits.contains(&signal.kind)), "{decision:?}");
    }
    place.world.engine.learned().await;
    assert!(kept(&place, &person).await.is_empty());

    place.door.consent(&person, v1::BehaviourConsent::OptedIn).await;
    proven(&place, &person, "again").await;
    assert_eq!(checkpoint(&place, &person, "again", noted(190, 3)).await.outcome, Outcome::Allow);
    place.world.engine.learned().await;
    assert_eq!(kept(&place, &person).await, ["habits/personal"], "it begins anew");
    // A lesson that waits: the word may come before, amid or after it.
    for round in 0..10 {
        let session = format!("race-{round}");
        proven(&place, &person, &session).await;
        checkpoint(&place, &person, &session, noted(100, round)).await;
        place.door.consent(&person, v1::BehaviourConsent::OptedOut).await;
        place.world.engine.learned().await;
        assert!(kept(&place, &person).await.is_empty(), "round {round}");
        place.door.consent(&person, v1::BehaviourConsent::OptedIn).await;
    }
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_attack_makes_habits_begin_anew_and_erasure_ends_them() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    learned(&place, &person, |n| moved(1.0, n)).await;
    let decision = decided(&place.door, &person, "proven-3", moved(1.0, 7)).await;
    let id = DecisionId(decision.id.parse().expect("a uuid"));
    let who = subject(&person);
    let report = |outcome| place.world.engine.report_outcome(&who, id, outcome);
    report(ReportedOutcome::ConfirmedUser).await.expect("recorded");
    assert_eq!(kept(&place, &person).await, ["habits/personal"]);
    report(ReportedOutcome::ConfirmedAttack).await.expect("recorded");
    assert!(kept(&place, &person).await.is_empty());

    learned(&place, &person, |n| moved(1.0, 10 + n)).await;
    assert_eq!(kept(&place, &person).await, ["habits/personal"]);
    place.world.engine.erase_subject(&who).await.expect("erased");
    assert!(kept(&place, &person).await.is_empty());
    place.door.close().await;
}
