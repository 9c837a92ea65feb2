//! Authentications against the software authenticator: what verifies, what is only a signal, what is refused.

use crate::common::{ORIGIN, mary, passkeys, register};
use keyward_passkeys::{PasskeyError, Passkeys, UserIdentity, Verified};
use keyward_simulate::authenticator::{Behaviour, Counter, SoftAuthenticator};

/// One authentication of a named user with a behaviour; the credential as stored is given.
fn authenticate(
    passkeys: &Passkeys,
    authenticator: &SoftAuthenticator,
    behaviour: Behaviour,
    credential: &[u8],
) -> Result<Verified, PasskeyError> {
    authenticator.behave(behaviour);
    let begun = passkeys.begin_authentication(&[credential.to_vec()])?;
    let response = authenticator.authenticate(&begun.options_json).expect("the authenticator answers");
    passkeys.finish_authentication(&begun.state, &response, credential)
}

/// A synced passkey, registered, with a changed behaviour in its next authentication.
fn after_registration(change: impl FnOnce(&mut Behaviour)) -> Result<Verified, PasskeyError> {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let registered = register(&passkeys, &authenticator);
    let mut behaviour = Behaviour::default();
    change(&mut behaviour);
    authenticate(&passkeys, &authenticator, behaviour, &registered.credential)
}

#[test]
fn a_synced_passkey_verifies_and_leaves_nothing_to_store() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let registered = register(&passkeys, &authenticator);
    assert!(!registered.hardware_bound && registered.backup_eligible && registered.backed_up);
    let verified =
        authenticate(&passkeys, &authenticator, Behaviour::default(), &registered.credential).unwrap();
    let expected = Verified {
        credential: registered.id,
        user_verified: true,
        hardware_bound: false,
        counter_regressed: false,
        backup_changed: false,
        updated: None,
    };
    assert_eq!(verified, expected);
}

#[test]
fn the_options_ask_for_user_verification_and_name_the_credential() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let registered = register(&passkeys, &authenticator);
    let begun = passkeys.begin_authentication(std::slice::from_ref(&registered.credential)).unwrap();
    let options: serde_json::Value = serde_json::from_str(&begun.options_json).unwrap();
    assert_eq!(options["publicKey"]["userVerification"], "required");
    assert_eq!(options["publicKey"]["rpId"], "example.org");
    let allowed = &options["publicKey"]["allowCredentials"];
    assert_eq!(allowed.as_array().map(Vec::len), Some(1));
    assert_eq!(allowed[0]["transports"], serde_json::json!(["hybrid", "internal"]));
    assert!(options.get("mediation").is_none());

    let begun = passkeys.begin_discoverable().unwrap();
    let options: serde_json::Value = serde_json::from_str(&begun.options_json).unwrap();
    assert_eq!(options["publicKey"]["userVerification"], "required");
    assert_eq!(options["publicKey"]["allowCredentials"], serde_json::json!([]));
    assert_eq!(options["mediation"], "conditional");

    let again: serde_json::Value =
        serde_json::from_str(&passkeys.begin_discoverable().unwrap().options_json).unwrap();
    assert_ne!(options["publicKey"]["challenge"], again["publicKey"]["challenge"]);
}

#[test]
fn a_discoverable_authentication_needs_no_name_but_the_owner_s_handle() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let registered = register(&passkeys, &authenticator);
    let begun = passkeys.begin_discoverable().unwrap();
    let response = authenticator.authenticate(&begun.options_json).unwrap();
    assert_eq!(Passkeys::credential_id(&response), Ok(registered.id.clone()));
    let verified = passkeys.finish_authentication(&begun.state, &response, &registered.credential).unwrap();
    assert_eq!(verified.credential, registered.id);

    authenticator.behave(Behaviour { user_handle: false, ..Behaviour::default() });
    let nameless = authenticator.authenticate(&begun.options_json).unwrap();
    let refused = passkeys.finish_authentication(&begun.state, &nameless, &registered.credential);
    assert_eq!(refused, Err(PasskeyError::UserMismatch));
}

#[test]
fn a_missing_handle_does_where_the_user_was_named() {
    let verified = after_registration(|behaviour| behaviour.user_handle = false);
    assert!(verified.is_ok_and(|verified| verified.user_verified));
}

#[test]
fn a_handle_of_another_user_is_refused() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let registered = register(&passkeys, &authenticator);
    let begun = passkeys.begin_authentication(std::slice::from_ref(&registered.credential)).unwrap();
    let response = authenticator.authenticate(&begun.options_json).unwrap();
    let mut response: serde_json::Value = serde_json::from_str(&response).unwrap();
    response["response"]["userHandle"] = serde_json::json!("AAAA");
    let refused = passkeys.finish_authentication(&begun.state, &response.to_string(), &registered.credential);
    assert_eq!(refused, Err(PasskeyError::UserMismatch));
}

#[test]
fn a_rising_counter_is_stored() {
    let (passkeys, authenticator) =
        (passkeys(), SoftAuthenticator::new(ORIGIN, 1).with(Behaviour::hardware()));
    let mut credential = register(&passkeys, &authenticator).credential;
    for expected in 2..5 {
        let verified = authenticate(&passkeys, &authenticator, Behaviour::hardware(), &credential).unwrap();
        assert!(!verified.counter_regressed);
        credential = verified.updated.expect("the counter rose");
        assert_eq!(Passkeys::describe(&credential).unwrap().counter, expected);
    }
}

#[test]
fn a_counter_that_does_not_rise_is_a_signal_and_is_not_taken_over() {
    let fixed = |value| Behaviour { counter: Counter::Fixed(value), ..Behaviour::hardware() };
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1).with(fixed(10)));
    let credential = register(&passkeys, &authenticator).credential;
    for stale in [10, 9, 1, 0] {
        let verified = authenticate(&passkeys, &authenticator, fixed(stale), &credential).unwrap();
        assert!(verified.counter_regressed, "{stale} after 10");
        assert_eq!(verified.updated, None, "{stale} after 10");
    }
    let verified = authenticate(&passkeys, &authenticator, fixed(11), &credential).unwrap();
    assert!(!verified.counter_regressed);
    assert_eq!(Passkeys::describe(&verified.updated.unwrap()).unwrap().counter, 11);
}

#[test]
fn a_regressed_counter_does_not_hide_a_bad_signature() {
    let fixed = |value| Behaviour { counter: Counter::Fixed(value), ..Behaviour::hardware() };
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1).with(fixed(10)));
    let credential = register(&passkeys, &authenticator).credential;
    let spoilt = Behaviour { tamper_signature: true, ..fixed(3) };
    assert_eq!(
        authenticate(&passkeys, &authenticator, spoilt, &credential),
        Err(PasskeyError::SignatureInvalid)
    );
}

#[test]
fn a_changed_backup_state_is_a_signal_and_is_stored() {
    let verified = after_registration(|behaviour| behaviour.backed_up = false).unwrap();
    assert!(verified.backup_changed && !verified.counter_regressed);
    let info = Passkeys::describe(&verified.updated.unwrap()).unwrap();
    assert!(info.backup_eligible && !info.backed_up);
}

#[test]
fn changed_backup_eligibility_is_refused() {
    let lost =
        after_registration(|behaviour| (behaviour.backup_eligible, behaviour.backed_up) = (false, false));
    assert_eq!(lost, Err(PasskeyError::BackupInconsistent));

    let (passkeys, authenticator) =
        (passkeys(), SoftAuthenticator::new(ORIGIN, 1).with(Behaviour::hardware()));
    let credential = register(&passkeys, &authenticator).credential;
    for backed_up in [false, true] {
        let gained = Behaviour { backup_eligible: true, backed_up, ..Behaviour::hardware() };
        let refused = authenticate(&passkeys, &authenticator, gained, &credential);
        assert_eq!(refused, Err(PasskeyError::BackupInconsistent));
    }
}

#[test]
fn user_verification_is_required() {
    let refused = after_registration(|behaviour| behaviour.user_verified = false);
    assert_eq!(refused, Err(PasskeyError::UserVerificationMissing));
}

#[test]
fn a_spoilt_signature_is_refused() {
    let refused = after_registration(|behaviour| behaviour.tamper_signature = true);
    assert_eq!(refused, Err(PasskeyError::SignatureInvalid));
}

#[test]
fn another_origin_is_refused_and_every_configured_one_accepted() {
    for origin in [
        "https://evil.example",
        "http://portal.example.org",
        "https://portal.example.org:444",
        "https://x.example.org",
    ] {
        let refused = after_registration(|behaviour| behaviour.origin = Some(origin.into()));
        assert_eq!(refused, Err(PasskeyError::OriginMismatch), "{origin}");
    }
    assert!(
        after_registration(|behaviour| behaviour.origin = Some("https://admin.example.org".into())).is_ok()
    );
}

#[test]
fn a_page_in_a_foreign_frame_is_refused() {
    let refused = after_registration(|behaviour| behaviour.framed = true);
    assert_eq!(refused, Err(PasskeyError::OriginMismatch));
}

#[test]
fn another_relying_party_is_refused() {
    let refused = after_registration(|behaviour| behaviour.rp_id = Some("example.com".into()));
    assert_eq!(refused, Err(PasskeyError::RelyingPartyMismatch));
}

#[test]
fn a_response_does_for_its_own_challenge_alone() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let credential = register(&passkeys, &authenticator).credential;
    let first = passkeys.begin_authentication(std::slice::from_ref(&credential)).unwrap();
    let second = passkeys.begin_authentication(std::slice::from_ref(&credential)).unwrap();
    let response = authenticator.authenticate(&first.options_json).unwrap();
    let replayed = passkeys.finish_authentication(&second.state, &response, &credential);
    assert_eq!(replayed, Err(PasskeyError::ChallengeMismatch));
    assert!(passkeys.finish_authentication(&first.state, &response, &credential).is_ok());
}

#[test]
fn another_user_s_credential_is_refused() {
    let passkeys = passkeys();
    let (marys, joans) = (SoftAuthenticator::new(ORIGIN, 1), SoftAuthenticator::new(ORIGIN, 2));
    let mary = register(&passkeys, &marys);
    let joan = UserIdentity { handle: [8; 16], name: "joan".into(), display_name: "Joan".into() };
    let begun = passkeys.begin_registration(&joan, &[], false).unwrap();
    let joan =
        passkeys.finish_registration(&begun.state, &joans.register(&begun.options_json).unwrap()).unwrap();

    // Joan answers, with her own passkey, the challenge that allows Mary's alone.
    let begun = passkeys.begin_authentication(std::slice::from_ref(&mary.credential)).unwrap();
    let mut options: serde_json::Value = serde_json::from_str(&begun.options_json).unwrap();
    options["publicKey"]["allowCredentials"] = serde_json::json!([]);
    let response = joans.authenticate(&options.to_string()).unwrap();
    for stored in [&mary.credential, &joan.credential] {
        let refused = passkeys.finish_authentication(&begun.state, &response, stored);
        assert_eq!(refused, Err(PasskeyError::UnknownCredential));
    }

    // She claims Mary's credential id for her own signature.
    let mut forged: serde_json::Value = serde_json::from_str(&response).unwrap();
    let real: serde_json::Value =
        serde_json::from_str(&marys.authenticate(&begun.options_json).unwrap()).unwrap();
    (forged["id"], forged["rawId"]) = (real["id"].clone(), real["rawId"].clone());
    forged["response"]["userHandle"] = real["response"]["userHandle"].clone();
    let refused = passkeys.finish_authentication(&begun.state, &forged.to_string(), &mary.credential);
    assert_eq!(refused, Err(PasskeyError::SignatureInvalid));
}

#[test]
fn a_registration_s_state_and_response_do_not_authenticate() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let credential = register(&passkeys, &authenticator).credential;
    let registration = passkeys.begin_registration(&mary(), &[], false).unwrap();
    let authentication = passkeys.begin_authentication(std::slice::from_ref(&credential)).unwrap();
    let assertion = authenticator.authenticate(&authentication.options_json).unwrap();
    let attestation = authenticator.register(&registration.options_json).unwrap();
    let crossed = [
        passkeys.finish_authentication(&registration.state, &assertion, &credential).err(),
        passkeys.finish_registration(&authentication.state, &attestation).err(),
    ];
    assert_eq!(crossed, [Some(PasskeyError::WrongCeremony), Some(PasskeyError::WrongCeremony)]);
    let attested = passkeys.finish_authentication(&authentication.state, &attestation, &credential);
    assert_eq!(attested, Err(PasskeyError::MalformedResponse));
    let asserted = passkeys.finish_registration(&registration.state, &assertion);
    assert_eq!(asserted, Err(PasskeyError::MalformedResponse));
}

#[test]
fn without_credentials_there_is_nothing_to_begin() {
    assert_eq!(passkeys().begin_authentication(&[]), Err(PasskeyError::UnknownCredential));
}
