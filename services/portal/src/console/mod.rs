//! The security console: keyward's audit log for the eyes of an officer. It reads through keyward's AuditService alone; what
//! it keeps itself is who acknowledged which alert.
//!
//! It opens with a decision like everything else (`administer`), for as long as that decision says.

pub mod alerts;
pub mod records;
pub mod stream;
pub mod what_if;

use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use keyward_api::v1;
use serde_json::json;

use crate::act::{Of, Task};
use crate::answer::{Answer, Done};
use crate::flows::administer::administer;
use crate::people::Person;
use crate::server::{Here, Shared};
use crate::trouble::Trouble;

/// An officer whose console is open.
pub struct Officer {
    /// The officer.
    pub person: &'static Person,
    /// Until when it is open.
    pub until: Instant,
}

impl FromRequestParts<Shared> for Officer {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, portal: &Shared) -> Result<Self, Trouble> {
        let here = Here::from_request_parts(parts, portal).await?;
        let person = here.visit.person()?;
        let until = here.visit.state().console.filter(|until| *until > Instant::now());
        let until = until.ok_or(Trouble::ConsoleClosed)?;
        Ok(Self { person, until })
    }
}

/// `POST /api/console/open`
///
/// # Errors
/// [`Trouble`].
pub async fn open(State(portal): State<Shared>, here: Here) -> Result<Answer, Trouble> {
    administer(&portal, here, Task::OpenConsole).await
}

/// What an allowed opening does.
pub(crate) fn opened(of: &Of, decision: &v1::Decision) -> Done {
    let seconds = decision.valid_for.and_then(|valid| u64::try_from(valid.seconds).ok()).unwrap_or(0);
    of.visit.state().console = Some(Instant::now() + Duration::from_secs(seconds));
    json!({ "open_for_s": seconds }).into()
}
