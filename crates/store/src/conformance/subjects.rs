use std::sync::Arc;

use super::{RACERS, alice, at, awkward, checks, decision, race, tenant, who};
use crate::{AuditRow, CredentialRow, DurableStore, SampleRow, SubjectRow};
use keyward_domain::{CredentialId, SubjectKey};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        a_subject_is_there_after_it_was_ensured,
        a_subject_is_made_once,
        awkward_subjects_are_told_apart,
        erasing_removes_everything_of_the_subject_and_nothing_else,
        erasing_what_is_not_there_says_so,
    );
}

fn row(key: &[u8]) -> SubjectRow {
    SubjectRow { wrapped_key: key.to_vec(), created_at: at(7) }
}

async fn a_subject_is_there_after_it_was_ensured<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.subject(&alice()).await, Ok(None));
    assert_eq!(store.ensure_subject(&alice(), row(b"one")).await, Ok(row(b"one")));
    assert_eq!(
        store.ensure_subject(&alice(), row(b"two")).await,
        Ok(row(b"one")),
        "the row that was there stays"
    );
    assert_eq!(store.subject(&alice()).await, Ok(Some(row(b"one"))));
}

async fn a_subject_is_made_once<S: DurableStore + 'static>(store: Arc<S>) {
    let ensure =
        |n: usize, store: Arc<S>| async move { store.ensure_subject(&alice(), row(&n.to_be_bytes())).await };
    let rows = race(&store, RACERS, ensure).await;
    assert!(rows[0].is_ok() && rows.iter().all(|row| *row == rows[0]), "all must get the same row: {rows:?}");
    assert_eq!(store.subject(&alice()).await, rows[0].clone().map(Some));
}

async fn awkward_subjects_are_told_apart<S: DurableStore>(store: Arc<S>) {
    for (n, subject) in awkward().iter().enumerate() {
        assert_eq!(store.subject(subject).await, Ok(None), "{subject:?} before it was made");
        store.ensure_subject(subject, row(&n.to_be_bytes())).await.expect("made");
    }
    for (n, subject) in awkward().iter().enumerate() {
        assert_eq!(store.subject(subject).await, Ok(Some(row(&n.to_be_bytes()))), "{subject:?}");
    }
}

async fn fill<S: DurableStore>(store: &S, subject: &SubjectKey, n: u8) {
    store.ensure_subject(subject, row(&[n])).await.expect("made");
    let credential = CredentialRow {
        id: CredentialId(vec![n; 16]),
        who: subject.clone(),
        credential: vec![n],
        name: "key".to_owned(),
        created_at: at(1),
        last_used_at: None,
        version: 1,
    };
    store.add_credential(credential).await.expect("added");
    store.put_document(subject, "profile", 0, vec![n], at(1)).await.expect("put");
    let sample = SampleRow { decision: decision(n.into()), at: at(1), sealed: vec![n] };
    store.add_samples(subject, "profile", vec![sample]).await.expect("added");
    store.append(vec![record(subject, n)]).await.expect("appended");
}

fn record(subject: &SubjectKey, n: u8) -> AuditRow {
    AuditRow {
        leaf_hash: [n; 32],
        tenant: subject.tenant.clone(),
        subject: Some(subject.subject.clone()),
        decision: Some(decision(n.into())),
        at: at(1),
        sealed: vec![n],
    }
}

async fn erasing_removes_everything_of_the_subject_and_nothing_else<S: DurableStore>(store: Arc<S>) {
    // The same subject id in another tenant, and another subject of the same tenant.
    let others = [who("st-john", "alice"), who("st-mary", "alice2")];
    fill(&*store, &alice(), 1).await;
    for (other, n) in others.iter().zip(2..) {
        fill(&*store, other, n).await;
    }
    assert_eq!(store.erase_subject(&alice()).await, Ok(true));

    assert_eq!(store.subject(&alice()).await, Ok(None));
    assert_eq!(store.credentials(&alice()).await, Ok(vec![]));
    assert_eq!(store.credential(&tenant("st-mary"), &CredentialId(vec![1; 16])).await, Ok(None));
    assert_eq!(store.document_names(&alice()).await, Ok(vec![]));
    assert_eq!(store.document_history(&alice(), "profile").await, Ok(vec![]));
    assert_eq!(store.samples(&alice(), "profile", 10).await, Ok(vec![]));
    let cleared = AuditRow { subject: None, ..record(&alice(), 1) };
    assert_eq!(store.read(0, 1).await, Ok(vec![(0, cleared)]), "the record stays, without the subject");

    for (other, n) in others.iter().zip(2_u8..) {
        assert_eq!(store.subject(other).await, Ok(Some(row(&[n]))));
        assert_eq!(store.credentials(other).await.map(|rows| rows.len()), Ok(1));
        assert_eq!(store.document_names(other).await, Ok(vec![("profile".to_owned(), 1)]));
        assert_eq!(store.samples(other, "profile", 10).await.map(|rows| rows.len()), Ok(1));
        let index = u64::from(n) - 1;
        assert_eq!(store.read(index, 1).await, Ok(vec![(index, record(other, n))]));
    }
    assert_eq!(
        store.put_document(&alice(), "profile", 0, vec![], at(2)).await,
        Ok(1),
        "versions begin again"
    );
}

async fn erasing_what_is_not_there_says_so<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.erase_subject(&alice()).await, Ok(false));
    fill(&*store, &alice(), 1).await;
    assert_eq!(store.erase_subject(&alice()).await, Ok(true));
    assert_eq!(store.erase_subject(&alice()).await, Ok(false));
}
