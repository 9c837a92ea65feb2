//! Opening a chart, and writing in it. Also break-glass: a chart that is specially protected and not hers opens, where the
//! policy grants it, for a limited time, with a justification that will be reviewed. None of that is written here: the
//! portal says whose patient it is and how sensitive the chart, and obeys the answer.

use axum::extract::{Path, State};
use keyward_api::v1;
use serde::Deserialize;
use serde_json::json;

use crate::act::{Act, Of, With, ask};
use crate::answer::{Answer, Done};
use crate::clinic::{FORMULARY, Note, Patient};
use crate::server::{Here, Portal, Sent, Shared};
use crate::trouble::Trouble;
use crate::wire;

/// A note.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    text: String,
    #[serde(default)]
    telemetry: serde_json::Value,
}

/// `POST /api/patients/{id}/open`
///
/// # Errors
/// [`Trouble`].
pub async fn open(
    State(portal): State<Shared>,
    here: Here,
    Path(id): Path<String>,
) -> Result<Answer, Trouble> {
    let person = here.visit.person()?;
    let patient = Patient::by_id(&id)?;
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::OpenChart(patient.id), With::default()).await
}

/// `POST /api/patients/{id}/notes`
///
/// # Errors
/// [`Trouble`].
pub async fn write(
    State(portal): State<Shared>,
    here: Here,
    Path(id): Path<String>,
    Sent(request): Sent<Write>,
) -> Result<Answer, Trouble> {
    let person = here.visit.person()?;
    let patient = Patient::by_id(&id)?;
    let telemetry = wire::telemetry(Some(&request.telemetry))?;
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::WriteNote(patient.id, request.text), With { telemetry, ..With::default() }).await
}

/// The chart, with the end of the access where the decision set one.
pub(crate) fn show(
    portal: &Portal,
    of: &Of,
    patient: &str,
    decision: &v1::Decision,
) -> Result<Done, Trouble> {
    let patient = Patient::by_id(patient)?;
    of.visit.state().opened.push(patient.id);
    let ends_in_s = time_box(decision);
    Ok(json!({
        "patient": patient,
        "in_care": patient.is_in_care_of(of.person),
        "notes": portal.clinic.notes(patient),
        "prescriptions": portal.clinic.prescriptions(patient),
        "formulary": FORMULARY.map(|(drug, controlled)| json!({ "drug": drug, "controlled": controlled })),
        "ends_in_s": ends_in_s,
    })
    .into())
}

/// Keeps a note.
pub(crate) fn keep_note(
    portal: &Portal,
    of: &Of,
    patient: &str,
    text: String,
    decision: &v1::Decision,
) -> Result<Done, Trouble> {
    let patient = Patient::by_id(patient)?;
    let at_s = decision.decided_at.map_or(0, |at| at.seconds);
    portal.clinic.note(patient, Note { by: of.person.name, at_s, text })?;
    Ok(json!({ "notes": portal.clinic.notes(patient) }).into())
}

/// How long the access lasts, if keyward asks for an end.
fn time_box(decision: &v1::Decision) -> Option<i64> {
    let boxed = decision.obligations().any(|obligation| obligation == v1::Obligation::TimeBox);
    decision.valid_for.filter(|_| boxed).map(|duration| duration.seconds)
}
