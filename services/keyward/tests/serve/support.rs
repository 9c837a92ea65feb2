//! A server in this process with an echo service behind it, and clients for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use keyward::observability::Telemetry;
use keyward::settings::Settings;
use keyward::transport::health::{Ready, always_ready};
use keyward::transport::{App, ServeError, Serving, serve};
use keyward_api::caller::{Caller, Deadline};
use tokio::sync::{Semaphore, oneshot};
use tonic::body::Body;
use tonic::client::Grpc as GrpcClient;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

pub(crate) const SAY: &str = "test.Echo/Say";

/// Answers `text` with `caller:text`. `wait` is answered when a permit is given, `forever` never.
#[derive(Clone)]
pub(crate) struct Echo {
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) entered: Arc<Semaphore>,
}

impl Default for Echo {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), entered: Arc::new(Semaphore::new(0)) }
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl UnaryService<String> for Echo {
    type Response = String;
    type Future = BoxFuture<'static, Result<tonic::Response<String>, Status>>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let caller =
                request.extensions().get::<Arc<Caller>>().expect("the gate gives a caller").id.clone();
            assert!(request.extensions().get::<Deadline>().is_some(), "the gate gives a deadline");
            let text = request.into_inner();
            echo.entered.add_permits(1);
            match text.as_str() {
                "wait" => echo.permits.acquire().await.expect("never closed").forget(),
                "forever" => futures::future::pending().await,
                _ => {}
            }
            Ok(tonic::Response::new(format!("{caller}:{text}")))
        })
    }
}

impl tower::Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(
            async move { Ok(Grpc::new(ProstCodec::<String, String>::default()).unary(echo, request).await) },
        )
    }
}

/// A running server that ends with this value, or earlier by [`Server::stop`].
pub(crate) struct Server {
    pub(crate) serving: Serving,
    pub(crate) echo: Echo,
    stop: oneshot::Sender<()>,
}

/// Free ports, no wait before the end of accepting.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::defaults();
    settings.server.listen = "127.0.0.1:0".parse().unwrap();
    settings.http.listen = "127.0.0.1:0".parse().unwrap();
    settings.server.shutdown_notice_ms = 0;
    settings
}

pub(crate) async fn start(settings: &Settings) -> Result<Server, ServeError> {
    start_with(settings, Telemetry::without_logger(&settings.telemetry).unwrap()).await
}

pub(crate) async fn start_with(settings: &Settings, telemetry: Telemetry) -> Result<Server, ServeError> {
    start_as(settings, telemetry, always_ready()).await
}

/// Ready when it says so.
pub(crate) async fn start_ready(settings: &Settings, ready: Ready) -> Result<Server, ServeError> {
    start_as(settings, Telemetry::without_logger(&settings.telemetry).unwrap(), ready).await
}

async fn start_as(settings: &Settings, telemetry: Telemetry, ready: Ready) -> Result<Server, ServeError> {
    let echo = Echo::default();
    let app = App {
        services: Routes::new(echo.clone()),
        methods: vec![SAY.to_owned()],
        jwks: Arc::new(|| r#"{"keys":["k"]}"#.to_owned()),
        ready,
        reload: Arc::new(|| Ok(())),
        reload_files: Vec::new(),
        log_key: "log+00000000+AQ==".to_owned(),
    };
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let serving = serve(settings, app, &telemetry, shutdown).await?;
    Ok(Server { serving, echo, stop })
}

impl Server {
    pub(crate) fn stop(self) -> Serving {
        self.stop.send(()).expect("the server runs");
        self.serving
    }

    pub(crate) async fn plain(&self) -> Channel {
        let url = format!("http://{}", self.serving.grpc);
        Endpoint::from_shared(url).unwrap().connect().await.unwrap()
    }
}

pub(crate) async fn say(
    channel: &Channel,
    text: &str,
    headers: &[(&'static str, &str)],
) -> Result<String, Status> {
    let mut client = GrpcClient::new(channel.clone());
    client.ready().await.map_err(|e| Status::unknown(e.to_string()))?;
    let mut request = tonic::Request::new(text.to_owned());
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let path = PathAndQuery::from_static("/test.Echo/Say");
    client
        .unary(request, path, ProstCodec::<String, String>::default())
        .await
        .map(tonic::Response::into_inner)
}

/// Code and `ErrorInfo` reason of a refusal.
pub(crate) fn refusal(answer: Result<String, Status>) -> (Code, String) {
    let status = answer.expect_err("must be refused");
    let info = status.get_details_error_info();
    if let Some(info) = &info {
        assert_eq!(info.domain, "keyward.v1");
    }
    (status.code(), info.map(|info| info.reason).unwrap_or_default())
}
