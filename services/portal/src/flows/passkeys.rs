//! A person's passkeys: list, add another, name, remove. All of it is keyward's; the portal adds who is signed in.

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings;
use crate::keyward::{Keyward, bounded, call};
use crate::people::Person;
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;
use crate::wire;

/// What the page sends after the authenticator answered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    answer: Value,
    /// What the person calls it.
    #[serde(default)]
    name: String,
}

/// A passkey to be renamed or removed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    id: String,
    /// The new name; not given to remove it.
    #[serde(default)]
    name: Option<String>,
}

/// `GET /api/passkeys`
///
/// # Errors
/// [`Trouble`].
pub async fn list(State(portal): State<Shared>, here: Here) -> Result<Json<Value>, Trouble> {
    let listed = portal.keyward.list_passkeys(here.visit.person()?).await?;
    let passkeys = listed.passkeys.iter().map(|passkey| wire::to_json("Passkey", passkey));
    let passkeys: Vec<Value> = passkeys.collect();
    Ok(Json(json!({ "passkeys": passkeys, "accepted": listed.accepted_credentials_json })))
}

/// `POST /api/passkeys/begin`: another passkey for whoever is signed in and opened the settings.
///
/// # Errors
/// [`Trouble`].
pub async fn begin(State(portal): State<Shared>, here: Here) -> Result<Json<Value>, Trouble> {
    let person = settings::owner(&here)?;
    begin_for(&portal, &here, person).await
}

/// `POST /api/passkeys/finish`
///
/// # Errors
/// [`Trouble`].
pub async fn finish(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Finish>,
) -> Result<Json<Value>, Trouble> {
    let person = here.visit.person()?;
    let passkey = finish_for(&portal, &here, person, request).await?;
    Ok(Json(json!({ "outcome": "allow", "passkey": wire::to_json("Passkey", &passkey) })))
}

/// `POST /api/passkeys/change`: renames one, or removes it. The last one stays, or the person would be locked out.
///
/// # Errors
/// [`Trouble`].
pub async fn change(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Change>,
) -> Result<Json<Value>, Trouble> {
    let person = settings::owner(&here)?;
    let (tenant, subject) = (portal.keyward.tenant.clone(), person.id.to_owned());
    let mut client = portal.keyward.passkeys.clone();
    match request.name {
        Some(name) => {
            let rename = v1::RenamePasskeyRequest { tenant, subject, passkey_id: request.id, name };
            call(client.rename_passkey(bounded(rename))).await?;
        }
        None if portal.keyward.list_passkeys(person).await?.passkeys.len() < 2 => {
            let message = "This is your only passkey. Add another one before you remove it.";
            return Ok(Json(json!({ "outcome": "refused", "code": "last_passkey", "message": message })));
        }
        None => {
            let revoke = v1::RevokePasskeyRequest { tenant, subject, passkey_id: request.id };
            call(client.revoke_passkey(bounded(revoke))).await?;
        }
    }
    Ok(Json(json!({ "outcome": "allow" })))
}

pub(super) async fn begin_for(portal: &Shared, here: &Here, person: &Person) -> Result<Json<Value>, Trouble> {
    let request = v1::BeginRegistrationRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.id.to_owned(),
        session: here.visit.session.clone(),
        user_name: person.id.to_owned(),
        display_name: person.name.to_owned(),
        hardware_bound: false,
    };
    let begun = call(portal.keyward.passkeys.clone().begin_registration(bounded(request))).await?;
    let begun = wire::to_json("BeginRegistrationResponse", &begun);
    Ok(Json(json!({ "outcome": "allow", "begun": begun })))
}

pub(super) async fn finish_for(
    portal: &Shared,
    here: &Here,
    person: &Person,
    request: Finish,
) -> Result<v1::Passkey, Trouble> {
    // The prompt's answer has the same two fields for both kinds of ceremony.
    let answer = wire::assertion(&request.answer)?;
    let request = v1::FinishRegistrationRequest {
        tenant: portal.keyward.tenant.clone(),
        subject: person.id.to_owned(),
        session: here.visit.session.clone(),
        ceremony_id: answer.ceremony_id,
        credential_json: answer.credential_json,
        name: request.name,
    };
    let finished = call(portal.keyward.passkeys.clone().finish_registration(bounded(request))).await?;
    finished.passkey.ok_or(Trouble::Fault)
}

impl Keyward {
    /// A person's passkeys, oldest first, and what her passkey managers may be told of them.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn list_passkeys(&self, person: &Person) -> Result<v1::ListPasskeysResponse, Trouble> {
        let request = v1::ListPasskeysRequest { tenant: self.tenant.clone(), subject: person.id.to_owned() };
        call(self.passkeys.clone().list_passkeys(bounded(request))).await
    }

    /// Whether a person is new: without any passkey.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn has_no_passkey(&self, person: &Person) -> Result<bool, Trouble> {
        Ok(self.list_passkeys(person).await?.passkeys.is_empty())
    }
}
