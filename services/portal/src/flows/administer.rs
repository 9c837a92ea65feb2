//! The administrator's page: the staff, and a new code for someone who lost every passkey.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::{Act, Of, Task, With, ask};
use crate::answer::{Answer, Done};
use crate::people::{Person, STAFF};
use crate::server::{Here, Portal, Sent, Shared};
use crate::trouble::Trouble;

/// Whose code is to be renewed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    staff_id: String,
}

/// `POST /api/administer/staff`
///
/// # Errors
/// [`Trouble`].
pub async fn staff(State(portal): State<Shared>, here: Here) -> Result<Answer, Trouble> {
    administer(&portal, here, Task::SeeStaff).await
}

/// `POST /api/administer/code`
///
/// # Errors
/// [`Trouble`].
pub async fn renew(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Renew>,
) -> Result<Answer, Trouble> {
    let person = Person::by_id(&request.staff_id).ok_or(Trouble::NotFound("person"))?;
    administer(&portal, here, Task::RenewCode(person.id)).await
}

pub(crate) async fn administer(portal: &Portal, here: Here, task: Task) -> Result<Answer, Trouble> {
    let person = here.visit.person()?;
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(portal, of, Act::Administer(task), With::default()).await
}

/// Does what was allowed.
pub(crate) fn perform(portal: &Portal, task: Task) -> Result<Done, Trouble> {
    Ok(match task {
        Task::SeeStaff => json!({ "staff": STAFF.iter().map(|p| row(portal, p)).collect::<Vec<_>>() }).into(),
        Task::RenewCode(id) => {
            let person = Person::by_id(id).ok_or(Trouble::NotFound("person"))?;
            json!({ "staff_id": id, "code": portal.directory.renew_code(person) }).into()
        }
        Task::OpenConsole => json!({}).into(),
    })
}

fn row(portal: &Portal, person: &Person) -> Value {
    json!({
        "id": person.id, "name": person.name, "title": person.title, "roles": person.roles,
        "code_open": portal.directory.code(person).is_some(),
    })
}
