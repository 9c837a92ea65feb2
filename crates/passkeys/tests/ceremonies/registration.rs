//! Registrations against the software authenticator, with and without attestation.

use crate::common::{ORIGIN, mary, party, passkeys, register};
use keyward_passkeys::{PasskeyError, Passkeys, Registered, RelyingParty, UserIdentity};
use keyward_simulate::authenticator::{
    AAGUID, Attestation, AuthenticatorError, Behaviour, SoftAuthenticator,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

fn refused(change: impl FnOnce(&mut Behaviour)) -> Option<PasskeyError> {
    let mut behaviour = Behaviour::default();
    change(&mut behaviour);
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1).with(behaviour));
    let begun = passkeys.begin_registration(&mary(), &[], false).unwrap();
    let response = authenticator.register(&begun.options_json).unwrap();
    passkeys.finish_registration(&begun.state, &response).err()
}

#[test]
fn the_options_ask_for_a_discoverable_verified_key_and_no_eddsa() {
    let begun = passkeys().begin_registration(&mary(), &[], false).unwrap();
    let options: serde_json::Value = serde_json::from_str(&begun.options_json).unwrap();
    let options = &options["publicKey"];
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "preferred");
    assert_eq!(options["rp"], serde_json::json!({ "id": "example.org", "name": "Example Clinic" }));
    assert_eq!(options["user"]["name"], "mary@example.org");
    let algorithms: Vec<i64> =
        options["pubKeyCredParams"].as_array().unwrap().iter().map(|p| p["alg"].as_i64().unwrap()).collect();
    assert!(algorithms.contains(&-7) && !algorithms.contains(&-8), "{algorithms:?}");
}

#[test]
fn what_was_registered_can_be_described() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let registered = register(&passkeys, &authenticator);
    let info = Passkeys::describe(&registered.credential).unwrap();
    assert_eq!((info.id, info.user_handle, info.counter), (registered.id, mary().handle, 0));
    assert!(info.backup_eligible && info.backed_up && !info.hardware_bound);
    assert_eq!((info.transports, info.aaguid), (vec!["hybrid".into(), "internal".into()], None));
}

#[test]
fn faults_are_named() {
    assert_eq!(refused(|b| b.framed = true), Some(PasskeyError::OriginMismatch));
    assert_eq!(refused(|b| b.user_verified = false), Some(PasskeyError::UserVerificationMissing));
    assert_eq!(
        refused(|b| b.origin = Some("https://evil.example".into())),
        Some(PasskeyError::OriginMismatch)
    );
    assert_eq!(refused(|b| b.rp_id = Some("example.com".into())), Some(PasskeyError::RelyingPartyMismatch));
    assert_eq!(refused(|b| b.backup_eligible = false), Some(PasskeyError::BackupInconsistent));
    assert_eq!(refused(|_| {}), None);
}

#[test]
fn a_response_registers_for_its_own_challenge_alone() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let first = passkeys.begin_registration(&mary(), &[], false).unwrap();
    let second = passkeys.begin_registration(&mary(), &[], false).unwrap();
    let response = authenticator.register(&first.options_json).unwrap();
    assert_eq!(passkeys.finish_registration(&second.state, &response), Err(PasskeyError::ChallengeMismatch));
}

#[test]
fn an_excluded_credential_is_refused_by_browser_and_server() {
    let (passkeys, authenticator) = (passkeys(), SoftAuthenticator::new(ORIGIN, 1));
    let registered = register(&passkeys, &authenticator);
    let begun = passkeys.begin_registration(&mary(), &[registered.credential], false).unwrap();
    assert_eq!(authenticator.register(&begun.options_json), Err(AuthenticatorError::InvalidState));
    // Equal seeds make equal credentials: a fresh authenticator that does not know of the first one.
    let response = SoftAuthenticator::new(ORIGIN, 1).register(&{
        let mut options: serde_json::Value = serde_json::from_str(&begun.options_json).unwrap();
        options["publicKey"]["excludeCredentials"] = serde_json::json!([]);
        options.to_string()
    });
    let refused = passkeys.finish_registration(&begun.state, &response.unwrap());
    assert_eq!(refused, Err(PasskeyError::AlreadyRegistered));
}

#[test]
fn a_user_without_a_name_is_refused() {
    let nameless = UserIdentity { name: String::new(), ..mary() };
    assert_eq!(passkeys().begin_registration(&nameless, &[], false), Err(PasskeyError::InvalidUser));
}

#[test]
fn localhost_registers_over_http_on_any_port() {
    let party =
        RelyingParty { id: "localhost".into(), origins: vec!["http://localhost:8080".into()], ..party() };
    let passkeys = Passkeys::new(&party).unwrap();
    for origin in ["http://localhost:8080", "http://localhost:9999"] {
        register(&passkeys, &SoftAuthenticator::new(origin, 1));
    }
}

/// A maker: a root certificate, and an attestation key with its certificate (WebAuthn Level 3 §8.2.1).
struct Maker {
    root_pem: String,
    key_pkcs8: Vec<u8>,
    certificate: Vec<u8>,
}

impl Maker {
    fn new() -> Self {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, "Test Maker Root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let root_pem = root.self_signed(&root_key).unwrap().pem();

        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CountryName, "SE");
        leaf.distinguished_name.push(DnType::OrganizationName, "Test Maker");
        leaf.distinguished_name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        leaf.distinguished_name.push(DnType::CommonName, "Test Maker Key");
        leaf.is_ca = IsCa::ExplicitNoCa;
        let certificate = leaf.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
        Self { root_pem, key_pkcs8: key.serialize_der(), certificate: certificate.der().to_vec() }
    }

    fn authenticator(&self, behaviour: Behaviour) -> SoftAuthenticator {
        let attestation = Attestation::new(&self.key_pkcs8, vec![self.certificate.clone()]).unwrap();
        SoftAuthenticator::new(ORIGIN, 1).with(behaviour).with_attestation(attestation)
    }
}

fn trusting(maker: &Maker) -> Passkeys {
    Passkeys::new(&RelyingParty { attestation_roots_pem: vec![maker.root_pem.clone()], ..party() }).unwrap()
}

fn register_hardware(
    passkeys: &Passkeys,
    authenticator: &SoftAuthenticator,
) -> Result<Registered, PasskeyError> {
    let begun = passkeys.begin_registration(&mary(), &[], true)?;
    passkeys.finish_registration(&begun.state, &authenticator.register(&begun.options_json).unwrap())
}

#[test]
fn an_attested_key_that_cannot_be_copied_is_hardware_bound() {
    let maker = Maker::new();
    let (passkeys, authenticator) = (trusting(&maker), maker.authenticator(Behaviour::hardware()));
    let registered = register_hardware(&passkeys, &authenticator).unwrap();
    assert!(registered.hardware_bound && !registered.backup_eligible);
    assert_eq!(Passkeys::describe(&registered.credential).unwrap().aaguid, Some(AAGUID));

    let begun = passkeys.begin_authentication(std::slice::from_ref(&registered.credential)).unwrap();
    let response = authenticator.authenticate(&begun.options_json).unwrap();
    let verified = passkeys.finish_authentication(&begun.state, &response, &registered.credential).unwrap();
    assert!(verified.hardware_bound && verified.user_verified);
}

#[test]
fn hardware_registration_needs_roots_a_trusted_maker_and_a_key_that_stays() {
    let (maker, other) = (Maker::new(), Maker::new());
    let hardware = maker.authenticator(Behaviour::hardware());
    assert_eq!(register_hardware(&passkeys(), &hardware), Err(PasskeyError::HardwareUnavailable));
    assert_eq!(register_hardware(&trusting(&other), &hardware), Err(PasskeyError::AttestationUntrusted));

    let copied = maker.authenticator(Behaviour::default());
    assert_eq!(register_hardware(&trusting(&maker), &copied), Err(PasskeyError::NotHardwareBound));

    let unattested = SoftAuthenticator::new(ORIGIN, 1).with(Behaviour::hardware());
    assert_eq!(register_hardware(&trusting(&maker), &unattested), Err(PasskeyError::AttestationUntrusted));

    // The maker's certificate with somebody else's signature.
    let forged = Attestation::new(&other.key_pkcs8, vec![maker.certificate.clone()]).unwrap();
    let authenticator =
        SoftAuthenticator::new(ORIGIN, 1).with(Behaviour::hardware()).with_attestation(forged);
    assert_eq!(register_hardware(&trusting(&maker), &authenticator), Err(PasskeyError::AttestationUntrusted));
}

#[test]
fn an_attestation_that_nobody_asked_to_trust_proves_nothing() {
    let maker = Maker::new();
    let (passkeys, authenticator) = (trusting(&maker), maker.authenticator(Behaviour::hardware()));
    let begun = passkeys.begin_registration(&mary(), &[], false).unwrap();
    let mut options: serde_json::Value = serde_json::from_str(&begun.options_json).unwrap();
    options["publicKey"]["attestation"] = serde_json::json!("direct");
    let response = authenticator.register(&options.to_string()).unwrap();
    let registered = passkeys.finish_registration(&begun.state, &response).unwrap();
    assert!(!registered.hardware_bound);
    assert_eq!(Passkeys::describe(&registered.credential).unwrap().aaguid, None);
}
