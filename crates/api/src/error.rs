//! Why a call failed, and what the caller is told: the one place where gRPC statuses are chosen.

use std::collections::HashMap;
use std::time::Duration;

use keyward_domain::TenantId;
use keyward_engine::EngineError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};
use uuid::Uuid;

use crate::convert::Violations;
use crate::v1::ErrorReason;

/// The `domain` of every `google.rpc.ErrorInfo` of keyward.
pub const ERROR_DOMAIN: &str = "keyward.v1";

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Fields of the message were refused.
    #[error("{0}")]
    Invalid(Violations),
    /// No known token and no known certificate.
    #[error("the calling service gave no token or certificate that is known")]
    UnauthenticatedCaller,
    /// The calling service is confined to other tenants.
    #[error("the calling service may not act for this tenant")]
    TenantNotAllowed {
        /// The tenant that it named.
        tenant: TenantId,
    },
    /// The calling service has no right to open records of the audit log.
    #[error("the calling service may not open records of the audit log")]
    AuditNotAllowed,
    /// As many calls are running as the server takes.
    #[error("too many calls are running; try again after a moment")]
    Overloaded,
    /// The caller is over its rate.
    #[error("the calling service is over its rate limit")]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// A use case failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Failure {
    /// The reason as the contract documents it.
    pub const fn reason(&self) -> ErrorReason {
        match self {
            Self::Invalid(_) => ErrorReason::InvalidField,
            Self::UnauthenticatedCaller => ErrorReason::UnauthenticatedCaller,
            Self::TenantNotAllowed { .. } => ErrorReason::TenantNotAllowed,
            Self::AuditNotAllowed => ErrorReason::AuditNotAllowed,
            Self::Overloaded => ErrorReason::Overloaded,
            Self::RateLimited { .. } => ErrorReason::RateLimited,
            Self::Engine(error) => match error {
                EngineError::CeremonyUnknown => ErrorReason::CeremonyUnknown,
                EngineError::PasskeyRejected { .. } => ErrorReason::PasskeyRejected,
                EngineError::PasskeyExists => ErrorReason::PasskeyExists,
                EngineError::PasskeyNotFound => ErrorReason::PasskeyNotFound,
                EngineError::NotFound { .. } => ErrorReason::NotFound,
                EngineError::RequestIdReused => ErrorReason::RequestIdReused,
                EngineError::Conflict => ErrorReason::Conflict,
                EngineError::StoreUnavailable { .. } => ErrorReason::StoreUnavailable,
                EngineError::OptedOut => ErrorReason::BehaviourOptedOut,
                EngineError::KeyUnavailable { .. } => ErrorReason::KeyUnavailable,
                EngineError::HardwareUnavailable => ErrorReason::HardwareUnavailable,
                EngineError::CosignatureRefused { .. } => ErrorReason::CosignatureRefused,
                EngineError::TooManyWatches => ErrorReason::Overloaded,
                EngineError::WatchLagged => ErrorReason::WatchLagged,
                EngineError::DeadlineExceeded => ErrorReason::DeadlineExceeded,
                EngineError::Internal(_) => ErrorReason::Internal,
            },
        }
    }

    /// The reason as `ErrorInfo` carries it: the contract's name without its prefix.
    pub fn reason_name(&self) -> &'static str {
        let name = self.reason().as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }

    /// The status code that the contract documents with the reason.
    pub const fn code(&self) -> Code {
        match self.reason() {
            ErrorReason::InvalidField => Code::InvalidArgument,
            ErrorReason::UnauthenticatedCaller => Code::Unauthenticated,
            ErrorReason::TenantNotAllowed | ErrorReason::AuditNotAllowed => Code::PermissionDenied,
            ErrorReason::Overloaded | ErrorReason::RateLimited | ErrorReason::WatchLagged => {
                Code::ResourceExhausted
            }
            ErrorReason::RequestIdReused | ErrorReason::PasskeyExists => Code::AlreadyExists,
            ErrorReason::CeremonyUnknown
            | ErrorReason::PasskeyRejected
            | ErrorReason::BehaviourOptedOut
            | ErrorReason::HardwareUnavailable
            | ErrorReason::CosignatureRefused => Code::FailedPrecondition,
            ErrorReason::PasskeyNotFound | ErrorReason::NotFound => Code::NotFound,
            ErrorReason::Conflict => Code::Aborted,
            ErrorReason::StoreUnavailable | ErrorReason::KeyUnavailable => Code::Unavailable,
            ErrorReason::DeadlineExceeded => Code::DeadlineExceeded,
            ErrorReason::Internal | ErrorReason::Unspecified => Code::Internal,
        }
    }

    /// The metadata that the contract documents with the reason.
    fn metadata(&self) -> Option<(&'static str, String)> {
        match self {
            Self::TenantNotAllowed { tenant } => Some(("tenant", tenant.to_string())),
            Self::Engine(
                EngineError::PasskeyRejected { cause }
                | EngineError::KeyUnavailable { cause }
                | EngineError::CosignatureRefused { cause },
            ) => Some(("cause", (*cause).to_owned())),
            Self::Engine(EngineError::NotFound { kind }) => Some(("kind", (*kind).to_owned())),
            Self::Engine(EngineError::StoreUnavailable { store }) => Some(("store", (*store).to_owned())),
            Self::Engine(EngineError::Internal(detail)) => Some(("incident", incident(detail))),
            _ => None,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Engine(EngineError::Internal(_)) => {
                "an internal fault; the log has it under the incident".to_owned()
            }
            failure => failure.to_string(),
        }
    }
}

impl From<Violations> for Failure {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let metadata: HashMap<_, _> =
            failure.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(failure.reason_name(), ERROR_DOMAIN, metadata);
        let (code, message) = (failure.code(), failure.message());
        match failure {
            Failure::Invalid(violations) => {
                let named = violations.into_named().into_iter();
                let named =
                    named.map(|violation| FieldViolation::new(violation.field, violation.description));
                details.set_bad_request(named.collect::<Vec<_>>());
            }
            Failure::RateLimited { retry_after } => {
                details.set_retry_info(Some(retry_after));
            }
            _ => {}
        }
        Self::with_error_details(code, message, details)
    }
}

/// Logs what the client must not see, under a fresh id. The id decides nothing, so its time and randomness need not be
/// arguments.
fn incident(detail: &str) -> String {
    let incident = Uuid::now_v7().to_string();
    tracing::error!(incident, detail, "internal fault");
    incident
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert;

    fn every_failure() -> Vec<Failure> {
        let violations =
            convert::assess(crate::v1::AssessRequest::default(), keyward_domain::Timestamp::default());
        let engine = [
            EngineError::CeremonyUnknown,
            EngineError::PasskeyRejected { cause: "signature" },
            EngineError::PasskeyExists,
            EngineError::PasskeyNotFound,
            EngineError::NotFound { kind: "session" },
            EngineError::RequestIdReused,
            EngineError::Conflict,
            EngineError::StoreUnavailable { store: "hot" },
            EngineError::KeyUnavailable { cause: "missing_key" },
            EngineError::OptedOut,
            EngineError::HardwareUnavailable,
            EngineError::CosignatureRefused { cause: "signature" },
            EngineError::WatchLagged,
            EngineError::DeadlineExceeded,
            EngineError::Internal("page 7 of the disk".into()),
        ];
        let at_the_edge = [
            Failure::Invalid(violations.unwrap_err()),
            Failure::UnauthenticatedCaller,
            Failure::TenantNotAllowed { tenant: TenantId::parse("st-mary").unwrap() },
            Failure::AuditNotAllowed,
            Failure::Overloaded,
            Failure::RateLimited { retry_after: Duration::from_millis(1500) },
        ];
        at_the_edge.into_iter().chain(engine.map(Failure::Engine)).collect()
    }

    /// The leading comment of each value of `ErrorReason`, by name without prefix.
    fn documented() -> HashMap<String, String> {
        crate::contract::enum_comments("error_reason.proto", "ErrorReason")
            .into_iter()
            .filter(|(name, _)| name != "ERROR_REASON_UNSPECIFIED")
            .map(|(name, comment)| (name["ERROR_REASON_".len()..].to_owned(), comment))
            .collect()
    }

    #[test]
    fn every_documented_reason_is_given_with_its_code_and_metadata() {
        let mut documented = documented();
        for failure in every_failure() {
            let status = Status::from(failure.clone());
            let info = status.get_details_error_info().expect("every error has ErrorInfo");
            assert_eq!((info.domain.as_str(), info.reason.as_str()), ("keyward.v1", failure.reason_name()));
            let comment = documented.remove(&info.reason).expect("each reason once");
            let code = comment.split(':').next().unwrap_or_default().replace('_', "");
            assert_eq!(code, format!("{:?}", status.code()).to_uppercase(), "{}", info.reason);
            let keys: Vec<_> = info.metadata.keys().map(String::as_str).collect();
            assert_eq!(keys, crate::contract::metadata_keys(&comment), "{}", info.reason);
        }
        assert!(documented.is_empty(), "never given: {documented:?}");
    }

    #[test]
    fn refused_fields_are_named() {
        let status = Status::from(every_failure().remove(0));
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(
            fields.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(),
            ["request_id", "assessment"]
        );
        assert_eq!(fields[0].description, "must not be empty");
        assert_eq!(status.message(), "2 fields were refused");
    }

    #[test]
    fn a_limited_caller_learns_when_to_come_back() {
        let status = Status::from(Failure::RateLimited { retry_after: Duration::from_millis(1500) });
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn internal_details_stay_inside() {
        let failure = || Status::from(Failure::Engine(EngineError::Internal("page 7 of the disk".into())));
        let (one, other) = (failure(), failure());
        assert!(!format!("{one:?}").contains("page 7"));
        let incident =
            |status: &Status| status.get_details_error_info().unwrap().metadata["incident"].clone();
        assert_ne!(incident(&one), incident(&other));
    }
}
