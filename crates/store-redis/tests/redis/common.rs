//! What the tests of all forms share.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward_domain::{RequestId, SessionId, SubjectId, SubjectKey, TelemetryNonce, TenantId};
use keyward_store::{HotRead, HotStore, HotWrite, StoreError, StoreResult, conformance};
use keyward_store_redis::{RedisHot, RedisSettings};
use keyward_testkit::RedisServer;

pub(crate) const TTL: Duration = Duration::from_mins(10);
/// What a call may take beyond its timeout on a machine that is busy with other tests.
pub(crate) const SLACK: Duration = Duration::from_millis(700);

pub(crate) async fn server() -> RedisServer {
    RedisServer::start().await.expect("a redis server (see the message for how to install it)")
}

pub(crate) async fn connect(settings: RedisSettings) -> RedisHot {
    RedisHot::connect(settings).await.expect("settings are good")
}

pub(crate) fn who(subject: &str) -> SubjectKey {
    SubjectKey {
        tenant: TenantId::parse("st-mary").expect("legal"),
        subject: SubjectId::parse(subject).expect("legal"),
    }
}

pub(crate) fn write(n: usize) -> HotWrite {
    HotWrite {
        who: who("alice"),
        session: SessionId::parse(format!("session-{n}")).expect("legal"),
        session_expected: 0,
        session_value: vec![1; 500],
        session_ttl: TTL,
        request: RequestId::parse(format!("request-{n}")).expect("legal"),
        reply: vec![2; 500],
        reply_ttl: TTL,
        use_nonce: Some((TelemetryNonce::parse(format!("nonce-{n}")).expect("legal"), TTL)),
        count_attempt: Some(TTL),
        count_false_alarm: None,
    }
}

pub(crate) fn read(n: usize) -> HotRead {
    let written = write(n);
    let nonce = written.use_nonce.map(|(nonce, _)| nonce);
    HotRead { who: written.who, session: written.session, request: written.request, nonce }
}

/// Whether a call ended, with an error, within the timeout.
pub(crate) async fn fails_fast<T: std::fmt::Debug>(
    timeout: Duration,
    call: impl Future<Output = StoreResult<T>>,
) -> String {
    let begun = Instant::now();
    let error = call.await.expect_err("the server is not there");
    assert!(begun.elapsed() < timeout + SLACK, "took {:?}", begun.elapsed());
    let StoreError::Unavailable(text) = error else { panic!("{error}") };
    for secret in ["alice", "st-mary", "request-", "session-", "nonce-", "{"] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}

/// Calls until it works again, for at most five seconds.
pub(crate) async fn works_again(hot: &RedisHot) {
    let begun = Instant::now();
    while let Err(e) = hot.ping().await {
        assert!(begun.elapsed() < Duration::from_secs(5), "still {e}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs the port's conformance suite; each check has keys of its own.
pub(crate) async fn conforms(settings: &RedisSettings) {
    let fresh = AtomicUsize::new(0);
    let make = async || {
        let mut settings = with_patience(settings);
        settings.key_prefix = format!("check-{}", fresh.fetch_add(1, Ordering::Relaxed));
        connect(settings).await
    };
    conformance::hot(make, tokio::time::sleep).await;
}

/// The same under the usual prefix, where each check begins with what `empty` left.
pub(crate) async fn conforms_on(settings: &RedisSettings, empty: impl AsyncFn() -> io::Result<()>) {
    let make = async || {
        empty().await.expect("emptied");
        connect(with_patience(settings)).await
    };
    conformance::hot(make, tokio::time::sleep).await;
}

/// Fifty tasks race on two cores that other tests use as well.
fn with_patience(settings: &RedisSettings) -> RedisSettings {
    let patience = Duration::from_secs(10);
    RedisSettings { response_timeout: patience, connect_timeout: patience, ..settings.clone() }
}
