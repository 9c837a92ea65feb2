//! A master that Sentinels watch: which server it is may change.

use std::time::{Duration, Instant};

use keyward_store::{HotStore, HotWritten};
use keyward_store_redis::RedisSettings;
use keyward_testkit::RedisSentinel;

use crate::common::{conforms, connect, fails_fast, read, who, works_again, write};

/// How long a fail-over may take on a busy machine: a second until the master counts as down, the election, the promotion.
const FAIL_OVER: Duration = Duration::from_secs(20);

fn settings(redis: &RedisSentinel) -> RedisSettings {
    RedisSettings::sentinel(redis.urls(), RedisSentinel::MASTER)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms_and_follows_the_master() {
    let mut redis = RedisSentinel::start(2).await.expect("a master with replicas and sentinels");
    conforms(&settings(&redis)).await;

    let hot = connect(settings(&redis)).await;
    let timeout = settings(&redis).response_timeout;
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done));
    let kept = hot.read(&read(1)).await.expect("read");
    let old = redis.master().await.expect("named").address();
    redis.wait_for_sync().await.expect("in sync");

    redis.master().await.expect("named").kill();
    let begun = Instant::now();
    fails_fast(timeout, hot.read(&read(1))).await;
    redis.wait_for_another_master(old).await.expect("failed over");
    let promoted = begun.elapsed();
    works_again(&hot).await;
    println!("sentinel: another master after {promoted:?}, used after {:?}", begun.elapsed());
    assert!(begun.elapsed() < FAIL_OVER, "took {:?}", begun.elapsed());
    assert_eq!(hot.read(&read(1)).await, Ok(kept), "what was replicated is there");
    assert_eq!(hot.write(write(2)).await, Ok(HotWritten::Done), "it takes writes");
    hot.forget(&who("alice")).await.expect("forgotten");
    assert_eq!(hot.read(&read(2)).await.map(|view| view.session), Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_that_is_down_is_passed_over_and_a_name_that_none_knows_is_told() {
    let mut redis = RedisSentinel::start(1).await.expect("a master with replicas and sentinels");
    redis.sentinels()[0].kill();
    let hot = connect(settings(&redis)).await;
    works_again(&hot).await;

    let strangers = RedisSettings::sentinel(redis.urls(), "another-name");
    let timeout = strangers.response_timeout;
    let text = fails_fast(timeout, connect(strangers).await.ping()).await;
    assert!(text.contains("sentinel"), "{text}");
}
