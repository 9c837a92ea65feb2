//! "This was not me": the person's own list of what happened in her name, and the report.
//!
//! A report tells keyward that the decision was an attack: what was learned from it is taken back, and the officer's console
//! shows it. The portal ends every other session of the person.

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::keyward::{bounded, call};
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    decision: String,
}

/// `GET /api/activity`
///
/// # Errors
/// [`Trouble`].
pub async fn list(State(portal): State<Shared>, here: Here) -> Result<Json<Value>, Trouble> {
    let person = here.visit.person()?;
    Ok(Json(json!({ "entries": portal.activity.of(person, &here.visit.session) })))
}

/// `POST /api/activity/not-me`
///
/// # Errors
/// [`Trouble`].
pub async fn report(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Request>,
) -> Result<Json<Value>, Trouble> {
    let person = here.visit.person()?;
    let is_hers =
        portal.activity.of(person, &here.visit.session).iter().any(|e| e.decision == request.decision);
    if !is_hers {
        return Err(Trouble::NotFound("decision"));
    }
    let report = v1::ReportOutcomeRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.id.to_owned(),
        decision_id: request.decision.clone(),
        outcome: v1::ReportedOutcome::ConfirmedAttack.into(),
    };
    let reported = call(portal.keyward.decisions.clone().report_outcome(bounded(report))).await?;
    portal.activity.report(person, &request.decision);
    let ended = portal.visits.end_others(person, &here.visit);
    Ok(Json(json!({
        "outcome": "allow", "retracted_samples": reported.retracted_samples, "ended_sessions": ended,
    })))
}
