//! Figures without a server: what single pieces cost beside the bare primitive.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use keyward_api::convert;
use keyward_domain::{Aal, Assessment, Assurance, Clock, Decision, DecisionId, Outcome};
use keyward_engine::TokenSigner;
use keyward_features::{FixedText, fixed_text};
use keyward_passkeys::{Passkeys, RelyingParty, UserIdentity};
use keyward_scoring::KeystrokeModel;
use keyward_simulate::authenticator::SoftAuthenticator;
use prost::Message;

use super::figures::Figures;
use super::population::{PROFILE_SAMPLES, samples};
use crate::clock::SystemClock;
use crate::demo::portal::Failed;

/// How long each piece is repeated in a round.
const TIME: Duration = Duration::from_millis(60);
/// Calls between two looks at the clock.
const BATCH: u32 = 16;

/// Mean time of one call, in microseconds.
fn time_us<T>(mut call: impl FnMut() -> T) -> f64 {
    let (begun, mut calls) = (Instant::now(), 0_u32);
    while begun.elapsed() < TIME {
        for _ in 0..BATCH {
            black_box(call());
        }
        calls += BATCH;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// Signing a decision token, and the bare signature over as many bytes.
pub(super) fn token(figures: &mut Figures) -> Result<(), Failed> {
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no key could be made")?;
    let signer = TokenSigner::from_pkcs8(key.as_ref())?;
    let bare = Ed25519KeyPair::from_pkcs8(key.as_ref()).map_err(|_| "the key could not be read")?;
    let (assessment, decision) = (login()?, allowed());
    let token = signer.sign("keyward", &assessment, &decision)?;
    let (message, _) = token.rsplit_once('.').ok_or("a token has three parts")?;
    figures.note("ed25519_us", time_us(|| bare.sign(message.as_bytes())));
    figures.note("token_us", time_us(|| signer.sign("keyward", &assessment, &decision)));
    Ok(())
}

/// A login as the engine gets it.
fn login() -> Result<Assessment, Failed> {
    let clock = SystemClock;
    let request = super::strawman_request(clock);
    let request = keyward_api::v1::AssessRequest::decode(&*request)?;
    convert::assess(request, clock.now()).map_err(|violations| format!("{violations:?}").into())
}

fn allowed() -> Decision {
    let now = SystemClock.now();
    Decision {
        id: DecisionId(uuid::Uuid::from_u128(7)),
        outcome: Outcome::Allow,
        risk: None,
        signals: Vec::new(),
        reasons: Vec::new(),
        step_up: None,
        obligations: Vec::new(),
        assurance: Assurance {
            aal: Aal::Aal2,
            amr: ["pop", "swk", "user", "mfa"].map(str::to_owned).into(),
            at: Some(now),
        },
        policies: Vec::new(),
        at: now,
        valid_for: Duration::from_mins(5),
        audit_index: None,
        token: None,
    }
}

/// One verification of an ES256 assertion by webauthn-rs, with the state and the credential read from their bytes.
pub(super) fn passkey_finish(figures: &mut Figures) -> Result<(), Failed> {
    let passkeys = Passkeys::new(&RelyingParty {
        id: "localhost".to_owned(),
        name: "keyward".to_owned(),
        origins: vec![crate::demo::ORIGIN.to_owned()],
        attestation_roots_pem: Vec::new(),
    })?;
    let authenticator = SoftAuthenticator::new(crate::demo::ORIGIN, 1);
    let user = UserIdentity { handle: [7; 16], name: "mary".to_owned(), display_name: "Mary".to_owned() };
    let begun = passkeys.begin_registration(&user, &[], false)?;
    let response = authenticator.register(&begun.options_json)?;
    let credential = passkeys.finish_registration(&begun.state, &response)?.credential;
    let begun = passkeys.begin_authentication(std::slice::from_ref(&credential))?;
    let response = authenticator.authenticate(&begun.options_json)?;
    passkeys.finish_authentication(&begun.state, &response, &credential)?;
    let finish = || passkeys.finish_authentication(&begun.state, &response, &credential);
    figures.note("passkey_finish_us", time_us(finish));
    Ok(())
}

/// One score of a mature model, and its bytes as stored.
pub(super) fn score(figures: &mut Figures) -> Result<(), Failed> {
    let texts: Vec<FixedText> =
        samples(1, PROFILE_SAMPLES + 1).iter().map(fixed_text).collect::<Result<_, _>>()?;
    let (newest, older) = texts.split_last().ok_or("there are samples")?;
    let model = KeystrokeModel::train(older)?;
    figures.note("score_us", time_us(|| model.score(black_box(newest))));
    figures.note("model_bytes", model.payload_bytes() as f64);
    Ok(())
}
