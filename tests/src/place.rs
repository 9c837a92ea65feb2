//! A deployment with a running engine and a door on the wire: what most tests begin with.

use std::time::Duration;

use keyward_domain::{DeviceClass, Outcome};
use keyward_testkit::RedisServer;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::person::{history, subject};
use crate::seen::Seen;
use crate::{Deployment, Door, Hot, Person, World};

/// Somewhere to knock.
pub struct Place {
    /// What survives a restart.
    pub deployment: Deployment,
    /// The engine.
    pub world: World,
    /// The way in.
    pub door: Door,
    redis: Option<RedisServer>,
}

impl Place {
    /// Hot state in the process.
    pub async fn open() -> Self {
        Self::open_in(Deployment::new()).await
    }

    /// The same in a deployment that the test made.
    pub async fn open_in(deployment: Deployment) -> Self {
        let world = deployment.start(Hot::InProcess).await;
        let door = Door::on_the_wire(&world).await;
        Self { deployment, world, door, redis: None }
    }

    /// A place put together by the test.
    pub fn from_parts(deployment: Deployment, world: World, door: Door) -> Self {
        Self { deployment, world, door, redis: None }
    }

    /// Hot state in a Redis of its own, of which each answer may take so long.
    pub async fn with_redis(patience: Duration) -> Self {
        let redis = RedisServer::start().await.expect("redis starts");
        let deployment = Deployment::new();
        let world = deployment.start(Hot::Redis(&redis.url(), patience)).await;
        let door = Door::on_the_wire(&world).await;
        Self { deployment, world, door, redis: Some(redis) }
    }

    /// Runs a test with hot state in the process, and then in Redis.
    pub async fn each(test: impl AsyncFn(Self)) {
        test(Self::open().await).await;
        test(Self::with_redis(Duration::from_secs(2)).await).await;
    }

    /// The Redis.
    pub fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("a place with redis")
    }

    /// How many samples the store holds of a person's typing at the usual place.
    pub async fn stored_samples(&self, person: &Person) -> usize {
        let (who, name) = (subject(person), "keystroke/personal/password");
        let samples = self.world.store.samples(&who, name, keyward_store::KEPT_SAMPLES).await;
        samples.expect("samples are read").len()
    }

    /// A clinician with a passkey, known at her usual place.
    pub async fn clinician(&self, subject: &str) -> Person {
        let person = self.deployment.person(subject);
        self.door.register(&person).await;
        let session = format!("first-session-of-{subject}");
        let mut question = person.asks(&session);
        question.assertion = Some(self.door.show(&person, &session, None).await);
        let decision = self.door.ask(question).await.expect("a decision");
        assert_eq!(Seen::from(&decision).outcome, Outcome::Allow);
        self.world.engine.learned().await;
        person
    }

    /// The same with typing that is well known.
    pub async fn well_known_clinician(&self, subject: &str) -> Person {
        let person = self.clinician(subject).await;
        self.door.import(&person, DeviceClass::Personal, &history(50)).await;
        person
    }
}

/// Code and reason of a refusal.
pub fn refusal<T>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.err().expect("must be refused");
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("{:?} without ErrorInfo: {}", status.code(), status.message()));
    assert_eq!(info.domain, keyward_api::ERROR_DOMAIN);
    (status.code(), info.reason)
}
