//! Today's appointments: routine, so one factor within the shift is enough.

use axum::extract::State;
use serde_json::{Value, json};

use crate::act::{Act, Of, With, ask};
use crate::answer::{Answer, Done};
use crate::clinic::{APPOINTMENTS, Patient};
use crate::people::Person;
use crate::server::{Here, Shared};
use crate::trouble::Trouble;

/// `POST /api/appointments`
///
/// # Errors
/// [`Trouble`].
pub async fn see(State(portal): State<Shared>, here: Here) -> Result<Answer, Trouble> {
    let person = here.visit.person()?;
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::SeeAppointments, With::default()).await
}

/// The list: a clinician's own first, everybody's for the others.
pub(crate) fn appointments(of: &Of) -> Done {
    let rows: Vec<Value> = APPOINTMENTS
        .iter()
        .filter_map(|appointment| {
            let patient = Patient::by_id(appointment.patient).ok()?;
            Some(json!({
                "at": appointment.at,
                "minutes": appointment.minutes,
                "kind": appointment.kind,
                "reason": if patient.restricted && appointment.with != of.person.id { "Confidential" } else { appointment.reason },
                "mine": appointment.with == of.person.id,
                "with": Person::by_id(appointment.with).map(|person| person.name),
                "patient": { "id": patient.id, "name": patient.name, "born": patient.born, "mrn": patient.mrn,
                    "restricted": patient.restricted, "in_care": patient.is_in_care_of(of.person) },
            }))
        })
        .collect();
    json!({ "appointments": rows }).into()
}
