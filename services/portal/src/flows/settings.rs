//! A person's own settings: passkeys are added and removed, and everything that is held is taken along.
//!
//! Whoever got in with a stolen password and a lucky hand must not make that last by adding a passkey. St Mary's own objection
//! ([policy/st-mary.cedar](../../policy/st-mary.cedar)) asks for a fresh passkey, and the answer opens the settings for a while.

use std::time::{Duration, Instant};

use axum::extract::State;
use keyward_api::v1;
use serde_json::json;

use crate::act::{Act, Of, With, ask};
use crate::answer::{Answer, Done};
use crate::people::Person;
use crate::server::{Here, Shared};
use crate::trouble::Trouble;

/// However long the decision holds, the settings close after so long.
const AT_MOST: Duration = Duration::from_mins(5);

/// `POST /api/settings/open`
///
/// # Errors
/// [`Trouble`].
pub async fn open(State(portal): State<Shared>, here: Here) -> Result<Answer, Trouble> {
    let person = here.visit.person()?;
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::OpenSettings, With::default()).await
}

/// What an allowed opening does.
pub(crate) fn opened(of: &Of, decision: &v1::Decision) -> Done {
    let holds = decision.valid_for.and_then(|valid| u64::try_from(valid.seconds).ok()).unwrap_or(0);
    let open_for = Duration::from_secs(holds).min(AT_MOST);
    of.visit.state().settings = Some(Instant::now() + open_for);
    json!({ "open_for_s": open_for.as_secs() }).into()
}

/// Who is signed in, while the settings are open.
///
/// # Errors
/// [`Trouble::SettingsClosed`] and those of the visit.
pub(super) fn owner(here: &Here) -> Result<&'static Person, Trouble> {
    let person = here.visit.person()?;
    let open = here.visit.state().settings.is_some_and(|until| until > Instant::now());
    open.then_some(person).ok_or(Trouble::SettingsClosed)
}
