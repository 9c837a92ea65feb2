//! What if the policy were another? keyward asks last week's decisions again under an edited text and tells what would differ.
//! Nothing is changed by it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use keyward_api::v1;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Officer, records};
use crate::activity::outcome;
use crate::embedded::policy_text;
use crate::keyward::{bounded, call, now};
use crate::server::{Sent, Shared};
use crate::trouble::Trouble;

/// How far back it looks, in seconds: a week.
const BACK_S: i64 = 7 * 24 * 60 * 60;
/// Decisions that are asked again at most, and differences on a page.
const MOST: u32 = 10_000;
const PAGE: u32 = 1_000;

/// The edited policy.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    policy: String,
}

/// `GET /api/console/policy`: the text to begin with.
pub async fn policy(_: Officer) -> Json<Value> {
    Json(json!({ "text": policy_text() }))
}

/// `POST /api/console/what-if`
///
/// # Errors
/// [`Trouble`]; that the text is no policy is [`Trouble::BadRequest`], with keyward's words.
pub async fn ask(
    State(portal): State<Shared>,
    _: Officer,
    Sent(request): Sent<Request>,
) -> Result<Json<Value>, Trouble> {
    let mut from = now();
    from.seconds -= BACK_S;
    let (mut considered, mut differences, mut page_token) = (0, Vec::new(), String::new());
    let mut outcomes = BTreeMap::new();
    loop {
        let trial = v1::TryPolicyRequest {
            tenant: portal.keyward.tenant.clone(),
            policy: request.policy.clone(),
            from: Some(from),
            page_size: PAGE,
            page_token,
            ..v1::TryPolicyRequest::default()
        };
        let tried = call(portal.keyward.audit.clone().try_policy(bounded(trial))).await?;
        considered += tried.decisions;
        for count in &tried.outcomes {
            *outcomes.entry((count.outcome, count.new_outcome)).or_insert(0) += count.decisions;
        }
        differences.extend(tried.differences.iter().map(difference));
        page_token = tried.next_page_token;
        if page_token.is_empty() || considered >= MOST.into() {
            break;
        }
    }
    Ok(Json(json!({
        "considered": considered, "changed": differences.len(), "changes": differences,
        "outcomes": outcomes.iter().map(went).collect::<Vec<_>>(),
        "complete": page_token.is_empty(),
    })))
}

/// How many decisions went from one outcome to another, or stayed.
fn went(((before, after), decisions): (&(i32, i32), &u64)) -> Value {
    json!({ "before": came(*before), "after": came(*after), "decisions": decisions })
}

fn came(number: i32) -> &'static str {
    outcome(&v1::Decision { outcome: number, ..v1::Decision::default() })
}

fn difference(found: &v1::PolicyDifference) -> Value {
    json!({
        "index": found.index,
        "subject": found.subject,
        "at_ms": found.at.map_or(0, |at| at.seconds * 1_000),
        "before": came(found.outcome),
        "before_evidence": records::evidence(found.evidence()),
        "after": came(found.new_outcome),
        "after_evidence": records::evidence(found.new_evidence()),
        "policies": found.new_policies,
    })
}
