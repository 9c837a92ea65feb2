//! Decisions as they are made: keyward's stream of records, passed on to the page as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt as _, stream};
use keyward_api::v1;
use serde_json::Value;
use tonic::Request;

use super::{Officer, alerts, records};
use crate::keyward::call;
use crate::server::Shared;
use crate::trouble::Trouble;

/// How often a silent stream shows that it lives.
const BEAT: Duration = Duration::from_secs(15);

/// `GET /api/console/stream`. It ends when the console's time is up; the page then asks anew.
///
/// # Errors
/// [`Trouble`].
pub async fn watch(
    State(portal): State<Shared>,
    officer: Officer,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Trouble> {
    let request = v1::WatchRecordsRequest { tenant: portal.keyward.tenant.clone() };
    let records = call(portal.keyward.audit.clone().watch_records(Request::new(request))).await?;
    let events = records
        .take_while(|next| std::future::ready(next.is_ok()))
        .filter_map(|next| std::future::ready(next.ok().and_then(|next| next.record)))
        .flat_map(move |record| {
            let row = records::row(&record).map(|row| event("row", &row));
            let alert = alerts::of(&record, &portal.alerts).map(|alert| event("alert", &alert));
            stream::iter(row.into_iter().chain(alert).map(Ok))
        });
    let ends = tokio::time::sleep_until(officer.until.into());
    Ok(Sse::new(events.take_until(ends)).keep_alive(KeepAlive::new().interval(BEAT)))
}

fn event(name: &str, json: &Value) -> Event {
    Event::default().event(name).data(json.to_string())
}
