//! The transport over real sockets.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod changes;
mod late;
mod program;
mod support;
mod traces;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::settings::{CallerSettings, Settings};
use keyward::transport::{Drained, ServeError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::{Server, refusal, say, settings, start, start_ready};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

/// SHA-256 of `open sesame`.
const TOKEN_SHA256: &str = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";
const TOKEN: (&str, &str) = ("authorization", "Bearer open sesame");

fn caller(folder: &Path, certificate_san: Option<&str>) -> CallerSettings {
    let path = folder.join("token.sha256");
    std::fs::write(&path, TOKEN_SHA256).unwrap();
    CallerSettings {
        id: "portal".to_owned(),
        tenants: vec!["st-mary".to_owned()],
        token_sha256_file: Some(path),
        certificate_san: certificate_san.map(str::to_owned),
        audit: false,
    }
}

async fn health(channel: &Channel, service: &str) -> Result<i32, Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel.clone()).check(request).await;
    answer.map(|a| a.into_inner().status).map_err(|status| status.code())
}

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

async fn http(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer").unwrap();
    answer
}

async fn get(server: &Server, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    String::from_utf8(http(server.serving.http.unwrap(), request.as_bytes()).await).unwrap()
}

#[tokio::test]
async fn plaintext_on_loopback_serves_the_local_caller() {
    let server = start(&settings()).await.unwrap();
    let channel = server.plain().await;
    assert_eq!(health(&channel, "").await, Ok(SERVING));
    assert_eq!(health(&channel, "test.Echo").await, Ok(SERVING));
    assert_eq!(say(&channel, "hello", &[]).await.unwrap(), "local:hello");

    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(&server, "/.well-known/jwks.json").await.ends_with(r#"{"keys":["k"]}"#));
    assert!(get(&server, "/.well-known/keyward-audit-key").await.ends_with("log+00000000+AQ==\n"));
    assert!(get(&server, "/nothing").await.starts_with("HTTP/1.1 404 "));
    let metrics = get(&server, "/metrics").await;
    let line = "rpc_server_call_duration_seconds_count{rpc_method=\"test.Echo/Say\",\
                rpc_response_status_code=\"OK\",rpc_system_name=\"grpc\"} 1";
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
}

#[tokio::test]
async fn grpc_web_reaches_the_same_services() {
    let server = start(&settings()).await.unwrap();
    // A frame of five bytes of head and the message `"hi"` of type google.protobuf.StringValue.
    let message = [0, 0, 0, 0, 4, 0x0a, 2, b'h', b'i'];
    let head = "POST /test.Echo/Say HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/grpc-web+proto\r\ncontent-length: 9\r\n\r\n";
    let answer = http(server.serving.grpc, &[head.as_bytes(), &message].concat()).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.starts_with("HTTP/1.1 200 ") && text.contains("local:hi") && text.contains("grpc-status:0"),
        "{text}"
    );
}

#[tokio::test]
async fn a_token_is_asked_of_everyone_but_probes() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.callers = vec![caller(folder.path(), None)];
    let server = start(&settings).await.unwrap();
    let channel = server.plain().await;
    assert_eq!(say(&channel, "hello", &[TOKEN]).await.unwrap(), "portal:hello");
    for headers in
        [vec![], vec![("authorization", "Bearer open sesam")], vec![("authorization", "open sesame")]]
    {
        let expected = (Code::Unauthenticated, "UNAUTHENTICATED_CALLER".to_owned());
        assert_eq!(refusal(say(&channel, "hello", &headers).await), expected, "{headers:?}");
    }
    assert_eq!(health(&channel, "").await, Ok(SERVING));

    std::fs::write(folder.path().join("token.sha256"), "0".repeat(64)).unwrap();
    server.serving.reload.reload().unwrap();
    assert_eq!(refusal(say(&channel, "hello", &[TOKEN]).await).0, Code::Unauthenticated);
    std::fs::write(folder.path().join("token.sha256"), "damaged").unwrap();
    assert!(matches!(server.serving.reload.reload(), Err(ServeError::Callers(_))));
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn use_certificate(settings: &mut Settings, folder: &Path, authority: &Authority) {
    let (certificate, key) = authority.issue("localhost");
    settings.server.tls_certificate_file = Some(write(folder, "tls.crt", &certificate));
    settings.server.tls_key_file = Some(write(folder, "tls.key", &key));
}

async fn tls(
    server: &Server,
    trusted: &Authority,
    identity: Option<(String, String)>,
) -> Result<Channel, String> {
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted.pem())).domain_name("localhost");
    if let Some((certificate, key)) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", server.serving.grpc)).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await.map_err(|e| e.to_string())
}

#[tokio::test]
async fn tls_protects_tokens_and_its_certificate_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::new(), Authority::new());
    let mut settings = settings();
    settings.callers = vec![caller(folder.path(), None)];
    use_certificate(&mut settings, folder.path(), &first);
    let server = start(&settings).await.unwrap();

    let old = tls(&server, &first, None).await.unwrap();
    assert_eq!(say(&old, "hello", &[TOKEN]).await.unwrap(), "portal:hello");
    assert_eq!(health(&old, "").await, Ok(SERVING));
    assert!(tls(&server, &second, None).await.is_err(), "the wrong authority must not be trusted");

    use_certificate(&mut settings, folder.path(), &second);
    server.serving.reload.reload().unwrap();
    let new = tls(&server, &second, None).await.unwrap();
    assert_eq!(say(&new, "hello", &[TOKEN]).await.unwrap(), "portal:hello");
    assert_eq!(
        say(&old, "hello", &[TOKEN]).await.unwrap(),
        "portal:hello",
        "connections that are open stay open"
    );

    write(folder.path(), "tls.key", &first.issue("localhost").1);
    assert!(matches!(server.serving.reload.reload(), Err(ServeError::Tls(_))));
    assert!(tls(&server, &second, None).await.is_ok(), "a reload that fails changes nothing");
}

#[tokio::test]
async fn a_client_certificate_names_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new(), Authority::new());
    let mut settings = settings();
    use_certificate(&mut settings, folder.path(), &servers);
    settings.server.tls_client_ca_file = Some(write(folder.path(), "clients.crt", &clients.pem()));
    settings.callers = vec![caller(folder.path(), Some("portal.example.org"))];
    let server = start(&settings).await.unwrap();

    let known = tls(&server, &servers, Some(clients.issue("portal.example.org"))).await.unwrap();
    assert_eq!(say(&known, "hello", &[]).await.unwrap(), "portal:hello");
    let wrong_token = [("authorization", "Bearer wrong")];
    assert_eq!(refusal(say(&known, "hello", &wrong_token).await).0, Code::Unauthenticated);
    let other = tls(&server, &servers, Some(clients.issue("other.example.org"))).await.unwrap();
    assert_eq!(refusal(say(&other, "hello", &[]).await).0, Code::Unauthenticated);
    let without = tls(&server, &servers, None).await.unwrap();
    assert_eq!(health(&without, "").await, Ok(SERVING));
    assert_eq!(refusal(say(&without, "hello", &[]).await).0, Code::Unauthenticated);
    assert_eq!(say(&without, "hello", &[TOKEN]).await.unwrap(), "portal:hello");

    // TLS 1.3 clients learn of the refusal with their first call.
    let foreign = tls(&server, &servers, Some(Authority::new().issue("portal.example.org"))).await;
    if let Ok(channel) = foreign {
        assert!(say(&channel, "hello", &[]).await.is_err(), "a foreign authority must not be trusted");
    }

    settings.server.tls_require_client_certificate = true;
    let server = start(&settings).await.unwrap();
    if let Ok(channel) = tls(&server, &servers, None).await {
        assert!(health(&channel, "").await.is_err(), "a certificate is required");
    }
}

#[tokio::test]
async fn beyond_the_limit_calls_are_shed_at_once() {
    let mut settings = settings();
    settings.server.max_in_flight = 1;
    let server = start(&settings).await.unwrap();
    let channel = server.plain().await;
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { say(&channel, "wait", &[]).await }
    });
    server.echo.entered.acquire().await.unwrap().forget();
    let expected = (Code::ResourceExhausted, "OVERLOADED".to_owned());
    assert_eq!(refusal(say(&channel, "hello", &[]).await), expected);
    assert_eq!(health(&channel, "").await, Ok(SERVING), "probes are not shed");
    server.echo.permits.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap(), "local:wait");
    assert_eq!(say(&channel, "hello", &[]).await.unwrap(), "local:hello");
}

#[tokio::test]
async fn beyond_its_rate_a_caller_is_told_when_to_come_back() {
    let mut settings = settings();
    settings.limits.caller_calls_per_second = 1;
    settings.limits.caller_burst = 2;
    let server = start(&settings).await.unwrap();
    let channel = server.plain().await;
    assert!(say(&channel, "1", &[]).await.is_ok());
    assert!(say(&channel, "2", &[]).await.is_ok());
    let answer = say(&channel, "3", &[]).await;
    let retry =
        answer.as_ref().expect_err("over the burst").get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(retry > Duration::ZERO && retry <= Duration::from_secs(1), "{retry:?}");
    assert_eq!(refusal(answer), (Code::ResourceExhausted, "RATE_LIMITED".to_owned()));
}

#[tokio::test]
async fn a_call_ends_with_its_time_and_gives_its_place_back() {
    let mut settings = settings();
    settings.server.request_timeout_ms = 50;
    settings.server.max_in_flight = 1;
    let server = start(&settings).await.unwrap();
    let channel = server.plain().await;
    let expected = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned());
    assert_eq!(refusal(say(&channel, "forever", &[]).await), expected);
    assert_eq!(say(&channel, "hello", &[]).await.unwrap(), "local:hello");
}

#[tokio::test]
async fn beyond_the_limit_connections_are_closed() {
    let mut settings = settings();
    settings.server.max_connections = 1;
    let server = start(&settings).await.unwrap();
    let channel = server.plain().await;
    assert!(say(&channel, "hello", &[]).await.is_ok());
    let mut second = TcpStream::connect(server.serving.grpc).await.unwrap();
    let mut byte = [0];
    let read =
        tokio::time::timeout(Duration::from_secs(10), second.read(&mut byte)).await.expect("closed at once");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert!(say(&channel, "hello", &[]).await.is_ok());
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_taken() {
    let mut settings = settings();
    settings.server.shutdown_notice_ms = 300;
    let server = start(&settings).await.unwrap();
    let (channel, probe) = (server.plain().await, server.plain().await);
    let (address, echo) = (server.serving.grpc, server.echo.clone());
    let waiting = tokio::spawn(async move { say(&channel, "wait", &[]).await });
    echo.entered.acquire().await.unwrap().forget();

    let serving = server.stop();
    let not_serving = async {
        while health(&probe, "").await == Ok(SERVING) {
            tokio::task::yield_now().await;
        }
        (health(&probe, "").await, health(&probe, "test.Echo").await)
    };
    let said = tokio::time::timeout(Duration::from_millis(250), not_serving)
        .await
        .expect("said before accepting ends");
    assert_eq!(said, (Ok(NOT_SERVING), Ok(NOT_SERVING)));
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the socket is closed");
    assert!(!waiting.is_finished());
    echo.permits.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap(), "local:wait");
    assert_eq!(serving.finished().await.unwrap(), Drained::All);
}

#[tokio::test]
async fn a_probe_that_watches_does_not_hold_up_the_shutdown() {
    let server = start(&settings()).await.unwrap();
    let request = HealthCheckRequest { service: String::new() };
    let watch = HealthClient::new(server.plain().await).watch(request).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), server.stop().finished()).await;
    assert_eq!(ended.expect("ends before server.drain_ms").unwrap(), Drained::All);
    drop(watch);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let mut settings = settings();
    settings.server.drain_ms = 50;
    let server = start(&settings).await.unwrap();
    let (channel, echo) = (server.plain().await, server.echo.clone());
    let waiting = tokio::spawn(async move { say(&channel, "forever", &[]).await });
    echo.entered.acquire().await.unwrap().forget();
    let ended = tokio::time::timeout(Duration::from_secs(2), server.stop().finished()).await;
    assert_eq!(ended.expect("ends in time").unwrap(), Drained::Partly);
    waiting.abort();
}

#[tokio::test]
async fn what_is_not_safe_or_not_possible_does_not_start() {
    let mut beyond = settings();
    beyond.server.listen = "0.0.0.0:0".parse().unwrap();
    let error = start(&beyond).await.err().expect("must not start");
    assert!(
        matches!(error, ServeError::Settings(_))
            && error.to_string().contains("allow_plaintext_beyond_loopback")
    );

    let first = start(&settings()).await.unwrap();
    let mut taken = settings();
    taken.server.listen = first.serving.grpc;
    let error = start(&taken).await.err().expect("the port is taken");
    assert!(error.to_string().contains(&first.serving.grpc.to_string()), "{error}");

    let mut no_file = settings();
    no_file.callers = vec![caller(tempfile::tempdir().unwrap().path(), None)];
    let error = start(&no_file).await.err().expect("the token file is gone");
    assert!(error.to_string().contains("token.sha256"), "{error}");
}
