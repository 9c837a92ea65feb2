//! Checkpoints in a running session: is it still the same person?
//!
//! The page sends what was recorded since the last one; the portal adds how many charts were opened. When keyward asks for
//! a step-up, the session is held: nothing opens until it is answered or somebody signs in anew.

use std::collections::HashSet;
use std::time::Instant;

use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::{Act, Of, With, ask};
use crate::answer::{Answer, Done};
use crate::server::{Here, Sent, Shared};
use crate::trouble::Trouble;
use crate::{visit, wire};

/// The longest window that the contract takes, in seconds.
const LONGEST_S: u64 = 86_400;

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    #[serde(default)]
    telemetry: Value,
}

/// `POST /api/checkpoint`. A session that is held may ask too, for a fresh prompt; only the prompt's answer lifts the lock.
///
/// # Errors
/// [`Trouble`].
pub async fn check(
    State(portal): State<Shared>,
    here: Here,
    Sent(request): Sent<Request>,
) -> Result<Answer, Trouble> {
    let person = here.visit.state().person.ok_or(Trouble::SignedOut)?;
    let telemetry = wire::telemetry(Some(&request.telemetry))?;
    let of = Of { person, visit: here.visit, ip: here.ip };
    ask(&portal, of, Act::GoOn, With { telemetry, ..With::default() }).await
}

/// What an allowed checkpoint does.
pub(crate) fn go_on(of: &Of) -> Done {
    let mut state = of.visit.state();
    state.opened.clear();
    state.checkpoint = Some(Instant::now());
    json!({ "held": state.held }).into()
}

/// What was opened since the last checkpoint, with the chart that is asked for now.
pub(crate) fn access(state: &visit::State, act: &Act) -> Option<v1::RecordAccess> {
    let asked = if let Act::OpenChart(patient) = act { Some(*patient) } else { None };
    let opened: Vec<&str> = state.opened.iter().copied().chain(asked).collect();
    if opened.is_empty() {
        return None;
    }
    let window = state.checkpoint.map_or(1, |at| at.elapsed().as_secs().clamp(1, LONGEST_S));
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).min(1_000_000);
    let distinct: HashSet<&str> = opened.iter().copied().collect();
    Some(v1::RecordAccess {
        window_s: u32::try_from(window).unwrap_or(1),
        reads: count(opened.len()),
        distinct_patients: count(distinct.len()),
        ..v1::RecordAccess::default()
    })
}
