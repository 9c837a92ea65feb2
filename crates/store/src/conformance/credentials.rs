use std::sync::Arc;

use super::{RACERS, alice, at, checks, race, tenant, who};
use crate::{CredentialRow, DurableStore, StoreError};
use keyward_domain::{CredentialId, SubjectKey};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        a_passkey_comes_back_as_it_was_added,
        an_id_is_unique_within_its_tenant_alone,
        one_of_many_adds_of_an_id_wins,
        passkeys_are_listed_oldest_first,
        a_change_needs_the_version_that_is_stored,
        one_of_many_changes_wins,
        a_removed_passkey_is_gone,
        only_its_owner_changes_or_removes_a_passkey,
    );
}

fn row(who: &SubjectKey, id: u8, created: i64) -> CredentialRow {
    CredentialRow {
        id: CredentialId(vec![id, 0, 255, b'%']),
        who: who.clone(),
        credential: vec![id; 100],
        name: "Müller's key; --".to_owned(),
        created_at: at(created),
        last_used_at: None,
        version: 1,
    }
}

async fn a_passkey_comes_back_as_it_was_added<S: DurableStore>(store: Arc<S>) {
    let added = CredentialRow { last_used_at: Some(at(9)), ..row(&alice(), 1, 5) };
    store.add_credential(CredentialRow { version: 77, ..added.clone() }).await.expect("added");
    assert_eq!(
        store.credential(&tenant("st-mary"), &added.id).await,
        Ok(Some(added.clone())),
        "with version 1"
    );
    assert_eq!(store.credentials(&alice()).await, Ok(vec![added]));
    assert_eq!(store.credential(&tenant("st-mary"), &CredentialId(vec![9])).await, Ok(None));
}

async fn an_id_is_unique_within_its_tenant_alone<S: DurableStore>(store: Arc<S>) {
    store.add_credential(row(&alice(), 1, 5)).await.expect("added");
    assert_eq!(store.add_credential(row(&alice(), 1, 6)).await, Err(StoreError::Exists));
    assert_eq!(store.add_credential(row(&who("st-mary", "bob"), 1, 6)).await, Err(StoreError::Exists));
    let elsewhere = row(&who("st-john", "alice"), 1, 6);
    store.add_credential(elsewhere.clone()).await.expect("another tenant may have the same id");
    assert_eq!(store.credential(&tenant("st-mary"), &elsewhere.id).await, Ok(Some(row(&alice(), 1, 5))));
    assert_eq!(store.credential(&tenant("st-john"), &elsewhere.id).await, Ok(Some(elsewhere)));
}

async fn one_of_many_adds_of_an_id_wins<S: DurableStore + 'static>(store: Arc<S>) {
    let add = |n: usize, store: Arc<S>| async move {
        store.add_credential(row(&who("st-mary", &format!("subject-{n}")), 1, 5)).await
    };
    let outcomes = race(&store, RACERS, add).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(StoreError::Exists))),
        "{outcomes:?}"
    );
}

async fn passkeys_are_listed_oldest_first<S: DurableStore>(store: Arc<S>) {
    for (id, created) in [(3, 30), (1, 10), (2, 20)] {
        store.add_credential(row(&alice(), id, created)).await.expect("added");
    }
    let ids: Vec<u8> =
        store.credentials(&alice()).await.expect("read").iter().map(|row| row.id.0[0]).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(store.credentials(&who("st-john", "alice")).await, Ok(vec![]));
}

async fn a_change_needs_the_version_that_is_stored<S: DurableStore>(store: Arc<S>) {
    let added = row(&alice(), 1, 5);
    assert_eq!(store.update_credential(added.clone()).await, Err(StoreError::NotFound));
    store.add_credential(added.clone()).await.expect("added");
    let changed = CredentialRow {
        credential: vec![42],
        name: "renamed".to_owned(),
        last_used_at: Some(at(50)),
        ..added.clone()
    };
    store.update_credential(CredentialRow { created_at: at(99), ..changed.clone() }).await.expect("changed");
    let stored = CredentialRow { version: 2, ..changed.clone() };
    assert_eq!(store.credential(&tenant("st-mary"), &added.id).await, Ok(Some(stored.clone())));
    for version in [0, 1, 3, u64::MAX] {
        let stale = CredentialRow { version, name: "stale".to_owned(), ..changed.clone() };
        assert_eq!(store.update_credential(stale).await, Err(StoreError::Conflict), "version {version}");
    }
    assert_eq!(
        store.credential(&tenant("st-mary"), &added.id).await,
        Ok(Some(stored)),
        "unchanged by the others"
    );
}

async fn one_of_many_changes_wins<S: DurableStore + 'static>(store: Arc<S>) {
    store.add_credential(row(&alice(), 1, 5)).await.expect("added");
    let change = |n: usize, store: Arc<S>| async move {
        store.update_credential(CredentialRow { name: n.to_string(), ..row(&alice(), 1, 5) }).await
    };
    let outcomes = race(&store, RACERS, change).await;
    let winners: Vec<usize> = (0..RACERS).filter(|n| outcomes[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(StoreError::Conflict))),
        "{outcomes:?}"
    );
    let stored = store.credentials(&alice()).await.expect("read").remove(0);
    assert_eq!((stored.name, stored.version), (winners[0].to_string(), 2));
}

async fn a_removed_passkey_is_gone<S: DurableStore>(store: Arc<S>) {
    let added = row(&alice(), 1, 5);
    assert_eq!(store.remove_credential(&alice(), &added.id).await, Ok(false));
    store.add_credential(added.clone()).await.expect("added");
    assert_eq!(store.remove_credential(&alice(), &added.id).await, Ok(true));
    assert_eq!(store.remove_credential(&alice(), &added.id).await, Ok(false));
    assert_eq!(store.credential(&tenant("st-mary"), &added.id).await, Ok(None));
    assert_eq!(store.update_credential(added).await, Err(StoreError::NotFound));
}

async fn only_its_owner_changes_or_removes_a_passkey<S: DurableStore>(store: Arc<S>) {
    let added = row(&alice(), 1, 5);
    store.add_credential(added.clone()).await.expect("added");
    for other in [who("st-mary", "bob"), who("st-john", "alice")] {
        assert_eq!(store.remove_credential(&other, &added.id).await, Ok(false));
        let change = CredentialRow { who: other, ..added.clone() };
        assert_eq!(store.update_credential(change).await, Err(StoreError::NotFound));
    }
    assert_eq!(store.credentials(&alice()).await, Ok(vec![added]));
}
