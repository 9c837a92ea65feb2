//! The gate that every call passes: who calls, is there room, is the caller within its rate, and until when.
//!
//! Health and reflection pass unasked, so that probes and `grpcurl` work without a token.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::{HeaderMap, Request, Response};
use keyward_api::caller::Deadline;
use opentelemetry::TraceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument;

use super::callers::Callers;
use super::listen::Peer;
use crate::clock::SystemClock;
use crate::observability::exemplars::Exemplar;
use crate::observability::{RpcMetrics, trace};
use keyward_api::Failure;
use keyward_domain::Clock as _;
use keyward_engine::EngineError;

/// What the gate knows.
pub struct Gate {
    /// Who may call. Replaced when token files are read again.
    pub callers: ArcSwap<Callers>,
    /// Places for calls in flight.
    pub in_flight: Arc<Semaphore>,
    /// The longest that a call may take.
    pub timeout: Duration,
    /// How long calls take.
    pub metrics: RpcMetrics,
    /// Whether calls become spans.
    pub tracing: bool,
}

/// Puts the gate before a service.
#[derive(Clone)]
pub struct GateLayer(pub Arc<Gate>);

/// A service behind the gate.
#[derive(Clone)]
pub struct Gated<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, gate: Arc::clone(&self.0) }
    }
}

type Answer = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let started = Instant::now();
        let gate = Arc::clone(&self.gate);
        let method = gate.metrics.method(request.uri().path());
        if is_open(request.uri().path()) {
            let answer = self.inner.call(request);
            return Box::pin(measured(gate, method, started, None, answer));
        }
        let (place, deadline) = match gate.admit(&mut request, started) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                tracing::debug!(reason = refusal.reason_name(), "call refused");
                let answer = ready(Ok(tonic::Status::from(refusal).into_http()));
                return Box::pin(measured(gate, method, started, None, answer));
            }
        };
        if gate.tracing {
            let (span, trace) = trace::server_span(&request);
            let answer = span.in_scope(|| self.inner.call(request));
            let answer = held(place, deadline, answer);
            let answer = measured(gate, method, started, trace, answer);
            return Box::pin(trace::answered(answer).instrument(span));
        }
        let answer = held(place, deadline, self.inner.call(request));
        Box::pin(measured(gate, method, started, None, answer))
    }
}

impl Gate {
    fn admit(
        &self,
        request: &mut Request<Body>,
        started: Instant,
    ) -> Result<(OwnedSemaphorePermit, Deadline), Failure> {
        let callers = self.callers.load();
        let known = callers.identify(request.headers(), request.extensions().get::<Peer>());
        let known = known.ok_or(Failure::UnauthenticatedCaller)?;
        let place = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|_| Failure::Overloaded)?;
        known.count().map_err(|retry_after| Failure::RateLimited { retry_after })?;
        let deadline = deadline(request.headers(), started, self.timeout);
        let caller = Arc::clone(&known.caller);
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(deadline);
        Ok((place, deadline))
    }
}

fn is_open(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.")
}

/// Keeps the place until the answer's head is there, or the time ran out. A streamed body is bounded by
/// `max_concurrent_streams` instead.
async fn held(
    place: OwnedSemaphorePermit,
    deadline: Deadline,
    answer: impl Future<Output = Answer>,
) -> Answer {
    let answer = tokio::time::timeout_at(deadline.at.into(), answer).await;
    drop(place);
    answer.unwrap_or_else(|_| {
        Ok(tonic::Status::from(Failure::Engine(EngineError::DeadlineExceeded)).into_http())
    })
}

async fn measured(
    gate: Arc<Gate>,
    method: usize,
    started: Instant,
    trace: Option<TraceId>,
    answer: impl Future<Output = Answer>,
) -> Answer {
    let answer = answer.await;
    if let Ok(response) = &answer {
        let (code, took) = (code(response), started.elapsed());
        gate.metrics.record(method, code, took);
        if let Some(trace) = trace {
            let exemplar = Exemplar { trace, took_s: took.as_secs_f64(), at: SystemClock.now() };
            gate.metrics.exemplar(method, code, exemplar);
        }
    }
    answer
}

/// The status, where the head tells it already (an error without a message). Otherwise the call is taken to succeed.
pub fn code(response: &Response<Body>) -> Code {
    response.headers().get(Status::GRPC_STATUS).map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// tonic answers an expired `grpc-timeout` with CANCELLED; with this margin the answer is DEADLINE_EXCEEDED instead.
fn deadline(headers: &HeaderMap, started: Instant, longest: Duration) -> Deadline {
    let asked = headers.get("grpc-timeout").and_then(|value| timeout(value.as_bytes()));
    let asked = asked.map(|time| time.saturating_sub((time / 20).clamp(MARGIN_LEAST, MARGIN_MOST)));
    Deadline { at: started + asked.unwrap_or(longest).min(longest), set_by_caller: asked.is_some() }
}

const MARGIN_LEAST: Duration = Duration::from_millis(1);
const MARGIN_MOST: Duration = Duration::from_millis(10);

/// `TimeoutValue TimeoutUnit`, at most eight digits (gRPC over HTTP/2, Requests).
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount = digits.iter().fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(amount * 3600)),
        b'M' => Some(Duration::from_secs(amount * 60)),
        b'S' => Some(Duration::from_secs(amount)),
        b'm' => Some(Duration::from_millis(amount)),
        b'u' => Some(Duration::from_micros(amount)),
        b'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        let cases: [(&[u8], Option<Duration>); 9] = [
            (b"1H", Some(Duration::from_hours(1))),
            (b"2M", Some(Duration::from_mins(2))),
            (b"99999999S", Some(Duration::from_secs(99_999_999))),
            (b"250m", Some(Duration::from_millis(250))),
            (b"5u", Some(Duration::from_micros(5))),
            (b"999999999m", None),
            (b"m", None),
            (b"-1m", None),
            (b"", None),
        ];
        for (text, expected) in cases {
            assert_eq!(timeout(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_earlier_deadline_counts_with_a_margin_for_the_way_back() {
        let now = Instant::now();
        let after = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert("grpc-timeout", value.parse().unwrap());
            }
            let deadline = deadline(&headers, now, Duration::from_secs(5));
            (deadline.at - now, deadline.set_by_caller)
        };
        assert_eq!(after(None), (Duration::from_secs(5), false));
        assert_eq!(after(Some("1S")), (Duration::from_millis(990), true));
        assert_eq!(after(Some("40m")), (Duration::from_millis(38), true));
        assert_eq!(after(Some("1u")), (Duration::ZERO, true));
        assert_eq!(after(Some("1H")), (Duration::from_secs(5), true));
    }

    #[test]
    fn only_health_and_reflection_pass_unasked() {
        assert!(is_open("/grpc.health.v1.Health/Check"));
        assert!(is_open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
        assert!(!is_open("/keyward.v1.DecisionService/Assess"));
        assert!(!is_open("/grpc.healthy/Check"));
    }
}
