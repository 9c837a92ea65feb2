//! Passkeys and their care.

use std::time::Duration;

use keyward_api::v1;
use keyward_domain::{ClaimKind, Outcome, ReasonCode};
use keyward_simulate::authenticator::{AuthenticatorError, Behaviour, Counter};
use keyward_tests::door::claim;
use keyward_tests::person::TENANT;
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place};
use tonic::Code;

async fn list(place: &Place, person: &Person) -> Vec<v1::Passkey> {
    listed(place, person).await.passkeys
}

async fn listed(place: &Place, person: &Person) -> v1::ListPasskeysResponse {
    let request = v1::ListPasskeysRequest { tenant: TENANT.to_owned(), subject: person.subject.clone() };
    place.door.passkeys().list_passkeys(request).await.expect("a list").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_without_a_user_name() {
    Place::each(async |place| {
        let person = place.clinician("alice").await;
        let (ceremony_id, options) = place.door.begin("", "s", None).await;
        let credential_json = person.authenticator.authenticate(&options).expect("the authenticator answers");
        let assertion = v1::PasskeyAssertion { ceremony_id, credential_json };
        let told = place.door.authenticate("s", assertion.clone()).await.expect("it verifies");
        assert_eq!(
            (told.subject.as_str(), told.passkey.expect("a passkey").name.as_str()),
            ("alice", "passkey")
        );
        let again = place.door.authenticate("s", assertion).await;
        assert_eq!(refusal(again), (Code::FailedPrecondition, "CEREMONY_UNKNOWN".to_owned()));

        let seen = Seen::from(&place.door.ask(person.asks("s")).await.expect("a decision"));
        assert!(seen.outcome == Outcome::Allow && seen.says(ReasonCode::PasskeyVerified), "{seen:?}");
        let elsewhere = Seen::from(&place.door.ask(person.asks("t")).await.expect("a decision"));
        assert_eq!(elsewhere.outcome, Outcome::StepUp, "the proof is of one session");
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passkey_managers_are_told_which_passkeys_are_good() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let (_, options) = place.door.begin("", "s", None).await;
    let shown = person.authenticator.authenticate(&options).expect("the authenticator answers");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");

    let accepted = async || {
        let json = listed(&place, &person).await.accepted_credentials_json;
        serde_json::from_str::<serde_json::Value>(&json).expect("JSON")
    };
    let told = accepted().await;
    assert_eq!(
        told["userId"], shown["response"]["userHandle"],
        "the authenticator knows her by the same handle"
    );
    assert_eq!(told["allAcceptedCredentialIds"], serde_json::json!([shown["id"]]));
    assert!(options.contains(&format!("\"rpId\":{}", told["rpId"])), "{told} is of the party in {options}");

    let passkey_id = shown["id"].as_str().expect("an id").to_owned();
    let revoke =
        v1::RevokePasskeyRequest { tenant: TENANT.to_owned(), subject: person.subject.clone(), passkey_id };
    place.door.passkeys().revoke_passkey(revoke).await.expect("it is revoked");
    assert_eq!(accepted().await["allAcceptedCredentialIds"], serde_json::json!([]));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passkeys_are_listed_renamed_and_revoked() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let key = place.deployment.person_with_security_key("alice");
    place.world.clock.advance(Duration::from_hours(1));
    place.door.register(&key).await;
    let listed = list(&place, &person).await;
    assert_eq!(listed.iter().map(|passkey| passkey.hardware_bound).collect::<Vec<_>>(), [false, true]);

    let (tenant, subject, passkey_id) = (TENANT.to_owned(), "alice".to_owned(), listed[0].id.clone());
    let rename = v1::RenamePasskeyRequest {
        tenant: tenant.clone(),
        subject: subject.clone(),
        passkey_id: passkey_id.clone(),
        name: "laptop".to_owned(),
    };
    place.door.passkeys().rename_passkey(rename.clone()).await.expect("it is renamed");
    assert_eq!(list(&place, &person).await[0].name, "laptop");
    let foreign = v1::RenamePasskeyRequest { subject: "bob".to_owned(), ..rename };
    let foreign = place.door.passkeys().rename_passkey(foreign).await;
    assert_eq!(refusal(foreign), (Code::NotFound, "PASSKEY_NOT_FOUND".to_owned()));

    // A challenge that was given before the passkey was revoked is worth nothing afterwards.
    let assertion = place.door.show(&person, "s", None).await;
    let revoke = v1::RevokePasskeyRequest { tenant, subject, passkey_id };
    place.door.passkeys().revoke_passkey(revoke.clone()).await.expect("it is revoked");
    let again = place.door.passkeys().revoke_passkey(revoke).await;
    assert_eq!(refusal(again), (Code::NotFound, "PASSKEY_NOT_FOUND".to_owned()));
    let mut question = person.asks("s");
    question.assertion = Some(assertion);
    let seen = Seen::from(&place.door.ask(question).await.expect("a decision"));
    assert!(seen.outcome == Outcome::StepUp && seen.says(ReasonCode::PasskeyRejected), "{seen:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_registers_once() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let begin = |subject: &str| v1::BeginRegistrationRequest {
        tenant: TENANT.to_owned(),
        subject: subject.to_owned(),
        session: "s".to_owned(),
        user_name: "alice".to_owned(),
        display_name: "Dr Alice".to_owned(),
        hardware_bound: false,
    };
    let own = place.door.passkeys().begin_registration(begin("alice")).await.expect("it begins").into_inner();
    assert_eq!(person.authenticator.register(&own.options_json), Err(AuthenticatorError::InvalidState));

    // A browser that does not look at what is excluded.
    let copy = place.deployment.person("alice");
    let mut options: serde_json::Value = serde_json::from_str(&own.options_json).expect("options");
    options["publicKey"]["excludeCredentials"] = serde_json::json!([]);
    let finish = v1::FinishRegistrationRequest {
        tenant: TENANT.to_owned(),
        subject: "alice".to_owned(),
        session: "s".to_owned(),
        ceremony_id: own.ceremony_id,
        credential_json: copy
            .authenticator
            .register(&options.to_string())
            .expect("the authenticator answers"),
        name: String::new(),
    };
    let exists = (Code::AlreadyExists, "PASSKEY_EXISTS".to_owned());
    let refused = place.door.passkeys().finish_registration(finish).await;
    assert_eq!(refusal(refused), exists);

    // An equal authenticator that lies to the browser about what it holds, in the name of another person.
    let copy = place.deployment.person("alice");
    let other = place.door.passkeys().begin_registration(begin("bob")).await.expect("it begins").into_inner();
    let finish = v1::FinishRegistrationRequest {
        tenant: TENANT.to_owned(),
        subject: "bob".to_owned(),
        session: "s".to_owned(),
        ceremony_id: other.ceremony_id,
        credential_json: copy.authenticator.register(&other.options_json).expect("the authenticator answers"),
        name: String::new(),
    };
    let refused = place.door.passkeys().finish_registration(finish).await;
    assert_eq!(refusal(refused), exists);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_passkey_cannot_begin() {
    let place = Place::open().await;
    let begin = v1::BeginAuthenticationRequest {
        tenant: TENANT.to_owned(),
        subject: "nobody".to_owned(),
        session: "s".to_owned(),
        telemetry: None,
    };
    let refused = place.door.passkeys().begin_authentication(begin).await;
    assert_eq!(refusal(refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_fell_is_a_signal_and_does_not_stick() {
    let place = Place::open().await;
    let key = place.deployment.person_with_security_key("alice");
    place.door.register(&key).await;
    let login = async |session: &str| {
        let mut question = key.asks(session);
        question.claims = vec![claim(&place.world, ClaimKind::Password, Duration::from_secs(5))];
        question.assertion = Some(place.door.show(&key, session, None).await);
        Seen::from(&place.door.ask(question).await.expect("a decision"))
    };
    assert_eq!(login("s1").await.outcome, Outcome::Allow);
    key.authenticator.behave(Behaviour { counter: Counter::Fixed(1), ..Behaviour::hardware() });
    let clone = login("s2").await;
    assert_eq!(clone.outcome, Outcome::StepUp);
    assert!(clone.says(ReasonCode::PasskeyCounterRegressed), "{clone:?}");
    key.authenticator.behave(Behaviour::hardware());
    let genuine = login("s3").await;
    assert!(
        genuine.outcome == Outcome::Allow && !genuine.says(ReasonCode::PasskeyCounterRegressed),
        "{genuine:?}"
    );
    place.door.close().await;
}
