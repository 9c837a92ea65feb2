//! Fast user switching: at a shared workstation people take turns by holding a badge to the reader, which types the badge's
//! number as a keyboard would. One factor: what it opens is keyward's to say.

use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;

use crate::act::{Act, Of, With, ask};
use crate::answer::Answer;
use crate::keyward::now;
use crate::people::Person;
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    badge: String,
}

/// `POST /api/sign-in/badge`
///
/// # Errors
/// [`Trouble`].
pub async fn sign_in(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Request>,
) -> Result<Answer, Trouble> {
    let Some(person) = Person::by_badge(&request.badge) else {
        return Ok(Answer::refused("wrong", "This badge is not known here. Sign in with your staff ID."));
    };
    {
        let mut state = here.visit.state();
        state.badge = Some((person, now()));
        state.device_class = v1::DeviceClass::SharedWorkstation;
    }
    let of = Of { person, visit: here.visit, ip: here.ip };
    if portal.keyward.has_no_passkey(person).await? {
        let message = "Sign in with your password first, to make your passkey.";
        return Ok(Answer::refused("no_passkey", message));
    }
    ask(&portal, of, Act::SignIn, With::default()).await
}
