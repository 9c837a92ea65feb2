//! What can be set, in layers: defaults < file < environment < flags.
//!
//! A key is written down once, here: its doc comment is its documentation in the sample file, its `default` is the
//! default, and its type is the schema. Unknown keys are errors. Secrets are never values: they are files, named by
//! keys that end in `_file`.

mod check;
mod load;
mod postgres;
mod sample;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use confique::Config;
use serde::Deserialize;

pub use load::{SettingsError, Sources};
pub use postgres::{Postgres, PostgresTls};
pub use sample::sample;

/// Settings of keyward.
///
/// Every key is shown with its default. A key is looked for in this order, and the first one found counts:
/// a flag (`--set section.key=value`), the environment (`KEYWARD_SECTION__KEY=value`), this file
/// (`--config PATH` or `KEYWARD_CONFIG=PATH`), the default. An unknown key is an error.
/// Secrets are given as files only (keys that end in `_file`). Relative paths start at the working directory.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Settings {
    /// Services that may call keyward, one table each, by bearer token or by client certificate, confined to tenants.
    /// Without any, keyward serves only plaintext on loopback, and whoever can connect may act for every tenant.
    ///
    /// ```text
    ///   [[callers]]
    ///   id = "portal"                                     # names the caller in logs, metrics and audit
    ///   tenants = ["st-mary"]                             # or ["*"]: every tenant
    ///   token_sha256_file = "/etc/keyward/portal.sha256"  # SHA-256 of the token in hex, one a line (two to rotate)
    ///
    ///   [[callers]]
    ///   id = "gateway"
    ///   tenants = ["*"]
    ///   audit = true                                      # may open records of the audit log, of its tenants
    ///   certificate_san = "gateway.example.org"           # a DNS or URI subject alternative name, compared exactly
    /// ```
    #[config(default = [])]
    pub callers: Vec<CallerSettings>,

    /// The gRPC endpoint.
    #[config(nested)]
    pub server: Server,

    /// The HTTP endpoint: /metrics, /healthz, and the public keys of decision tokens (/.well-known/jwks.json) and of the
    /// audit log (/.well-known/keyward-audit-key). It carries no secret and no personal data, and has no authentication.
    #[config(nested)]
    pub http: Http,

    /// Where state is kept.
    #[config(nested)]
    pub store: Store,

    /// Redis, when `store.hot` is "redis".
    #[config(nested)]
    pub redis: Redis,

    /// PostgreSQL, when `store.durable` is "postgres".
    #[config(nested)]
    pub postgres: Postgres,

    /// Cryptographic keys.
    #[config(nested)]
    pub keys: Keys,

    /// The tamper-evident log. Records are durable before an ALLOW leaves; a Merkle tree over them follows, with
    /// checkpoints that are signed notes (C2SP tlog-tiles).
    #[config(nested)]
    pub audit: Audit,

    /// The WebAuthn relying party.
    #[config(nested)]
    pub passkeys: Passkeys,

    /// What is allowed.
    #[config(nested)]
    pub policy: Policy,

    /// How much a subject may try and a caller may ask.
    #[config(nested)]
    pub limits: Limits,

    /// Lifetimes around an assessment.
    #[config(nested)]
    pub assessment: Assessment,

    /// Logs, traces and metrics.
    #[config(nested)]
    pub telemetry: Telemetry,
}

/// See [`Settings::callers`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerSettings {
    /// The caller's name.
    pub id: String,
    /// Names of tenants, or `*` alone for every tenant.
    pub tenants: Vec<String>,
    /// A file with SHA-256 hashes of its tokens, in hexadecimal, one a line.
    pub token_sha256_file: Option<PathBuf>,
    /// A subject alternative name (DNS or URI) of its client certificate.
    pub certificate_san: Option<String>,
    /// Whether it may open records of the audit log, of its tenants.
    #[serde(default)]
    pub audit: bool,
}

/// See [`Settings::server`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Server {
    /// Address and port. Port 0 takes a free one.
    #[config(default = "127.0.0.1:50051")]
    pub listen: SocketAddr,

    /// Serve plaintext on an address that is not loopback. Only for networks that encrypt by themselves.
    #[config(default = false)]
    pub allow_plaintext_beyond_loopback: bool,

    /// Address and port of a second, plaintext gRPC endpoint that serves health and nothing else, for probes that speak no
    /// TLS, such as Kubernetes'. Not set: health is served beside everything else only.
    pub health_listen: Option<SocketAddr>,

    /// Seconds between looks at certificates, keys, client authorities, token files and the policy's file; what changed is
    /// read again and takes effect without a restart. 0: only SIGHUP has them read again.
    #[config(default = 5)]
    pub reload_check_s: u64,

    /// The certificate chain in PEM, leaf first. With it and the key, keyward serves TLS.
    pub tls_certificate_file: Option<PathBuf>,

    /// The certificate's private key in PEM (PKCS #8, PKCS #1 or SEC 1).
    pub tls_key_file: Option<PathBuf>,

    /// Certificate authorities in PEM that client certificates must chain to.
    pub tls_client_ca_file: Option<PathBuf>,

    /// Refuse connections without a client certificate. Health probes then need one too.
    #[config(default = false)]
    pub tls_require_client_certificate: bool,

    /// The longest request message, in bytes.
    #[config(default = 1_048_576)]
    pub max_message_bytes: usize,

    /// Connections at once; more are closed.
    #[config(default = 4096)]
    pub max_connections: usize,

    /// Calls at once on one connection; more wait at the client.
    #[config(default = 256)]
    pub max_concurrent_streams: u32,

    /// Calls at once altogether; more are refused with RESOURCE_EXHAUSTED, reason OVERLOADED.
    #[config(default = 1024)]
    pub max_in_flight: usize,

    /// The longest that a call may take, in milliseconds; a shorter deadline of the caller's counts.
    #[config(default = 5000)]
    pub request_timeout_ms: u64,

    /// Seconds of silence after which the peer of a connection is asked for a sign of life (HTTP/2 ping, TCP keepalive).
    #[config(default = 30)]
    pub keepalive_s: u64,

    /// Seconds that it has to answer before the connection is closed.
    #[config(default = 10)]
    pub keepalive_timeout_s: u64,

    /// Seconds after which a connection is asked to end (GOAWAY), so that clients spread over new servers. 0: never.
    #[config(default = 1800)]
    pub max_connection_age_s: u64,

    /// On shutdown, milliseconds between the health service saying NOT_SERVING and the end of accepting.
    /// Behind a load balancer, set it to the period of its probes.
    #[config(default = 200)]
    pub shutdown_notice_ms: u64,

    /// On shutdown, the longest wait for calls in flight, in milliseconds.
    #[config(default = 10_000)]
    pub drain_ms: u64,
}

/// See [`Settings::http`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Http {
    /// Whether to serve it.
    #[config(default = true)]
    pub enabled: bool,

    /// Address and port. Port 0 takes a free one.
    #[config(default = "127.0.0.1:9464")]
    pub listen: SocketAddr,
}

/// See [`Settings::store`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Store {
    /// The folder for everything that must last: the database and, unless placed elsewhere, the keys.
    /// It is created with access for its owner alone.
    #[config(default = "data")]
    pub data_dir: PathBuf,

    /// Where persons, passkeys, profiles and the audit log live: "embedded" (SQLite in `data_dir`, for one server)
    /// or "postgres" (shared between servers).
    #[config(default = "embedded")]
    pub durable: DurableStore,

    /// Where sessions, ceremonies, nonces and limits live: "embedded" (in this process, lost with it)
    /// or "redis" (shared between servers).
    #[config(default = "embedded")]
    pub hot: HotStore,
}

/// Where durable state lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DurableStore {
    /// In SQLite files in the data folder.
    Embedded,
    /// In PostgreSQL.
    Postgres,
}

/// Where hot state lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HotStore {
    /// In this process.
    Embedded,
    /// In Redis.
    Redis,
}

/// See [`Settings::redis`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Redis {
    /// "standalone": one server, at `url`. "sentinel": the master that the Sentinels at `nodes` know as
    /// `sentinel_master`, whichever server that is. "cluster": the cluster that `nodes` belong to.
    #[config(default = "standalone")]
    pub mode: RedisMode,

    /// The server in mode "standalone": such as "redis://host:6379/0", or "rediss://host:6379/0" for TLS.
    /// A password in it is refused.
    pub url: Option<String>,

    /// In mode "sentinel" the Sentinels, such as "redis://a:26379" and "redis://b:26379"; in mode "cluster" some of the
    /// cluster's nodes, from which the others are learned. "rediss://" for TLS, which the servers behind then speak too.
    #[config(default = [])]
    pub nodes: Vec<String>,

    /// The name under which the Sentinels know the master.
    pub sentinel_master: Option<String>,

    /// The Sentinels' own user (ACL), where it is not "default".
    pub sentinel_username: Option<String>,

    /// A file with the Sentinels' own password; white space around it is dropped.
    pub sentinel_password_file: Option<PathBuf>,

    /// The number of the database. In mode "standalone" it stands in `url`; a cluster has no database but 0.
    pub database: Option<u32>,

    /// The user (ACL), where it is not "default".
    pub username: Option<String>,

    /// A file with the password; white space around it is dropped.
    pub password_file: Option<PathBuf>,

    /// Certificate authorities in PEM that the servers' certificates must chain to. Not set: the public ones.
    pub tls_ca_file: Option<PathBuf>,

    /// A client certificate (PEM) to show, where the servers ask for one, and its key.
    pub tls_certificate_file: Option<PathBuf>,

    /// See `tls_certificate_file`.
    pub tls_key_file: Option<PathBuf>,

    /// What every key begins with: letters, digits, "-" and "_". Deployments that share a Redis need different ones.
    #[config(default = "keyward")]
    pub key_prefix: String,

    /// The longest time for connecting, in milliseconds: asking Sentinels, TLS, the login. Calls meanwhile wait no longer
    /// than for an answer.
    #[config(default = 1000)]
    pub connect_timeout_ms: u64,

    /// The longest wait for an answer, in milliseconds. Later, the decision is made without Redis, and is stricter.
    #[config(default = 100)]
    pub response_timeout_ms: u64,
}

/// In which form Redis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisMode {
    /// One server.
    Standalone,
    /// A master that Sentinels watch.
    Sentinel,
    /// A cluster.
    Cluster,
}

/// Who wraps data keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyProvider {
    /// A key ring in a file.
    Ring,
    /// A key management plug-in behind a Unix socket.
    Kms,
}

/// See [`Settings::keys`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Keys {
    /// Who wraps the data keys that everything behavioural is sealed with: "ring" (a key file, see `key_ring_file`) or
    /// "kms" (a key management service or an HSM, behind a plug-in that speaks KMS v2 of Kubernetes, see `kms_socket`).
    /// To change it later, leave the other one in place (the file, or `kms_socket`), and move what it wrapped:
    /// `keyward keys rewrap`.
    #[config(default = "ring")]
    pub provider: KeyProvider,

    /// The key ring that data keys are wrapped with. Losing it loses every profile. `keyward keys` rotates it; it is read
    /// again when it changed.
    /// Not set: `key-ring` in the data folder, created on first start with mode 0600.
    pub key_ring_file: Option<PathBuf>,

    /// The Unix socket of the plug-in, when `keys.provider` is "kms" or was until now.
    pub kms_socket: Option<PathBuf>,

    /// The longest wait for an answer of the plug-in, in milliseconds.
    #[config(default = 2000)]
    pub kms_timeout_ms: u64,

    /// The key that decision tokens are signed with.
    /// Not set: `token-key.der` in the data folder, created on first start with mode 0600.
    pub token_signing_key_file: Option<PathBuf>,
}

/// See [`Settings::audit`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Audit {
    /// The log's name: a URL without scheme that is yours alone, such as "keyward.example.org/audit". Checkpoints and
    /// the key that signs them carry it. Change it only together with `earlier_keys`.
    #[config(default = "keyward.localhost/audit")]
    pub origin: String,

    /// The key that checkpoints are signed with; `keyward audit key` prints its public half. All replicas need the same.
    /// Not set: `audit-key.der` in the data folder, created on first start with mode 0600.
    pub signing_key_file: Option<PathBuf>,

    /// Public keys that signed this log's checkpoints before the present one, as `keyward audit key` printed them. The
    /// log goes on from a checkpoint of theirs; from one of any other key it does not.
    #[config(default = [])]
    pub earlier_keys: Vec<String>,

    /// Public keys of witnesses (`name+id+base64`, cosignature/v1) whose cosignatures AddCosignature keeps.
    #[config(default = [])]
    pub witness_keys: Vec<String>,

    /// How often new records are integrated into the tree and a checkpoint is signed, in milliseconds.
    #[config(default = 1000)]
    pub checkpoint_interval_ms: u64,

    /// How many days records are kept (2192: the six years of HIPAA, 45 CFR 164.316(b)(2)). Older ones are removed by
    /// tiles of 256; their hashes remain, and every proof with them. 0: for ever.
    #[config(default = 2192)]
    pub retention_days: u32,
}

/// See [`Settings::passkeys`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Passkeys {
    /// The domain that passkeys are bound to. It cannot be changed later: passkeys of another domain do not work.
    #[config(default = "localhost")]
    pub rp_id: String,

    /// The name that people see when they make a passkey.
    #[config(default = "keyward")]
    pub rp_name: String,

    /// Origins that may use these passkeys: `rp_id` or domains below it, with scheme and port.
    #[config(default = ["http://localhost:8080"])]
    pub origins: Vec<String>,

    /// Certificates (PEM) of the makers whose attestation makes a passkey count as hardware-bound. Without any, only
    /// ordinary passkeys can be registered, and what needs a hardware-bound one is out of reach.
    #[config(default = [])]
    pub attestation_root_files: Vec<PathBuf>,
}

/// See [`Settings::policy`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Policy {
    /// A Cedar policy set that replaces the one that keyward ships.
    pub file: Option<PathBuf>,
}

/// See [`Settings::limits`].
#[derive(Debug, Clone, PartialEq, Eq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Limits {
    /// Assessments that a subject may need in one window before further ones are refused.
    #[config(default = 20)]
    pub attempts_per_window: u32,

    /// The window, in seconds; it begins with its first attempt.
    #[config(default = 300)]
    pub attempt_window_s: u64,

    /// The same for everyone in one network (/24, or /48 of IPv6) together. A hospital may lie behind one. 0: no limit.
    #[config(default = 200)]
    pub network_attempts_per_window: u32,

    /// The same for everyone of a tenant together. 0: no limit.
    #[config(default = 2000)]
    pub tenant_attempts_per_window: u32,

    /// How often in a week unusual behaviour may ask a person for a passkey without need. Once they answered so many of
    /// them, typing that is unusual (not very unusual) is left out of the week's further decisions. 0: no limit.
    #[config(default = 10)]
    pub false_alarms_per_week: u32,

    /// Calls a second that each caller may make for long, refused beyond with RESOURCE_EXHAUSTED, reason RATE_LIMITED.
    /// 0: no limit.
    #[config(default = 2000)]
    pub caller_calls_per_second: u32,

    /// Calls that a caller may make at once after a pause.
    #[config(default = 4000)]
    pub caller_burst: u32,
}

/// See [`Settings::assessment`].
#[derive(Debug, Clone, PartialEq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Assessment {
    /// How long a telemetry nonce can be used, in seconds.
    #[config(default = 600)]
    pub nonce_ttl_s: u64,

    /// How long a passkey challenge can be answered, in seconds.
    #[config(default = 300)]
    pub ceremony_ttl_s: u64,

    /// How long a session is remembered after its last assessment, in seconds (12 hours: a long shift).
    #[config(default = 43_200)]
    pub session_ttl_s: u64,

    /// How long a repeated request gets the same answer, in seconds.
    #[config(default = 600)]
    pub reply_ttl_s: u64,

    /// The time for an assessment when the caller sets no deadline, in milliseconds.
    #[config(default = 250)]
    pub default_deadline_ms: u64,

    /// The share of a person's genuine logins that a mature model of their typing may raise to MEDIUM or above, from 0.001
    /// to 0.2; a quarter of it to HIGH. Limits move for each person to keep it, within bounds. Less friction lets more
    /// impostors in: `keyward evaluate keystroke --protocol stream --budget` says how many.
    #[config(default = 0.02)]
    pub friction_budget: f32,

    /// After so many logins, less one, that known typing spared the passkey in a row, the next one brings it: 10 is every
    /// tenth, 0 never. People's typing moves, and only proven typing is learned. `keyward evaluate keystroke --protocol
    /// stream --ask-every` says what it is worth, and the shipped policy heeds it (`typing_proof_due`).
    #[config(default = 10)]
    pub typing_proof_every: u32,
}

/// See [`Settings::telemetry`].
#[derive(Debug, Clone, PartialEq, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Telemetry {
    /// An OpenTelemetry collector (OTLP over gRPC) for traces and metrics, such as "http://127.0.0.1:4317".
    /// Plaintext only: let a collector beside keyward carry it on. Not set: neither leaves this process,
    /// and /metrics works all the same.
    pub otlp_endpoint: Option<String>,

    /// The share of traces to record when the caller has not decided, from 0 to 1.
    #[config(default = 1.0)]
    pub trace_sample_ratio: f64,

    /// "human" or "json".
    #[config(default = "human")]
    pub log_format: LogFormat,

    /// What to log: a level, or levels per module such as "info,keyward=debug".
    #[config(default = "info")]
    pub log_filter: String,

    /// The `service.name` of traces and metrics.
    #[config(default = "keyward")]
    pub service_name: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// The defaults alone.
    ///
    /// # Panics
    /// Never: every key has a default or is optional, which a test holds.
    pub fn defaults() -> Self {
        Self::builder().load().expect("every key has a default or is optional")
    }

    /// Where the key ring is.
    pub fn key_ring_file(&self) -> PathBuf {
        self.keys.key_ring_file.clone().unwrap_or_else(|| self.store.data_dir.join("key-ring"))
    }

    /// Where the key that signs the audit log's checkpoints is.
    pub fn audit_signing_key_file(&self) -> PathBuf {
        self.audit.signing_key_file.clone().unwrap_or_else(|| self.store.data_dir.join("audit-key.der"))
    }

    /// Where the key that signs decision tokens is.
    pub fn token_signing_key_file(&self) -> PathBuf {
        self.keys.token_signing_key_file.clone().unwrap_or_else(|| self.store.data_dir.join("token-key.der"))
    }
}

impl Server {
    /// Whether connections are encrypted.
    pub fn tls(&self) -> bool {
        self.tls_certificate_file.is_some()
    }

    /// The longest that a call may take.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}
