//! My data: what is held about a person's typing, how well it is known, and the ways to have it forgotten, to take all of it
//! along, and to opt out.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::header;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};
use tonic::Request;

use super::settings;
use crate::keyward::{bounded, call};
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;
use crate::wire;

/// `GET /api/my-data`
///
/// # Errors
/// [`Trouble`].
pub async fn see(State(portal): State<Shared>, here: Here) -> Result<Json<Value>, Trouble> {
    let person = here.visit.person()?;
    let request =
        v1::GetProfileStatusRequest { tenant: portal.keyward.tenant.clone(), subject: person.id.to_owned() };
    let status = call(portal.keyward.profiles.clone().get_profile_status(bounded(request))).await?;
    let profiles: Vec<Value> = status.profiles.iter().map(|p| wire::to_json("ProfileStatus", p)).collect();
    let opted_out = status.behaviour_consent() == v1::BehaviourConsent::OptedOut;
    Ok(Json(json!({ "profiles": profiles, "opted_out": opted_out })))
}

/// `POST /api/my-data/reset`: forgets how the person types, everywhere. Learning starts anew.
///
/// # Errors
/// [`Trouble`].
pub async fn reset(State(portal): State<Shared>, here: Here) -> Result<Json<Value>, Trouble> {
    let person = here.visit.person()?;
    let request = v1::ResetProfileRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.id.to_owned(),
        ..v1::ResetProfileRequest::default()
    };
    let reset = call(portal.keyward.profiles.clone().reset_profile(bounded(request))).await?;
    Ok(Json(json!({ "outcome": "allow", "profiles": reset.profiles })))
}

/// `GET /api/my-data/export`: everything that keyward holds on the person, as a file.
///
/// # Errors
/// [`Trouble`].
pub async fn export(State(portal): State<Shared>, here: Here) -> Result<Response, Trouble> {
    let person = settings::owner(&here)?;
    let request =
        v1::ExportSubjectRequest { tenant: portal.keyward.tenant.clone(), subject: person.id.to_owned() };
    let pieces = call(portal.keyward.profiles.clone().export_subject(Request::new(request))).await?;
    // A piece that does not come ends the file with an error, so that half of it does not pass for the whole.
    let body = Body::from_stream(pieces.map(|piece| piece.map(|piece| piece.json)));
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"my-data.json\""),
    ];
    Ok((headers, body).into_response())
}

/// Whether typing may be looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    granted: bool,
}

/// `POST /api/my-data/consent`: the person's word on typing. Opting out forgets what was learned; passkeys go on as before.
///
/// # Errors
/// [`Trouble`].
pub async fn consent(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Consent>,
) -> Result<Json<Value>, Trouble> {
    let person = here.visit.person()?;
    let word = if request.granted { v1::BehaviourConsent::OptedIn } else { v1::BehaviourConsent::OptedOut };
    let request = v1::SetBehaviourConsentRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.id.to_owned(),
        consent: word.into(),
    };
    call(portal.keyward.profiles.clone().set_behaviour_consent(bounded(request))).await?;
    Ok(Json(json!({ "outcome": "allow" })))
}
