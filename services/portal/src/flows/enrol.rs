//! First sign-in: a new colleague has a password and no passkey yet.
//!
//! A password alone must not be enough to register a passkey, or whoever steals one keeps the account for good. So the
//! first passkey needs a code too, which an administrator hands over in person and which opens once. The registration is
//! keyward's ceremony; the sign-in afterwards is the ordinary one, with the new passkey.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::passkeys;
use crate::act::{Act, Of, With, ask};
use crate::answer::Answer;
use crate::people::Person;
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;

/// What the page sends first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    code: String,
}

/// Tells the page that the first passkey is to be made now.
pub(crate) fn invite(of: &Of) -> Answer {
    let message = "Welcome. To finish, enter the code that your administrator gave you and make a passkey.";
    Answer::refused("enrol", message).with("name", json!(of.person.name))
}

/// `POST /api/enrol/begin`: the code, in a visit where the password was typed rightly just before.
///
/// # Errors
/// [`Trouble`].
pub async fn begin(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Begin>,
) -> Result<Json<Value>, Trouble> {
    let person = whose_password(&here)?;
    if portal.directory.failures(person.id, here.ip) >= TRIES {
        return Err(Trouble::TooMany);
    }
    if !portal.directory.is_code(person, &request.code) {
        portal.directory.failed(person.id, here.ip);
        let message = "This code is not right, or was used already. Ask your administrator for a new one.";
        return Ok(Json(json!({ "outcome": "refused", "code": "wrong_code", "message": message })));
    }
    here.visit.state().may_enrol = true;
    passkeys::begin_for(&portal, &here, person).await
}

/// `POST /api/enrol/finish`: keeps the passkey, and goes on with the sign-in that led here.
///
/// # Errors
/// [`Trouble`].
pub async fn finish(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<passkeys::Finish>,
) -> Result<Answer, Trouble> {
    let person = whose_password(&here)?;
    if !here.visit.state().may_enrol {
        return Err(Trouble::ChallengeGone);
    }
    passkeys::finish_for(&portal, &here, person, request).await?;
    here.visit.state().may_enrol = false;
    portal.directory.spend_code(person);
    portal.directory.forgive(person.id, here.ip);
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::SignIn, With::default()).await
}

/// Wrong codes before it is time to wait.
const TRIES: u32 = 10;

fn whose_password(here: &Here) -> Result<&'static Person, Trouble> {
    here.visit.state().password.map(|(person, _)| person).ok_or(Trouble::SignedOut)
}
