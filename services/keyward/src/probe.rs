//! `keyward probe`: real assessments against a running deployment, as one of its callers. Once to see that it decides; at a
//! rate for a while to see that it goes on deciding while something is done to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use keyward_api::v1;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_domain::{Clock, Entropy};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};

use crate::clock::{SystemClock, SystemEntropy};

/// Who is asked about. Nobody of that name needs to exist.
const SUBJECT: &str = "keyward-probe";
/// How long a call may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a probe is told.
#[derive(Debug, Args)]
pub struct ProbeOptions {
    /// The deployment, such as http://127.0.0.1:50051 or https://keyward.example.org:50051.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50051")]
    pub url: String,
    /// The tenant to ask for. Each answer joins its audit log.
    #[arg(long, value_name = "TENANT", default_value = "demo")]
    pub tenant: String,
    /// A file with the caller's token.
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// Certificate authorities (PEM) that the server's certificate must chain to.
    #[arg(long, value_name = "PATH")]
    pub ca_file: Option<PathBuf>,
    /// A client certificate (PEM).
    #[arg(long, value_name = "PATH", requires = "key_file")]
    pub certificate_file: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "PATH", requires = "certificate_file")]
    pub key_file: Option<PathBuf>,
    /// Ask for so many seconds instead of once.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub seconds: f64,
    /// Calls a second, with --seconds.
    #[arg(long, value_name = "RATE", default_value_t = 50.0)]
    pub rate: f64,
    /// Connections, with --seconds.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub connections: u16,
}

/// Why a probe could not go on.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Probes, prints what came, and says whether all of it was as it should be.
///
/// # Errors
/// When a file cannot be read or the options do not fit together; a deployment that does not answer is no error but `false`.
pub async fn run(options: &ProbeOptions) -> Result<bool, Failed> {
    let caller = Caller::new(options)?;
    if options.seconds > 0.0 { repeat(options, caller).await } else { once(options, &caller).await }
}

async fn once(options: &ProbeOptions, caller: &Caller) -> Result<bool, Failed> {
    let started = Instant::now();
    let channel = caller.endpoint.connect().await;
    let answer = match channel {
        Ok(channel) => caller.ask(channel, &options.tenant, 0).await,
        Err(error) => Err(Status::unavailable(chain(&error))),
    };
    match answer {
        Ok(decision) => {
            let outcome = decision.outcome().as_str_name();
            println!(
                "{outcome} decision={} audit_index={} policies={} {} ms",
                decision.id,
                decision.audit_index.map_or_else(|| "none".to_owned(), |index| index.to_string()),
                decision.policies.join(","),
                started.elapsed().as_millis(),
            );
            Ok(decision.outcome() == v1::Outcome::Allow)
        }
        Err(status) => {
            println!("{:?}: {}", status.code(), status.message());
            Ok(false)
        }
    }
}

/// A cause a line, as connection errors hide what happened in their sources.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What came of many calls.
struct Tally {
    asked: u64,
    allowed: u64,
    other: u64,
    failed: std::collections::BTreeMap<String, u64>,
    micros: Histogram<u64>,
}

async fn repeat(options: &ProbeOptions, caller: Caller) -> Result<bool, Failed> {
    if !(options.rate > 0.0 && options.rate <= 100_000.0 && options.seconds <= 86_400.0) {
        return Err("--rate must be above 0 and at most 100000, --seconds at most 86400".into());
    }
    let channels: Vec<Channel> = (0..options.connections).map(|_| caller.endpoint.connect_lazy()).collect();
    let caller = std::sync::Arc::new(caller);
    let mut tally = Tally {
        asked: 0,
        allowed: 0,
        other: 0,
        failed: std::collections::BTreeMap::new(),
        micros: Histogram::new_with_bounds(1, 60_000_000, 3)?,
    };
    let mut due = interval(Duration::from_secs_f64(1.0 / options.rate));
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut calls, end) = (JoinSet::new(), Instant::now() + Duration::from_secs_f64(options.seconds));
    while Instant::now() < end {
        let at = due.tick().await;
        let channel = channels[usize::try_from(tally.asked)? % channels.len()].clone();
        let (caller, tenant, number) = (caller.clone(), options.tenant.clone(), tally.asked);
        calls.spawn(async move { (caller.ask(channel, &tenant, number).await, at.elapsed()) });
        tally.asked += 1;
        while let Some(done) = calls.try_join_next() {
            tally.count(done?);
        }
    }
    while let Some(done) = calls.join_next().await {
        tally.count(done?);
    }
    print!("{}", tally.report());
    Ok(tally.allowed == tally.asked)
}

impl Tally {
    fn count(&mut self, (answer, took): (Result<v1::Decision, Status>, Duration)) {
        self.micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match answer {
            Ok(decision) if decision.outcome() == v1::Outcome::Allow => self.allowed += 1,
            Ok(_) => self.other += 1,
            Err(status) => {
                *self.failed.entry(format!("{:?}: {}", status.code(), status.message())).or_default() += 1;
            }
        }
    }

    /// One figure a line. Latency is from the moment that a call was due.
    fn report(&self) -> String {
        let micros = |q| self.micros.value_at_quantile(q);
        let failed: u64 = self.failed.values().sum();
        let lines = self.failed.iter().map(|(why, count)| format!("# {count} x {why}\n"));
        format!(
            "asked={}\nallowed={}\nother={}\nfailed={failed}\np50_us={}\np99_us={}\nmax_us={}\n{}",
            self.asked,
            self.allowed,
            self.other,
            micros(0.5),
            micros(0.99),
            self.micros.max(),
            lines.collect::<String>(),
        )
    }
}

/// How the deployment is called.
struct Caller {
    endpoint: Endpoint,
    authorization: Option<MetadataValue<Ascii>>,
    /// Tells this run's ids from another's.
    run: String,
}

impl Caller {
    fn new(options: &ProbeOptions) -> Result<Self, Failed> {
        let mut endpoint = Endpoint::from_shared(options.url.clone())
            .map_err(|error| format!("--url: {error}"))?
            .tcp_nodelay(true)
            .connect_timeout(PATIENCE);
        if options.url.starts_with("https://") {
            endpoint = endpoint.tls_config(tls(options)?)?;
        }
        let mut run = [0; 8];
        SystemEntropy.fill(&mut run);
        Ok(Self {
            endpoint,
            authorization: authorization(options)?,
            run: format!("{:x}", u64::from_le_bytes(run)),
        })
    }

    /// Asks whether someone at a front desk, whose password was just verified, may read what is routine.
    async fn ask(&self, channel: Channel, tenant: &str, number: u64) -> Result<v1::Decision, Status> {
        let id = format!("probe-{}-{number}", self.run);
        let now = SystemClock.now();
        let assessment = v1::Assessment {
            tenant: tenant.to_owned(),
            subject: SUBJECT.to_owned(),
            roles: vec!["front_desk".to_owned()],
            session: id.clone(),
            device: Some(v1::Device {
                id: SUBJECT.to_owned(),
                device_class: v1::DeviceClass::SharedWorkstation.into(),
            }),
            action: Some(v1::Action {
                kind: v1::ActionKind::Read.into(),
                sensitivity: v1::Sensitivity::Routine.into(),
                in_care_team: None,
            }),
            claims: vec![v1::Claim {
                kind: v1::ClaimKind::Password.into(),
                verified_at: Some(prost_types::Timestamp { seconds: now.secs(), nanos: 0 }),
            }],
            ..v1::Assessment::default()
        };
        let mut request =
            tonic::Request::new(v1::AssessRequest { request_id: id, assessment: Some(assessment) });
        request.set_timeout(PATIENCE);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        let answer = DecisionServiceClient::new(channel).assess(request).await?.into_inner();
        answer.decision.ok_or_else(|| Status::new(Code::Internal, "an answer without a decision"))
    }
}

fn tls(options: &ProbeOptions) -> Result<ClientTlsConfig, Failed> {
    let mut tls = ClientTlsConfig::new();
    if let Some(path) = &options.ca_file {
        tls = tls.ca_certificate(Certificate::from_pem(read(path)?));
    }
    if let (Some(certificate), Some(key)) = (&options.certificate_file, &options.key_file) {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

fn authorization(options: &ProbeOptions) -> Result<Option<MetadataValue<Ascii>>, Failed> {
    let Some(path) = &options.token_file else { return Ok(None) };
    let token = read(path)?;
    // The parser's own message may quote the token.
    let value = format!("Bearer {}", token.trim()).parse::<MetadataValue<Ascii>>();
    let mut value = value.map_err(|_| format!("{}: is no token", path.display()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn read(path: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
