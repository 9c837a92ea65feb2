//! A deployment, and an engine put together by hand from its ports.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use keyward::compose::Durable;
use keyward_audit::{KeyKind, NoteSigner};
use keyward_domain::{Clock, Entropy, Timestamp};
use keyward_engine::{Engine, EngineError, EngineSettings, LogSettings, Parts, TokenSigner, Unobserved};
use keyward_keys::RingProvider;
use keyward_passkeys::{Passkeys, RelyingParty};
use keyward_policy::PolicySet;
use keyward_seal::KeyRing;
use keyward_store::{DurableStore, HotStore};
use keyward_store_embedded::{EmbeddedStore, InProcessHot};
use keyward_store_redis::{RedisHot, RedisSettings};
use keyward_testkit::ManualClock;
use tempfile::TempDir;

use crate::fault::{FaultyDurable, FaultyHot};
use crate::maker::Maker;
use crate::{Faults, Person};

/// Where the portal's pages come from.
pub const ORIGIN: &str = "http://localhost:8080";
/// The name of the audit log.
pub const AUDIT_ORIGIN: &str = "keyward.example/audit";
/// When every test begins: 2033-05-18T03:33:20Z. Ahead of any real clock, so that tokens are not expired for libraries
/// that ask one.
pub const BEGIN: Timestamp = Timestamp::from_secs(2_000_000_000);

/// What survives a restart: data directory, keys, the clock, and the maker of security keys that is trusted.
pub struct Deployment {
    dir: TempDir,
    ring: Arc<Mutex<KeyRing>>,
    token_key: Vec<u8>,
    audit_key: Vec<u8>,
    /// The clock that every engine of this deployment reads.
    pub clock: Arc<ManualClock>,
    /// The maker of security keys.
    pub maker: Maker,
    /// What the operator chose.
    pub settings: EngineSettings,
}

/// Where hot state lives.
pub enum Hot<'a> {
    /// In the process.
    InProcess,
    /// In Redis at this URL; a call may take so long.
    Redis(&'a str, Duration),
    /// In Redis, in whatever form.
    In(Box<RedisSettings>),
}

/// A running engine. Door and tests may stop it and start the next on the same deployment.
pub struct World {
    /// The use cases.
    pub engine: Arc<Engine>,
    /// The clock.
    pub clock: Arc<ManualClock>,
    /// The durable store, past all switches.
    pub store: Arc<dyn DurableStore>,
    opened: Durable,
    /// What is out of order.
    pub faults: Faults,
}

impl Default for Deployment {
    fn default() -> Self {
        Self::new()
    }
}

impl Deployment {
    /// An empty data directory and fresh keys.
    pub fn new() -> Self {
        let key = || Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key").as_ref().to_vec();
        Self {
            dir: tempfile::Builder::new().prefix("keyward-world-").tempdir().expect("a directory"),
            ring: Arc::new(Mutex::new(KeyRing::generate(&Random))),
            token_key: key(),
            audit_key: key(),
            clock: Arc::new(ManualClock::new(BEGIN)),
            maker: Maker::new(),
            settings: EngineSettings::default(),
        }
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A person with a synced passkey.
    pub fn person(&self, subject: &str) -> Person {
        Person::new(subject)
    }

    /// A person with a security key of the trusted maker.
    pub fn person_with_security_key(&self, subject: &str) -> Person {
        Person::with(subject, self.maker.security_key(!Person::seed(subject)), true)
    }

    /// The key ring.
    pub fn ring(&self) -> KeyRing {
        self.ring.lock().expect("nobody panics while holding it").clone()
    }

    /// Changes the key ring, as one would change its file: engines take it up when they need it.
    pub fn change_ring(&self, change: impl FnOnce(&KeyRing) -> KeyRing) {
        let mut ring = self.ring.lock().expect("nobody panics while holding it");
        *ring = change(&ring);
    }

    /// Starts an engine with the default policy and settings; what lasts lies in the data directory.
    pub async fn start(&self, hot: Hot<'_>) -> World {
        self.try_start(hot).await.expect("it starts")
    }

    /// Starts an engine that keeps its log in another way.
    pub async fn start_with(&self, hot: Hot<'_>, log: LogSettings) -> World {
        self.try_start_with(hot, log).await.expect("it starts")
    }

    /// The same, where it may not start.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn try_start(&self, hot: Hot<'_>) -> Result<World, EngineError> {
        self.try_start_with(hot, LogSettings::new(self.audit_signer())).await
    }

    async fn try_start_with(&self, hot: Hot<'_>, log: LogSettings) -> Result<World, EngineError> {
        let store = EmbeddedStore::open(self.dir()).await.expect("the store opens");
        self.try_start_on(Durable::Embedded(store), hot, log).await
    }

    /// Starts an engine whose durable state is elsewhere.
    pub async fn start_on(&self, opened: Durable, hot: Hot<'_>) -> World {
        let log = LogSettings::new(self.audit_signer());
        self.try_start_on(opened, hot, log).await.expect("it starts")
    }

    /// Starts another engine on the same durable store.
    pub async fn replica(&self, of: &World, hot: Hot<'_>) -> World {
        self.start_on(of.opened.clone(), hot).await
    }

    async fn try_start_on(
        &self,
        opened: Durable,
        hot: Hot<'_>,
        log: LogSettings,
    ) -> Result<World, EngineError> {
        let store = opened.port();
        let hot: Arc<dyn HotStore> = match hot {
            Hot::InProcess => Arc::new(InProcessHot::new(self.clock.clone(), 100_000)),
            Hot::In(settings) => Arc::new(RedisHot::connect(*settings).await.expect("sound settings")),
            Hot::Redis(url, timeout) => {
                let mut settings = RedisSettings::new(url);
                settings.response_timeout = timeout;
                Arc::new(RedisHot::connect(settings).await.expect("sound settings"))
            }
        };
        let faults = Faults::default();
        let parts = Parts {
            durable: Arc::new(FaultyDurable { inner: Arc::clone(&store), faults: faults.clone() }),
            hot: Arc::new(FaultyHot { inner: hot, faults: faults.clone() }),
            passkeys: self.passkeys(),
            policy: PolicySet::default_set(),
            keys: self.keys(),
            signer: TokenSigner::from_pkcs8(&self.token_key).expect("an Ed25519 key"),
            log,
            clock: self.clock.clone(),
            entropy: Arc::new(Random),
            observer: Arc::new(Unobserved),
            settings: self.settings.clone(),
        };
        Ok(World { engine: Engine::start(parts).await?, clock: self.clock.clone(), store, opened, faults })
    }

    /// The key ring as an engine takes it.
    fn keys(&self) -> Arc<RingProvider> {
        let (first, there) = (self.ring(), self.ring.clone());
        let seen = Mutex::new(first.ids());
        let newer = move || {
            let ring = there.lock().expect("nobody panics while holding it").clone();
            let mut seen = seen.lock().expect("nobody panics while holding it");
            (*seen != ring.ids()).then(|| {
                *seen = ring.ids();
                ring
            })
        };
        Arc::new(RingProvider::new(first, Arc::new(Random)).following(Box::new(newer)))
    }

    /// The key that signs the audit log's checkpoints.
    pub fn audit_signer(&self) -> NoteSigner {
        NoteSigner::from_pkcs8(AUDIT_ORIGIN, KeyKind::Note, &self.audit_key).expect("an Ed25519 key")
    }

    fn passkeys(&self) -> Passkeys {
        let party = RelyingParty {
            id: "localhost".to_owned(),
            name: "St Mary".to_owned(),
            origins: vec![ORIGIN.to_owned()],
            attestation_roots_pem: vec![self.maker.root_pem()],
        };
        Passkeys::new(&party).expect("sound settings")
    }
}

impl World {
    /// The clock as the services take it.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Ends the engine: what it knew only in memory is gone.
    pub async fn stop(self) {
        let Self { engine, opened, .. } = self;
        drop(engine);
        opened.close().await;
    }
}

/// Randomness for tests that do not depend on its values.
pub struct Random;

impl Entropy for Random {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system has randomness");
    }
}
