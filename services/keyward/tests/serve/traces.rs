//! Traces and metrics that leave by OTLP, received by a collector in this process.

use std::net::SocketAddr;

use crate::support::{say, settings, start_with};
use keyward::observability::Telemetry;
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

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
