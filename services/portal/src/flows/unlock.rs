//! A session that was locked, because nobody was there or because its person left for a moment, and goes on.
//!
//! The password opens it again, and how it is typed goes along: other hands at a workstation that stayed signed in meet the
//! step-up here, in the middle of a running session.

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use super::sign_in::refused;
use crate::act::{Act, Of, With, ask};
use crate::answer::{Answer, Done};
use crate::keyward::{bounded, call, now};
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;
use crate::wire;

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    password: String,
    #[serde(default)]
    telemetry: Value,
}

/// What the page sends when a passkey answered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkey {
    assertion: Value,
}

/// `POST /api/lock`: holds the session until somebody confirms.
///
/// # Errors
/// [`Trouble`].
pub async fn lock(here: Here) -> Result<Json<Value>, Trouble> {
    let mut state = here.visit.state();
    state.person.ok_or(Trouble::SignedOut)?;
    state.held = true;
    Ok(Json(json!({ "outcome": "allow" })))
}

/// `POST /api/unlock`
///
/// # Errors
/// [`Trouble`].
pub async fn unlock(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Request>,
) -> Result<Answer, Trouble> {
    let person = here.visit.state().person.ok_or(Trouble::SignedOut)?;
    let telemetry = wire::telemetry(Some(&request.telemetry))?;
    if portal.check_password(person.id, &request.password).await?.is_none() {
        portal.directory.failed(person.id, here.ip);
        return Ok(refused());
    }
    here.visit.state().password = Some((person, now()));
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::Unlock, With { telemetry, ..With::default() }).await
}

/// `POST /api/unlock/begin`: the same by passkey.
///
/// # Errors
/// [`Trouble`].
pub async fn begin(State(portal): State<Shared>, here: Here) -> Result<Json<Value>, Trouble> {
    let person = here.visit.state().person.ok_or(Trouble::SignedOut)?;
    let request = v1::BeginAuthenticationRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.id.to_owned(),
        session: here.visit.session.clone(),
        telemetry: None,
    };
    let begun = call(portal.keyward.passkeys.clone().begin_authentication(bounded(request))).await?;
    Ok(Json(json!({ "begun": wire::to_json("BeginAuthenticationResponse", &begun) })))
}

/// `POST /api/unlock/passkey`: the passkey must verify by itself. Sent along with the question it would be evidence and no
/// condition, and a session goes on without a fresh one.
///
/// # Errors
/// [`Trouble::PasskeyRejected`] for a passkey of somebody else.
pub async fn passkey(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Passkey>,
) -> Result<Answer, Trouble> {
    let person = here.visit.state().person.ok_or(Trouble::SignedOut)?;
    let request = v1::FinishAuthenticationRequest {
        tenant: portal.keyward.tenant.clone(),
        session: here.visit.session.clone(),
        assertion: Some(wire::assertion(&request.assertion)?),
    };
    let finished = call(portal.keyward.passkeys.clone().finish_authentication(bounded(request))).await;
    // To a challenge for her passkeys, a colleague's is as unknown as one that was removed.
    let finished = finished.map_err(|trouble| match trouble {
        Trouble::PasskeyUnknown => Trouble::PasskeyRejected,
        other => other,
    })?;
    if finished.subject != person.id {
        return Err(Trouble::PasskeyRejected);
    }
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::Unlock, With::default()).await
}

/// What an allowed unlocking does.
pub(crate) fn open(of: &Of) -> Done {
    of.visit.state().held = false;
    json!({ "held": false }).into()
}
