//! The ways into a world: the generated clients over the services in this process, and over a real server on loopback.
//! Tests cannot tell which door they go through.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Request, Response, Uri};
use keyward::observability::{self, Telemetry};
use keyward::settings::{CallerSettings, Settings};
use keyward::transport::health::always_ready;
use keyward::transport::{App, Serving, serve};
use keyward_api::caller::{Caller, Deadline, Tenants};
use keyward_api::convert::WireEnum;
use keyward_api::v1::audit_service_client::AuditServiceClient;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_api::v1::passkey_service_client::PasskeyServiceClient;
use keyward_api::v1::profile_service_client::ProfileServiceClient;
use keyward_api::{ApiSettings, v1};
use keyward_domain::{CallerId, ClaimKind, DeviceClass, KeystrokeSample};
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Endpoint;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::person::{TENANT, own, typed};
use crate::world::World;
use crate::{Person, person};

/// What carries a call.
pub type Wire = BoxCloneSyncService<Request<Body>, Response<Body>, tonic::codegen::StdError>;

/// How long a call may take when a test says nothing of it. Long, because machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// A way in. Ends its server when it is dropped.
pub struct Door {
    wire: Wire,
    server: Option<Server>,
    number: u64,
    requests: AtomicU64,
}

struct Server {
    serving: Serving,
    stop: oneshot::Sender<()>,
}

impl Door {
    /// Calls the services in this process, without a network.
    pub fn in_process(world: &World) -> Self {
        let caller = Arc::new(Caller {
            id: CallerId::parse("portal").expect("an id"),
            tenants: Tenants::All,
            audit: true,
        });
        let services = services(world).map_request(move |mut request: Request<Body>| {
            let deadline = Deadline { at: Instant::now() + PATIENCE, set_by_caller: true };
            request.extensions_mut().insert(Arc::clone(&caller));
            request.extensions_mut().insert(deadline);
            request
        });
        Self::through(Wire::new(services.map_err(|never| match never {})), None)
    }

    /// Serves on a free port of loopback, for whoever calls.
    pub async fn on_the_wire(world: &World) -> Self {
        Self::serving(world, Settings::defaults()).await
    }

    /// The same for a caller that is known by a token and confined to one tenant. The token's hash is put into `dir`.
    pub async fn confined(world: &World, dir: &Path, token: &str, tenant: &str) -> Self {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let file = dir.join("token.sha256");
        std::fs::write(&file, keyward_audit::hex(hash.as_ref())).expect("the file is written");
        let mut settings = Settings::defaults();
        settings.callers = vec![CallerSettings {
            id: "portal".to_owned(),
            tenants: vec![tenant.to_owned()],
            token_sha256_file: Some(file),
            certificate_san: None,
            audit: false,
        }];
        Self::serving(world, settings).await
    }

    async fn serving(world: &World, mut settings: Settings) -> Self {
        settings.server.listen = "127.0.0.1:0".parse().expect("an address");
        settings.http.enabled = false;
        settings.server.shutdown_notice_ms = 0;
        settings.limits.caller_calls_per_second = 0;
        let telemetry = Telemetry::without_logger(&settings.telemetry).expect("no exporter is set");
        let engine = Arc::clone(&world.engine);
        let app = App {
            services: services(world),
            methods: observability::methods_of(v1::DESCRIPTORS).expect("descriptors"),
            jwks: Arc::new(move || engine.token_keys()),
            ready: always_ready(),
            reload: Arc::new(|| Ok(())),
            reload_files: Vec::new(),
            log_key: world.engine.log_key().to_string(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let serving = serve(&settings, app, &telemetry, shutdown).await.expect("it serves");
        let endpoint = Endpoint::from_shared(format!("http://{}", serving.grpc)).expect("a url");
        let channel = endpoint.connect().await.expect("it connects");
        let wire = Wire::new(channel.map_err(Into::into));
        Self::through(wire, Some(Server { serving, stop }))
    }

    fn through(wire: Wire, server: Option<Server>) -> Self {
        static DOORS: AtomicU64 = AtomicU64::new(1);
        Self { wire, server, number: DOORS.fetch_add(1, Ordering::Relaxed), requests: AtomicU64::new(1) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("a door on the wire").serving.grpc
    }

    /// Ends the server and waits until it has ended.
    pub async fn close(self) {
        drop(self.wire);
        if let Some(Server { serving, stop }) = self.server {
            // Whoever dropped the receiver has stopped already.
            let _ = stop.send(());
            serving.finished().await.expect("it ends well");
        }
    }

    /// What carries calls, for clients of other services.
    pub fn wire(&self) -> Wire {
        self.wire.clone()
    }

    /// `DecisionService`.
    pub fn decisions(&self) -> DecisionServiceClient<Wire> {
        DecisionServiceClient::with_origin(self.wire(), origin())
    }

    /// `PasskeyService`.
    pub fn passkeys(&self) -> PasskeyServiceClient<Wire> {
        PasskeyServiceClient::with_origin(self.wire(), origin())
    }

    /// `AuditService`.
    pub fn audit(&self) -> AuditServiceClient<Wire> {
        AuditServiceClient::with_origin(self.wire(), origin())
    }

    /// `ProfileService`.
    pub fn profiles(&self) -> ProfileServiceClient<Wire> {
        ProfileServiceClient::with_origin(self.wire(), origin())
    }

    /// A request id that was not used at any door of this process.
    pub fn request_id(&self) -> String {
        format!("request-{}-{}", self.number, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// A nonce for a session.
    pub async fn nonce(&self, session: &str) -> String {
        let request = v1::IssueNonceRequest { tenant: TENANT.to_owned(), session: session.to_owned() };
        self.decisions().issue_nonce(request).await.expect("a nonce").into_inner().nonce
    }

    /// Registers the person's passkey.
    pub async fn register(&self, person: &Person) -> v1::Passkey {
        let (tenant, subject, session) =
            (TENANT.to_owned(), person.subject.clone(), "registration".to_owned());
        let request = v1::BeginRegistrationRequest {
            tenant: tenant.clone(),
            subject: subject.clone(),
            session: session.clone(),
            user_name: subject.clone(),
            display_name: format!("Dr {subject}"),
            hardware_bound: person.hardware,
        };
        let begun =
            self.passkeys().begin_registration(request).await.expect("registration begins").into_inner();
        let credential_json =
            person.authenticator.register(&begun.options_json).expect("the authenticator answers");
        let ceremony_id = begun.ceremony_id;
        let name = "passkey".to_owned();
        let finish =
            v1::FinishRegistrationRequest { tenant, subject, session, ceremony_id, credential_json, name };
        let finished = self.passkeys().finish_registration(finish).await.expect("registration finishes");
        finished.into_inner().passkey.expect("a passkey")
    }

    /// Seeds a profile with samples that the caller vouches for.
    pub async fn import(
        &self,
        person: &Person,
        class: DeviceClass,
        samples: &[KeystrokeSample],
    ) -> v1::ProfileStatus {
        let request = v1::ImportSamplesRequest {
            tenant: TENANT.to_owned(),
            subject: person.subject.clone(),
            device_class: class.number(),
            samples: samples.iter().map(keyward_api::convert::keystrokes_to_wire).collect(),
        };
        let imported = self.profiles().import_samples(request).await.expect("samples are imported");
        imported.into_inner().profile.expect("a profile")
    }

    /// Takes a person's word on behaviour.
    pub async fn consent(
        &self,
        person: &Person,
        consent: v1::BehaviourConsent,
    ) -> v1::SetBehaviourConsentResponse {
        let request = v1::SetBehaviourConsentRequest {
            tenant: TENANT.to_owned(),
            subject: person.subject.clone(),
            consent: consent.into(),
        };
        self.profiles().set_behaviour_consent(request).await.expect("the word is taken").into_inner()
    }

    /// The profiles of a person.
    pub async fn status(&self, person: &Person) -> Vec<v1::ProfileStatus> {
        let request =
            v1::GetProfileStatusRequest { tenant: TENANT.to_owned(), subject: person.subject.clone() };
        self.profiles().get_profile_status(request).await.expect("a status").into_inner().profiles
    }

    /// Begins an authentication bound to telemetry. `subject` is empty where the user is not known.
    pub async fn begin(
        &self,
        subject: &str,
        session: &str,
        telemetry: Option<&v1::Telemetry>,
    ) -> (String, String) {
        let request = v1::BeginAuthenticationRequest {
            tenant: TENANT.to_owned(),
            subject: subject.to_owned(),
            session: session.to_owned(),
            telemetry: telemetry.cloned(),
        };
        let begun = self.passkeys().begin_authentication(request).await.expect("it begins").into_inner();
        (begun.ceremony_id, begun.options_json)
    }

    /// The person's answer to a challenge that was bound to telemetry.
    pub async fn show(
        &self,
        person: &Person,
        session: &str,
        telemetry: Option<&v1::Telemetry>,
    ) -> v1::PasskeyAssertion {
        let (ceremony_id, options) = self.begin(&person.subject, session, telemetry).await;
        let credential_json = person.authenticator.authenticate(&options).expect("the authenticator answers");
        v1::PasskeyAssertion { ceremony_id, credential_json }
    }

    /// Authenticates without a decision; the proof stays with the session.
    pub async fn authenticate(
        &self,
        session: &str,
        assertion: v1::PasskeyAssertion,
    ) -> Result<v1::FinishAuthenticationResponse, Status> {
        let request = v1::FinishAuthenticationRequest {
            tenant: TENANT.to_owned(),
            session: session.to_owned(),
            assertion: Some(assertion),
        };
        self.passkeys().finish_authentication(request).await.map(tonic::Response::into_inner)
    }

    /// Asks under a request id of its own.
    pub async fn ask(&self, assessment: v1::Assessment) -> Result<v1::Decision, Status> {
        self.ask_as(&self.request_id(), assessment).await
    }

    /// Asks under a request id.
    pub async fn ask_as(&self, request_id: &str, assessment: v1::Assessment) -> Result<v1::Decision, Status> {
        let request = v1::AssessRequest { request_id: request_id.to_owned(), assessment: Some(assessment) };
        let answer = self.decisions().assess(request).await?;
        Ok(answer.into_inner().decision.expect("an answer carries a decision"))
    }

    /// Asks, and waits for the answer only so long.
    pub async fn ask_within(
        &self,
        patience: Duration,
        assessment: v1::Assessment,
    ) -> Result<v1::Decision, Status> {
        let message = v1::AssessRequest { request_id: self.request_id(), assessment: Some(assessment) };
        let mut request = tonic::Request::new(message);
        request.set_timeout(patience);
        let answer = self.decisions().assess(request).await?;
        Ok(answer.into_inner().decision.expect("an answer carries a decision"))
    }

    /// The person answers a STEP_UP.
    pub async fn complete(
        &self,
        person: &Person,
        session: &str,
        step_up: &v1::StepUp,
        justification: Option<&str>,
    ) -> Result<v1::Decision, Status> {
        let credential_json =
            person.authenticator.authenticate(&step_up.options_json).expect("a ready challenge");
        let assertion = v1::PasskeyAssertion { ceremony_id: step_up.ceremony_id.clone(), credential_json };
        self.complete_with(person, session, assertion, justification).await
    }

    /// The same with an assertion that was made before.
    pub async fn complete_with(
        &self,
        person: &Person,
        session: &str,
        assertion: v1::PasskeyAssertion,
        justification: Option<&str>,
    ) -> Result<v1::Decision, Status> {
        let request = v1::CompleteStepUpRequest {
            tenant: TENANT.to_owned(),
            subject: person.subject.clone(),
            session: session.to_owned(),
            assertion: Some(assertion),
            break_glass: justification.map(break_glass),
        };
        let answer = self.decisions().complete_step_up(request).await?;
        Ok(answer.into_inner().decision.expect("an answer carries a decision"))
    }

    /// A login with password, the owner's typing (the `n`-th from now) and the passkey over it.
    pub async fn proven_login(&self, world: &World, person: &Person, session: &str, n: u64) -> v1::Decision {
        let telemetry = typed(&own(n), &self.nonce(session).await);
        let mut question = person.asks(session);
        question.claims = vec![claim(world, ClaimKind::Password, Duration::from_secs(5))];
        question.assertion = Some(self.show(person, session, Some(&telemetry)).await);
        question.telemetry = Some(telemetry);
        self.ask(question).await.expect("a decision")
    }

    /// A login with password and this typing, and no passkey.
    pub async fn password_login(
        &self,
        world: &World,
        person: &Person,
        session: &str,
        sample: &KeystrokeSample,
    ) -> v1::Decision {
        let mut question = person.asks(session);
        question.claims = vec![claim(world, ClaimKind::Password, Duration::from_secs(5))];
        question.telemetry = Some(person::typed(sample, &self.nonce(session).await));
        self.ask(question).await.expect("a decision")
    }
}

/// A claim that was verified so long ago.
pub fn claim(world: &World, kind: ClaimKind, ago: Duration) -> v1::Claim {
    let now = world.clock().now().secs();
    let ago = i64::try_from(ago.as_secs()).expect("not so long");
    v1::Claim {
        kind: kind.number(),
        verified_at: Some(prost_types::Timestamp { seconds: now - ago, nanos: 0 }),
    }
}

/// A request for emergency access.
pub fn break_glass(justification: &str) -> v1::BreakGlass {
    v1::BreakGlass { justification: justification.to_owned() }
}

fn services(world: &World) -> Routes {
    let settings = ApiSettings { default_deadline: PATIENCE, ..ApiSettings::default() };
    keyward_api::routes(&world.engine, &world.clock(), settings).prepare()
}

fn origin() -> Uri {
    Uri::from_static("http://keyward.test")
}
