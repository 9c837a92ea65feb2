//! Profiles grow from proven logins and from nothing else.

use std::time::Duration;

use keyward_api::convert::WireEnum;
use keyward_api::v1;
use keyward_domain::{ClaimKind, DeviceClass, Maturity, Outcome, ReasonCode};
use keyward_engine::ReportedOutcome;
use keyward_tests::door::claim;
use keyward_tests::person::{TENANT, history, own, somebody_elses, typed};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place};
use tonic::Code;

/// The person's only profile: maturity, samples and version; `None` when there is none.
async fn profile(place: &Place, person: &Person) -> Option<(Maturity, u32, u64)> {
    place.world.engine.learned().await;
    let status = place.door.status(person).await;
    assert!(status.len() <= 1, "{status:?}");
    let status = status.first()?;
    Some((Maturity::from_number(status.maturity).expect("a maturity"), status.samples, status.version))
}

async fn proven(place: &Place, person: &Person, n: u64) -> v1::Decision {
    place.world.clock.advance(Duration::from_hours(1));
    let decision = place.door.proven_login(&place.world, person, &format!("proven-{n}"), n).await;
    assert_eq!(Seen::from(&decision).outcome, Outcome::Allow);
    // Lessons that come together are one version.
    place.world.engine.learned().await;
    decision
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_grows_from_learning_to_mature_by_proven_logins_alone() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let mut ladder = Vec::new();
    for n in 0..40 {
        proven(&place, &person, n).await;
        // The right password without the passkey, in every round: by the owner and by somebody else.
        let before = profile(&place, &person).await.expect("a profile");
        assert_eq!(u64::from(before.1), n + 1);
        place.door.password_login(&place.world, &person, &format!("own-{n}"), &own(100 + n)).await;
        place.door.password_login(&place.world, &person, &format!("other-{n}"), &somebody_elses(n)).await;
        assert_eq!(profile(&place, &person).await, Some(before), "what nobody proved teaches nothing");
        if ladder.last().is_none_or(|(maturity, _)| *maturity != before.0) {
            ladder.push((before.0, before.1));
        }
        if n >= 5 && n % 5 == 0 {
            // Attempts that were counted are forgotten, so that they do not decide instead of the typing.
            place.world.clock.advance(Duration::from_mins(20));
        }
    }
    let rungs: Vec<_> = ladder.iter().map(|(maturity, _)| *maturity).collect();
    assert_eq!(rungs, [Maturity::Learning, Maturity::Provisional, Maturity::Mature], "{ladder:?}");
    assert_eq!((ladder[1].1, ladder[2].1 >= 30), (10, true), "{ladder:?}");

    place.world.clock.advance(Duration::from_hours(1));
    let owner = place.door.password_login(&place.world, &person, "owner", &own(45)).await;
    let owner = Seen::from(&owner);
    assert_eq!(owner.outcome, Outcome::Allow, "{owner:?}");
    assert!(owner.says(ReasonCode::TypingMatches));
    let impostor = place.door.password_login(&place.world, &person, "impostor", &somebody_elses(45)).await;
    let impostor = Seen::from(&impostor);
    assert_eq!(impostor.outcome, Outcome::StepUp, "{impostor:?}");
    assert!(impostor.says(ReasonCode::TypingDiffers));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_that_was_not_bound_to_the_typing_teaches_nothing() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let mut question = person.asks("s");
    question.assertion = Some(place.door.show(&person, "s", None).await);
    question.telemetry = Some(typed(&own(1), &place.door.nonce("s").await));
    let seen = Seen::from(&place.door.ask(question).await.expect("a decision"));
    assert_eq!(seen.outcome, Outcome::Allow, "it proves the person all the same");
    assert_eq!(profile(&place, &person).await, None);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_that_was_answered_teaches() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let asked = place.door.password_login(&place.world, &person, "s", &own(1)).await;
    assert_eq!(profile(&place, &person).await, None);
    let step_up = asked.step_up.as_ref().expect("a step-up");
    place.door.complete(&person, "s", step_up, None).await.expect("a decision");
    assert_eq!(profile(&place, &person).await, Some((Maturity::Learning, 1, 1)));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_that_was_learned_is_recognised_when_it_comes_again() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    proven(&place, &person, 1).await;
    profile(&place, &person).await;
    let replayed = place.door.password_login(&place.world, &person, "s", &own(1)).await;
    let seen = Seen::from(&replayed);
    assert_eq!(seen.outcome, Outcome::StepUp);
    assert!(seen.says(ReasonCode::TelemetryReplayed), "{seen:?}");

    let mut question = person.asks("t");
    let telemetry = typed(&own(1), &place.door.nonce("t").await);
    question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(1))];
    question.assertion = Some(place.door.show(&person, "t", Some(&telemetry)).await);
    question.telemetry = Some(telemetry);
    let seen = Seen::from(&place.door.ask(question).await.expect("a decision"));
    assert_eq!(seen.outcome, Outcome::Allow, "the passkey counts");
    assert_eq!(
        profile(&place, &person).await,
        Some((Maturity::Learning, 1, 1)),
        "the recording is not learned"
    );
    place.door.close().await;
}

fn report(person: &Person, decision: &v1::Decision, outcome: ReportedOutcome) -> v1::ReportOutcomeRequest {
    v1::ReportOutcomeRequest {
        tenant: TENANT.to_owned(),
        subject: person.subject.clone(),
        decision_id: decision.id.clone(),
        outcome: outcome.number(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_attack_takes_back_what_was_learned_from_it() {
    let place = Place::open().await;
    let (person, other) = (place.clinician("alice").await, place.clinician("bob").await);
    for n in 0..3 {
        proven(&place, &person, n).await;
    }
    let attack = proven(&place, &person, 3).await;
    let retracted = async |report| {
        let answer = place.door.decisions().report_outcome(report).await;
        answer.map(|answer| answer.into_inner().retracted_samples)
    };
    let foreign = retracted(report(&other, &attack, ReportedOutcome::ConfirmedAttack)).await;
    assert_eq!(refusal(foreign), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(retracted(report(&person, &attack, ReportedOutcome::ConfirmedUser)).await.ok(), Some(0));
    assert_eq!(profile(&place, &person).await, Some((Maturity::Learning, 4, 4)));
    assert_eq!(retracted(report(&person, &attack, ReportedOutcome::ConfirmedAttack)).await.ok(), Some(1));
    assert_eq!(profile(&place, &person).await, Some((Maturity::Learning, 3, 5)));
    assert_eq!(retracted(report(&person, &attack, ReportedOutcome::ConfirmedAttack)).await.ok(), Some(0));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_rolled_back_and_learns_on_from_there() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    for n in 0..12 {
        proven(&place, &person, n).await;
        profile(&place, &person).await;
    }
    assert_eq!(profile(&place, &person).await, Some((Maturity::Provisional, 12, 12)));
    let roll_back = |version| v1::RollBackProfileRequest {
        tenant: TENANT.to_owned(),
        subject: person.subject.clone(),
        field: "password".to_owned(),
        device_class: DeviceClass::Personal.number(),
        version,
    };
    let gone = place.door.profiles().roll_back_profile(roll_back(1)).await;
    assert_eq!(refusal(gone), (Code::NotFound, "NOT_FOUND".to_owned()), "ten versions are kept");
    place.door.profiles().roll_back_profile(roll_back(8)).await.expect("it rolls back");
    assert_eq!(profile(&place, &person).await, Some((Maturity::Learning, 8, 13)));
    proven(&place, &person, 20).await;
    assert_eq!(profile(&place, &person).await, Some((Maturity::Learning, 9, 14)));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_reset_begins_anew() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let known = Seen::from(&place.door.password_login(&place.world, &person, "s", &own(1)).await);
    assert_eq!(known.outcome, Outcome::Allow, "{known:?}");
    let reset = v1::ResetProfileRequest {
        tenant: TENANT.to_owned(),
        subject: person.subject.clone(),
        ..Default::default()
    };
    let reset = place.door.profiles().reset_profile(reset).await.expect("it is reset").into_inner();
    assert_eq!(reset.profiles, 1);
    assert_eq!(profile(&place, &person).await, None);
    let unknown = Seen::from(&place.door.password_login(&place.world, &person, "t", &own(2)).await);
    assert!(unknown.outcome == Outcome::StepUp && unknown.says(ReasonCode::TypingLearning), "{unknown:?}");
    place.door.import(&person, DeviceClass::Personal, &history(5)).await;
    assert_eq!(
        profile(&place, &person).await.map(|(_, samples, _)| samples),
        Some(5),
        "nothing old comes back"
    );
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_of_one_kind_of_device() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let mut question = person.asks("s");
    question.device.as_mut().expect("a device").device_class = DeviceClass::Phone.number();
    question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(5))];
    question.telemetry = Some(typed(&own(1), &place.door.nonce("s").await));
    let seen = Seen::from(&place.door.ask(question).await.expect("a decision"));
    assert!(seen.says(ReasonCode::TypingLearning) && seen.outcome == Outcome::StepUp, "{seen:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn known_typing_spares_nine_logins_in_a_row_and_the_tenth_is_proven() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let mut spared = 0;
    let due = loop {
        place.world.clock.advance(Duration::from_mins(20));
        let session = format!("login-{spared}");
        let decision = place.door.password_login(&place.world, &person, &session, &own(200 + spared)).await;
        let seen = Seen::from(&decision);
        if seen.outcome != Outcome::Allow {
            assert!(seen.says(ReasonCode::TypingMatches), "usual typing is asked for: {seen:?}");
            assert!(seen.says(ReasonCode::TypingProofDue), "{seen:?}");
            break decision;
        }
        assert!(!seen.says(ReasonCode::TypingProofDue), "{seen:?}");
        spared += 1;
    };
    assert_eq!(spared, 9);
    let before = profile(&place, &person).await.expect("a profile");
    let step_up = due.step_up.as_ref().expect("a step-up");
    let proven = place.door.complete(&person, "login-9", step_up, None).await.expect("a decision");
    assert_eq!(Seen::from(&proven).outcome, Outcome::Allow);
    assert!(profile(&place, &person).await.expect("a profile").2 > before.2, "it was learned");
    let next = place.door.password_login(&place.world, &person, "login-10", &own(300)).await;
    assert_eq!(Seen::from(&next).outcome, Outcome::Allow, "and spares the next ones");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_a_login_that_nobody_proved_is_noticed_in_another_session() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    let login = place.door.password_login(&place.world, &person, "hers", &own(200)).await;
    assert_eq!(Seen::from(&login).outcome, Outcome::Allow);
    let replayed = place.door.password_login(&place.world, &person, "another", &own(200)).await;
    let seen = Seen::from(&replayed);
    assert_eq!(seen.outcome, Outcome::StepUp, "{seen:?}");
    assert!(seen.says(ReasonCode::TelemetryReplayed), "{seen:?}");
    let anew = place.door.password_login(&place.world, &person, "third", &own(201)).await;
    assert!(!Seen::from(&anew).says(ReasonCode::TelemetryReplayed));
    place.door.close().await;
}
