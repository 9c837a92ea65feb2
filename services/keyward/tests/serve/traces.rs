//! Traces and metrics that leave by OTLP, received by a collector in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::http;
use crate::program::{Program, question};
use crate::support::{say, settings, start_with};
use keyward::observability::Telemetry;
use keyward_api::v1;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_api::v1::passkey_service_client::PasskeyServiceClient;
use keyward_simulate::authenticator::SoftAuthenticator;
use keyward_testkit::RedisServer;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Passes on spans, and the names of metrics.
#[derive(Clone)]
struct Collector {
    spans: UnboundedSender<Span>,
    metrics: UnboundedSender<String>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|r| r.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            self.spans.send(span).map_err(|_| Status::cancelled("the test is over"))?;
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_metrics.into_iter().flat_map(|r| r.scope_metrics);
        for metric in scopes.flat_map(|scope| scope.metrics) {
            self.metrics.send(metric.name).map_err(|_| Status::cancelled("the test is over"))?;
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

async fn collector() -> (SocketAddr, UnboundedReceiver<Span>, UnboundedReceiver<String>) {
    let ((spans, spans_received), (metrics, metrics_received)) = (unbounded_channel(), unbounded_channel());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let collector = Collector { spans, metrics };
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .add_service(MetricsServiceServer::new(collector));
    tokio::spawn(server.serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)));
    (address, spans_received, metrics_received)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_continues_the_trace_of_its_caller() {
    let (address, mut received, mut metrics) = collector().await;
    let mut settings = settings();
    settings.telemetry.otlp_endpoint = Some(format!("http://{address}"));
    let telemetry = Telemetry::start(&settings.telemetry).unwrap();
    let server = start_with(&settings, telemetry.clone()).await.unwrap();
    let parent = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    say(&server.plain().await, "hello", &[parent]).await.unwrap();
    tokio::task::spawn_blocking(move || telemetry.shutdown()).await.unwrap();

    let span = received.try_recv().expect("shutdown sends what is left");
    assert_eq!(span.name, "test.Echo/Say");
    assert_eq!(hex(&span.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&span.parent_span_id), "b7ad6b7169203331");
    assert_eq!(span.kind, 2, "SPAN_KIND_SERVER");
    let attribute = |key: &str| span.attributes.iter().any(|attribute| attribute.key == key);
    assert!(attribute("rpc.method") && attribute("rpc.response.status_code"));
    assert!(!span.attributes.iter().any(|a| format!("{a:?}").contains("hello")), "no content in spans");
    assert!(received.try_recv().is_err(), "one span a call");
    let metrics: Vec<_> = std::iter::from_fn(|| metrics.try_recv().ok()).collect();
    assert!(metrics.iter().any(|name| name == "rpc.server.call.duration"), "{metrics:?}");
}

/// A passkey of dr-amara's, and what it says to a challenge.
async fn assertion(channel: &Channel) -> v1::PasskeyAssertion {
    let passkey = SoftAuthenticator::new("http://localhost:8080", 7);
    let mut passkeys = PasskeyServiceClient::new(channel.clone());
    let (tenant, subject) = ("st-mary".to_owned(), "dr-amara".to_owned());
    let session = format!("session-of-{subject}");
    let begun = passkeys.begin_registration(v1::BeginRegistrationRequest {
        tenant: tenant.clone(),
        subject: subject.clone(),
        session: session.clone(),
        user_name: subject.clone(),
        display_name: subject.clone(),
        hardware_bound: false,
    });
    let begun = begun.await.unwrap().into_inner();
    let finished = passkeys.finish_registration(v1::FinishRegistrationRequest {
        tenant: tenant.clone(),
        subject: subject.clone(),
        session: session.clone(),
        ceremony_id: begun.ceremony_id,
        credential_json: passkey.register(&begun.options_json).unwrap(),
        name: "laptop".to_owned(),
    });
    finished.await.unwrap();
    let begun = passkeys.begin_authentication(v1::BeginAuthenticationRequest {
        tenant,
        subject,
        session,
        telemetry: None,
    });
    let begun = begun.await.unwrap().into_inner();
    v1::PasskeyAssertion {
        ceremony_id: begun.ceremony_id,
        credential_json: passkey.authenticate(&begun.options_json).unwrap(),
    }
}

/// The caller's trace and span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_caller_through_every_stage_to_the_stores() {
    let (collector, mut received, _metrics) = collector().await;
    let redis = RedisServer::start().await.expect("redis starts");
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(
        folder.path(),
        &[
            format!("telemetry.otlp_endpoint=http://{collector}"),
            // What the caller has decided counts.
            "telemetry.trace_sample_ratio=0.0".to_owned(),
            "store.hot=redis".to_owned(),
            format!("redis.url={}", redis.url()),
        ],
    );
    let channel = program.channel().await;
    let mut asked = question("dr-amara", "clinician", "request-1");
    asked.assessment.as_mut().unwrap().assertion = Some(assertion(&channel).await);
    let mut request = Request::new(asked);
    request.metadata_mut().insert("traceparent", format!("00-{TRACE}-{CALLER}-01").parse().unwrap());
    let answer = DecisionServiceClient::new(channel).assess(request).await.unwrap().into_inner();
    assert_eq!(answer.decision.unwrap().outcome(), v1::Outcome::Allow);
    let scraped = b"GET /metrics HTTP/1.1\r\nhost: x\r\naccept: application/openmetrics-text\r\nconnection: close\r\n\r\n";
    let scraped = String::from_utf8(http(program.http, scraped).await).unwrap();
    program.stop();

    let spans: Vec<Span> = std::iter::from_fn(|| received.try_recv().ok()).collect();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "other calls were not to be recorded");
    let names: BTreeMap<_, _> = spans.iter().map(|span| (hex(&span.span_id), &*span.name)).collect();
    // Each span with the one that it is part of.
    let mut seen: Vec<(&str, &str)> = spans
        .iter()
        .map(|span| {
            let parent = hex(&span.parent_span_id);
            let parent = if parent == CALLER { "caller" } else { names[&parent] };
            (parent, &*span.name)
        })
        .collect();
    seen.sort_unstable();
    seen.dedup();
    let call = "keyward.v1.DecisionService/Assess";
    for span in [
        ("caller", call),
        (call, "read"),
        ("read", "hot read"),
        ("read", "durable read"),
        (call, "verify"),
        (call, "decide"),
        (call, "audit append"),
        (call, "write"),
        ("write", "hot write"),
    ] {
        assert!(seen.contains(&span), "{span:?} is missing: {seen:?}");
    }
    let exemplar = format!("# {{trace_id=\"{TRACE}\"}}");
    assert_eq!(scraped.matches(&exemplar).count(), 1, "the metrics lead to it: {scraped}");
    let said = format!("{spans:?}");
    for never in ["dr-amara", "st-mary", "desk", "request-1"] {
        assert!(!said.contains(never), "{never} is in {said}");
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
