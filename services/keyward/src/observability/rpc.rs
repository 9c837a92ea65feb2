//! How long calls take, as the semantic conventions for RPC name it: `rpc.server.call.duration` by `rpc.method` and
//! `rpc.response.status_code`.
//!
//! Methods are a closed set: a client cannot make new time series by calling paths that do not exist.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use super::exemplars::{Exemplar, Exemplars};
use super::metrics::DURATION_BUCKETS;

/// What the conventions call a method that is not known.
const OTHER: &str = "_OTHER";
const HEALTH: [&str; 2] = ["grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"];

/// The status codes in the order of their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Call durations.
pub struct RpcMetrics {
    duration: Histogram<f64>,
    methods: HashMap<String, usize>,
    attributes: Vec<Vec<[KeyValue; 3]>>,
    exemplars: Arc<Exemplars>,
}

impl RpcMetrics {
    /// For these methods, written `package.Service/Method`, and health.
    pub fn new(meter: &Meter, methods: &[String], exemplars: Arc<Exemplars>) -> Self {
        let duration = meter
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_description("Duration of calls, from their headers to the head of the answer")
            .with_boundaries(DURATION_BUCKETS.to_vec())
            .build();
        let names = || [OTHER].into_iter().chain(HEALTH).chain(methods.iter().map(String::as_str));
        Self {
            duration,
            methods: names().enumerate().map(|(index, name)| (format!("/{name}"), index)).collect(),
            attributes: names().map(attributes).collect(),
            exemplars,
        }
    }

    /// The number of a method by its path.
    pub fn method(&self, path: &str) -> usize {
        self.methods.get(path).copied().unwrap_or(0)
    }

    /// Records a call.
    pub fn record(&self, method: usize, code: Code, took: Duration) {
        self.duration.record(took.as_secs_f64(), self.set(method, code).map_or(&[], |set| set.as_slice()));
    }

    /// Keeps a call whose trace was recorded as an example of those that took as long.
    pub fn exemplar(&self, method: usize, code: Code, exemplar: Exemplar) {
        if let Some([_, method, status]) = self.set(method, code) {
            self.exemplars.keep(&method.value.as_str(), &status.value.as_str(), exemplar);
        }
    }

    fn set(&self, method: usize, code: Code) -> Option<&[KeyValue; 3]> {
        self.attributes.get(method)?.get(code as usize)
    }
}

fn attributes(method: &str) -> Vec<[KeyValue; 3]> {
    let set = |code: &'static str| {
        [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.to_owned()),
            KeyValue::new("rpc.response.status_code", code),
        ]
    };
    CODES.into_iter().map(set).collect()
}

/// The methods in an encoded `google.protobuf.FileDescriptorSet`, written `package.Service/Method`.
///
/// # Errors
/// When the bytes are not one.
pub fn methods_of(descriptor_set: &[u8]) -> Result<Vec<String>, prost::DecodeError> {
    let files = FileDescriptorSet::decode(descriptor_set)?.file;
    let mut methods = Vec::new();
    for file in &files {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            methods.extend(service.method.iter().map(|method| format!("{name}/{}", method.name())));
        }
    }
    Ok(methods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::Telemetry;
    use crate::settings::Settings;

    #[test]
    fn codes_are_at_their_numbers() {
        for (number, name) in (0..).zip(CODES) {
            let code = format!("{:?}", Code::from_i32(number)).to_uppercase();
            assert_eq!(code, name.replace('_', ""));
        }
    }

    #[test]
    fn unknown_paths_share_one_series() {
        let telemetry = Telemetry::without_logger(&Settings::defaults().telemetry).unwrap();
        let metrics = telemetry.rpc_metrics(&["a.B/C".to_owned()]);
        for path in ["/a.B/C", "/a.B/D", "/x", ""] {
            metrics.record(metrics.method(path), Code::NotFound, Duration::from_millis(1));
        }
        let text = telemetry.prometheus_text();
        let count = |method: &str| {
            let labels = format!(
                "rpc_server_call_duration_seconds_count{{rpc_method=\"{method}\",\
                 rpc_response_status_code=\"NOT_FOUND\",rpc_system_name=\"grpc\"}} "
            );
            text.lines().find_map(|line| line.strip_prefix(&labels)).map(str::to_owned)
        };
        assert_eq!((count("a.B/C").as_deref(), count(OTHER).as_deref()), (Some("1"), Some("3")), "{text}");
    }

    #[test]
    fn methods_are_read_from_descriptors() {
        let methods = methods_of(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
        assert_eq!(methods, HEALTH);
        assert!(methods_of(b"\xff").is_err());
    }
}
