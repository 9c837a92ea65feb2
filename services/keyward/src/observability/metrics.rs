//! The instruments of the domain. Labels are closed sets of names; no identifier of a person, session or device is one.
//!
//! Attributes are made once: a measurement borrows them.

use std::time::Duration;

use keyward_domain::{Decision, Evidence, Maturity, Outcome, ReasonCode, Signal, SignalKind, SignalStatus};
use keyward_engine::{LogBehind, Observer, Stage};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

/// Bucket limits for durations within a call, in seconds: 25 µs to 1 s.
pub const DURATION_BUCKETS: [f64; 14] =
    [25e-6, 50e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1.0];

/// Bucket limits for typing scores, in units of the person's own spread.
const SCORE_BUCKETS: [f64; 12] = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0];
/// Bucket limits for risks, which are from 0 to 1.
const RISK_BUCKETS: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0];
/// Bucket limits for training, in seconds.
const TRAINING_BUCKETS: [f64; 8] = [1e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5, 2.0];

/// Instruments with their attributes.
pub struct Metrics {
    decisions: Labelled<Counter<u64>>,
    reasons: Labelled<Counter<u64>>,
    maturity: Labelled<Counter<u64>>,
    stages: Labelled<Histogram<f64>>,
    signals: Labelled<Counter<u64>>,
    evidence: Labelled<Counter<u64>>,
    risk: Histogram<f64>,
    /// Typing scores by maturity and by whether a passkey proved the typist in the same call.
    scores: Histogram<f64>,
    score_sets: Vec<[KeyValue; 2]>,
    training: Histogram<f64>,
    friction_budget: Gauge<f64>,
    certificate_end: Gauge<i64>,
    reloads: Counter<u64>,
    store_up: Gauge<u64>,
    training_queue: Gauge<u64>,
    training_dropped: Counter<u64>,
    log: LogGauges,
}

/// How far the audit log's checkpoint is behind.
struct LogGauges {
    checkpoint_age: Gauge<f64>,
    records_beyond: Gauge<u64>,
    lag: Gauge<f64>,
}

impl LogGauges {
    fn new(meter: &Meter) -> Self {
        let seconds = |name, text| meter.f64_gauge(name).with_unit("s").with_description(text).build();
        let age = "Age of the audit log's newest checkpoint; it grows while nothing is appended";
        let beyond = "Audit records that are not in the newest checkpoint yet";
        let lag = "How long the oldest audit record that is in no checkpoint has waited for one";
        Self {
            checkpoint_age: seconds("keyward.audit.checkpoint.age", age),
            records_beyond: gauge(meter, "keyward.audit.records.beyond", beyond),
            lag: seconds("keyward.audit.lag", lag),
        }
    }
}

/// An instrument with one attribute set a value of its label, by the value's position.
struct Labelled<I> {
    instrument: I,
    sets: Vec<[KeyValue; 1]>,
}

impl Labelled<Counter<u64>> {
    /// Shows every value of the label at zero: the first increase of a series that was not there would not be one.
    fn at_zero(self) -> Self {
        self.sets.iter().for_each(|set| self.instrument.add(0, set));
        self
    }
}

impl<I> Labelled<I> {
    fn new(instrument: I, label: &'static str, values: impl IntoIterator<Item = &'static str>) -> Self {
        Self { instrument, sets: values.into_iter().map(|value| [KeyValue::new(label, value)]).collect() }
    }
}

impl Metrics {
    /// Makes the instruments.
    pub fn new(meter: &Meter) -> Self {
        let counter = |name, text| meter.u64_counter(name).with_description(text).build();
        let stages = meter
            .f64_histogram("keyward.stage.duration")
            .with_unit("s")
            .with_description("Duration of the stages of an assessment")
            .with_boundaries(DURATION_BUCKETS.to_vec())
            .build();
        let decisions = counter("keyward.decisions", "Decisions by outcome");
        let reasons = counter("keyward.decision.reasons", "Reasons given in decisions, by code");
        let maturity =
            counter("keyward.profile.trainings", "Profiles trained, by the maturity that they reached");
        let signals =
            counter("keyward.decision.profiles", "Typing that was scored, by the maturity of its profile");
        let dropped = counter("keyward.training.dropped", "Lessons dropped because too many were waiting");
        dropped.add(0, &[]);
        let queue = gauge(meter, "keyward.training.queue", "Profiles that wait for training");
        queue.record(0, &[]);
        let evidence = counter("keyward.decision.step_ups", "Step-ups by the evidence that was asked for");
        let histogram = |name, text, buckets: &[f64]| {
            meter.f64_histogram(name).with_description(text).with_boundaries(buckets.to_vec()).build()
        };
        let training = meter
            .f64_histogram("keyward.training.duration")
            .with_unit("s")
            .with_description("Duration of trainings")
            .with_boundaries(TRAINING_BUCKETS.to_vec())
            .build();
        meter
            .u64_gauge("keyward.build.info")
            .with_description("1, with the version")
            .build()
            .record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
        Self {
            evidence: Labelled::new(evidence, "evidence", Evidence::ALL.iter().map(|e| e.name())).at_zero(),
            risk: histogram("keyward.decision.risk", "Fused risk of assessments", &RISK_BUCKETS),
            scores: histogram(
                "keyward.typing.score",
                "Typing scores, in units of each person's own spread",
                &SCORE_BUCKETS,
            ),
            score_sets: score_sets(),
            training,
            friction_budget: meter
                .f64_gauge("keyward.friction.budget")
                .with_description("Share of genuine logins that typing may raise to MEDIUM or above")
                .build(),
            certificate_end: meter
                .i64_gauge("keyward.certificate.not_after")
                .with_unit("s")
                .with_description("End of the certificate in use, in seconds since 1970")
                .build(),
            reloads: counter("keyward.reloads", "Readings of changed files, by result"),
            log: LogGauges::new(meter),
            training_dropped: dropped,
            signals: Labelled::new(signals, "maturity", Maturity::ALL.iter().map(|m| m.name())).at_zero(),
            decisions: Labelled::new(decisions, "outcome", Outcome::ALL.iter().map(|o| o.name())).at_zero(),
            reasons: Labelled::new(reasons, "code", ReasonCode::ALL.iter().map(|c| c.code())).at_zero(),
            maturity: Labelled::new(maturity, "maturity", Maturity::ALL.iter().map(|m| m.name())).at_zero(),
            stages: Labelled::new(stages, "stage", Stage::ALL.iter().map(|s| s.name())),
            store_up: gauge(meter, "keyward.store.up", "Whether a store answers: 1 or 0"),
            training_queue: queue,
        }
    }

    /// The share of genuine logins that typing may alarm on, as the operator set it.
    pub fn friction_budget(&self, share: f32) {
        self.friction_budget.record(share.into(), &[]);
    }

    /// The end of the certificate in use, in seconds since 1970; nothing without one.
    pub fn certificate(&self, not_after: Option<i64>) {
        if let Some(at) = not_after {
            self.certificate_end.record(at, &[]);
        }
    }

    /// Changed files were read, and could be used or not.
    pub fn reloaded(&self, well: bool) {
        self.reloads.add(1, &[KeyValue::new("result", if well { "ok" } else { "error" })]);
    }

    fn decided(&self, outcome: Outcome) {
        add(&self.decisions, outcome as usize);
    }

    fn reason(&self, code: ReasonCode) {
        add(&self.reasons, code as usize);
    }
}

impl Observer for Metrics {
    fn stage(&self, stage: Stage, took: Duration) {
        self.stages.instrument.record(took.as_secs_f64(), &self.stages.sets[stage as usize]);
    }

    fn decision(&self, decision: &Decision) {
        self.decided(decision.outcome);
        for reason in &decision.reasons {
            self.reason(reason.code);
        }
        let typing = |s: &&Signal| s.kind == SignalKind::KeystrokeFixed && s.status == SignalStatus::Scored;
        let proven = decision
            .signals
            .iter()
            .any(|s| s.kind == SignalKind::Authenticator && s.status == SignalStatus::Scored);
        for signal in decision.signals.iter().filter(typing) {
            add(&self.signals, signal.maturity as usize);
            let set = &self.score_sets[2 * signal.maturity as usize + usize::from(proven)];
            self.scores.record(signal.score.unwrap_or_default().into(), set);
        }
        if let Some(risk) = decision.risk {
            self.risk.record(risk.score.into(), &[]);
        }
        if let Some(step_up) = &decision.step_up {
            add(&self.evidence, step_up.evidence as usize);
        }
    }

    /// `store` is the kind (`durable`, `hot`), not an address.
    fn store(&self, store: &'static str, up: bool) {
        self.store_up.record(u64::from(up), &[KeyValue::new("store", store)]);
    }

    fn trained(&self, maturity: Maturity, took: Duration) {
        add(&self.maturity, maturity as usize);
        self.training.record(took.as_secs_f64(), &[]);
    }

    fn log(&self, behind: LogBehind) {
        self.log.checkpoint_age.record(behind.checkpoint_age.as_secs_f64(), &[]);
        self.log.records_beyond.record(behind.records, &[]);
        self.log.lag.record(behind.longest_wait.as_secs_f64(), &[]);
    }

    fn learning(&self, waiting: usize, dropped: bool) {
        self.training_queue.record(waiting as u64, &[]);
        if dropped {
            self.training_dropped.add(1, &[]);
        }
    }
}

/// Every maturity, unproven and then proven.
fn score_sets() -> Vec<[KeyValue; 2]> {
    let proven = |m: &Maturity| {
        [false, true].map(|p| [KeyValue::new("maturity", m.name()), KeyValue::new("proven", p)])
    };
    Maturity::ALL.iter().flat_map(proven).collect()
}

fn gauge(meter: &Meter, name: &'static str, text: &'static str) -> Gauge<u64> {
    meter.u64_gauge(name).with_description(text).build()
}

/// INVARIANT: the enums' discriminants are their positions in `ALL`; a test holds this.
fn add(labelled: &Labelled<Counter<u64>>, position: usize) {
    labelled.instrument.add(1, &labelled.sets[position]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::Telemetry;
    use crate::settings::Settings;

    #[test]
    fn discriminants_are_positions() {
        assert!(Outcome::ALL.iter().enumerate().all(|(i, o)| *o as usize == i));
        assert!(ReasonCode::ALL.iter().enumerate().all(|(i, c)| *c as usize == i));
        assert!(Maturity::ALL.iter().enumerate().all(|(i, m)| *m as usize == i));
        assert!(Stage::ALL.iter().enumerate().all(|(i, s)| *s as usize == i));
        assert!(Evidence::ALL.iter().enumerate().all(|(i, e)| *e as usize == i));
    }

    #[test]
    fn prometheus_shows_what_was_counted() {
        let telemetry = Telemetry::without_logger(&Settings::defaults().telemetry).unwrap();
        let metrics = telemetry.metrics();
        metrics.decided(Outcome::StepUp);
        metrics.decided(Outcome::StepUp);
        metrics.reason(ReasonCode::PolicyPermits);
        metrics.trained(Maturity::Mature, Duration::ZERO);
        metrics.stage(Stage::Decide, Duration::from_micros(30));
        metrics.store("hot", false);
        metrics.learning(3, true);
        metrics.friction_budget(0.25);
        metrics.certificate(Some(1_800_000_000));
        metrics.reloaded(false);
        metrics.log(LogBehind {
            checkpoint_age: Duration::from_millis(1500),
            records: 7,
            longest_wait: Duration::from_millis(2500),
        });
        let text = telemetry.prometheus_text();
        for line in [
            r#"keyward_decisions_total{outcome="step_up"} 2"#,
            r#"keyward_decision_reasons_total{code="POLICY_PERMITS"} 1"#,
            r#"keyward_profile_trainings_total{maturity="mature"} 1"#,
            r#"keyward_stage_duration_seconds_bucket{stage="decide",le="0.000025"} 0"#,
            r#"keyward_stage_duration_seconds_bucket{stage="decide",le="0.00005"} 1"#,
            r#"keyward_store_up{store="hot"} 0"#,
            "keyward_training_queue 3",
            "keyward_friction_budget 0.25",
            "keyward_certificate_not_after_seconds 1800000000",
            r#"keyward_reloads_total{result="error"} 1"#,
            concat!("keyward_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "keyward_audit_checkpoint_age_seconds 1.5",
            "keyward_audit_records_beyond 7",
            "keyward_audit_lag_seconds 2.5",
            "keyward_training_dropped_total 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in:\n{text}");
        }
    }
}
