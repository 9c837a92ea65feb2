//! The portal's way to keyward: the generated clients, a deadline on each call, and how long calls took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward::clock::SystemClock;
use keyward_api::v1;
use keyward_api::v1::audit_service_client::AuditServiceClient;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_api::v1::passkey_service_client::PasskeyServiceClient;
use keyward_api::v1::profile_service_client::ProfileServiceClient;
use keyward_domain::Clock as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::trouble::Trouble;

/// How long keyward may take. It answers in milliseconds; a person at a login page waits no longer than this for nothing.
const DEADLINE: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(1);

/// The longest answer, in bytes: a page of records.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A channel that says who calls.
pub type Wire = InterceptedService<Channel, Bearer>;

/// The clients, for one tenant.
pub struct Keyward {
    /// Logins, checkpoints, step-ups.
    pub decisions: DecisionServiceClient<Wire>,
    /// Passkeys.
    pub passkeys: PasskeyServiceClient<Wire>,
    /// The audit log.
    pub audit: AuditServiceClient<Wire>,
    /// What was learned of a person.
    pub profiles: ProfileServiceClient<Wire>,
    /// The tenant.
    pub tenant: String,
    requests: AtomicU64,
    /// Tells this process's request ids from another's.
    prefix: String,
}

/// Puts the portal's token on each call, if it has one.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Why the clients could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeywardError {
    /// The address.
    #[error("no address that can be called: {0}")]
    Address(#[from] tonic::transport::Error),
    /// The token.
    #[error("the token has characters that a header cannot carry")]
    Token,
}

tokio::task_local! {
    /// Time that the request at hand spent in calls to keyward.
    pub static SPENT: std::cell::Cell<Duration>;
}

impl Keyward {
    /// Clients for an address such as `http://127.0.0.1:50051`. Connects at the first call, and again whenever it must.
    ///
    /// # Errors
    /// [`KeywardError`]; that keyward is down is none.
    pub fn at(address: &str, tenant: &str, token: Option<&str>) -> Result<Self, KeywardError> {
        let bearer = match token {
            None => Bearer(None),
            Some(token) => {
                let mut value =
                    MetadataValue::try_from(format!("Bearer {token}")).map_err(|_| KeywardError::Token)?;
                value.set_sensitive(true);
                Bearer(Some(value))
            }
        };
        let endpoint = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true).connect_timeout(CONNECT);
        let wire = InterceptedService::new(endpoint.connect_lazy(), bearer);
        Ok(Self {
            decisions: DecisionServiceClient::new(wire.clone()),
            passkeys: PasskeyServiceClient::new(wire.clone()),
            audit: AuditServiceClient::new(wire.clone()).max_decoding_message_size(MAX_ANSWER),
            profiles: ProfileServiceClient::new(wire),
            tenant: tenant.to_owned(),
            requests: AtomicU64::new(1),
            prefix: crate::visit::random_id(),
        })
    }

    /// Asks for a decision.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn assess(&self, question: v1::Assessment) -> Result<v1::Decision, Trouble> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{}-{number}", self.prefix);
        let request = v1::AssessRequest { request_id, assessment: Some(question) };
        let answer = call(self.decisions.clone().assess(bounded(request))).await?;
        answer.decision.ok_or(Trouble::Fault)
    }

    /// Answers a STEP_UP.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn complete_step_up(&self, answer: v1::CompleteStepUpRequest) -> Result<v1::Decision, Trouble> {
        call(self.decisions.clone().complete_step_up(bounded(answer))).await?.decision.ok_or(Trouble::Fault)
    }

    /// A nonce under which the browser records.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn nonce(&self, session: &str) -> Result<String, Trouble> {
        let request = v1::IssueNonceRequest { tenant: self.tenant.clone(), session: session.to_owned() };
        Ok(call(self.decisions.clone().issue_nonce(bounded(request))).await?.nonce)
    }
}

/// A request with the portal's deadline.
pub fn bounded<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// Makes a call, and counts its time for the request at hand.
///
/// # Errors
/// [`Trouble`] for what keyward or the way to it refused.
pub async fn call<M>(call: impl Future<Output = Result<Response<M>, Status>>) -> Result<M, Trouble> {
    let began = Instant::now();
    // The deadline travels with the call; this one holds when there is nobody to keep it.
    let answer = tokio::time::timeout(DEADLINE + CONNECT, call).await;
    // Outside of a request there is nothing to add to.
    let _ = SPENT.try_with(|spent| spent.set(spent.get() + began.elapsed()));
    Ok(answer.map_err(|_| Trouble::Unreachable)??.into_inner())
}

/// Now, as the contract writes it.
pub fn now() -> prost_types::Timestamp {
    let micros = SystemClock.now().micros;
    let nanos = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}
