//! The section `[postgres]`.

use std::path::PathBuf;

use confique::Config;
use serde::Deserialize;

/// See [`Settings::postgres`](super::Settings::postgres).
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Postgres {
    /// Such as "postgres://keyward@host:5432/keyward". A password or parameters in it are refused.
    pub url: Option<String>,

    /// A file with the password; white space around it is dropped.
    pub password_file: Option<PathBuf>,

    /// "verify-full" (encrypted, to a server whose certificate bears the host's name), "verify-ca" (whatever name it
    /// bears), or "off" (plaintext: for loopback, or a network that encrypts by itself).
    #[config(default = "verify-full")]
    pub tls: PostgresTls,

    /// Certificate authorities in PEM that the server's certificate must chain to. Not set: those that Mozilla trusts.
    pub tls_ca_file: Option<PathBuf>,

    /// The certificate chain in PEM to show the server, where it asks for one.
    pub tls_certificate_file: Option<PathBuf>,

    /// The private key of that certificate, in PEM.
    pub tls_key_file: Option<PathBuf>,

    /// Connections at once, at most; two of them append to the audit log alone. An erasure takes one more while it runs.
    #[config(default = 10)]
    pub pool_size: u32,

    /// The longest wait for a connection, in milliseconds.
    #[config(default = 1000)]
    pub connect_timeout_ms: u64,

    /// The longest wait for the answer to a statement, in milliseconds. The server gives up on it then, too.
    #[config(default = 1000)]
    pub response_timeout_ms: u64,

    /// Whether `serve` brings the schema forward by itself before it serves, as `keyward migrate` does. Its role must be
    /// allowed to change the schema then.
    #[config(default = false)]
    pub migrate_on_start: bool,
}

/// How connections to PostgreSQL are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostgresTls {
    /// Not at all.
    Off,
    /// To a server whose certificate a known authority signed.
    VerifyCa,
    /// The same, and it bears the host's name.
    VerifyFull,
}
