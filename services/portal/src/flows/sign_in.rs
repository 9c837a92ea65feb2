//! What every sign-in shares: the nonce under which typing is recorded, the claims that the portal makes, and the welcome.

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::Of;
use crate::answer::{Answer, Done};
use crate::people::Person;
use crate::server::{Here, Shared};
use crate::trouble::Trouble;
use crate::visit;

/// The kinds of device that a sign-in page can tell apart.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The person's own computer.
    Personal,
    /// A workstation on the ward.
    SharedWorkstation,
    /// A phone or tablet.
    Phone,
}

impl From<Device> for v1::DeviceClass {
    fn from(device: Device) -> Self {
        match device {
            Device::Personal => Self::Personal,
            Device::SharedWorkstation => Self::SharedWorkstation,
            Device::Phone => Self::Phone,
        }
    }
}

/// `POST /api/nonce`: a nonce for this browser's session, under which it records the next typing.
///
/// # Errors
/// [`Trouble`].
pub async fn nonce(State(portal): State<Shared>, here: Here) -> Result<Json<Value>, Trouble> {
    Ok(Json(json!({ "nonce": portal.keyward.nonce(&here.visit.session).await? })))
}

/// `POST /api/sign-out`: ends the visit. Also how people take turns at a shared workstation: the next one gets a session of
/// her own.
pub async fn sign_out(State(portal): State<Shared>, here: Here) -> Json<Value> {
    portal.visits.end(&here.visit);
    Json(json!({ "outcome": "allow" }))
}

/// What the portal verified itself. keyward's policy decides what it is worth.
pub(crate) fn claims(state: &visit::State, person: &Person) -> Vec<v1::Claim> {
    let claims = [(v1::ClaimKind::Password, &state.password), (v1::ClaimKind::Badge, &state.badge)];
    let hers = claims.into_iter().filter_map(|(kind, claim)| {
        let (owner, at) = claim.as_ref()?;
        (owner.id == person.id).then_some(v1::Claim { kind: kind.into(), verified_at: Some(*at) })
    });
    hers.collect()
}

/// What an allowed sign-in does: the browser gets a new cookie.
pub(crate) fn welcome(portal: &crate::server::Portal, of: &Of) -> Done {
    portal.directory.forgive(of.person.id, of.ip);
    let cookie = portal.visits.sign_in(&of.visit, of.person);
    Done { result: json!({ "person": of.person.id, "csrf": of.visit.csrf() }), cookie: Some(cookie) }
}

/// One text for a wrong name and a wrong password.
pub(crate) fn refused() -> Answer {
    Answer::refused("wrong", "That staff ID and password do not go together. Please try again.")
}
