//! Verifying one ES256 assertion: ours against the bare library, in one run.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use keyward_passkeys::{Passkeys, RelyingParty, UserIdentity};
use keyward_simulate::authenticator::SoftAuthenticator;
use webauthn_rs::prelude::{PublicKeyCredential, Url, Uuid, WebauthnBuilder};

const ORIGIN: &str = "https://portal.example.org";

fn ours(c: &mut Criterion) {
    let party = RelyingParty {
        id: "example.org".into(),
        name: "Example Clinic".into(),
        origins: vec![ORIGIN.into()],
        attestation_roots_pem: vec![],
    };
    let passkeys = Passkeys::new(&party).expect("sound settings");
    let authenticator = SoftAuthenticator::new(ORIGIN, 1);
    let user = UserIdentity { handle: [7; 16], name: "mary".into(), display_name: "Mary".into() };
    let begun = passkeys.begin_registration(&user, &[], false).expect("begins");
    let response = authenticator.register(&begun.options_json).expect("answers");
    let credential = passkeys.finish_registration(&begun.state, &response).expect("registers").credential;
    let begun = passkeys.begin_authentication(std::slice::from_ref(&credential)).expect("begins");
    let response = authenticator.authenticate(&begun.options_json).expect("answers");

    c.bench_function("authenticate, keyward", |b| {
        b.iter(|| {
            passkeys
                .finish_authentication(black_box(&begun.state), black_box(&response), black_box(&credential))
                .expect("verifies")
        });
    });
    c.bench_function("begin, keyward", |b| {
        b.iter(|| passkeys.begin_authentication(black_box(std::slice::from_ref(&credential))));
    });
    c.bench_function("sign, software authenticator", |b| {
        b.iter(|| authenticator.authenticate(black_box(&begun.options_json)).expect("answers"));
    });
    println!("stored credential: {} bytes; state: {} bytes", credential.len(), begun.state.len());
}

fn bare(c: &mut Criterion) {
    let origin = Url::parse(ORIGIN).expect("an origin");
    let webauthn = WebauthnBuilder::new("example.org", &origin)
        .and_then(WebauthnBuilder::build)
        .expect("sound settings");
    let authenticator = SoftAuthenticator::new(ORIGIN, 1);
    let (options, state) =
        webauthn.start_passkey_registration(Uuid::from_bytes([7; 16]), "mary", "Mary", None).expect("begins");
    let response = authenticator.register(&serde_json::to_string(&options).expect("JSON")).expect("answers");
    let key = webauthn
        .finish_passkey_registration(&serde_json::from_str(&response).expect("JSON"), &state)
        .expect("registers");
    let (options, state) = webauthn.start_passkey_authentication(&[key]).expect("begins");
    let response =
        authenticator.authenticate(&serde_json::to_string(&options).expect("JSON")).expect("answers");
    let parsed: PublicKeyCredential = serde_json::from_str(&response).expect("JSON");

    c.bench_function("authenticate, bare library, parsed", |b| {
        b.iter(|| {
            webauthn.finish_passkey_authentication(black_box(&parsed), black_box(&state)).expect("verifies")
        });
    });
}

criterion_group!(benches, ours, bare);
criterion_main!(benches);
