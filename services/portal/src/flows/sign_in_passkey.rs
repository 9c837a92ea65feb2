//! Sign-in with a passkey, the daily way.
//!
//! Two forms of one thing. With the staff ID typed, the challenge is bound to what the browser recorded while it was typed,
//! and the sign-in teaches the person's profile in passing. With nothing typed, the browser offers passkeys in the field
//! itself (conditional UI), and keyward tells afterwards whose it was.

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use super::sign_in::Device;
use crate::act::{Act, Of, With, ask};
use crate::answer::Answer;
use crate::keyward::{bounded, call};
use crate::people::Person;
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;
use crate::wire;

/// Sign-ins that one page may have begun and not finished.
const BEGUN: usize = 16;

/// What the page sends first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Nothing, for conditional UI.
    #[serde(default)]
    staff_id: Option<String>,
    #[serde(default)]
    telemetry: Value,
}

/// What the page sends after the authenticator answered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    assertion: Value,
    device: Device,
    /// The same as in [`Begin`], or keyward rejects the answer.
    #[serde(default)]
    telemetry: Value,
}

/// `POST /api/sign-in/passkey/begin`
///
/// # Errors
/// [`Trouble`].
pub async fn begin(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Begin>,
) -> Result<Json<Value>, Trouble> {
    let telemetry = wire::telemetry(Some(&request.telemetry))?;
    let person = request.staff_id.as_deref().and_then(Person::by_id);
    // A name that nobody has, or that has no passkey yet, gets a prompt that any passkey may answer.
    let person = match person {
        Some(person) if !portal.keyward.has_no_passkey(person).await? => Some(person),
        _ => None,
    };
    let request = v1::BeginAuthenticationRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.map_or_else(String::new, |person| person.id.to_owned()),
        session: here.visit.session.clone(),
        telemetry,
    };
    let begun = call(portal.keyward.passkeys.clone().begin_authentication(bounded(request))).await?;
    let mut state = here.visit.state();
    if state.begun.len() >= BEGUN {
        state.begun.clear();
    }
    state.begun.insert(begun.ceremony_id.clone(), person);
    Ok(Json(json!({ "begun": wire::to_json("BeginAuthenticationResponse", &begun) })))
}

/// `POST /api/sign-in/passkey/finish`
///
/// # Errors
/// [`Trouble`].
pub async fn finish(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Finish>,
) -> Result<Answer, Trouble> {
    let telemetry = wire::telemetry(Some(&request.telemetry))?;
    let assertion = wire::assertion(&request.assertion)?;
    let begun = here.visit.state().begun.remove(&assertion.ceremony_id).ok_or(Trouble::ChallengeGone)?;
    here.visit.state().device_class = request.device.into();
    let (person, assertion) = match begun {
        // The assertion goes with the question, so that the typing it was bound to counts as proven.
        Some(person) => (person, Some(assertion)),
        // Whose it is must be known before anything can be asked in her name.
        None => (owner(&portal, &here, assertion).await?, None),
    };
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::SignIn, With { telemetry, assertion }).await
}

/// Whose passkey it was. The proof stays with the session at keyward.
async fn owner(
    portal: &Shared,
    here: &Here,
    assertion: v1::PasskeyAssertion,
) -> Result<&'static Person, Trouble> {
    let request = v1::FinishAuthenticationRequest {
        tenant: portal.keyward.tenant.clone(),
        session: here.visit.session.clone(),
        assertion: Some(assertion),
    };
    let finished = call(portal.keyward.passkeys.clone().finish_authentication(bounded(request))).await?;
    Person::by_id(&finished.subject).ok_or(Trouble::NotFound("person"))
}
