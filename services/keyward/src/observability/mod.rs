//! What can be seen from outside: logs, traces, metrics, and the HTTP endpoint for the latter.

pub mod endpoint;
pub mod exemplars;
pub mod metrics;
pub mod rpc;
pub mod trace;

use std::io::IsTerminal;
use std::sync::Arc;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use self::exemplars::Exemplars;
pub use self::metrics::Metrics;
pub use self::rpc::{RpcMetrics, methods_of};
use crate::settings::{LogFormat, Telemetry as Settings};

/// Spans that leave by OTLP, whatever the log shows.
const TRACED: &str = "info,keyward=debug,keyward_engine=debug,h2=off,hyper=off,tonic=off,tower=off";

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("telemetry.log_filter is not a filter: {0}")]
    Filter(String),
    /// An exporter cannot be set up.
    #[error("telemetry: cannot set up {what}: {reason}")]
    Exporter {
        /// Which one.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Someone installed a logger before.
    #[error("telemetry: a logger is installed already")]
    Installed,
}

/// Logs, traces and metrics of this process. Clones share everything.
#[derive(Clone)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    meters: SdkMeterProvider,
    traces: Option<SdkTracerProvider>,
    registry: prometheus::Registry,
    exemplars: Arc<Exemplars>,
}

impl Telemetry {
    /// Sets up everything that the settings name, and the process-wide logger. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`TelemetryError`] naming the setting.
    pub fn start(settings: &Settings) -> Result<Self, TelemetryError> {
        let telemetry = Self::without_logger(settings)?;
        let filter =
            EnvFilter::try_new(&settings.log_filter).map_err(|e| TelemetryError::Filter(e.to_string()))?;
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let log: Box<dyn Layer<Registry> + Send + Sync> = match settings.log_format {
            LogFormat::Human => lines.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
            LogFormat::Json => lines.json().with_filter(filter).boxed(),
        };
        let traces = telemetry.traces.as_ref().map(|provider| {
            let tracer = provider.tracer("keyward");
            tracing_opentelemetry::layer().with_tracer(tracer).with_filter(EnvFilter::new(TRACED))
        });
        tracing_subscriber::registry()
            .with(log)
            .with(traces)
            .try_init()
            .map_err(|_| TelemetryError::Installed)?;
        Ok(telemetry)
    }

    /// Metrics and exporters without a logger: for tests and for servers inside another program.
    ///
    /// # Errors
    /// [`TelemetryError`] naming the exporter.
    pub fn without_logger(settings: &Settings) -> Result<Self, TelemetryError> {
        let resource = Resource::builder().with_service_name(settings.service_name.clone()).build();
        let registry = prometheus::Registry::new();
        let meters = meters(settings, &registry, resource.clone())?;
        let traces =
            settings.otlp_endpoint.as_deref().map(|url| traces(settings, url, resource)).transpose()?;
        let metrics = Arc::new(Metrics::new(&meters.meter("keyward")));
        Ok(Self { metrics, meters, traces, registry, exemplars: Arc::default() })
    }

    /// The instruments of the domain.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Call durations of these methods (`package.Service/Method`).
    pub fn rpc_metrics(&self, methods: &[String]) -> RpcMetrics {
        RpcMetrics::new(&self.meters.meter("keyward"), methods, self.exemplars.clone())
    }

    /// Whether spans are recorded.
    pub fn traces(&self) -> bool {
        self.traces.is_some()
    }

    /// All metrics in the Prometheus text format.
    pub fn prometheus_text(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// The same in the OpenMetrics text format, with exemplars.
    pub fn open_metrics_text(&self) -> String {
        self.exemplars.open_metrics(&self.registry.gather())
    }

    /// Sends what is left. Blocks up to the exporters' timeouts, so call it from a blocking thread.
    pub fn shutdown(&self) {
        let traces = self.traces.as_ref().map_or(Ok(()), SdkTracerProvider::shutdown);
        if let Err(error) = traces.and(self.meters.shutdown()) {
            tracing::warn!(%error, "the last traces or metrics may be lost");
        }
    }
}

fn meters(
    settings: &Settings,
    registry: &prometheus::Registry,
    resource: Resource,
) -> Result<SdkMeterProvider, TelemetryError> {
    let pull = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .map_err(|e| TelemetryError::Exporter { what: "prometheus metrics", reason: e.to_string() })?;
    let builder = SdkMeterProvider::builder().with_resource(resource).with_reader(pull);
    let Some(url) = &settings.otlp_endpoint else {
        return Ok(builder.build());
    };
    let push = opentelemetry_otlp::MetricExporter::builder()
        .with_tonic()
        .with_endpoint(url)
        .build()
        .map_err(|e| TelemetryError::Exporter { what: "otlp metrics", reason: e.to_string() })?;
    Ok(builder.with_reader(PeriodicReader::builder(push).build()).build())
}

fn traces(settings: &Settings, url: &str, resource: Resource) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(url)
        .build()
        .map_err(|e| TelemetryError::Exporter { what: "otlp traces", reason: e.to_string() })?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.trace_sample_ratio)));
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(sampler)
        .with_batch_exporter(exporter)
        .build())
}
