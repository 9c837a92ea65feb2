//! What can go wrong between browser, portal and keyward, in words that the person can act on.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Why a request got no answer of keyward's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// keyward does not answer: nothing may be opened or signed, and the person is told what to do meanwhile.
    #[error("keyward does not answer")]
    Unreachable,
    /// A prompt was answered too late or a second time.
    #[error("the challenge is unknown, used or expired")]
    ChallengeGone,
    /// A passkey that did not verify outside of a decision.
    #[error("the passkey did not verify")]
    PasskeyRejected,
    /// A passkey that keyward does not know, such as one that was removed. The page tells the passkey manager.
    #[error("the passkey is not known")]
    PasskeyUnknown,
    /// A passkey that was to be changed is gone.
    #[error("the passkey is gone")]
    PasskeyGone,
    /// The authenticator holds a passkey of this person already.
    #[error("the passkey is registered already")]
    PasskeyExists,
    /// Too many requests.
    #[error("too many requests")]
    TooMany,
    /// Something else changed the same thing.
    #[error("something else changed it")]
    Conflict,
    /// Nobody is signed in in this browser.
    #[error("nobody is signed in")]
    SignedOut,
    /// The running session waits for a step-up.
    #[error("the session is held")]
    Held,
    /// The security console is not open, or its time is up.
    #[error("the console is closed")]
    ConsoleClosed,
    /// The person's own settings are not open, or their time is up.
    #[error("the settings are closed")]
    SettingsClosed,
    /// The request did not come from a page of the portal.
    #[error("the request did not come from the portal's own page")]
    Forged,
    /// The request is not what the portal's pages send.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// There is no such thing.
    #[error("not found: {0}")]
    NotFound(&'static str),
    /// Everything else; the log has it.
    #[error("a fault")]
    Fault,
}

impl Trouble {
    fn parts(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Unreachable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unreachable",
                "We cannot check who you are right now, so nothing was opened, sent or signed. Your work on this page is \
                 kept. Try again in a moment; if a patient cannot wait, use the downtime procedure (ext. 4000).",
            ),
            Self::ChallengeGone => (
                StatusCode::CONFLICT,
                "CHALLENGE_EXPIRED",
                "This prompt has expired or was answered already. Please start again.",
            ),
            Self::PasskeyRejected => (
                StatusCode::CONFLICT,
                "passkey_rejected",
                "This passkey could not be verified. Try another one, or sign in with your password.",
            ),
            Self::PasskeyUnknown => (
                StatusCode::CONFLICT,
                "passkey_unknown",
                "This passkey was removed from its account and opens nothing any more. Use another one, or sign in with \
                 your password.",
            ),
            Self::PasskeyGone => (
                StatusCode::NOT_FOUND,
                "passkey_gone",
                "This passkey was removed already. The list is up to date now.",
            ),
            Self::PasskeyExists => (
                StatusCode::CONFLICT,
                "passkey_exists",
                "This device holds a passkey of yours already. Use it to sign in.",
            ),
            Self::TooMany => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many",
                "That was a lot at once. Please wait a moment and try again.",
            ),
            Self::Conflict => {
                (StatusCode::CONFLICT, "conflict", "Something changed meanwhile. Please try again.")
            }
            Self::SignedOut => (StatusCode::UNAUTHORIZED, "signed_out", "Please sign in."),
            Self::Held => {
                (StatusCode::LOCKED, "held", "This session is locked until you confirm that it is you.")
            }
            Self::ConsoleClosed => {
                (StatusCode::FORBIDDEN, "console_closed", "The console is closed. Please open it again.")
            }
            Self::SettingsClosed => {
                (StatusCode::FORBIDDEN, "settings_closed", "Please confirm first that it is you.")
            }
            Self::Forged => {
                (StatusCode::FORBIDDEN, "forged", "This page is out of date. Please reload it and try again.")
            }
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, "bad_request", what),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", "There is no such entry."),
            Self::Fault => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "fault",
                "Something went wrong on our side. Please try again.",
            ),
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        (status, Json(json!({ "code": code, "message": message }))).into_response()
    }
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let cause = info.and_then(|info| info.metadata.get("cause")).map(String::as_str);
        match (status.code(), info.map(|info| info.reason.as_str())) {
            (_, Some("CEREMONY_UNKNOWN")) => Self::ChallengeGone,
            (_, Some("PASSKEY_REJECTED")) if cause == Some("unknown_credential") => Self::PasskeyUnknown,
            (_, Some("PASSKEY_REJECTED")) => Self::PasskeyRejected,
            (_, Some("PASSKEY_NOT_FOUND")) => Self::PasskeyGone,
            (_, Some("PASSKEY_EXISTS")) => Self::PasskeyExists,
            (Code::InvalidArgument, _) => Self::BadRequest(fields(&status)),
            (Code::NotFound, _) => Self::NotFound("keyward has no such entry"),
            (Code::Aborted, _) => Self::Conflict,
            (Code::ResourceExhausted, _) => Self::TooMany,
            (
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unauthenticated
                | Code::PermissionDenied,
                _,
            ) => {
                tracing::error!(code = ?status.code(), message = status.message(), "keyward does not serve the portal");
                Self::Unreachable
            }
            (code, _) => {
                tracing::error!(?code, message = status.message(), "a call to keyward failed");
                Self::Fault
            }
        }
    }
}

/// Which fields keyward refused, without their values.
fn fields(status: &Status) -> String {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    format!("refused: {}", fields.join(", "))
}
