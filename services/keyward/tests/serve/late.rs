//! A server that is started while its Redis is down, in each of Redis's forms.

use std::time::{Duration, Instant};

use keyward_api::v1;
use keyward_api::v1::decision_service_client::DecisionServiceClient;
use keyward_testkit::{RedisCluster, RedisSentinel, RedisServer};
use tonic::transport::Channel;

use super::changes::until;
use super::program::{Program, question};
use super::{NOT_SERVING, SERVING, health, http};

async fn healthz(program: &Program) -> String {
    let answer = http(program.http, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    String::from_utf8(answer).unwrap()
}

/// A decision, which comes in time whatever Redis does, and whether it says that the hot store was missing.
async fn asked(channel: &Channel, number: u32) -> (v1::Outcome, bool) {
    let request = question("front-7", "front_desk", &format!("request-{number}"));
    let begun = Instant::now();
    let answer = DecisionServiceClient::new(channel.clone()).assess(request).await.unwrap().into_inner();
    assert!(begun.elapsed() < Duration::from_secs(3), "after {:?}", begun.elapsed());
    let decision = answer.decision.unwrap();
    let missed = decision.reasons.iter().any(|reason| reason.code() == v1::ReasonCode::HotStoreUnavailable);
    (decision.outcome(), missed)
}

/// It starts, lives, answers and is not ready; when Redis comes, it is, and answers as ever (a cluster whose nodes answer may
/// need a moment until it serves).
async fn waits_for(settings: &[String], redis_comes: impl AsyncFnOnce()) {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let program = Program::start(folder.path(), &[&["store.hot=redis".to_owned()], settings].concat());
    assert!(begun.elapsed() < Duration::from_secs(10), "it started after {:?}", begun.elapsed());
    let channel = program.channel().await;
    assert_eq!(health(&channel, "liveness").await, Ok(SERVING));
    assert_eq!(health(&channel, "readiness").await, Ok(NOT_SERVING));
    assert!(healthz(&program).await.starts_with("HTTP/1.1 503 "));
    let (_, missed) = asked(&channel, 1).await;
    assert!(missed, "who calls it all the same is told");

    redis_comes().await;
    until(async || health(&channel, "readiness").await == Ok(SERVING)).await;
    assert!(healthz(&program).await.starts_with("HTTP/1.1 200 "));
    let mut number = 1;
    until(async || {
        number += 1;
        asked(&channel, number).await == (v1::Outcome::Allow, false)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_its_redis() {
    let mut redis = RedisServer::start().await.expect("redis starts");
    redis.kill();
    let settings = [format!("redis.url={}", redis.url())];
    waits_for(&settings, async || redis.restart().await.expect("it starts")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_its_sentinels() {
    let mut redis = RedisSentinel::start(1).await.expect("a master with a replica and sentinels");
    let nodes = redis.urls();
    // Hung, as behind a network that swallows everything: there is nobody who would refuse a connection.
    redis.sentinels().iter().for_each(|server| server.freeze().expect("frozen"));
    redis.servers().iter().for_each(|server| server.freeze().expect("frozen"));
    let settings = [
        "redis.mode=sentinel".to_owned(),
        format!("redis.sentinel_master={}", RedisSentinel::MASTER),
        format!("redis.nodes={nodes:?}"),
    ];
    waits_for(&settings, async || {
        redis.servers().iter().for_each(|server| server.thaw().expect("thawed"));
        redis.sentinels().iter().for_each(|server| server.thaw().expect("thawed"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_its_cluster() {
    let mut redis = RedisCluster::start().await.expect("a cluster");
    redis.servers().for_each(RedisServer::kill);
    let settings = ["redis.mode=cluster".to_owned(), format!("redis.nodes={:?}", &redis.urls()[..2])];
    waits_for(&settings, async || {
        for server in redis.servers() {
            server.restart().await.expect("it starts");
        }
    })
    .await;
}
