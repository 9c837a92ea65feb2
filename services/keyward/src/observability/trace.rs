//! A span a call, with the caller's trace context (W3C `traceparent`) as its parent.

use std::future::Future;

use http::{HeaderMap, Request, Response};
use opentelemetry::TraceId;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::body::Body;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::transport::gate::code;

/// The span of a call, and its trace if that is recorded. Only paths and status codes are in it: no metadata, no identifiers.
pub fn server_span(request: &Request<Body>) -> (Span, Option<TraceId>) {
    let method = request.uri().path().trim_start_matches('/');
    let span = tracing::info_span!(
        "rpc",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = Empty,
        trace_id = Empty,
    );
    let parent = TraceContextPropagator::new().extract(&Headers(request.headers()));
    if let Err(error) = span.set_parent(parent) {
        tracing::debug!(%error, "the caller's trace context was not taken over");
    }
    // So that a line of the log leads to its trace.
    let context = span.context();
    let (trace, recorded) =
        (context.span().span_context().trace_id(), context.span().span_context().is_sampled());
    span.record("trace_id", tracing::field::display(trace));
    (span, recorded.then_some(trace))
}

/// Writes the status of the answer into the current span.
pub async fn answered<E>(
    answer: impl Future<Output = Result<Response<Body>, E>>,
) -> Result<Response<Body>, E> {
    let answer = answer.await;
    if let Ok(response) = &answer {
        let (span, code) = (Span::current(), code(response));
        span.record("rpc.response.status_code", tracing::field::debug(code));
        if is_fault(code) {
            span.record("otel.status_code", "ERROR");
        }
    }
    answer
}

/// Statuses that are the server's fault (semantic conventions for gRPC spans, server side).
fn is_fault(code: tonic::Code) -> bool {
    use tonic::Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
