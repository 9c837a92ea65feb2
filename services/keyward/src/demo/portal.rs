//! What a clinic's back end does: it calls keyward's public API and nothing else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keyward_api::convert::keystrokes_to_wire;
use keyward_api::v1;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_api::v1::passkey_service_client::PasskeyServiceClient;
use keyward_api::v1::profile_service_client::ProfileServiceClient;
use keyward_domain::{Clock, KeystrokeSample};
use keyward_simulate::authenticator::SoftAuthenticator;
use tonic::transport::{Channel, Endpoint};

use crate::clock::SystemClock;

/// Why a demonstration or a measurement could not go on.
pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The one tenant.
const TENANT: &str = "demo";
/// Where the clinician sits.
const DEVICE: &str = "dr-amaras-laptop";
const ADDRESS: &str = "192.0.2.17";

/// Reasons that tell of the server, not of the person.
const UNWELL: [v1::ReasonCode; 4] = [
    v1::ReasonCode::HotStoreUnavailable,
    v1::ReasonCode::ModelUnavailable,
    v1::ReasonCode::DeadlineShort,
    v1::ReasonCode::AuditUnavailable,
];

/// The back end.
pub(crate) struct Portal {
    decisions: DecisionServiceClient<Channel>,
    passkeys: PasskeyServiceClient<Channel>,
    profiles: ProfileServiceClient<Channel>,
    clock: SystemClock,
    /// Tells this portal's ids from another's.
    prefix: String,
    calls: u64,
}

/// Someone's session.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) subject: String,
    pub(crate) session: String,
}

/// A decision, and how long the call took there and back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) decision: v1::Decision,
    pub(crate) took: Duration,
}

impl Portal {
    /// Connects. The prefix tells its ids from another portal's.
    pub(crate) async fn connect(
        address: SocketAddr,
        clock: SystemClock,
        prefix: &str,
    ) -> Result<Self, Failed> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?;
        Ok(Self::over(channel, clock, prefix))
    }

    /// Over a connection that is there.
    pub(crate) fn over(channel: Channel, clock: SystemClock, prefix: &str) -> Self {
        Self {
            decisions: DecisionServiceClient::new(channel.clone()),
            passkeys: PasskeyServiceClient::new(channel.clone()),
            profiles: ProfileServiceClient::new(channel),
            clock,
            prefix: prefix.to_owned(),
            calls: 0,
        }
    }

    /// A new session for someone.
    pub(crate) fn visit(&mut self, subject: &str) -> Visit {
        Visit { subject: subject.to_owned(), session: self.id("session") }
    }

    fn id(&mut self, what: &str) -> String {
        self.calls += 1;
        format!("{what}-{}-{}", self.prefix, self.calls)
    }

    /// Registers a passkey.
    pub(crate) async fn register(
        &mut self,
        visit: &Visit,
        authenticator: &SoftAuthenticator,
    ) -> Result<(), Failed> {
        let begun = self.passkeys.begin_registration(v1::BeginRegistrationRequest {
            tenant: TENANT.to_owned(),
            subject: visit.subject.clone(),
            session: visit.session.clone(),
            user_name: visit.subject.clone(),
            display_name: visit.subject.clone(),
            hardware_bound: false,
        });
        let begun = begun.await?.into_inner();
        let finished = self.passkeys.finish_registration(v1::FinishRegistrationRequest {
            tenant: TENANT.to_owned(),
            subject: visit.subject.clone(),
            session: visit.session.clone(),
            ceremony_id: begun.ceremony_id,
            credential_json: authenticator.register(&begun.options_json)?,
            name: "laptop".to_owned(),
        });
        finished.await?;
        Ok(())
    }

    /// Typing as the browser hands it over, under a fresh nonce.
    pub(crate) async fn record(
        &mut self,
        visit: &Visit,
        sample: &KeystrokeSample,
    ) -> Result<v1::Telemetry, Failed> {
        let issued = self
            .decisions
            .issue_nonce(v1::IssueNonceRequest { tenant: TENANT.to_owned(), session: visit.session.clone() });
        Ok(v1::Telemetry {
            nonce: issued.await?.into_inner().nonce,
            keystrokes: vec![keystrokes_to_wire(sample)],
            ..v1::Telemetry::default()
        })
    }

    /// Has the passkey sign a challenge that is bound to this telemetry.
    pub(crate) async fn prove(
        &mut self,
        visit: &Visit,
        telemetry: Option<v1::Telemetry>,
        authenticator: &SoftAuthenticator,
    ) -> Result<v1::PasskeyAssertion, Failed> {
        let begun = self.passkeys.begin_authentication(v1::BeginAuthenticationRequest {
            tenant: TENANT.to_owned(),
            subject: visit.subject.clone(),
            session: visit.session.clone(),
            telemetry,
        });
        let begun = begun.await?.into_inner();
        Ok(v1::PasskeyAssertion {
            ceremony_id: begun.ceremony_id,
            credential_json: authenticator.authenticate(&begun.options_json)?,
        })
    }

    /// A question about an action in a session where the password was just typed rightly.
    pub(crate) fn question(
        &self,
        visit: &Visit,
        kind: v1::ActionKind,
        sensitivity: v1::Sensitivity,
    ) -> v1::Assessment {
        question(self.clock, visit, kind, sensitivity)
    }

    /// A login with what was recorded.
    pub(crate) fn login(&self, visit: &Visit, telemetry: Option<v1::Telemetry>) -> v1::Assessment {
        login(self.clock, visit, telemetry)
    }

    /// A question under a request id of its own.
    pub(crate) fn request(&mut self, assessment: v1::Assessment) -> v1::AssessRequest {
        v1::AssessRequest { request_id: self.id("request"), assessment: Some(assessment) }
    }

    /// Seeds someone's profile with typing that the clinic vouches for.
    pub(crate) async fn import(&mut self, subject: &str, samples: &[KeystrokeSample]) -> Result<(), Failed> {
        let request = v1::ImportSamplesRequest {
            tenant: TENANT.to_owned(),
            subject: subject.to_owned(),
            device_class: v1::DeviceClass::Personal.into(),
            samples: samples.iter().map(keystrokes_to_wire).collect(),
        };
        self.profiles.import_samples(request).await?;
        Ok(())
    }

    /// Asks.
    pub(crate) async fn assess(&mut self, assessment: v1::Assessment) -> Result<Answer, Failed> {
        let request = self.request(assessment);
        let asked = Instant::now();
        let response = self.decisions.assess(request).await?.into_inner();
        answer(response.decision, asked)
    }

    /// Answers a challenge with a credential.
    pub(crate) async fn complete(
        &mut self,
        visit: &Visit,
        step_up: &v1::StepUp,
        credential_json: String,
        justification: Option<&str>,
    ) -> Result<Answer, Failed> {
        let request = v1::CompleteStepUpRequest {
            tenant: TENANT.to_owned(),
            subject: visit.subject.clone(),
            session: visit.session.clone(),
            assertion: Some(v1::PasskeyAssertion {
                ceremony_id: step_up.ceremony_id.clone(),
                credential_json,
            }),
            break_glass: justification.map(|text| v1::BreakGlass { justification: text.to_owned() }),
        };
        let asked = Instant::now();
        let response = self.decisions.complete_step_up(request).await?.into_inner();
        answer(response.decision, asked)
    }
}

/// A login with what was recorded, in a session where the password was just typed rightly.
pub(crate) fn login(clock: SystemClock, visit: &Visit, telemetry: Option<v1::Telemetry>) -> v1::Assessment {
    v1::Assessment { telemetry, ..question(clock, visit, v1::ActionKind::Login, v1::Sensitivity::Routine) }
}

fn question(
    clock: SystemClock,
    visit: &Visit,
    kind: v1::ActionKind,
    sensitivity: v1::Sensitivity,
) -> v1::Assessment {
    let now = clock.now();
    let verified_at = prost_types::Timestamp {
        seconds: now.secs(),
        nanos: i32::try_from(now.micros.rem_euclid(1_000_000)).unwrap_or(0) * 1_000,
    };
    v1::Assessment {
        tenant: TENANT.to_owned(),
        subject: visit.subject.clone(),
        roles: vec!["clinician".to_owned()],
        session: visit.session.clone(),
        device: Some(v1::Device { id: DEVICE.to_owned(), device_class: v1::DeviceClass::Personal.into() }),
        action: Some(v1::Action {
            kind: kind.into(),
            sensitivity: sensitivity.into(),
            in_care_team: Some(true),
        }),
        client: Some(v1::ClientContext { ip: ADDRESS.to_owned(), recent_failures: 0, ..Default::default() }),
        claims: vec![v1::Claim { kind: v1::ClaimKind::Password.into(), verified_at: Some(verified_at) }],
        ..v1::Assessment::default()
    }
}

fn answer(decision: Option<v1::Decision>, asked: Instant) -> Result<Answer, Failed> {
    let took = asked.elapsed();
    let decision = decision.ok_or("the server answered without a decision")?;
    let unwell = decision.reasons.iter().map(v1::Reason::code).find(|code| UNWELL.contains(code));
    // An answer that something else caused would be counted for typing's.
    if let Some(code) = unwell {
        return Err(format!("the server was not well: {}", code.as_str_name()).into());
    }
    Ok(Answer { decision, took })
}

impl Answer {
    /// Whether it is an ALLOW.
    pub(crate) fn allows(&self) -> bool {
        self.decision.outcome() == v1::Outcome::Allow
    }

    /// The challenge of a STEP_UP, if there is one to be answered.
    pub(crate) fn challenge(&self) -> Option<&v1::StepUp> {
        self.decision.step_up.as_ref().filter(|s| !s.ceremony_id.is_empty())
    }

    /// Whether a STEP_UP names this evidence.
    pub(crate) fn asks_for(&self, evidence: v1::Evidence) -> bool {
        self.decision.step_up.as_ref().is_some_and(|s| s.evidence() == evidence)
    }

    /// Whether a reason is among those given.
    pub(crate) fn says(&self, code: v1::ReasonCode) -> bool {
        self.decision.reasons.iter().any(|reason| reason.code() == code)
    }

    /// The typing signal.
    pub(crate) fn typing(&self) -> Option<&v1::Signal> {
        self.decision.signals.iter().find(|signal| signal.kind() == v1::SignalKind::KeystrokeFixed)
    }

    /// How mature the typing model is that scored.
    pub(crate) fn maturity(&self) -> v1::Maturity {
        self.typing().map_or(v1::Maturity::Unspecified, v1::Signal::maturity)
    }
}
