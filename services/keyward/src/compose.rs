//! From settings to an engine: opens the stores, reads the keys (and makes them on the first run), reads the policy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use keyward_api::ApiSettings;
use keyward_api::v1::DESCRIPTORS;
use keyward_audit::{KeyKind, NoteSigner, VerifierKey};
use keyward_domain::{Clock, Entropy};
use keyward_engine::{Engine, EngineError, EngineSettings, LogSettings, Parts, TokenSigner};
use keyward_keys::{KmsPlugin, KmsSettings, Moving, RingProvider};
use keyward_passkeys::{Passkeys, RelyingParty};
use keyward_policy::PolicySet;
use keyward_scoring::friction::Budget;
use keyward_seal::KeyRing;
use keyward_store::{DurableStore, HotStore, KeyError, KeyProvider};
use keyward_store_embedded::{DEFAULT_MAX_ENTRIES, EmbeddedStore, InProcessHot};
use keyward_store_postgres::{PostgresSettings, PostgresStore, Tls};
use keyward_store_redis::{ClientCertificate, Place, RedisHot, RedisSettings};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::clock::{SystemClock, SystemEntropy};
use crate::observability::{Metrics, methods_of};
use crate::ring_file::{RingFile, RingFileError};
use crate::secrets::{self, SecretError};
use crate::settings::{self, RedisMode, Settings};
use crate::transport::health::Ready;
use crate::transport::{App, ReloadMore};

/// Why an engine could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A file could not be read or made.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read, and is not what it should be.
    #[error("{path}: {text}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        text: String,
    },
    /// A secret could not be read or made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A store could not be opened.
    #[error("{0}")]
    Store(#[from] keyward_store::StoreError),
    /// The key ring could not be read.
    #[error(transparent)]
    Ring(#[from] RingFileError),
    /// The provider of keys cannot be used.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// The deployment's own data key cannot be unwrapped, and so nobody's.
    #[error(
        "keys: {0} of the deployment; without what wrapped it nothing opens: `keyward keys status` says what is missing"
    )]
    Engine(#[from] EngineError),
    /// The audit log did not take the record of which policy decides.
    #[error("the policy in force cannot be recorded: {0}")]
    Policy(String),
    /// Settings that are sound one by one and not together.
    #[error("{0}")]
    Settings(String),
}

/// What was put together.
pub struct Composed {
    /// The use cases.
    pub engine: Arc<Engine>,
    /// The durable store, to be closed at the end.
    pub store: Durable,
    /// The key ring, where there is one, to be read again when it changed.
    pub ring: Option<Arc<RingProvider>>,
    /// The clock that the engine reads.
    pub clock: Arc<dyn Clock>,
}

/// The durable store that the settings name. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Durable {
    /// SQLite files in the data folder.
    Embedded(EmbeddedStore),
    /// A PostgreSQL database.
    Postgres(PostgresStore),
}

impl Durable {
    /// Opens it.
    ///
    /// # Errors
    /// [`ComposeError`] when it cannot be opened, or its schema is not the one that this program serves on.
    pub async fn open(settings: &Settings) -> Result<Self, ComposeError> {
        match settings.store.durable {
            settings::DurableStore::Embedded => {
                Ok(Self::Embedded(EmbeddedStore::open(&settings.store.data_dir).await?))
            }
            settings::DurableStore::Postgres => {
                let postgres = postgres_settings(&settings.postgres)?;
                if settings.postgres.migrate_on_start {
                    PostgresStore::migrate(&postgres).await?;
                }
                Ok(Self::Postgres(PostgresStore::connect(&postgres).await?))
            }
        }
    }

    /// Opens it to be read beside the server, if it was ever made.
    ///
    /// # Errors
    /// As for [`Durable::open`].
    pub async fn open_existing(settings: &Settings) -> Result<Option<Self>, ComposeError> {
        let embedded = settings.store.durable == settings::DurableStore::Embedded;
        if embedded && !settings.store.data_dir.join("state.db").exists() {
            return Ok(None);
        }
        let mut settings = settings.clone();
        // Who looks changes nothing.
        settings.postgres.migrate_on_start = false;
        Self::open(&settings).await.map(Some)
    }

    /// The store as the engine takes it.
    pub fn port(&self) -> Arc<dyn DurableStore> {
        match self {
            Self::Embedded(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// Waits for what runs, and closes it.
    pub async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// Puts an engine together. Must be called within a Tokio runtime.
///
/// # Errors
/// [`ComposeError`], naming the file or setting.
pub async fn compose(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Composed, ComposeError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let dir = &settings.store.data_dir;
    secrets::make_folder(dir)?;
    let store = Durable::open(settings).await?;
    let Keys { provider, ring } = key_provider(settings, &*store.port(), &entropy).await?;
    let parts = Parts {
        durable: store.port(),
        hot: hot_store(settings, &clock).await?,
        passkeys: passkeys(&settings.passkeys)?,
        policy: policy(settings.policy.file.as_deref())?,
        keys: provider,
        signer: signer(&settings.token_signing_key_file())?,
        log: log_settings(settings)?,
        clock: clock.clone(),
        entropy,
        observer: metrics.clone(),
        settings: engine_settings(settings),
    };
    let engine = Engine::start(parts).await?;
    engine.record_policy().await.map_err(|e| ComposeError::Policy(e.to_string()))?;
    Ok(Composed { engine, store, ring, clock })
}

impl Composed {
    /// The engine as services to serve.
    ///
    /// # Panics
    /// Never: the descriptors were compiled with the contract.
    pub fn app(&self, settings: &Settings) -> App {
        let api = ApiSettings {
            max_message_bytes: settings.server.max_message_bytes,
            default_deadline: Duration::from_millis(settings.assessment.default_deadline_ms),
        };
        let engine = self.engine.clone();
        App {
            services: keyward_api::routes(&self.engine, &self.clock, api),
            methods: methods_of(DESCRIPTORS).expect("the descriptors were compiled with the contract"),
            jwks: Arc::new(move || engine.token_keys()),
            ready: ready(self.engine.clone()),
            reload: reload_policy(self.engine.clone(), settings.policy.file.clone()),
            reload_files: settings.policy.file.iter().cloned().collect(),
            log_key: self.engine.log_key().to_string(),
        }
    }
}

/// How long a store may take to show that it answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Ready while the durable store answers, and once the hot store did: without the former nothing can be allowed, without the
/// latter answers go on, stricter, and are better than none.
fn ready(engine: Arc<Engine>) -> Ready {
    let hot_seen = Arc::new(AtomicBool::new(false));
    Arc::new(move || {
        let (engine, hot_seen) = (engine.clone(), hot_seen.clone());
        Box::pin(async move {
            let up = engine.stores_up(ANSWERS_WITHIN).await;
            let hot = hot_seen.fetch_or(up.hot, Ordering::Relaxed) || up.hot;
            up.durable && hot
        })
    })
}

fn reload_policy(engine: Arc<Engine>, file: Option<PathBuf>) -> ReloadMore {
    Arc::new(move || {
        let Some(path) = &file else { return Ok(()) };
        engine.set_policy(policy(Some(path)).map_err(|error| error.to_string())?);
        Ok(())
    })
}

fn engine_settings(settings: &Settings) -> EngineSettings {
    let seconds = Duration::from_secs;
    EngineSettings {
        nonce_ttl: seconds(settings.assessment.nonce_ttl_s),
        ceremony_ttl: seconds(settings.assessment.ceremony_ttl_s),
        session_ttl: seconds(settings.assessment.session_ttl_s),
        reply_ttl: seconds(settings.assessment.reply_ttl_s),
        attempts_window: seconds(settings.limits.attempt_window_s),
        attempts_limit: settings.limits.attempts_per_window,
        network_attempts_limit: settings.limits.network_attempts_per_window,
        tenant_attempts_limit: settings.limits.tenant_attempts_per_window,
        false_alarms_limit: settings.limits.false_alarms_per_week,
        friction: Budget::of(settings.assessment.friction_budget),
        typing_proof_every: settings.assessment.typing_proof_every,
        verify_concurrency: std::thread::available_parallelism().map_or(2, usize::from),
        ..EngineSettings::default()
    }
}

async fn hot_store(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Arc<dyn HotStore>, ComposeError> {
    match settings.store.hot {
        settings::HotStore::Embedded => Ok(Arc::new(InProcessHot::new(clock.clone(), DEFAULT_MAX_ENTRIES))),
        settings::HotStore::Redis => Ok(Arc::new(RedisHot::connect(redis_settings(&settings.redis)?).await?)),
    }
}

/// The settings of the Redis adapter.
///
/// # Errors
/// [`ComposeError`] when there is no address, or a file cannot be read.
pub fn redis_settings(redis: &settings::Redis) -> Result<RedisSettings, ComposeError> {
    let mut out = match redis.mode {
        RedisMode::Standalone => RedisSettings::new(set("redis.url", redis.url.as_ref())?),
        RedisMode::Cluster => RedisSettings::cluster(redis.nodes.clone()),
        RedisMode::Sentinel => {
            let master = set("redis.sentinel_master", redis.sentinel_master.as_ref())?;
            let mut out = RedisSettings::sentinel(redis.nodes.clone(), master);
            if let Place::Sentinel { database, login, .. } = &mut out.place {
                *database = redis.database.unwrap_or(0).into();
                let password = redis.sentinel_password_file.as_deref().map(read_password).transpose()?;
                *login = password.map(|password| (redis.sentinel_username.clone(), password));
            }
            out
        }
    };
    out.username.clone_from(&redis.username);
    out.password = redis.password_file.as_deref().map(read_password).transpose()?;
    out.root_certificates_pem =
        redis.tls_ca_file.as_deref().map(|path| read_text(path).map(String::into_bytes)).transpose()?;
    if let (Some(certificate), Some(key)) = (&redis.tls_certificate_file, &redis.tls_key_file) {
        out.client_certificate = Some(ClientCertificate {
            certificate_pem: read_text(certificate)?.into_bytes(),
            private_key_pem: SecretString::from(read_text(key)?),
        });
    }
    out.key_prefix.clone_from(&redis.key_prefix);
    out.connect_timeout = Duration::from_millis(redis.connect_timeout_ms);
    out.response_timeout = Duration::from_millis(redis.response_timeout_ms);
    Ok(out)
}

fn set<'s>(key: &str, value: Option<&'s String>) -> Result<&'s String, ComposeError> {
    value.ok_or_else(|| ComposeError::Settings(format!("{key} is not set")))
}

fn read_password(path: &Path) -> Result<SecretString, ComposeError> {
    Ok(SecretString::from(read_text(path)?.trim().to_owned()))
}

/// The settings of the PostgreSQL adapter.
///
/// # Errors
/// [`ComposeError`] when there is no URL, or a file cannot be read.
pub fn postgres_settings(postgres: &settings::Postgres) -> Result<PostgresSettings, ComposeError> {
    let mut out = PostgresSettings::new(set("postgres.url", postgres.url.as_ref())?);
    out.tls = match postgres.tls {
        settings::PostgresTls::Off => Tls::Off,
        settings::PostgresTls::VerifyCa => Tls::VerifyCa,
        settings::PostgresTls::VerifyFull => Tls::VerifyFull,
    };
    out.pool_size = postgres.pool_size;
    out.connect_timeout = Duration::from_millis(postgres.connect_timeout_ms);
    out.response_timeout = Duration::from_millis(postgres.response_timeout_ms);
    if let Some(path) = &postgres.password_file {
        out.password = Some(read_password(path)?);
    }
    if let Some(path) = &postgres.tls_ca_file {
        out.root_certificates_pem = Some(read_text(path)?.into_bytes());
    }
    if let (Some(certificate), Some(key)) = (&postgres.tls_certificate_file, &postgres.tls_key_file) {
        out.client_certificate = Some(keyward_store_postgres::ClientCertificate {
            certificate_pem: read_text(certificate)?.into_bytes(),
            private_key_pem: SecretString::from(read_text(key)?),
        });
    }
    Ok(out)
}

fn passkeys(settings: &settings::Passkeys) -> Result<Passkeys, ComposeError> {
    let roots: Result<Vec<String>, ComposeError> =
        settings.attestation_root_files.iter().map(|path| read_text(path)).collect();
    let party = RelyingParty {
        id: settings.rp_id.clone(),
        name: settings.rp_name.clone(),
        origins: settings.origins.clone(),
        attestation_roots_pem: roots?,
    };
    Passkeys::new(&party).map_err(|e| ComposeError::Settings(format!("passkeys: {e}")))
}

/// The policy in a file, or the one that ships.
///
/// # Errors
/// [`ComposeError`] when the file cannot be read or is no policy.
pub fn policy(file: Option<&Path>) -> Result<PolicySet, ComposeError> {
    let Some(path) = file else { return Ok(PolicySet::default_set()) };
    let text = read_text(path)?;
    PolicySet::parse(&text).map_err(|e| ComposeError::Content { path: path.to_owned(), text: e.to_string() })
}

/// Who wraps data keys.
pub struct Keys {
    /// The provider.
    pub provider: Arc<dyn KeyProvider>,
    /// The same, where it is a key ring.
    pub ring: Option<Arc<RingProvider>>,
}

/// The provider of keys that the settings name. A key ring is made when there is neither a ring nor anybody who needs one.
///
/// # Errors
/// [`ComposeError`], naming the file; also when the ring is gone that wrapped what the store holds.
pub async fn key_provider(
    settings: &Settings,
    store: &dyn DurableStore,
    entropy: &Arc<dyn Entropy>,
) -> Result<Keys, ComposeError> {
    let kms =
        settings.keys.kms_socket.as_deref().map(|socket| kms(socket, &settings.keys, entropy)).transpose()?;
    let ring = settings.key_ring_file().exists().then(|| key_ring(settings, entropy)).transpose()?;
    // What only the other one can unwrap is old: `keyward keys rewrap` moves it.
    match (settings.keys.provider, kms, ring) {
        (settings::KeyProvider::Kms, None, _) => {
            Err(ComposeError::Settings("keys.kms_socket is not set".to_owned()))
        }
        (settings::KeyProvider::Kms, Some(kms), None) => Ok(Keys { provider: kms, ring: None }),
        (settings::KeyProvider::Kms, Some(kms), Some(ring)) => {
            Ok(Keys { provider: Arc::new(Moving::new(ring.clone(), kms)), ring: Some(ring) })
        }
        (settings::KeyProvider::Ring, kms, ring) => {
            let ring = match ring {
                Some(ring) => ring,
                None => first_ring(settings, store, entropy).await?,
            };
            let alone: Arc<dyn KeyProvider> = ring.clone();
            let provider = match kms {
                Some(kms) => Arc::new(Moving::new(kms, ring.clone())),
                None => alone,
            };
            Ok(Keys { provider, ring: Some(ring) })
        }
    }
}

fn kms(
    socket: &Path,
    keys: &settings::Keys,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<dyn KeyProvider>, ComposeError> {
    let timeout = Duration::from_millis(keys.kms_timeout_ms);
    let settings = KmsSettings { timeout, ..KmsSettings::default() };
    Ok(Arc::new(KmsPlugin::at(socket, &settings, entropy.clone())?))
}

fn key_ring(settings: &Settings, entropy: &Arc<dyn Entropy>) -> Result<Arc<RingProvider>, ComposeError> {
    let file = RingFile::at(settings.key_ring_file());
    let ring = file.read()?;
    let following = RingProvider::new(ring, entropy.clone()).following(Box::new(move || file.newer()));
    Ok(Arc::new(following))
}

/// Makes the ring, unless there is somebody who needs one that is gone.
async fn first_ring(
    settings: &Settings,
    store: &dyn DurableStore,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<RingProvider>, ComposeError> {
    let path = settings.key_ring_file();
    if settings.keys.kms_socket.is_none() && store.subject_count().await? > 0 {
        let text = "is not there, and data keys were wrapped with it: restore it from a backup".to_owned();
        return Err(ComposeError::Content { path, text });
    }
    make_ring(&path, &**entropy)?;
    key_ring(settings, entropy)
}

/// A key ring, made where there is none.
///
/// # Errors
/// [`SecretError`] naming the file.
pub fn make_ring(path: &Path, entropy: &dyn Entropy) -> Result<(), SecretError> {
    let make = || Zeroizing::new(KeyRing::generate(entropy).to_text().as_bytes().to_vec());
    secrets::read_or_make(path, make).map(drop)
}

/// A key that signs, made where there is none.
///
/// # Errors
/// [`SecretError`] naming the file.
///
/// # Panics
/// Never: the system's randomness ends the process rather than fail.
pub fn signing_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    secrets::read_or_make(path, || {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        Zeroizing::new(key.expect("aws-lc aborts rather than give no randomness").as_ref().to_vec())
    })
}

/// How the audit log is kept, with the key that signs its checkpoints.
///
/// # Errors
/// [`ComposeError`] naming the file or setting.
pub fn log_settings(settings: &Settings) -> Result<LogSettings, ComposeError> {
    let (audit, path) = (&settings.audit, settings.audit_signing_key_file());
    let signer = NoteSigner::from_pkcs8(&audit.origin, KeyKind::Note, &signing_key(&path)?)
        .map_err(|e| ComposeError::Content { path, text: e.to_string() })?;
    let keys = |key: &str, texts: &[String]| -> Result<Vec<VerifierKey>, ComposeError> {
        let read = texts.iter().map(|text| VerifierKey::parse(text)).collect::<Result<_, _>>();
        read.map_err(|e| ComposeError::Settings(format!("audit.{key}: {e}")))
    };
    Ok(LogSettings {
        signer,
        earlier_keys: keys("earlier_keys", &audit.earlier_keys)?,
        witnesses: keys("witness_keys", &audit.witness_keys)?,
        checkpoint_interval: Duration::from_millis(audit.checkpoint_interval_ms),
        retention: (audit.retention_days > 0).then(|| days(audit.retention_days)),
    })
}

fn days(days: u32) -> Duration {
    Duration::from_hours(24) * days
}

/// Opens the durable store of a deployment that has run before, to read it beside the server.
///
/// # Errors
/// [`ComposeError`] when there is none, or it cannot be opened.
pub async fn open_durable(settings: &Settings) -> Result<Arc<dyn DurableStore>, ComposeError> {
    let there = Durable::open_existing(settings).await?;
    let there = there.ok_or_else(|| ComposeError::File {
        path: settings.store.data_dir.clone(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    Ok(there.port())
}

fn signer(path: &Path) -> Result<TokenSigner, ComposeError> {
    let der = signing_key(path)?;
    TokenSigner::from_pkcs8(&der)
        .map_err(|e| ComposeError::Content { path: path.to_owned(), text: e.to_string() })
}

fn read_text(path: &Path) -> Result<String, ComposeError> {
    std::fs::read_to_string(path).map_err(|source| ComposeError::File { path: path.to_owned(), source })
}
