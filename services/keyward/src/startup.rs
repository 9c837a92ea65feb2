//! What the program says when it is up.

use std::fmt::Write;

use crate::settings::{DurableStore, Settings};
use crate::transport::Serving;

/// Where it listens, what to know, and what to try next.
pub fn banner(settings: &Settings, serving: &Serving) -> String {
    let mut out = format!("keyward {} is serving\n", env!("CARGO_PKG_VERSION"));
    let how = match (settings.server.tls(), settings.server.tls_client_ca_file.is_some()) {
        (false, _) => "plaintext",
        (true, false) => "TLS",
        (true, true) => "TLS, client certificates accepted",
    };
    line(&mut out, "gRPC", &format!("{} ({how})", serving.grpc));
    if let Some(probes) = serving.probes {
        line(&mut out, "health", &format!("{probes} (plaintext, health alone)"));
    }
    if let Some(http) = serving.http {
        line(
            &mut out,
            "HTTP",
            &format!(
                "http://{http}/metrics  /healthz  /.well-known/jwks.json  /.well-known/keyward-audit-key"
            ),
        );
    }
    let data = settings.store.data_dir.display();
    match settings.store.durable {
        DurableStore::Embedded => line(&mut out, "data", &data.to_string()),
        DurableStore::Postgres => line(&mut out, "data", &format!("PostgreSQL; keys in {data}")),
    }
    match settings.callers.len() {
        0 => out.push_str(ANYONE),
        callers => line(&mut out, "callers", &callers.to_string()),
    }
    out.push_str("\nTry next:\n");
    let _ = writeln!(out, "  grpcurl {} {} list", grpcurl_flags(settings), serving.grpc);
    out.push_str("  keyward doctor            # is this deployment sound?\n");
    out.push_str("  keyward config sample     # everything that can be set\n");
    out
}

const ANYONE: &str = "\n  !! No callers are set: WHOEVER CAN CONNECT ON THIS MACHINE MAY ACT FOR EVERY TENANT.\n  \
                      !! Fine to try keyward out; set [[callers]] before anyone depends on it.\n";

fn line(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "  {name:<8}{text}");
}

fn grpcurl_flags(settings: &Settings) -> String {
    match &settings.server.tls_certificate_file {
        None => "-plaintext".to_owned(),
        Some(certificate) => format!("-cacert {}", certificate.display()),
    }
}
