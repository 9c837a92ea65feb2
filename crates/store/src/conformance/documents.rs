use std::sync::Arc;

use super::{RACERS, alice, at, awkward, checks, race, who};
use crate::{DocumentVersion, DurableStore, KEPT_VERSIONS, StoreError};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        versions_rise_by_one_and_only_from_the_current,
        one_of_many_writes_wins,
        the_last_versions_are_kept_newest_first,
        names_come_in_order_with_their_versions,
        a_removed_document_is_gone_with_its_versions,
        a_write_does_not_bring_a_removed_document_back,
        documents_of_others_are_not_touched,
        a_large_document_comes_back_whole,
    );
}

async fn versions_rise_by_one_and_only_from_the_current<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.document(&alice(), "profile").await, Ok(None));
    assert_eq!(store.put_document(&alice(), "profile", 1, vec![], at(1)).await, Err(StoreError::Conflict));
    assert_eq!(store.put_document(&alice(), "profile", 0, vec![1], at(1)).await, Ok(1));
    assert_eq!(store.put_document(&alice(), "profile", 0, vec![9], at(2)).await, Err(StoreError::Conflict));
    assert_eq!(
        store.put_document(&alice(), "profile", u64::MAX, vec![9], at(2)).await,
        Err(StoreError::Conflict)
    );
    assert_eq!(store.put_document(&alice(), "profile", 1, vec![2], at(2)).await, Ok(2));
    let current = DocumentVersion { version: 2, written_at: at(2), sealed: vec![2] };
    assert_eq!(store.document(&alice(), "profile").await, Ok(Some(current)));
}

async fn one_of_many_writes_wins<S: DurableStore + 'static>(store: Arc<S>) {
    for round in 0..3 {
        let put = |n: usize, store: Arc<S>| async move {
            store.put_document(&alice(), "profile", round, n.to_be_bytes().to_vec(), at(1)).await
        };
        let outcomes = race(&store, RACERS, put).await;
        let winners: Vec<usize> = (0..RACERS).filter(|n| outcomes[*n] == Ok(round + 1)).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let lost = outcomes.iter().filter(|outcome| **outcome == Err(StoreError::Conflict)).count();
        assert_eq!(lost, RACERS - 1, "{outcomes:?}");
        let current = store.document(&alice(), "profile").await.expect("read").expect("there");
        assert_eq!(current.sealed, winners[0].to_be_bytes());
    }
}

async fn the_last_versions_are_kept_newest_first<S: DurableStore>(store: Arc<S>) {
    let written = KEPT_VERSIONS as u64 + 3;
    for version in 0..written {
        store.put_document(&alice(), "profile", version, vec![0], at(1)).await.expect("put");
    }
    let kept: Vec<u64> =
        store.document_history(&alice(), "profile").await.expect("read").iter().map(|v| v.version).collect();
    assert!(kept.len() >= KEPT_VERSIONS, "{kept:?}");
    assert!(kept.iter().copied().eq((1..=written).rev().take(kept.len())), "{kept:?}");
}

async fn names_come_in_order_with_their_versions<S: DurableStore>(store: Arc<S>) {
    for name in ["b", "a/x", "a", "%", "B"] {
        store.put_document(&alice(), name, 0, vec![], at(1)).await.expect("put");
    }
    store.put_document(&alice(), "a", 1, vec![], at(2)).await.expect("put");
    let expected = [("%", 1), ("B", 1), ("a", 2), ("a/x", 1), ("b", 1)].map(|(name, n)| (name.to_owned(), n));
    assert_eq!(store.document_names(&alice()).await, Ok(expected.to_vec()));
}

async fn a_removed_document_is_gone_with_its_versions<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.remove_document(&alice(), "profile").await, Ok(false));
    for version in 0..3 {
        store.put_document(&alice(), "profile", version, vec![], at(1)).await.expect("put");
    }
    store.put_document(&alice(), "profile/2", 0, vec![], at(1)).await.expect("put");
    assert_eq!(store.remove_document(&alice(), "profile").await, Ok(true));
    assert_eq!(store.document(&alice(), "profile").await, Ok(None));
    assert_eq!(store.document_history(&alice(), "profile").await, Ok(vec![]));
    assert_eq!(store.document_names(&alice()).await, Ok(vec![("profile/2".to_owned(), 1)]));
    assert_eq!(store.put_document(&alice(), "profile", 0, vec![], at(1)).await, Ok(1));
}

/// Whichever comes first: the write is removed with the rest, or finds nothing that it expects.
async fn a_write_does_not_bring_a_removed_document_back<S: DurableStore + 'static>(store: Arc<S>) {
    for round in 0..20 {
        for version in 0..3 {
            store.put_document(&alice(), "profile", version, vec![], at(1)).await.expect("put");
        }
        let both = |n: usize, store: Arc<S>| async move {
            if n == 0 {
                return store.remove_document(&alice(), "profile").await.map(u64::from);
            }
            store.put_document(&alice(), "profile", 3, vec![], at(1)).await
        };
        let outcomes = race(&store, 2, both).await;
        assert_eq!(outcomes[0], Ok(1), "round {round}: removed");
        assert!(matches!(outcomes[1], Ok(4) | Err(StoreError::Conflict)), "round {round}: {outcomes:?}");
        assert_eq!(store.document(&alice(), "profile").await, Ok(None), "round {round}: {outcomes:?}");
    }
}

async fn documents_of_others_are_not_touched<S: DurableStore>(store: Arc<S>) {
    let subjects = awkward();
    for (n, subject) in subjects.iter().enumerate() {
        let put = store.put_document(subject, "profile", 0, n.to_be_bytes().to_vec(), at(1)).await;
        assert_eq!(put, Ok(1), "{subject:?}");
    }
    store.remove_document(&who("a", "*"), "profile").await.expect("removed");
    for (n, subject) in subjects.iter().enumerate().filter(|(_, subject)| **subject != who("a", "*")) {
        let stored = store.document(subject, "profile").await.expect("read").map(|document| document.sealed);
        assert_eq!(stored, Some(n.to_be_bytes().to_vec()), "{subject:?}");
    }
}

async fn a_large_document_comes_back_whole<S: DurableStore>(store: Arc<S>) {
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 4]).collect();
    store.put_document(&alice(), "profile", 0, large.clone(), at(1)).await.expect("put");
    let stored = store.document(&alice(), "profile").await.expect("read").expect("there");
    assert!(stored.sealed == large, "{} bytes came back", stored.sealed.len());
}
