//! What an officer should look at: derived from the log, acknowledged here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use keyward_domain::Clock as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Officer;
use crate::server::{Sent, Shared};
use crate::trouble::Trouble;

/// Who acknowledged what: kept in memory, and gone with the program.
#[derive(Default)]
pub struct Alerts {
    seen: Mutex<HashMap<u64, (&'static str, i64)>>,
}

impl Alerts {
    fn seen(&self) -> MutexGuard<'_, HashMap<u64, (&'static str, i64)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The alert to be acknowledged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    id: u64,
}

/// `POST /api/console/acknowledge`
///
/// # Errors
/// [`Trouble`].
pub async fn acknowledge(
    State(portal): State<Shared>,
    officer: Officer,
    Sent(request): Sent<Request>,
) -> Result<Json<Value>, Trouble> {
    let at_ms = keyward::clock::SystemClock.now().micros / 1_000;
    // Whoever came first has seen it.
    portal.alerts.seen().entry(request.id).or_insert((officer.person.name, at_ms));
    Ok(Json(json!({ "id": request.id, "acknowledged": acknowledged(request.id, &portal.alerts) })))
}

/// The alert that a record raises, if it raises one.
pub(super) fn of(record: &v1::Record, alerts: &Alerts) -> Option<Value> {
    let (title, decision) = match &record.decision {
        Some(made) => (title(made)?, made.id.clone()),
        None => (reported(record)?, record.facts.get("decision_id")?.clone()),
    };
    Some(json!({
        "id": record.index,
        "title": title,
        "decision": decision,
        "at_ms": record.at.map_or(0, |at| at.seconds * 1_000),
        "subject": record.subject,
        "acknowledged": acknowledged(record.index, alerts),
    }))
}

/// The reasons that raise an alert, the gravest first.
const TITLES: [(v1::ReasonCode, &str); 4] = [
    (v1::ReasonCode::PasskeyCounterRegressed, "A passkey may have been cloned"),
    (v1::ReasonCode::BreakGlassGranted, "Emergency access"),
    (v1::ReasonCode::TelemetryReplayed, "Replayed typing"),
    (v1::ReasonCode::TelemetryMachineLike, "Typing by a machine"),
];

fn title(made: &v1::RecordedDecision) -> Option<&'static str> {
    let given = |code| made.reasons.iter().any(|reason| reason.code() == code);
    let known = TITLES.iter().find(|(code, _)| given(*code)).map(|(_, title)| *title);
    let asked = made.obligations().any(|obligation| obligation == v1::Obligation::AlertSecurity);
    known.or(asked.then_some("The policy asks for an alert"))
}

fn reported(record: &v1::Record) -> Option<&'static str> {
    let attack =
        record.facts.get("outcome").is_some_and(|outcome| outcome.eq_ignore_ascii_case("confirmed_attack"));
    (record.kind() == v1::RecordKind::OutcomeReported && attack).then_some("Reported: this was not me")
}

fn acknowledged(id: u64, alerts: &Alerts) -> Option<Value> {
    alerts.seen().get(&id).map(|(by, at_ms)| json!({ "by": by, "at_ms": at_ms }))
}
