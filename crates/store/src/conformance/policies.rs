use std::sync::Arc;

use super::{RACERS, at, checks, race};
use crate::{DurableStore, PolicyRow};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        a_policy_is_kept_as_it_is,
        what_is_kept_first_stays,
        policies_come_oldest_first,
        racing_replicas_keep_it_once,
    );
}

fn policy(n: u8) -> PolicyRow {
    // Texts of every length up to the longest, with what a text may hold.
    let text = format!("@id(\"{n}\") // é '; DROP TABLE --\r\n\t\u{1f512}").repeat(1 + usize::from(n) * 40);
    PolicyRow { digest: [n; 32], text, schema: format!("entity Role{n};"), since: at(n.into()) }
}

async fn a_policy_is_kept_as_it_is<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.policy(&[1; 32]).await, Ok(None));
    assert_eq!(store.policies().await, Ok(vec![]));
    for n in [1, 255] {
        store.keep_policy(policy(n)).await.expect("kept");
        assert_eq!(store.policy(&[n; 32]).await, Ok(Some(policy(n))));
    }
    let empty = PolicyRow { text: String::new(), schema: String::new(), ..policy(2) };
    store.keep_policy(empty.clone()).await.expect("kept");
    assert_eq!(store.policy(&[2; 32]).await, Ok(Some(empty)));
    assert_eq!(store.policy(&[3; 32]).await, Ok(None), "another digest");
}

async fn what_is_kept_first_stays<S: DurableStore>(store: Arc<S>) {
    store.keep_policy(policy(1)).await.expect("kept");
    let again = PolicyRow { since: at(99), text: "another".to_owned(), ..policy(1) };
    store.keep_policy(again).await.expect("it is there already");
    assert_eq!(store.policy(&[1; 32]).await, Ok(Some(policy(1))));
}

async fn policies_come_oldest_first<S: DurableStore>(store: Arc<S>) {
    for n in [2, 9, 1] {
        store.keep_policy(policy(n)).await.expect("kept");
    }
    let all = store.policies().await.expect("listed");
    assert_eq!(all, [1, 2, 9].map(|n: u8| ([n; 32], at(n.into()))));
}

async fn racing_replicas_keep_it_once<S: DurableStore + 'static>(store: Arc<S>) {
    let kept = race(&store, RACERS, |_, store| async move { store.keep_policy(policy(1)).await }).await;
    assert!(kept.iter().all(Result::is_ok), "{kept:?}");
    assert_eq!(store.policies().await.map(|all| all.len()), Ok(1));
}
