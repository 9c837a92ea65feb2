//! Sign-in with a password, and with how it is typed.
//!
//! The portal checks the password and says so as a claim. What the browser recorded goes along. Where the typing is well
//! known and as usual, keyward's policy may let staff in on that; else it asks for the passkey, and the answer carries the
//! challenge, bound to this very typing: proven by the passkey, it is what the person's profile learns from.

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::sign_in::{Device, refused};
use crate::act::{Act, Of, With, ask};
use crate::answer::Answer;
use crate::keyward::now;
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;
use crate::{flows, wire};

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    staff_id: String,
    password: String,
    device: Device,
    #[serde(default)]
    telemetry: Value,
}

/// `POST /api/sign-in/password`
///
/// # Errors
/// [`Trouble`].
pub async fn sign_in(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Request>,
) -> Result<Answer, Trouble> {
    let telemetry = wire::telemetry(Some(&request.telemetry))?;
    let Some(person) = portal.check_password(&request.staff_id, &request.password).await? else {
        portal.directory.failed(&request.staff_id, here.ip);
        return Ok(refused());
    };
    {
        let mut state = here.visit.state();
        state.password = Some((person, now()));
        state.device_class = request.device.into();
    }
    let of = Of { person, visit: here.visit, ip: here.ip };
    if portal.keyward.has_no_passkey(person).await? {
        return Ok(flows::enrol::invite(&of));
    }
    ask(&portal, of, Act::SignIn, With { telemetry, ..With::default() }).await
}
