//! Exemplars: beside each bucket of the durations of calls, the trace of a recent call in it; and the OpenMetrics form of the
//! metrics, which can say them. The SDK keeps none, and the exporter's text form has no place for them.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use keyward_domain::Timestamp;
use opentelemetry::TraceId;
use prometheus::TextEncoder;
use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::metrics::DURATION_BUCKETS;

/// The content type of the OpenMetrics form.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The family that has exemplars, as the exporter names it.
const FAMILY: &str = "rpc_server_call_duration_seconds";

/// A call that was traced.
#[derive(Debug, Clone, Copy)]
pub struct Exemplar {
    /// Its trace, which was recorded.
    pub trace: TraceId,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// When it ended.
    pub at: Timestamp,
}

/// The newest exemplar by status and bucket.
type OfMethod = HashMap<(String, usize), Exemplar>;

/// The newest exemplar of each bucket, by method and status.
#[derive(Debug, Default)]
pub struct Exemplars(Mutex<HashMap<String, OfMethod>>);

impl Exemplars {
    /// Keeps one. Methods and statuses are closed sets, and so is what is kept.
    pub fn keep(&self, method: &str, status: &str, exemplar: Exemplar) {
        let bucket = DURATION_BUCKETS.partition_point(|limit| *limit < exemplar.took_s);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(method) {
            kept.insert(method.to_owned(), HashMap::new());
        }
        if let Some(of_method) = kept.get_mut(method) {
            of_method.insert((status.to_owned(), bucket), exemplar);
        }
    }

    /// All metrics in the OpenMetrics text format.
    pub fn open_metrics(&self, families: &[MetricFamily]) -> String {
        let mut out = String::new();
        for family in families {
            self.family(family, &mut out);
        }
        out.push_str("# EOF\n");
        out
    }

    /// The exporter's text with the differences: counters are named without `_total` in the head, a histogram with
    /// negative limits has neither sum nor count (its last bucket tells it), and buckets have exemplars.
    fn family(&self, family: &MetricFamily, out: &mut String) {
        let text = TextEncoder::new().encode_to_string(std::slice::from_ref(family)).unwrap_or_default();
        let counter = family.get_field_type() == MetricType::COUNTER;
        let beyond = [format!("{}_sum{{", family.name()), format!("{}_count{{", family.name())];
        let bare = family.get_metric().iter().any(has_negative_limits);
        for line in text.lines() {
            if bare && beyond.iter().any(|name| line.starts_with(name)) {
                continue;
            }
            match line.strip_prefix("# ").filter(|_| counter).and_then(|head| head.split_once("_total ")) {
                Some((begin, end)) => {
                    let _ = write!(out, "# {begin} {end}");
                }
                None => out.push_str(line),
            }
            if family.name() == FAMILY {
                self.exemplar(line, out);
            }
            out.push('\n');
        }
    }

    fn exemplar(&self, line: &str, out: &mut String) {
        let Some(limit) = label(line, "le").and_then(|le| le.parse::<f64>().ok()) else { return };
        let bucket = DURATION_BUCKETS.partition_point(|other| *other < limit);
        let (method, status) = (label(line, "rpc_method"), label(line, "rpc_response_status_code"));
        let key = (status.unwrap_or_default().to_owned(), bucket);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(method.unwrap_or_default()).and_then(|of_method| of_method.get(&key)) {
            let (s, ms) =
                (found.at.micros.div_euclid(1_000_000), found.at.micros.rem_euclid(1_000_000) / 1000);
            let _ = write!(out, " # {{trace_id=\"{}\"}} {} {s}.{ms:03}", found.trace, found.took_s);
        }
    }
}

fn has_negative_limits(metric: &Metric) -> bool {
    metric.get_histogram().get_bucket().iter().any(|bucket| bucket.upper_bound() < 0.0)
}

/// The value of a label in a line; none of ours needs escapes.
fn label<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use crate::observability::Telemetry;
    use crate::settings::Settings;

    use super::*;

    #[test]
    fn a_bucket_leads_to_a_trace_that_fell_into_it() {
        let telemetry = Telemetry::without_logger(&Settings::defaults().telemetry).unwrap();
        let metrics = telemetry.rpc_metrics(&["a.B/C".to_owned()]);
        let method = metrics.method("/a.B/C");
        let call = |took, trace: u128| {
            metrics.record(method, Code::Ok, took);
            let exemplar = Exemplar {
                trace: TraceId::from(trace),
                took_s: took.as_secs_f64(),
                at: Timestamp { micros: 1_800_000_000_250_000 },
            };
            metrics.exemplar(method, Code::Ok, exemplar);
        };
        call(Duration::from_millis(2), 1);
        call(Duration::from_millis(2), 2);
        call(Duration::from_secs(9), 3);
        telemetry.metrics().reloaded(true);
        let text = telemetry.open_metrics_text();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(" # {")).collect();
        let trace = |digit| format!("# {{trace_id=\"{digit:032x}\"}}");
        assert_eq!(lines.len(), 2, "one for each bucket that has had calls: {text}");
        assert!(
            lines[0].contains("le=\"0.0025\"} 2 ") && lines[0].ends_with(" 0.002 1800000000.250"),
            "{text}"
        );
        assert!(lines[0].contains(&trace(2)), "the newest: {text}");
        assert!(lines[1].contains("le=\"+Inf\"} 3 ") && lines[1].contains(&trace(3)), "{text}");
        for line in ["# TYPE keyward_reloads counter", r#"keyward_reloads_total{result="ok"} 1"#] {
            assert!(text.lines().any(|l| l == line), "{line} is not in:\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n") && !telemetry.prometheus_text().contains("trace_id"));
    }
}
