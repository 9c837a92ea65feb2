//! The user that the README describes: it may do all that keyward does, and nothing else.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use keyward_store::{HotStore, HotWritten};
use keyward_store_redis::{ClientCertificate, RedisSettings};
use keyward_testkit::{RedisCluster, RedisSentinel, RedisServer, free_port};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{conforms_on, connect, fails_fast, read, who, write};

const README: &str = include_str!("../../README.md");
const PASSWORD: &str = "s3cret";

/// The lines of the README that make the user: for every form, with Sentinels, in a cluster.
fn rules() -> [&'static str; 3] {
    let lines: Vec<_> = README.lines().filter(|line| line.starts_with("ACL SETUSER keyward ")).collect();
    lines.try_into().expect("three lines")
}

/// The commands that a rule grants.
fn granted(rules: &[&str]) -> BTreeSet<String> {
    let words = rules.iter().flat_map(|rule| rule.split(' '));
    words.filter_map(|word| word.strip_prefix('+')).map(str::to_owned).collect()
}

/// Makes the user on a server, and begins to count.
async fn prepare(server: &RedisServer, rules: &[&str]) {
    for rule in rules {
        server.text(&rule.replace("PASSWORD", PASSWORD)).await.expect("the rule is understood");
    }
    for line in ["CONFIG RESETSTAT", "ACL LOG RESET"] {
        server.text(line).await.expect("done");
    }
}

fn as_the_user(mut settings: RedisSettings) -> RedisSettings {
    settings.username = Some("keyward".to_owned());
    settings.password = Some(PASSWORD.to_owned().into());
    settings
}

/// Which of these commands were called on a server, since it was prepared.
async fn called(server: &RedisServer, commands: &BTreeSet<String>) -> BTreeSet<String> {
    let stats = server.text("INFO commandstats").await.expect("told");
    let was_called = |command: &&String| {
        let calls = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        calls.is_some_and(|calls| !calls.starts_with("0,"))
    };
    commands.iter().filter(was_called).cloned().collect()
}

/// What a server refused to the user since it was prepared. That the client may not tell its name and version, which servers
/// from 7.2 on know, it takes without a word.
async fn refused(server: &RedisServer) -> Vec<String> {
    let log = server.text("ACL LOG").await.expect("told");
    let lines: Vec<&str> = log.lines().collect();
    let objects = lines.windows(3).filter(|lines| lines[0] == "object").map(|lines| lines[2].to_owned());
    objects.filter(|object| object != "client|setinfo").collect()
}

/// What the server answers to the user.
async fn answer(server: &RedisServer, line: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.expect("connects");
    stream.write_all(format!("AUTH keyward {PASSWORD}\r\n{line}\r\n").as_bytes()).await.expect("sent");
    let mut answers = String::new();
    while answers.matches("\r\n").count() < 2 {
        let mut some = [0; 1024];
        let count = stream.read(&mut some).await.expect("answered");
        assert!(count > 0, "{answers}");
        answers.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    answers.strip_prefix("+OK\r\n").expect("logged in").to_owned()
}

/// Nobody else's keys, and nothing that an administrator does.
async fn may_do_no_more(server: &RedisServer) {
    for line in [
        "GET other:key",
        "SET keywards:key x",
        "KEYS keyward:*",
        "FLUSHALL",
        "CONFIG GET requirepass",
        "ACL LIST",
        "CLIENT LIST",
        "MONITOR",
        "SUBSCRIBE keyward:x",
        "EVAL \"return redis.call('GET', 'other:key')\" 0",
        "SHUTDOWN",
    ] {
        let said = answer(server, line).await;
        // In these words, from within a script, before version 7.2.
        let within = "-ERR The user executing the script can't access";
        assert!(said.starts_with("-NOPERM") || said.starts_with(within), "{line}: {said}");
    }
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("sound");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed"))
    }

    /// A certificate for a name or address, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("sound");
        // One with the name of the authority would pass for the authority's own.
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.0).expect("signed").pem(), key.serialize_pem())
    }

    /// What makes a server in this directory speak TLS on a port, with clients that show a certificate.
    fn arguments(&self, dir: &Path, port: u16) -> Vec<OsString> {
        let (certificate, key) = self.issue("127.0.0.1");
        let mut arguments = vec!["--tls-port".into(), port.to_string().into()];
        arguments.extend(["--tls-auth-clients", "yes"].map(OsString::from));
        for (flag, text) in
            [("--tls-ca-cert-file", self.0.pem()), ("--tls-cert-file", certificate), ("--tls-key-file", key)]
        {
            let file = dir.join(flag.trim_start_matches('-'));
            std::fs::write(&file, text).expect("written");
            arguments.extend([flag.into(), file.into()]);
        }
        arguments
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_over_tls_with_a_client_certificate() {
    // Another test of this process may have done it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (authority, port) = (Authority::new(), free_port().expect("a port"));
    let server = RedisServer::start_with(|dir| authority.arguments(dir, port)).await.expect("it starts");
    let [everywhere, ..] = rules();
    prepare(&server, &[everywhere]).await;

    let mut settings = as_the_user(RedisSettings::new(format!("rediss://127.0.0.1:{port}")));
    settings.root_certificates_pem = Some(authority.0.pem().into_bytes());
    let timeout = settings.response_timeout;
    fails_fast(timeout, connect(settings.clone()).await.ping()).await;
    let (certificate, key) = Authority::new().issue("keyward");
    let shown = |certificate: String, key: String| {
        Some(ClientCertificate { certificate_pem: certificate.into_bytes(), private_key_pem: key.into() })
    };
    settings.client_certificate = shown(certificate, key);
    fails_fast(timeout, connect(settings.clone()).await.ping()).await;
    let (certificate, key) = authority.issue("keyward");
    settings.client_certificate = shown(certificate, key);

    conforms_on(&settings, async || server.text("FLUSHALL").await.map(drop)).await;
    let hot = connect(settings.clone()).await;
    assert_eq!(hot.advice().await, Ok(vec![]));
    let granted = granted(&[everywhere]);
    assert_eq!(called(&server, &granted).await, granted, "what is granted is needed");
    assert_eq!(refused(&server).await, Vec::<String>::new(), "what is needed is granted");
    may_do_no_more(&server).await;

    settings.password = Some("wrong".to_owned().into());
    let text = fails_fast(timeout, connect(settings).await.ping()).await;
    assert!(text.contains("authentication"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_under_sentinels() {
    let mut redis = RedisSentinel::start(1).await.expect("a master with a replica and sentinels");
    let [everywhere, sentinel, _] = rules();
    for server in redis.servers() {
        prepare(server, &[everywhere, sentinel]).await;
    }
    let settings = as_the_user(RedisSettings::sentinel(redis.urls(), RedisSentinel::MASTER));
    let master = &redis.servers()[0];
    conforms_on(&settings, async || master.text("FLUSHALL").await.map(drop)).await;
    connect(settings).await.advice().await.expect("told");
    let granted = granted(&[everywhere, sentinel]);
    assert_eq!(called(master, &granted).await, granted, "what is granted is needed");
    assert_eq!(refused(master).await, Vec::<String>::new(), "what is needed is granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster() {
    let mut redis = RedisCluster::start().await.expect("a cluster");
    let [everywhere, _, cluster] = rules();
    for server in redis.servers() {
        prepare(server, &[everywhere, cluster]).await;
    }
    let settings = as_the_user(RedisSettings::cluster(redis.urls()));
    let masters: Vec<&RedisServer> = redis.servers().take(3).map(|server| &*server).collect();
    let flush = async || {
        for master in &masters {
            master.text("FLUSHALL").await?;
        }
        Ok(())
    };
    conforms_on(&settings, flush).await;

    flush().await.expect("emptied");
    let hot = connect(settings).await;
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done));
    let kept = hot.read(&read(1)).await.expect("read");
    let slot = redis.slot_of("{st-mary|alice}").await.expect("told");
    let from = RedisCluster::holder_of(slot);
    let to = (from + 1) % 3;
    redis.begin_move(slot, from, to).await.expect("begun");
    // A key that has not moved is answered where it is, one that is not there by the other node (ASKING).
    assert_eq!(hot.session(&who("alice"), &write(1).session).await, Ok(kept.session));
    assert_eq!(hot.session(&who("alice"), &write(2).session).await, Ok(None));
    redis.end_move(slot, from, to).await.expect("ended");
    hot.forget(&who("alice")).await.expect("forgotten");
    hot.advice().await.expect("told");

    // All that is needed without a cluster, but the walk through all keys.
    let mut needed = granted(&[everywhere, cluster]);
    needed.remove("scan");
    let mut seen = BTreeSet::new();
    for server in redis.servers() {
        seen.extend(called(server, &needed).await);
        assert_eq!(refused(server).await, Vec::<String>::new(), "what is needed is granted");
    }
    assert_eq!(seen, needed, "what is granted is needed");
}
