//! What changes while the server runs: readiness, and files on disk under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tonic::transport::Endpoint;

use super::{
    Authority, NOT_SERVING, SERVING, TOKEN, caller, get, health, refusal, say, settings, start, start_ready,
    tls, use_certificate, write,
};

/// Asks until it is so.
pub(crate) async fn until(mut so: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it becomes so");
}

#[tokio::test]
async fn readiness_follows_what_calls_need_and_liveness_does_not() {
    let mut settings = settings();
    settings.server.health_listen = Some("127.0.0.1:0".parse().unwrap());
    let ready = Arc::new(AtomicBool::new(false));
    let asked = ready.clone();
    let server =
        start_ready(&settings, Arc::new(move || Box::pin(std::future::ready(asked.load(Ordering::Relaxed)))))
            .await
            .unwrap();
    let probes = format!("http://{}", server.serving.probes.expect("health has a port of its own"));
    let probes = Endpoint::from_shared(probes).unwrap().connect().await.unwrap();
    assert_eq!(health(&probes, "readiness").await, Ok(NOT_SERVING), "from the first moment");
    assert_eq!(health(&probes, "liveness").await, Ok(SERVING));
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 503 "));

    ready.store(true, Ordering::Relaxed);
    until(async || health(&probes, "readiness").await == Ok(SERVING)).await;
    assert_eq!(health(&probes, "").await, Ok(SERVING));
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200 "));

    ready.store(false, Ordering::Relaxed);
    until(async || health(&probes, "readiness").await == Ok(NOT_SERVING)).await;
    assert_eq!(health(&probes, "liveness").await, Ok(SERVING));
    assert_eq!(say(&server.plain().await, "hello", &[]).await.unwrap(), "local:hello", "calls go on");
    assert!(say(&probes, "hello", &[]).await.is_err(), "that port serves health and nothing else");
}

#[tokio::test]
async fn files_that_change_are_noticed_and_no_call_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::new(), Authority::new());
    let mut settings = settings();
    settings.server.reload_check_s = 1;
    settings.limits.caller_calls_per_second = 0;
    settings.callers = vec![caller(folder.path(), None)];
    use_certificate(&mut settings, folder.path(), &first);
    let server = start(&settings).await.unwrap();

    // Calls on a connection that lasts, without pause, until they are told to stop.
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load = tokio::spawn({
        let (stop, calls) = (stop.clone(), calls.clone());
        let channel = tls(&server, &first, None).await.unwrap();
        async move {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(say(&channel, "hello", &[TOKEN]).await.unwrap(), "portal:hello");
                calls.fetch_add(1, Ordering::Relaxed);
            }
        }
    });

    // The certificate first and its key later, as a careless script would.
    let (certificate, key) = second.issue("localhost");
    write(folder.path(), "tls.crt", &certificate);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(tls(&server, &first, None).await.is_ok(), "a certificate without its key is not used");
    write(folder.path(), "tls.key", &key);
    until(async || tls(&server, &second, None).await.is_ok()).await;

    stop.store(true, Ordering::Relaxed);
    load.await.expect("no call failed");
    assert!(calls.load(Ordering::Relaxed) > 10, "the load was one");

    // Tokens count from the next call on, on connections that are open as well.
    let channel = tls(&server, &second, None).await.unwrap();
    assert!(say(&channel, "hello", &[TOKEN]).await.is_ok());
    write(folder.path(), "token.sha256", &"0".repeat(64));
    until(async || say(&channel, "hello", &[TOKEN]).await.is_err()).await;
    assert_eq!(refusal(say(&channel, "hello", &[TOKEN]).await).0, tonic::Code::Unauthenticated);
    let metrics = get(&server, "/metrics").await;
    for line in [r#"keyward_reloads_total{result="error"} 1"#, r#"keyward_reloads_total{result="ok"} 2"#] {
        assert!(metrics.lines().any(|l| l == line), "{line} is not in:\n{metrics}");
    }
}
