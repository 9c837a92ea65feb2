//! What runs out, and when.

use std::time::Duration;

use super::hot::{LONG, ceremony, nonce, session, view, what, write};
use super::{alice, tenant};
use crate::{HotStore, HotWrite, HotWritten};

/// A time to live that runs out while a check looks.
const SHORT: Duration = Duration::from_millis(400);
/// How often a check lets a tenth of [`SHORT`] pass before it says that something never runs out.
const STEPS: u32 = 100;

pub(super) async fn all<S: HotStore>(make: &impl AsyncFn() -> S, pass: &impl AsyncFn(Duration)) {
    println!("conformance: times to live");
    sessions_replies_and_nonces_run_out(&make().await, pass).await;
    a_session_written_again_lives_on(&make().await, pass).await;
    an_attempt_window_ends_though_attempts_go_on(&make().await, pass).await;
    a_ceremony_runs_out(&make().await, pass).await;
    announcements_counts_and_false_alarms_run_out(&make().await, pass).await;
}

/// Lets time pass until `gone`, in small steps.
async fn until(what: &str, pass: &impl AsyncFn(Duration), gone: impl AsyncFn() -> bool) {
    for _ in 0..STEPS {
        if gone().await {
            return;
        }
        pass(SHORT / 10).await;
    }
    panic!("{what} did not run out");
}

async fn sessions_replies_and_nonces_run_out(store: &impl HotStore, pass: &impl AsyncFn(Duration)) {
    let short = HotWrite {
        session_ttl: SHORT,
        reply_ttl: SHORT,
        use_nonce: Some((nonce(1), SHORT)),
        ..write(&alice(), 1, 0)
    };
    store.write(short.clone()).await.expect("written");
    assert_eq!(store.read(&what(&alice(), 1)).await, Ok(view(1, 1, 1)));
    until("session", pass, async || store.read(&what(&alice(), 1)).await.expect("read").session.is_none())
        .await;
    until("reply", pass, async || store.read(&what(&alice(), 1)).await.expect("read").reply.is_none()).await;
    until("nonce", pass, async || !store.read(&what(&alice(), 1)).await.expect("read").nonce_used).await;
    let stale = HotWrite { session_expected: 1, ..short.clone() };
    assert_eq!(store.write(stale).await, Ok(HotWritten::SessionChanged), "what ran out is not there");
    assert_eq!(store.write(short).await, Ok(HotWritten::Done));
}

async fn a_session_written_again_lives_on(store: &impl HotStore, pass: &impl AsyncFn(Duration)) {
    store
        .write(HotWrite { session_ttl: SHORT, reply_ttl: SHORT, ..write(&alice(), 1, 0) })
        .await
        .expect("written");
    store.write(write(&alice(), 2, 1)).await.expect("written");
    until("reply", pass, async || store.read(&what(&alice(), 1)).await.expect("read").reply.is_none()).await;
    assert_eq!(store.session(&alice(), &session("s")).await, Ok(view(2, 2, 2).session));
    // And the other way round: the newest time to live counts, though it is shorter.
    store.write(HotWrite { session_ttl: SHORT, ..write(&alice(), 3, 2) }).await.expect("written");
    until("session", pass, async || store.session(&alice(), &session("s")).await == Ok(None)).await;
}

async fn an_attempt_window_ends_though_attempts_go_on(store: &impl HotStore, pass: &impl AsyncFn(Duration)) {
    let mut counts = Vec::new();
    for n in 0..STEPS {
        let attempt = HotWrite { count_attempt: Some(SHORT), ..write(&alice(), n as usize, n.into()) };
        store.write(attempt).await.expect("written");
        counts.push(store.read(&what(&alice(), 0)).await.expect("read").attempts);
        // A count that fell: the first window ended, and this attempt opened the second.
        if counts.windows(2).any(|pair| pair[1] <= pair[0]) {
            return;
        }
        pass(SHORT / 10).await;
    }
    panic!("the window did not end: {counts:?}");
}

async fn a_ceremony_runs_out(store: &impl HotStore, pass: &impl AsyncFn(Duration)) {
    let (whose, id) = (tenant("st-mary"), ceremony("c"));
    store.put_ceremony(&whose, &id, vec![1], SHORT).await.expect("put");
    // Taking it is the only way to look, so that time passes first.
    for _ in 0..20 {
        pass(SHORT / 10).await;
    }
    assert_eq!(store.take_ceremony(&whose, &id).await, Ok(None));
    store.put_ceremony(&whose, &id, vec![2], LONG).await.expect("put");
    assert_eq!(store.take_ceremony(&whose, &id).await, Ok(Some(vec![2])));
}

async fn announcements_counts_and_false_alarms_run_out(store: &impl HotStore, pass: &impl AsyncFn(Duration)) {
    store.announce(&alice(), "known", 1, SHORT).await.expect("announced");
    assert_eq!(store.count(&tenant("st-mary"), &["all"], SHORT).await, Ok(vec![1]));
    let alarm = HotWrite { count_attempt: None, count_false_alarm: Some(SHORT), ..write(&alice(), 1, 0) };
    store.write(alarm).await.expect("written");
    let read = async || store.read(&what(&alice(), 1)).await.expect("read");
    until("announcement", pass, async || read().await.announced.is_empty()).await;
    until("count", pass, async || store.counts(&tenant("st-mary"), &["all"]).await == Ok(vec![0])).await;
    until("false alarms", pass, async || read().await.false_alarms == 0).await;
    assert_eq!(store.count(&tenant("st-mary"), &["all"], LONG).await, Ok(vec![1]), "a new window");
}
