//! The HTTP endpoint: `/metrics`, `/healthz`, and public keys under `/.well-known`. Reading only.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::Telemetry;
use super::exemplars::OPEN_METRICS;
use crate::transport::Jwks;

/// Connections at once.
const CONNECTIONS: usize = 64;
/// How long a client may take to send its request.
const HEADERS: Duration = Duration::from_secs(5);
/// How long a connection may last, busy or not.
const CONNECTION: Duration = Duration::from_mins(5);

/// What the pages are made of.
pub struct Pages {
    /// For `/metrics`.
    pub telemetry: Telemetry,
    /// For `/.well-known/jwks.json`.
    pub jwks: Jwks,
    /// For `/.well-known/keyward-audit-key`.
    pub log_key: String,
    /// For `/healthz`. When its sender is gone, the endpoint ends.
    pub ready: watch::Receiver<bool>,
}

/// Binds the address and serves until the server has shut down. Returns the address that was bound.
///
/// # Errors
/// The operating system's.
pub async fn start(listen: SocketAddr, pages: Pages) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener, Arc::new(pages)));
    Ok(address)
}

async fn accept(listener: TcpListener, pages: Arc<Pages>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut ready = pages.ready.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // The sender goes when the server has shut down; until then each change wakes this up once.
            changed = ready.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Beyond the limit a connection is closed rather than kept waiting.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let pages = Arc::clone(&pages);
        tokio::spawn(async move {
            connection(stream, pages).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, pages: Arc<Pages>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = page(&request, &pages);
        async move { Ok::<_, Infallible>(answer) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away or is too slow is no event.
    let _ = tokio::time::timeout(CONNECTION, serving).await;
}

fn page<B>(request: &Request<B>, pages: &Pages) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" if takes_open_metrics(request.headers()) => {
            text(StatusCode::OK, OPEN_METRICS, pages.telemetry.open_metrics_text())
        }
        "/metrics" => text(StatusCode::OK, prometheus::TEXT_FORMAT, pages.telemetry.prometheus_text()),
        "/healthz" if *pages.ready.borrow() => text(StatusCode::OK, "text/plain", "serving\n".to_owned()),
        "/healthz" => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "not serving\n".to_owned()),
        "/.well-known/jwks.json" => cached(text(StatusCode::OK, "application/jwk-set+json", (pages.jwks)())),
        "/.well-known/keyward-audit-key" => {
            cached(text(StatusCode::OK, "text/plain", format!("{}\n", pages.log_key)))
        }
        _ => text(StatusCode::NOT_FOUND, "text/plain", "not found\n".to_owned()),
    }
}

/// Whether a scraper takes the form with exemplars, which Prometheus does. Its preferences among those that it takes are
/// left out of account.
fn takes_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.trim().starts_with("application/openmetrics-text"))
}

fn cached(mut answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    answer.headers_mut().insert(CACHE_CONTROL, http::HeaderValue::from_static("public, max-age=300"));
    answer
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
