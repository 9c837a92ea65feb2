//! My data: what is held about a person's typing, how well it is known, and the way to have it forgotten.

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use serde_json::{Value, json};

use crate::keyward::{bounded, call};
use crate::server::{Here, Shared};
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
    Ok(Json(json!({ "profiles": profiles })))
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
