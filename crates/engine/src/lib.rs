#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod announce;
mod answer;
mod assertions;
mod assess;
mod ceremonies;
mod consent;
mod error;
mod export;
mod habits;
mod health;
mod keys;
mod known;
mod learn;
mod limits;
mod log;
mod nonce;
mod observe;
mod observer;
mod passkeys;
mod people;
mod profile_care;
mod profiles;
mod proofs;
mod recent;
mod records;
mod reports;
mod retention;
mod session;
mod settings;
mod step_up;
mod token;
mod training;
mod tree;
mod trial;
mod types;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use keyward_audit::VerifierKey;
use keyward_domain::{Clock, Entropy, SessionId, SubjectKey, TenantId};
use keyward_passkeys::Passkeys;
use keyward_policy::PolicySet;
use keyward_seal::MacKey;
use keyward_store::{DurableStore, HotStore, KeyProvider};
use tokio::sync::{Semaphore, oneshot};

pub use error::EngineError;
pub use export::Export;
pub use health::StoresUp;
pub use keys::{KeyUsage, Rewrapping, key_usage};
pub use observer::{LogBehind, Observer, Stage, Unobserved};
pub use proofs::{ConsistencyProof, LogCheckpoint};
pub use records::{Contents, LoggedRecord, RecordName, RecordPage, RecordQuery};
pub use settings::{AuditFailure, EngineSettings, LogSettings};
pub use token::{TokenSigner, acr};
pub use trial::{Came, PolicyDifference, PolicyTrial, TrialPage};
pub use types::*;
pub use watch::Watch;

/// What an engine is put together from.
pub struct Parts {
    /// What must last.
    pub durable: Arc<dyn DurableStore>,
    /// What may be lost.
    pub hot: Arc<dyn HotStore>,
    /// WebAuthn.
    pub passkeys: Passkeys,
    /// The policy that decides.
    pub policy: PolicySet,
    /// Wraps data keys.
    pub keys: Arc<dyn KeyProvider>,
    /// Signs decision tokens.
    pub signer: TokenSigner,
    /// How the audit log is kept.
    pub log: LogSettings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// What the operator chose.
    pub settings: EngineSettings,
}

/// The use cases.
pub struct Engine {
    durable: Arc<dyn DurableStore>,
    hot: Arc<dyn HotStore>,
    passkeys: Arc<Passkeys>,
    policy: ArcSwap<PolicySet>,
    keys: Arc<dyn KeyProvider>,
    nonces: MacKey,
    signer: TokenSigner,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    observer: Arc<dyn Observer>,
    settings: EngineSettings,
    people: Arc<people::People>,
    profiles: Arc<profiles::Profiles>,
    lately: recent::LatelyTyped,
    announcer: announce::Announcer,
    limiter: limits::Limiter,
    habits: Arc<habits::HabitStore>,
    log: log::Log,
    tree: Arc<tree::Tree>,
    /// Ends the task that grows the tree, when the engine is dropped.
    _grows: oneshot::Sender<()>,
    witnesses: Vec<VerifierKey>,
    retention: Option<Duration>,
    watches: Arc<Semaphore>,
    /// The digest of the policy that the log last said decides; none before [`Engine::record_policy`].
    policy_on_record: ArcSwapOption<[u8; 32]>,
    learner: learn::Learner,
    verifications: Semaphore,
}

impl Engine {
    /// Puts an engine together and starts its tasks: the audit log's, the one of the tree over it, and the learner's. Must
    /// be called within a Tokio runtime. The deployment's own data key is made by the first engine that starts on a store.
    ///
    /// # Errors
    /// [`EngineError::KeyUnavailable`] when the deployment's own data key cannot be unwrapped: then nobody's could.
    /// [`EngineError::StoreUnavailable`].
    pub async fn start(parts: Parts) -> Result<Arc<Self>, EngineError> {
        let announcer = announce::Announcer::new(parts.hot.clone());
        let people = Arc::new(people::People::new(
            parts.durable.clone(),
            parts.keys.clone(),
            parts.entropy.clone(),
            parts.clock.clone(),
            announcer.clone(),
            &parts.settings,
        ));
        let profiles =
            Arc::new(profiles::Profiles::new(parts.durable.clone(), announcer.clone(), &parts.settings));
        let habits =
            Arc::new(habits::HabitStore::new(parts.durable.clone(), announcer.clone(), &parts.settings));
        let own = people.own_secret(&SubjectKey::of_deployment()).await?;
        let limiter = limits::Limiter::new(&own, parts.hot.clone(), &parts.settings);
        let log = log::Log::start(parts.durable.clone(), own.sealing_key("audit"), parts.entropy.clone());
        let tree = Arc::new(tree::Tree {
            store: parts.durable.clone(),
            clock: parts.clock.clone(),
            observer: parts.observer.clone(),
            signer: parts.log.signer,
            earlier_keys: parts.log.earlier_keys,
        });
        let (grows, stop) = oneshot::channel();
        tokio::spawn(tree::run(tree.clone(), parts.log.checkpoint_interval, stop));
        let trainer = learn::Trainer {
            store: parts.durable.clone(),
            people: people.clone(),
            profiles: profiles.clone(),
            habits: habits.clone(),
            clock: parts.clock.clone(),
            entropy: parts.entropy.clone(),
            observer: parts.observer.clone(),
            budget: parts.settings.friction,
            training: training::TrainingThread::start(),
        };
        let engine = Arc::new(Self {
            learner: learn::Learner::start(trainer, parts.settings.learning_queue),
            verifications: Semaphore::new(parts.settings.verify_concurrency.max(1)),
            durable: parts.durable,
            hot: parts.hot,
            passkeys: Arc::new(parts.passkeys),
            policy: ArcSwap::from_pointee(parts.policy),
            nonces: own.mac_key(nonce::PURPOSE),
            keys: parts.keys,
            signer: parts.signer,
            clock: parts.clock,
            entropy: parts.entropy,
            observer: parts.observer,
            lately: recent::LatelyTyped::new(parts.settings.profile_cache_bytes),
            settings: parts.settings,
            people,
            profiles,
            announcer,
            limiter,
            habits,
            log,
            tree,
            _grows: grows,
            witnesses: parts.log.witnesses,
            retention: parts.log.retention,
            watches: Arc::new(Semaphore::new(watch::WATCHES)),
            policy_on_record: ArcSwapOption::empty(),
        });
        tokio::spawn(retention::run(Arc::downgrade(&engine)));
        Ok(engine)
    }

    /// A nonce for telemetry, good for one assessment in one session. Costs no store access.
    pub fn issue_nonce(&self, tenant: &TenantId, session: &SessionId) -> IssuedNonce {
        nonce::issue(&self.nonces, &*self.entropy, tenant, session, self.clock.now(), self.settings.nonce_ttl)
    }

    /// The public keys of decision tokens, as a JSON Web Key Set.
    pub fn token_keys(&self) -> String {
        self.signer.jwks().to_owned()
    }

    /// Puts another policy in place, from the next decision on. The log says so within a second, once
    /// [`Engine::record_policy`] was called.
    pub fn set_policy(&self, policy: PolicySet) {
        self.policy.store(Arc::new(policy));
    }

    /// Waits until everything that was handed to the learner before has been learned.
    pub async fn learned(&self) {
        self.learner.drained().await;
    }
}
