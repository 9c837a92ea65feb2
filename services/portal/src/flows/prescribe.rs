//! Signing a prescription. St Mary's own objection ([policy/st-mary.cedar](../../policy/st-mary.cedar)) has each signature
//! made with a fresh passkey, so keyward answers STEP_UP, the page shows what is being signed beside the prompt, and the
//! passkey's answer signs it.

use axum::extract::State;
use keyward_api::v1;
use serde_json::json;

use crate::act::{Act, Of, With, ask};
use crate::answer::{Answer, Done};
use crate::clinic::{Draft, Patient, Prescription};
use crate::server::{Here, Portal, Sent, Shared};
use crate::trouble::Trouble;

/// `POST /api/prescriptions`
///
/// # Errors
/// [`Trouble`].
pub async fn sign(
    State(portal): State<Shared>,
    here: Here,
    Sent(draft): Sent<Draft>,
) -> Result<Answer, Trouble> {
    let person = here.visit.person()?;
    let draft = draft.check()?;
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::Prescribe(draft), With::default()).await
}

/// Keeps what was signed, with the decision that an auditor will ask for.
pub(crate) fn keep(portal: &Portal, of: &Of, draft: Draft, decision: &v1::Decision) -> Result<Done, Trouble> {
    let patient = Patient::by_id(&draft.patient)?;
    let prescription = Prescription {
        draft,
        by: of.person.name,
        at_s: decision.decided_at.map_or(0, |at| at.seconds),
        decision: decision.id.clone(),
    };
    portal.clinic.prescribe(patient, prescription.clone());
    Ok(json!({ "signed": prescription, "prescriptions": portal.clinic.prescriptions(patient) }).into())
}
