//! One server: what is written where, and what happens when the server is not there, slow or cut off.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use keyward_domain::CeremonyId;
use keyward_store::{HotStore, HotView, HotWritten};
use keyward_store_redis::RedisSettings;
use keyward_testkit::{ChaosProxy, Fault, RedisServer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::common::{SLACK, TTL, conforms, connect, fails_fast, read, server, who, works_again, write};

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let server = server().await;
    conforms(&RedisSettings::new(server.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_has_a_time_to_live_and_one_of_the_documented_shapes() {
    let server = server().await;
    let hot = connect(RedisSettings::new(server.url())).await;
    hot.write(write(1)).await.expect("written");
    let ceremony = CeremonyId::parse("c-1").expect("legal");
    hot.put_ceremony(&who("alice").tenant, &ceremony, vec![3], TTL).await.expect("put");
    let keys = [
        "keyward:c:{st-mary|c-1}",
        "keyward:h:{st-mary|alice}:a",
        "keyward:h:{st-mary|alice}:n:nonce-1",
        "keyward:h:{st-mary|alice}:r:request-1",
        "keyward:h:{st-mary|alice}:s:session-1",
    ];
    assert_eq!(server.command("DBSIZE").await.expect("answered"), b":5\r\n");
    for key in keys {
        let answer =
            String::from_utf8(server.command(&format!("PTTL {key}")).await.expect("answered")).expect("text");
        let ttl: u64 = answer.trim_start_matches(':').trim().parse().expect("there, with a time to live");
        assert!((1..=600_000).contains(&ttl), "{key}: {ttl}");
    }
    // The values are what was given, a session's after the eight bytes of its version.
    let reply = server.command("GET keyward:h:{st-mary|alice}:r:request-1").await.expect("answered");
    assert_eq!(reply, [b"$500\r\n".as_slice(), &[2; 500], b"\r\n"].concat());
    let session = server.command("GET keyward:h:{st-mary|alice}:s:session-1").await.expect("answered");
    assert_eq!(session, [b"$508\r\n".as_slice(), &1_u64.to_be_bytes(), &[1; 500], b"\r\n"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_one_command() {
    let server = server().await;
    let hot = connect(RedisSettings::new(server.url())).await;
    // The first write loads the script.
    hot.write(write(0)).await.expect("written");
    server.command("CONFIG RESETSTAT").await.expect("answered");
    hot.write(write(1)).await.expect("written");
    hot.read(&read(1)).await.expect("read");
    hot.session(&who("alice"), &write(1).session).await.expect("read");
    let stats =
        String::from_utf8(server.command("INFO commandstats").await.expect("answered")).expect("text");
    let calls = |name: &str| stats.contains(&format!("cmdstat_{name}:calls=1,"));
    assert!(calls("evalsha") && calls("mget"), "{stats}");
    assert!(!stats.contains("cmdstat_script") && !stats.contains("cmdstat_eval:"), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_fails_fast_and_a_restarted_one_works() {
    let mut server = server().await;
    let settings = RedisSettings::new(server.url());
    let timeout = settings.response_timeout;
    let hot = connect(settings).await;
    hot.write(write(1)).await.expect("written");

    server.kill();
    let ceremony = CeremonyId::parse("c").expect("legal");
    for _ in 0..3 {
        fails_fast(timeout, hot.read(&read(1))).await;
        fails_fast(timeout, hot.write(write(2))).await;
        fails_fast(timeout, hot.take_ceremony(&who("alice").tenant, &ceremony)).await;
        fails_fast(timeout, hot.forget(&who("alice"))).await;
        fails_fast(timeout, hot.ping()).await;
    }

    server.restart().await.expect("starts again");
    works_again(&hot).await;
    // It lost its data and the script with them.
    assert_eq!(hot.read(&read(1)).await, Ok(HotView::default()));
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarted_unseen_costs_no_call() {
    let mut server = server().await;
    let hot = connect(RedisSettings::new(server.url())).await;
    hot.ping().await.expect("answers");
    server.restart().await.expect("starts again");
    assert_eq!(hot.read(&read(1)).await, Ok(HotView::default()), "the broken connection is made anew");
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done), "and the script is loaded again");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_without_a_server() {
    let mut server = server().await;
    server.kill();
    let settings = RedisSettings::new(server.url());
    let timeout = settings.response_timeout;
    let begun = Instant::now();
    let hot = connect(settings).await;
    assert!(begun.elapsed() < timeout + SLACK, "took {:?}", begun.elapsed());
    fails_fast(timeout, hot.read(&read(1))).await;
    server.restart().await.expect("starts");
    works_again(&hot).await;
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_delays_and_cuts_fail_fast_and_pass() {
    let server = server().await;
    let proxy = ChaosProxy::start(server.address()).await.expect("starts");
    let mut settings = RedisSettings::new(format!("redis://{}", proxy.address()));
    settings.response_timeout = Duration::from_millis(200);
    let timeout = settings.response_timeout;
    let hot = connect(settings).await;
    hot.write(write(0)).await.expect("written");

    let long = Fault::Delay(Duration::from_secs(2));
    for (n, fault) in [Fault::Blackhole, long, Fault::Cut, Fault::CutAfter(3)].into_iter().enumerate() {
        proxy.set(fault);
        for _ in 0..3 {
            fails_fast(timeout, hot.read(&read(1))).await;
        }
        // By now it counts as down: no call waits any more, except for one in a while.
        let begun = Instant::now();
        for _ in 0..20 {
            fails_fast(timeout, hot.write(write(100 + n))).await;
        }
        assert!(begun.elapsed() < timeout * 3 + SLACK, "{fault:?}: 20 calls took {:?}", begun.elapsed());
        proxy.set(Fault::None);
        works_again(&hot).await;
        assert_eq!(hot.read(&read(0)).await.map(|view| view.session.is_some()), Ok(true), "after {fault:?}");
    }
    // A delay within the timeout is no failure.
    proxy.set(Fault::Delay(Duration::from_millis(50)));
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_cut_before_its_answer_answers_with_the_stored_reply() {
    let server = server().await;
    let proxy = ChaosProxy::start(server.address()).await.expect("starts");
    let hot = connect(RedisSettings::new(format!("redis://{}", proxy.address()))).await;
    hot.write(write(0)).await.expect("written");
    // The server gets the command; its answer, and the new connection's greeting, end after three bytes.
    proxy.set(Fault::CutAfter(3));
    assert!(hot.write(write(1)).await.is_err());
    proxy.set(Fault::None);
    works_again(&hot).await;
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::ReplyExists(vec![2; 500])));
    assert_eq!(hot.read(&read(1)).await.map(|view| view.attempts), Ok(2), "counted once");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_give_up_early_open_the_way_for_others() {
    let server = server().await;
    let proxy = ChaosProxy::start(server.address()).await.expect("starts");
    let hot = connect(RedisSettings::new(format!("redis://{}", proxy.address()))).await;
    hot.ping().await.expect("answers");
    proxy.set(Fault::Blackhole);
    for _ in 0..3 {
        let deadline = tokio::time::timeout(Duration::from_millis(100), hot.ping()).await;
        assert!(deadline.is_err(), "the caller's deadline is shorter than the timeout");
    }
    let begun = Instant::now();
    assert!(hot.ping().await.is_err());
    assert!(begun.elapsed() < Duration::from_millis(90), "took {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_and_an_acl_user_are_used() {
    let acl = |dir: &std::path::Path| {
        let file = dir.join("users.acl");
        std::fs::write(&file, "user default off\nuser keyward on >s3cret ~keyward:* +@all\n")
            .expect("written");
        vec!["--aclfile".into(), file.into()]
    };
    let server = RedisServer::start_with(acl).await.expect("starts");
    let mut settings = RedisSettings::new(server.url());
    let stranger = connect(settings.clone()).await;
    let text = fails_fast(settings.response_timeout, stranger.ping()).await;
    assert!(text.contains("NOAUTH"), "{text}");

    settings.username = Some("keyward".to_owned());
    settings.password = Some("wrong".to_owned().into());
    let text = fails_fast(settings.response_timeout, connect(settings.clone()).await.ping()).await;
    assert!(!text.contains("wrong") && text.contains("authentication"), "{text}");

    // A login that failed is tried again: the password may have been changed at the server's side.
    settings.password = Some("changed".to_owned().into());
    let early = connect(settings.clone()).await;
    assert!(early.ping().await.is_err());
    let mut admin = TcpStream::connect(server.address()).await.expect("connects");
    admin.write_all(b"AUTH keyward s3cret\r\nACL SETUSER keyward >changed\r\n").await.expect("sent");
    works_again(&early).await;

    settings.password = Some("s3cret".to_owned().into());
    let hot = connect(settings.clone()).await;
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done));
    // Keys beyond its own are none of its business.
    settings.key_prefix = "elsewhere".to_owned();
    let text = fails_fast(settings.response_timeout, connect(settings).await.write(write(1))).await;
    assert!(text.contains("NOPERM"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_pressure_refuses_and_a_forgetful_policy_is_reported() {
    let server = server().await;
    let hot = connect(RedisSettings::new(server.url())).await;
    assert_eq!(hot.advice().await, Ok(vec![]));
    server.command("CONFIG SET maxmemory 1").await.expect("answered");
    let text = fails_fast(TTL, hot.write(write(1))).await;
    assert!(text.contains("OOM"), "{text}");
    server.command("CONFIG SET maxmemory 0").await.expect("answered");
    assert_eq!(hot.read(&read(1)).await, Ok(HotView::default()), "nothing of the refused write is there");
    server.command("CONFIG SET maxmemory-policy volatile-ttl").await.expect("answered");
    let advice = hot.advice().await.expect("answered");
    assert!(advice.len() == 1 && advice[0].text.contains("volatile-ttl"), "{advice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_a_certificate_that_the_given_root_signed() {
    // Another test of this process may have done it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let foreign = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let files = |dir: &std::path::Path| {
        let (certificate, key) = (dir.join("server.pem"), dir.join("server.key"));
        std::fs::write(&certificate, own.cert.pem()).expect("written");
        std::fs::write(&key, own.signing_key.serialize_pem()).expect("written");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("free").port();
        std::fs::write(dir.join("tls-port"), port.to_string()).expect("written");
        let mut arguments: Vec<OsString> =
            ["--tls-auth-clients", "no", "--tls-port"].map(OsString::from).to_vec();
        arguments.push(port.to_string().into());
        arguments.extend(["--tls-cert-file".into(), certificate.into(), "--tls-key-file".into(), key.into()]);
        arguments
    };
    let port = std::sync::OnceLock::new();
    let server = RedisServer::start_with(|dir| {
        let arguments = files(dir);
        port.set(std::fs::read_to_string(dir.join("tls-port")).expect("written")).expect("once");
        arguments
    });
    let server = server.await.expect("starts");
    let mut settings = RedisSettings::new(format!("rediss://localhost:{}", port.get().expect("set")));
    settings.root_certificates_pem = Some(own.cert.pem().into_bytes());
    assert_eq!(connect(settings.clone()).await.write(write(1)).await, Ok(HotWritten::Done));

    settings.root_certificates_pem = Some(foreign.cert.pem().into_bytes());
    assert!(connect(settings.clone()).await.ping().await.is_err(), "signed by another");
    settings.root_certificates_pem = None;
    assert!(connect(settings).await.ping().await.is_err(), "signed by nobody who is known");
    drop(server);
}
