//! What the pages are told. Every question ends in one of four ways: it is done, more is asked for, it is denied, or the
//! portal itself refuses (a wrong password). All four are answers, and come with status 200; trouble is `trouble`'s.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use keyward_api::v1;
use serde_json::{Value, json};

use crate::{activity, wire};

/// An answer to a page.
#[derive(Debug)]
pub struct Answer {
    body: Value,
    cookie: Option<HeaderValue>,
}

impl Answer {
    /// keyward's decision, and what was done by it.
    pub fn decided(decision: &v1::Decision, done: Option<Done>) -> Self {
        let outcome = activity::outcome(decision);
        let mut body = json!({ "outcome": outcome, "decision": for_the_person(decision) });
        let mut cookie = None;
        if let Some(done) = done {
            body["result"] = done.result;
            cookie = done.cookie;
        }
        Self { body, cookie }
    }

    /// The portal's own refusal.
    pub fn refused(code: &str, message: &str) -> Self {
        Self { body: json!({ "outcome": "refused", "code": code, "message": message }), cookie: None }
    }

    /// The same with more to say.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.body[key] = value;
        self
    }
}

/// What was done after an ALLOW.
pub struct Done {
    /// What the page shows.
    pub result: Value,
    /// The visit's new cookie, after a sign-in.
    pub cookie: Option<HeaderValue>,
}

impl From<Value> for Done {
    fn from(result: Value) -> Self {
        Self { result, cookie: None }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let Some(cookie) = self.cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// A decision without what is not the browser's business: the token is for services, scores and policies are for officers,
/// and whoever holds a stolen password is not to learn how close the typing came.
fn for_the_person(decision: &v1::Decision) -> Value {
    let reasons = decision.reasons.iter().filter(|reason| !reason.user_text.is_empty());
    let reasons = reasons.map(|reason| v1::Reason { admin_text: String::new(), ..reason.clone() });
    let shown = v1::Decision {
        id: decision.id.clone(),
        outcome: decision.outcome,
        reasons: reasons.collect(),
        step_up: decision.step_up.clone(),
        obligations: decision.obligations.clone(),
        decided_at: decision.decided_at,
        valid_for: decision.valid_for,
        ..v1::Decision::default()
    };
    wire::to_json("Decision", &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_scores_and_policies_stay_here() {
        let decision = v1::Decision {
            id: "d".to_owned(),
            outcome: v1::Outcome::Allow.into(),
            token: "secret-token".to_owned(),
            policies: vec!["secret-policy".to_owned()],
            signals: vec![v1::Signal { score: Some(2.5), ..v1::Signal::default() }],
            risk: Some(v1::Risk { score: 0.5, ..v1::Risk::default() }),
            reasons: vec![v1::Reason { admin_text: "secret-text".to_owned(), ..v1::Reason::default() }],
            ..v1::Decision::default()
        };
        let text = Answer::decided(&decision, None).body.to_string();
        assert!(!text.contains("secret") && !text.contains("score") && text.contains("allow"), "{text}");
    }
}
