//! A cluster: keys are spread, slots move, masters are lost.

use std::time::{Duration, Instant};

use keyward_store::{HotStore, HotWritten};
use keyward_store_redis::RedisSettings;
use keyward_testkit::RedisCluster;

use crate::common::{conforms, connect, read, who, write};

fn settings(redis: &RedisCluster) -> RedisSettings {
    RedisSettings::cluster(redis.urls())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms_and_outlives_moves_and_losses() {
    let mut redis = RedisCluster::start().await.expect("a cluster");
    conforms(&settings(&redis)).await;

    let hot = connect(settings(&redis)).await;
    assert_eq!(hot.write(write(1)).await, Ok(HotWritten::Done));
    let kept = hot.read(&read(1)).await.expect("read");
    let slot = redis.slot_of("{st-mary|alice}").await.expect("told");
    let from = RedisCluster::holder_of(slot);
    let to = (from + 1) % 3;

    redis.begin_move(slot, from, to).await.expect("begun");
    assert_eq!(hot.session(&who("alice"), &write(1).session).await, Ok(kept.session.clone()), "one key: ASK");
    redis.end_move(slot, from, to).await.expect("ended");
    assert_eq!(hot.read(&read(1)).await, Ok(kept.clone()), "MOVED is followed");
    assert_eq!(hot.write(write(2)).await, Ok(HotWritten::Done));

    redis.server(to).kill();
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        let answer = hot.read(&read(2)).await;
        longest = longest.max(asked.elapsed());
        if answer.is_ok() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!(
        "cluster: a lost master's slots are back after {:?}; longest answer {longest:?}",
        begun.elapsed()
    );
    assert!(longest < settings(&redis).response_timeout + Duration::from_millis(700), "{longest:?}");
    assert_eq!(hot.write(write(3)).await, Ok(HotWritten::Done));
    hot.forget(&who("alice")).await.expect("forgotten");
    assert_eq!(hot.read(&read(3)).await.map(|view| view.session.is_some()), Ok(false));
}
