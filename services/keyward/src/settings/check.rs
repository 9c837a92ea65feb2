//! What must hold between values.

mod postgres;
mod redis;

use super::{CallerSettings, HotStore, KeyProvider, Settings};
use keyward_audit::{KeyKind, VerifierKey, is_name};
use keyward_domain::{CallerId, TenantId};

impl Settings {
    /// What does not fit together, each naming its key. Reads no file.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Problems::default();
        self.check_server(&mut problems);
        self.check_callers(&mut problems);
        self.check_stores(&mut problems);
        self.check_audit(&mut problems);
        self.check_postgres(&mut problems);
        self.check_amounts(&mut problems);
        problems.0
    }

    fn check_server(&self, problems: &mut Problems) {
        let server = &self.server;
        let (certificate, key) = (server.tls_certificate_file.is_some(), server.tls_key_file.is_some());
        problems.when(certificate != key, "server.tls_certificate_file and server.tls_key_file go together");
        problems.when(
            server.tls_client_ca_file.is_some() && !certificate,
            "server.tls_client_ca_file needs server.tls_certificate_file",
        );
        problems.when(
            server.tls_require_client_certificate && server.tls_client_ca_file.is_none(),
            "server.tls_require_client_certificate needs server.tls_client_ca_file",
        );
        problems.when(
            !certificate && !server.listen.ip().is_loopback() && !server.allow_plaintext_beyond_loopback,
            "server.listen is not loopback and there is no TLS: set server.tls_certificate_file and \
             server.tls_key_file, or server.allow_plaintext_beyond_loopback if the network encrypts by itself",
        );
    }

    fn check_callers(&self, problems: &mut Problems) {
        problems.when(
            self.callers.is_empty() && (self.server.tls() || !self.server.listen.ip().is_loopback()),
            "callers is empty: without callers keyward serves plaintext on loopback only",
        );
        for (index, caller) in self.callers.iter().enumerate() {
            let name = format!("callers[{index}]");
            if CallerId::parse(caller.id.as_str()).is_err() {
                problems.add(format!(
                    "{name}.id must be 1 to 128 visible ASCII characters without braces and bars"
                ));
            }
            if self.callers[..index].iter().any(|other| other.id == caller.id) {
                problems.add(format!("{name}.id is taken"));
            }
            self.check_identification(&name, caller, problems);
            check_tenants(&name, &caller.tenants, problems);
        }
    }

    fn check_identification(&self, name: &str, caller: &CallerSettings, problems: &mut Problems) {
        if caller.token_sha256_file.is_none() && caller.certificate_san.is_none() {
            problems.add(format!("{name} needs token_sha256_file or certificate_san"));
        }
        if caller.certificate_san.is_some() && self.server.tls_client_ca_file.is_none() {
            problems.add(format!("{name}.certificate_san needs server.tls_client_ca_file"));
        }
        let san = caller.certificate_san.as_deref();
        if san.is_some() && self.callers.iter().filter(|c| c.certificate_san.as_deref() == san).count() > 1 {
            problems.add(format!("{name}.certificate_san is used by another caller"));
        }
    }

    fn check_stores(&self, problems: &mut Problems) {
        redis::check(&self.redis, self.store.hot == HotStore::Redis, problems);
        problems.when(
            self.keys.provider == KeyProvider::Kms && self.keys.kms_socket.is_none(),
            "keys.provider is \"kms\": set keys.kms_socket",
        );
        problems.when(
            self.telemetry.otlp_endpoint.as_ref().is_some_and(|url| !url.starts_with("http://")),
            "telemetry.otlp_endpoint must begin with http:// (a collector beside keyward can add TLS)",
        );
    }

    fn check_audit(&self, problems: &mut Problems) {
        let audit = &self.audit;
        problems.when(!is_name(&audit.origin), "audit.origin must have no white space and no plus");
        let lists = [
            ("audit.earlier_keys", &audit.earlier_keys, KeyKind::Note),
            ("audit.witness_keys", &audit.witness_keys, KeyKind::Cosignature),
        ];
        for (key, list, kind) in lists {
            for (index, text) in list.iter().enumerate() {
                match VerifierKey::parse(text) {
                    Err(error) => problems.add(format!("{key}[{index}]: {error}")),
                    Ok(found) if found.kind() != kind => {
                        problems.add(format!(
                            "{key}[{index}] is a key of the other kind: logs sign notes, witnesses cosign"
                        ));
                    }
                    Ok(_) => {}
                }
            }
        }
    }

    fn check_amounts(&self, problems: &mut Problems) {
        let server = &self.server;
        let positive: [(&str, u64); 20] = [
            ("server.max_message_bytes", server.max_message_bytes as u64),
            ("server.max_connections", server.max_connections as u64),
            ("server.max_concurrent_streams", server.max_concurrent_streams.into()),
            ("server.max_in_flight", server.max_in_flight as u64),
            ("server.request_timeout_ms", server.request_timeout_ms),
            ("server.keepalive_s", server.keepalive_s),
            ("server.keepalive_timeout_s", server.keepalive_timeout_s),
            ("redis.connect_timeout_ms", self.redis.connect_timeout_ms),
            ("redis.response_timeout_ms", self.redis.response_timeout_ms),
            ("postgres.pool_size", self.postgres.pool_size.into()),
            ("postgres.connect_timeout_ms", self.postgres.connect_timeout_ms),
            ("postgres.response_timeout_ms", self.postgres.response_timeout_ms),
            ("limits.attempts_per_window", self.limits.attempts_per_window.into()),
            ("limits.attempt_window_s", self.limits.attempt_window_s),
            ("audit.checkpoint_interval_ms", self.audit.checkpoint_interval_ms),
            ("assessment.nonce_ttl_s", self.assessment.nonce_ttl_s),
            ("assessment.ceremony_ttl_s", self.assessment.ceremony_ttl_s),
            ("assessment.session_ttl_s", self.assessment.session_ttl_s),
            ("assessment.reply_ttl_s", self.assessment.reply_ttl_s),
            ("assessment.default_deadline_ms", self.assessment.default_deadline_ms),
        ];
        for (key, value) in positive {
            if value == 0 {
                problems.add(format!("{key} must be at least 1"));
            }
        }
        problems.when(
            self.limits.caller_calls_per_second > 0 && self.limits.caller_burst == 0,
            "limits.caller_burst must be at least 1",
        );
        problems.when(self.passkeys.origins.is_empty(), "passkeys.origins must not be empty");
        let budget = self.assessment.friction_budget;
        problems
            .when(!(0.001..=0.2).contains(&budget), "assessment.friction_budget must be from 0.001 to 0.2");
        let ratio = self.telemetry.trace_sample_ratio;
        problems.when(!(0.0..=1.0).contains(&ratio), "telemetry.trace_sample_ratio must be from 0 to 1");
    }
}

fn check_tenants(name: &str, tenants: &[String], problems: &mut Problems) {
    if tenants.is_empty() {
        problems.add(format!("{name}.tenants must not be empty"));
    }
    let all = tenants.iter().any(|t| t == "*");
    if all && tenants.len() > 1 {
        problems.add(format!("{name}.tenants must be \"*\" alone, or names"));
    }
    if !all && tenants.iter().any(|t| TenantId::parse(t.as_str()).is_err()) {
        problems.add(format!("{name}.tenants must be visible ASCII without braces and bars"));
    }
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, text: String) {
        self.0.push(text);
    }

    fn when(&mut self, holds: bool, text: &str) {
        if holds {
            self.add(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn problems(change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let mut settings = Settings::defaults();
        change(&mut settings);
        settings.problems()
    }

    fn caller() -> CallerSettings {
        CallerSettings {
            id: "portal".to_owned(),
            tenants: vec!["st-mary".to_owned()],
            token_sha256_file: Some(PathBuf::from("token")),
            certificate_san: None,
            audit: false,
        }
    }

    #[test]
    fn the_defaults_fit_together() {
        assert_eq!(problems(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn plaintext_beyond_loopback_must_be_asked_for_by_name() {
        let beyond = |s: &mut Settings| {
            s.server.listen = "0.0.0.0:50051".parse().unwrap();
            s.callers.push(caller());
        };
        let found = problems(beyond);
        assert!(found.len() == 1 && found[0].contains("allow_plaintext_beyond_loopback"), "{found:?}");
        let found = problems(|s| {
            beyond(s);
            s.server.allow_plaintext_beyond_loopback = true;
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn only_loopback_may_do_without_callers() {
        let found = problems(|s| {
            s.server.listen = "0.0.0.0:50051".parse().unwrap();
            s.server.allow_plaintext_beyond_loopback = true;
        });
        assert!(found.len() == 1 && found[0].contains("callers is empty"), "{found:?}");
    }

    #[test]
    fn callers_are_named_once_and_identified_somehow() {
        let found = problems(|s| {
            s.callers = vec![
                caller(),
                caller(),
                CallerSettings { token_sha256_file: None, id: "b c".into(), ..caller() },
            ];
            s.callers[0].tenants = vec!["*".into(), "a".into()];
        });
        let expected =
            ["callers[0].tenants", "callers[1].id is taken", "callers[2].id must", "callers[2] needs"];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (problem, start) in found.iter().zip(expected) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn keys_of_the_log_are_read_and_are_of_their_kind() {
        let log = VerifierKey::new("log", KeyKind::Note, [7; 32]).to_string();
        let witness = VerifierKey::new("w", KeyKind::Cosignature, [7; 32]).to_string();
        let keys = |earlier: &[&str], witnesses: &[&str]| {
            let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
            let (earlier, witnesses) = (owned(earlier), owned(witnesses));
            problems(|s| (s.audit.earlier_keys, s.audit.witness_keys) = (earlier, witnesses))
        };
        assert_eq!(keys(&[&log], &[&witness]), Vec::<String>::new());
        let found = keys(&[&witness], &["x", &log]);
        for (problem, start) in
            found.iter().zip(["audit.earlier_keys[0]", "audit.witness_keys[0]", "audit.witness_keys[1]"])
        {
            assert!(problem.starts_with(start), "{problem}");
        }
        assert_eq!(found.len(), 3);
        assert_eq!(problems(|s| s.audit.origin = "a b".to_owned()).len(), 1);
    }

    #[test]
    fn zero_is_no_amount() {
        let found = problems(|s| s.assessment.reply_ttl_s = 0);
        assert_eq!(found, ["assessment.reply_ttl_s must be at least 1"]);
    }
}
