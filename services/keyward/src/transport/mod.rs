//! How calls come in: connections, TLS, callers, limits, and a shutdown that finishes what was taken.

pub mod callers;
mod changes;
pub mod gate;
pub mod health;
pub mod listen;
pub mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::Server as GrpcServer;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_web::GrpcWebLayer;

use self::callers::{Callers, CallersError};
use self::gate::{Gate, GateLayer};
use self::health::{LIVENESS, READINESS, Ready};
use self::listen::Listener;
use self::tls::{Tls, TlsError};
use crate::observability::{Metrics, Telemetry, endpoint};
use crate::settings::{Server, Settings, SettingsError};

/// The longest block of headers that a call may have, in bytes.
const MAX_HEADERS: u32 = 16 * 1024;
/// The HTTP/2 frame size offered, in bytes: the protocol's smallest, so that no stream holds up the others.
const FRAME: u32 = 16 * 1024;
/// How much of each call, and of each connection, may be under way before it is read, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// What is served.
pub struct App {
    /// The gRPC services, reflection among them. The health service is added by [`serve`].
    pub services: Routes,
    /// The paths of their methods (`keyward.v1.DecisionService/Assess`), from
    /// [`methods_of`](crate::observability::methods_of). Their services get a health status each.
    pub methods: Vec<String>,
    /// The JSON Web Key Set that decision tokens are verified with.
    pub jwks: Jwks,
    /// Whether calls would be answered as they should be.
    pub ready: Ready,
    /// Reads again what is read from files besides certificates and tokens, such as the policy.
    pub reload: ReloadMore,
    /// The files that it reads.
    pub reload_files: Vec<PathBuf>,
    /// The public key that the audit log's checkpoints are verified with.
    pub log_key: String,
}

/// Reads something again, or says what is wrong with it; what was in use then stays in use.
pub type ReloadMore = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Gives a JSON Web Key Set as text.
pub type Jwks = Arc<dyn Fn() -> String + Send + Sync>;

/// Why serving could not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The callers' files.
    #[error(transparent)]
    Callers(#[from] CallersError),
    /// The TLS files.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        reason: io::ErrorKind,
    },
    /// The gRPC server.
    #[error("the grpc server failed")]
    Grpc(#[from] tonic::transport::Error),
    /// What [`App::reload`] reads.
    #[error("{0}")]
    More(String),
    /// A task of the server panicked.
    #[error("a task of the server failed")]
    Task(#[from] tokio::task::JoinError),
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every call in flight was finished.
    All,
    /// Some were not within `server.drain_ms`.
    Partly,
}

/// A running server.
pub struct Serving {
    /// Where gRPC is served.
    pub grpc: SocketAddr,
    /// Where health alone is served, if it is.
    pub probes: Option<SocketAddr>,
    /// Where metrics and keys are served, if they are.
    pub http: Option<SocketAddr>,
    /// Health per service.
    pub health: HealthReporter,
    /// Reads certificates and tokens again.
    pub reload: Reload,
    done: JoinHandle<Result<Drained, ServeError>>,
}

impl Serving {
    /// Waits until the server has shut down.
    ///
    /// # Errors
    /// [`ServeError`] when it failed.
    pub async fn finished(self) -> Result<Drained, ServeError> {
        self.done.await?
    }
}

/// Reads certificates, tokens and the policy again.
#[derive(Clone)]
pub struct Reload {
    settings: Arc<Settings>,
    tls: Option<Arc<Tls>>,
    gate: Arc<Gate>,
    more: ReloadMore,
    metrics: Arc<Metrics>,
}

impl Reload {
    /// Reads the files. Connections that begin later use the new certificate, calls that come later the new tokens and the
    /// new policy. What has an error stays as it was, and the rest is read all the same. The settings themselves are not
    /// read again.
    ///
    /// # Errors
    /// [`ServeError`] naming the file.
    pub fn reload(&self) -> Result<(), ServeError> {
        let callers = Callers::load(&self.settings).map(|callers| self.gate.callers.store(Arc::new(callers)));
        let tls = self.tls.as_ref().map_or(Ok(()), |tls| tls.reload());
        let more = (self.more)();
        self.metrics.certificate(self.tls.as_ref().and_then(|tls| tls.not_after()));
        let all = callers.map_err(ServeError::from).and(tls.map_err(ServeError::from));
        all.and(more.map_err(ServeError::More))
    }

    /// Reads the files because of `cause`, and says in the log and in metrics how it went.
    pub fn reload_and_tell(&self, cause: &'static str) {
        let read = self.reload();
        self.metrics.reloaded(read.is_ok());
        match read {
            Ok(()) => tracing::info!(cause, "certificates, tokens and policy were read again"),
            Err(error) => tracing::error!(cause, %error, "what cannot be read stays as it was"),
        }
    }

    /// The files that are read.
    fn files(&self) -> Vec<PathBuf> {
        let server = &self.settings.server;
        let tls = [&server.tls_certificate_file, &server.tls_key_file, &server.tls_client_ca_file];
        let tokens = self.settings.callers.iter().map(|caller| &caller.token_sha256_file);
        tls.into_iter().chain(tokens).flatten().cloned().collect()
    }
}

/// Starts to serve, and returns when the sockets are bound. Serves until `shutdown` completes; then says NOT_SERVING,
/// waits `server.shutdown_notice_ms`, stops accepting, and gives calls in flight `server.drain_ms` to finish.
///
/// # Errors
/// [`ServeError`] naming the setting, file or address.
pub async fn serve(
    settings: &Settings,
    app: App,
    telemetry: &Telemetry,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving, ServeError> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(SettingsError::Inconsistent(problems).into());
    }
    let tls = Tls::load(&settings.server)?;
    let gate = Arc::new(Gate {
        callers: ArcSwap::from_pointee(Callers::load(settings)?),
        in_flight: Arc::new(Semaphore::new(settings.server.max_in_flight)),
        timeout: settings.server.request_timeout(),
        metrics: telemetry.rpc_metrics(&app.methods),
        tracing: telemetry.traces(),
    });
    let refused = |address| move |e: io::Error| ServeError::Listen { address, reason: e.kind() };
    let listen = settings.server.listen;
    let listener = Listener::bind(&settings.server, tls.clone()).map_err(refused(listen))?;
    let grpc = listener.address().map_err(refused(listen))?;

    let (health, health_service) = health_reporter();
    let services = services_of(&app.methods);
    let (ready, is_ready) = watch::channel(false);
    health::look(&app.ready, &health, &ready).await;
    announce(&health, services.iter().map(String::as_str).chain([LIVENESS]), ServingStatus::Serving).await;
    let (stopping, is_stopping) = watch::channel(false);
    let mut gone = is_stopping.clone();
    let probes = settings.server.health_listen;
    let probes = probes.map(|listen| {
        health::serve_alone(listen, health_service.clone(), is_stopping.clone()).map_err(refused(listen))
    });
    let probes = probes.transpose()?;
    tokio::spawn(health::follow(app.ready, health.clone(), ready.clone(), is_stopping));
    let http = if settings.http.enabled {
        let listen = settings.http.listen;
        let pages = endpoint::Pages {
            telemetry: telemetry.clone(),
            jwks: app.jwks,
            log_key: app.log_key,
            ready: is_ready,
        };
        Some(endpoint::start(listen, pages).await.map_err(refused(listen))?)
    } else {
        None
    };

    let (stop, stopped) = oneshot::channel::<()>();
    let server = builder(&settings.server)
        .layer(GrpcWebLayer::new())
        .layer(GateLayer(Arc::clone(&gate)))
        .add_routes(app.services.add_service(health_service).prepare())
        .serve_with_incoming_shutdown(listener.connections(), async move {
            // Dropped or sent: either way it is time to stop.
            let _ = stopped.await;
        });
    let end = End {
        health: health.clone(),
        services,
        ready,
        stopping,
        stop,
        notice: Duration::from_millis(settings.server.shutdown_notice_ms),
        drain: Duration::from_millis(settings.server.drain_ms),
        gate: Arc::clone(&gate),
        places: settings.server.max_in_flight,
    };
    let done = tokio::spawn(end.run(tokio::spawn(server), shutdown));
    let metrics = telemetry.metrics().clone();
    metrics.certificate(tls.as_ref().and_then(|tls| tls.not_after()));
    let reload = Reload { settings: Arc::new(settings.clone()), tls, gate, more: app.reload, metrics };
    if settings.server.reload_check_s > 0 {
        let files = reload.files().into_iter().chain(app.reload_files).collect();
        let every = Duration::from_secs(settings.server.reload_check_s);
        let watching = tokio::spawn(changes::watch(reload.clone(), files, every));
        tokio::spawn(async move {
            while gone.changed().await.is_ok() {}
            watching.abort();
        });
    }
    Ok(Serving { grpc, probes, http, health, reload, done })
}

/// tonic's own limits stay off: its load shedding is per connection, its timeout answers CANCELLED, and
/// `max_connection_age_grace` would fail calls in flight.
fn builder(settings: &Server) -> GrpcServer {
    let age = settings.max_connection_age_s;
    let builder = GrpcServer::builder()
        .accept_http1(true)
        .max_concurrent_streams(settings.max_concurrent_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keepalive_interval(Some(Duration::from_secs(settings.keepalive_s)))
        .http2_keepalive_timeout(Some(Duration::from_secs(settings.keepalive_timeout_s)));
    if age == 0 { builder } else { builder.max_connection_age(Duration::from_secs(age)) }
}

struct End {
    health: HealthReporter,
    services: Vec<String>,
    ready: watch::Sender<bool>,
    stopping: watch::Sender<bool>,
    stop: oneshot::Sender<()>,
    notice: Duration,
    drain: Duration,
    gate: Arc<Gate>,
    places: usize,
}

/// How often, and how often in a row, a draining server must be found without calls. In between, the last answers
/// leave.
const LOOK: Duration = Duration::from_millis(20);
const QUIET_LOOKS: u32 = 5;

type ServerTask = JoinHandle<Result<(), tonic::transport::Error>>;

impl End {
    async fn run(
        self,
        mut server: ServerTask,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<Drained, ServeError> {
        tokio::select! {
            ended = &mut server => return Ok(ended?.map(|()| Drained::All)?),
            () = shutdown => {}
        }
        // Both fail when nobody listens, which is as well.
        let _ = (self.stopping.send(true), self.ready.send(false));
        let names = self.services.iter().map(String::as_str).chain(READINESS);
        announce(&self.health, names, ServingStatus::NotServing).await;
        tokio::time::sleep(self.notice).await;
        let _ = self.stop.send(());
        let drained = tokio::time::timeout(self.drain, async {
            tokio::select! {
                ended = &mut server => Ok(ended??),
                () = quiet(&self.gate, self.places) => Ok(()),
            }
        });
        let drained = drained.await;
        server.abort();
        drained.map_or(Ok(Drained::Partly), |ended: Result<(), ServeError>| ended.map(|()| Drained::All))
    }
}

/// Completes when no call is in flight. Streams that never end, such as `Health/Watch`, keep their connections open, so
/// the end of all connections is not what to wait for.
async fn quiet(gate: &Gate, places: usize) {
    let mut looks = 0;
    while looks < QUIET_LOOKS {
        tokio::time::sleep(LOOK).await;
        looks = if gate.in_flight.available_permits() == places { looks + 1 } else { 0 };
    }
}

async fn announce(health: &HealthReporter, services: impl Iterator<Item = &str>, status: ServingStatus) {
    for service in services {
        health.set_service_status(service, status).await;
    }
}

fn services_of(methods: &[String]) -> Vec<String> {
    let mut services: Vec<String> = methods
        .iter()
        .filter_map(|method| method.split_once('/'))
        .map(|(service, _)| service.to_owned())
        .collect();
    services.sort();
    services.dedup();
    services
}
