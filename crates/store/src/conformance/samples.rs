use std::sync::Arc;

use super::{RACERS, alice, at, checks, decision, race, who};
use crate::{DurableStore, KEPT_SAMPLES, SampleRow};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        the_newest_samples_come_oldest_first,
        a_sample_added_twice_is_there_once_and_unchanged,
        the_newest_samples_are_kept,
        concurrent_adds_lose_nothing,
        a_decision_is_retracted_under_every_name,
        clearing_a_name_leaves_the_others,
    );
}

fn sample(n: u32) -> SampleRow {
    SampleRow { decision: decision(n.into()), at: at(n.into()), sealed: n.to_be_bytes().to_vec() }
}

async fn the_newest_samples_come_oldest_first<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.samples(&alice(), "p", 10).await, Ok(vec![]));
    store.add_samples(&alice(), "p", vec![sample(3), sample(1), sample(2)]).await.expect("added");
    store.add_samples(&alice(), "p", vec![]).await.expect("nothing to add");
    assert_eq!(store.samples(&alice(), "p", 10).await, Ok(vec![sample(1), sample(2), sample(3)]));
    assert_eq!(store.samples(&alice(), "p", 2).await, Ok(vec![sample(2), sample(3)]));
    assert_eq!(store.samples(&alice(), "p", 0).await, Ok(vec![]));
    assert_eq!(store.samples(&alice(), "p", usize::MAX).await.map(|rows| rows.len()), Ok(3));
    assert_eq!(store.samples(&who("st-john", "alice"), "p", 10).await, Ok(vec![]), "another tenant");
    assert_eq!(store.samples(&alice(), "P", 10).await, Ok(vec![]), "another name");
}

async fn a_sample_added_twice_is_there_once_and_unchanged<S: DurableStore>(store: Arc<S>) {
    store.add_samples(&alice(), "p", vec![sample(1)]).await.expect("added");
    let again = SampleRow { sealed: vec![99], at: at(50), ..sample(1) };
    store.add_samples(&alice(), "p", vec![again, sample(2), sample(2)]).await.expect("added");
    assert_eq!(store.samples(&alice(), "p", 10).await, Ok(vec![sample(1), sample(2)]));
}

async fn the_newest_samples_are_kept<S: DurableStore>(store: Arc<S>) {
    let kept = u32::try_from(KEPT_SAMPLES).expect("small");
    store.add_samples(&alice(), "other", vec![sample(0)]).await.expect("added");
    store.add_samples(&alice(), "p", (0..kept + 30).map(sample).collect()).await.expect("added");
    // One that is older than all of them does not push a newer one out.
    store.add_samples(&alice(), "p", vec![SampleRow { at: at(-1), ..sample(9999) }]).await.expect("added");
    assert_eq!(store.samples(&alice(), "p", usize::MAX).await, Ok((30..kept + 30).map(sample).collect()));
    assert_eq!(store.samples(&alice(), "other", 10).await, Ok(vec![sample(0)]));
}

async fn concurrent_adds_lose_nothing<S: DurableStore + 'static>(store: Arc<S>) {
    let add = |n: usize, store: Arc<S>| async move {
        let n = u32::try_from(n).expect("small");
        // Each sample is added by two tasks.
        store.add_samples(&alice(), "p", vec![sample(n), sample(n / 2)]).await
    };
    assert!(race(&store, RACERS, add).await.iter().all(Result::is_ok));
    let expected: Vec<SampleRow> = (0..u32::try_from(RACERS).expect("small")).map(sample).collect();
    assert_eq!(store.samples(&alice(), "p", usize::MAX).await, Ok(expected));
}

async fn a_decision_is_retracted_under_every_name<S: DurableStore>(store: Arc<S>) {
    for name in ["b", "a", "c"] {
        store.add_samples(&alice(), name, vec![sample(1)]).await.expect("added");
    }
    store.add_samples(&alice(), "a", vec![sample(2)]).await.expect("added");
    store.add_samples(&alice(), "d", vec![sample(2)]).await.expect("added");
    let elsewhere = who("st-mary", "bob");
    store.add_samples(&elsewhere, "a", vec![sample(1)]).await.expect("added");

    let mut names = store.retract_samples(&alice(), decision(1)).await.expect("retracted");
    names.sort();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(store.retract_samples(&alice(), decision(1)).await, Ok(vec![]));
    assert_eq!(store.samples(&alice(), "a", 10).await, Ok(vec![sample(2)]));
    assert_eq!(store.samples(&alice(), "b", 10).await, Ok(vec![]));
    assert_eq!(store.samples(&elsewhere, "a", 10).await, Ok(vec![sample(1)]), "another subject's");
}

async fn clearing_a_name_leaves_the_others<S: DurableStore>(store: Arc<S>) {
    for name in ["p", "p%", "p/2"] {
        store.add_samples(&alice(), name, vec![sample(1)]).await.expect("added");
    }
    store.clear_samples(&alice(), "p%").await.expect("cleared");
    store.clear_samples(&alice(), "never").await.expect("nothing to clear");
    let left = [("p", 1), ("p%", 0), ("p/2", 1)];
    for (name, expected) in left {
        assert_eq!(store.samples(&alice(), name, 10).await.map(|rows| rows.len()), Ok(expected), "{name}");
    }
}
