//! Decisions as the console shows them: what there was, one person's, one opened down to its place in the log.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::{Path, State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_api::v1;
use keyward_api::v1::get_record_request::Name;
use serde_json::{Value, json};

use super::{Officer, alerts};
use crate::activity::outcome;
use crate::keyward::{Keyward, bounded, call};
use crate::server::Shared;
use crate::trouble::Trouble;

/// Decisions that the overview begins with.
const OVERVIEW: u32 = 500;
/// Decisions of one person that are shown.
const PERSON: u32 = 300;

/// Pages that are read at most for one answer.
const PAGES: usize = 10;

/// `GET /api/console/overview`
///
/// # Errors
/// [`Trouble`].
pub async fn overview(State(portal): State<Shared>, _: Officer) -> Result<Json<Value>, Trouble> {
    let records = portal.keyward.records(None, OVERVIEW).await?;
    let rows: Vec<Value> = records.iter().rev().filter_map(row).collect();
    let alerts: Vec<Value> = records.iter().filter_map(|record| alerts::of(record, &portal.alerts)).collect();
    Ok(Json(json!({ "rows": rows, "alerts": alerts, "budget": portal.friction_budget })))
}

/// `GET /api/console/people/{subject}`
///
/// # Errors
/// [`Trouble`].
pub async fn person(
    State(portal): State<Shared>,
    _: Officer,
    Path(subject): Path<String>,
) -> Result<Json<Value>, Trouble> {
    let records = portal.keyward.records(Some(subject), PERSON).await?;
    let rows: Vec<Value> = records.iter().rev().filter_map(row).collect();
    Ok(Json(json!({ "rows": rows })))
}

/// `GET /api/console/decisions/{name}`: by its index in the log or its id.
///
/// # Errors
/// [`Trouble`].
pub async fn decision(
    State(portal): State<Shared>,
    _: Officer,
    Path(name): Path<String>,
) -> Result<Json<Value>, Trouble> {
    let name = name.parse().map_or(Name::DecisionId(name), Name::Index);
    let request = v1::GetRecordRequest { tenant: portal.keyward.tenant.clone(), name: Some(name) };
    let got = call(portal.keyward.audit.clone().get_record(bounded(request))).await?;
    let record = got.record.as_ref().ok_or(Trouble::NotFound("record"))?;
    let row = row(record).ok_or(Trouble::NotFound("decision"))?;
    Ok(Json(json!({ "row": row, "facts": facts(record), "proof": proof(&got) })))
}

/// What the policy was asked: names and values, as the record has them.
fn facts(record: &v1::Record) -> Option<Value> {
    let made = record.decision.as_ref()?;
    serde_json::from_str(&made.facts_json).ok()
}

/// The record's place in the log: the page computes the root from it, and compares. The entry is the SHA-256 of what was
/// committed to.
fn proof(got: &v1::GetRecordResponse) -> Option<Value> {
    let proof = got.proof.as_ref()?;
    Some(json!({
        "index": proof.index,
        "tree_size": proof.size,
        "entry": hex(digest(&SHA256, &got.opening).as_ref()),
        "root_hash": root(&proof.checkpoint).map(|root| hex(&root)),
        "path": proof.hashes.iter().map(|hash| hex(hash)).collect::<Vec<_>>(),
    }))
}

/// The root that a checkpoint signs: its third line (C2SP tlog-checkpoint).
fn root(checkpoint: &str) -> Option<Vec<u8>> {
    STANDARD.decode(checkpoint.lines().nth(2)?).ok()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A text takes whatever is written.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A record as a row of the console, if it is a decision that can still be read.
pub(super) fn row(record: &v1::Record) -> Option<Value> {
    let made = record.decision.as_ref()?;
    let action = made.action.unwrap_or_default();
    let shown = v1::Decision { outcome: made.outcome, ..v1::Decision::default() };
    Some(json!({
        "index": record.index,
        "id": made.id,
        "at_ms": record.at.map_or(0, |at| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000),
        "subject": record.subject,
        "session": made.session,
        "action": word(action.kind().as_str_name(), "ACTION_KIND_"),
        "sensitivity": word(action.sensitivity().as_str_name(), "SENSITIVITY_"),
        "device": word(made.device_class().as_str_name(), "DEVICE_CLASS_"),
        "outcome": outcome(&shown),
        "evidence": evidence(made.evidence()),
        "risk": made.risk.as_ref().map(|risk| risk.score),
        "band": made.risk.as_ref().map_or("", |risk| word(risk.band().as_str_name(), "BAND_")),
        "signals": made.signals.iter().map(signal).collect::<Vec<_>>(),
        "reasons": made.reasons.iter().map(reason).collect::<Vec<_>>(),
        "policies": made.policies,
        "obligations": made.obligations().map(|o| word(o.as_str_name(), "OBLIGATION_")).collect::<Vec<_>>(),
        "justification": Some(&made.justification).filter(|text| !text.is_empty()),
    }))
}

fn signal(signal: &v1::Signal) -> Value {
    json!({
        "kind": word(signal.kind().as_str_name(), "SIGNAL_KIND_"),
        "status": word(signal.status().as_str_name(), "SIGNAL_STATUS_"),
        "contribution": signal.contribution,
        "score": signal.score,
        "samples": signal.samples,
        "profile_version": signal.profile_version,
        "maturity": if signal.maturity() == v1::Maturity::Unspecified { "" } else {
            word(signal.maturity().as_str_name(), "MATURITY_")
        },
    })
}

fn reason(reason: &v1::Reason) -> Value {
    json!({
        "code": word(reason.code().as_str_name(), "REASON_CODE_"),
        "text": reason.admin_text,
        "metadata": reason.metadata,
    })
}

pub(super) fn evidence(evidence: v1::Evidence) -> Option<&'static str> {
    (evidence != v1::Evidence::Unspecified).then(|| word(evidence.as_str_name(), "EVIDENCE_"))
}

fn word(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

impl Keyward {
    /// Records of the log, newest first. A page may hold fewer than asked for, so pages are read until there are enough.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn records(&self, subject: Option<String>, most: u32) -> Result<Vec<v1::Record>, Trouble> {
        let mut request = v1::QueryRecordsRequest {
            tenant: self.tenant.clone(),
            subject: subject.unwrap_or_default(),
            page_size: most,
            ..v1::QueryRecordsRequest::default()
        };
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let page = call(self.audit.clone().query_records(bounded(request.clone()))).await?;
            found.extend(page.records);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() || found.len() >= most as usize {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_third_line_of_a_checkpoint() {
        let checkpoint = "keyward.example/log\n7\nAQID\n\n— keyward.example/log c2ln\n";
        assert_eq!(root(checkpoint), Some(vec![1, 2, 3]));
        assert_eq!(root("nothing"), None);
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
