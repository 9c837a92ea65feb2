//! The answer to a STEP_UP, whatever it was for.
//!
//! The page hands over what the authenticator answered, and a justification where emergency access was asked for. keyward
//! decides anew; an ALLOW does what was waiting under that ceremony, and nothing else can.

use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::Value;

use crate::act::{Of, settle};
use crate::answer::Answer;
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;
use crate::wire;

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    assertion: Value,
    #[serde(default)]
    break_glass: Value,
}

/// `POST /api/step-up`
///
/// # Errors
/// [`Trouble`].
pub async fn complete(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Request>,
) -> Result<Answer, Trouble> {
    let assertion = wire::assertion(&request.assertion)?;
    let break_glass = wire::break_glass(Some(&request.break_glass))?;
    let ceremony = assertion.ceremony_id.clone();
    let (person, act) = here.visit.take(&ceremony).ok_or(Trouble::ChallengeGone)?;
    let answer = v1::CompleteStepUpRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.id.to_owned(),
        session: here.visit.session.clone(),
        assertion: Some(assertion),
        break_glass,
    };
    match portal.keyward.complete_step_up(answer).await {
        Ok(decision) => {
            settle(&portal, &Of { person, visit: here.visit, ip: here.ip }, act.proven(), &decision)
        }
        // keyward is away, or did not like a field: its challenge is unspent, so the same prompt may be answered again.
        Err(trouble @ (Trouble::Unreachable | Trouble::BadRequest(_) | Trouble::TooMany)) => {
            here.visit.file(&ceremony, person, act);
            Err(trouble)
        }
        Err(trouble) => Err(trouble),
    }
}
