use std::sync::Arc;

use super::{RACERS, alice, at, awkward, checks, decision, race, tenant, who};
use crate::{
    AuditRow, CredentialRow, DocumentVersion, DurableStore, OpenedSubject, Removed, SampleRow, StoreError,
    SubjectRow,
};
use keyward_domain::{CredentialId, SubjectKey};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        a_subject_is_there_after_it_was_ensured,
        a_subject_is_made_once,
        awkward_subjects_are_told_apart,
        a_subject_opens_with_the_documents_that_were_named,
        erasing_removes_everything_of_the_subject_and_nothing_else,
        erasing_what_is_not_there_says_so,
        pages_hold_every_subject_once_and_in_order,
        subjects_that_come_and_go_do_not_hide_others,
        a_wrapped_key_is_replaced_if_it_is_the_one_expected,
        of_two_that_replace_a_wrapped_key_one_does,
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

async fn a_subject_opens_with_the_documents_that_were_named<S: DurableStore>(store: Arc<S>) {
    let version = |version: u64, byte: u8| DocumentVersion {
        version,
        written_at: at(i64::from(byte)),
        sealed: vec![byte],
    };
    store.put_document(&alice(), "p", 0, vec![1], at(1)).await.expect("put");
    assert_eq!(store.open_subject(&alice(), &["p"]).await, Ok(None), "documents without a row are nobody's");
    store.ensure_subject(&alice(), row(b"one")).await.expect("made");
    store.put_document(&alice(), "p", 1, vec![2], at(2)).await.expect("put");
    store.put_document(&alice(), "p%", 0, vec![3], at(3)).await.expect("put");
    store.put_document(&alice(), "unasked", 0, vec![4], at(4)).await.expect("put");
    store.put_document(&who("st-mary", "bob"), "bobs", 0, vec![5], at(5)).await.expect("put");
    let expected = OpenedSubject {
        row: row(b"one"),
        documents: vec![
            ("p%".to_owned(), Some(version(1, 3))),
            ("bobs".to_owned(), None),
            ("p".to_owned(), Some(version(2, 2))),
        ],
    };
    assert_eq!(store.open_subject(&alice(), &["p%", "bobs", "p"]).await, Ok(Some(expected)));
    let bare = OpenedSubject { row: row(b"one"), documents: vec![] };
    assert_eq!(store.open_subject(&alice(), &[]).await, Ok(Some(bare)));
    assert_eq!(store.open_subject(&who("st-john", "alice"), &["p"]).await, Ok(None), "another tenant");
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
        commitment: [n; 32],
        kind: crate::DECISION_KIND.to_owned(),
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
    store.put_document(&alice(), "profile", 1, vec![1], at(2)).await.expect("a second version");
    let removed = Removed { subject: true, credentials: 1, documents: 2, samples: 1, audit_records: 1 };
    assert_eq!(store.erase_subject(&alice()).await, Ok(removed));

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
    assert_eq!(store.erase_subject(&alice()).await, Ok(Removed::default()));
    fill(&*store, &alice(), 1).await;
    let removed = Removed { subject: true, credentials: 1, documents: 1, samples: 1, audit_records: 1 };
    assert_eq!(store.erase_subject(&alice()).await, Ok(removed));
    assert_eq!(store.erase_subject(&alice()).await, Ok(Removed::default()));
}

/// All subjects, read in pages of a size.
async fn paged<S: DurableStore>(store: &S, size: usize) -> Vec<(SubjectKey, SubjectRow)> {
    let mut all: Vec<(SubjectKey, SubjectRow)> = Vec::new();
    loop {
        let page = store.subjects_after(all.last().map(|(who, _)| who), size).await.expect("a page");
        assert!(page.len() <= size);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

async fn pages_hold_every_subject_once_and_in_order<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.subjects_after(None, 10).await, Ok(vec![]));
    assert_eq!(store.subject_count().await, Ok(0));
    let mut expected = Vec::new();
    for (n, subject) in awkward().into_iter().enumerate() {
        store.ensure_subject(&subject, row(&n.to_be_bytes())).await.expect("made");
        expected.push((subject, row(&n.to_be_bytes())));
    }
    expected.sort_by(|(one, _), (other, _)| one.cmp(other));
    for size in [1, 2, 5, expected.len(), 1000] {
        assert_eq!(paged(&*store, size).await, expected, "in pages of {size}");
    }
    assert_eq!(store.subject_count().await, Ok(expected.len() as u64));
    assert_eq!(store.subjects_after(None, 0).await, Ok(vec![]));
}

async fn subjects_that_come_and_go_do_not_hide_others<S: DurableStore>(store: Arc<S>) {
    for name in ["b", "d", "f"] {
        store.ensure_subject(&who("t", name), row(b"k")).await.expect("made");
    }
    let last = who("t", "b");
    store.erase_subject(&last).await.expect("erased");
    store.ensure_subject(&who("t", "a"), row(b"k")).await.expect("made");
    store.ensure_subject(&who("t", "e"), row(b"k")).await.expect("made");
    let rest = store.subjects_after(Some(&last), 10).await.expect("a page");
    let names: Vec<&str> = rest.iter().map(|(who, _)| who.subject.as_str()).collect();
    assert_eq!(names, ["d", "e", "f"], "the page goes on after a subject that is gone");
}

async fn a_wrapped_key_is_replaced_if_it_is_the_one_expected<S: DurableStore>(store: Arc<S>) {
    let replace = |expected: &'static [u8], new: &'static [u8]| {
        let store = store.clone();
        async move { store.replace_wrapped_key(&alice(), expected, new.to_vec()).await }
    };
    assert_eq!(replace(b"one", b"two").await, Err(StoreError::NotFound));
    store.ensure_subject(&alice(), row(b"one")).await.expect("made");
    store.ensure_subject(&who("st-john", "alice"), row(b"one")).await.expect("made");
    assert_eq!(replace(b"One", b"two").await, Err(StoreError::Conflict));
    assert_eq!(replace(b"one", b"two").await, Ok(()));
    assert_eq!(store.subject(&alice()).await, Ok(Some(row(b"two"))), "all but the key is as it was");
    assert_eq!(store.subject(&who("st-john", "alice")).await, Ok(Some(row(b"one"))));
    assert_eq!(replace(b"one", b"two").await, Err(StoreError::Conflict), "repeated");
    store.erase_subject(&alice()).await.expect("erased");
    assert_eq!(replace(b"two", b"one").await, Err(StoreError::NotFound), "an erased key does not come back");
    assert_eq!(store.subject(&alice()).await, Ok(None));
}

async fn of_two_that_replace_a_wrapped_key_one_does<S: DurableStore + 'static>(store: Arc<S>) {
    store.ensure_subject(&alice(), row(b"old")).await.expect("made");
    let replace = |n: usize, store: Arc<S>| async move {
        (n, store.replace_wrapped_key(&alice(), b"old", n.to_be_bytes().to_vec()).await)
    };
    let done = race(&store, RACERS, replace).await;
    let won: Vec<usize> = done.iter().filter(|(_, done)| done.is_ok()).map(|(n, _)| *n).collect();
    assert_eq!(won.len(), 1, "{done:?}");
    let lost = |done: &(usize, Result<(), StoreError>)| done.1 == Err(StoreError::Conflict);
    assert_eq!(done.iter().filter(|done| lost(done)).count(), RACERS - 1, "{done:?}");
    assert_eq!(store.subject(&alice()).await, Ok(Some(row(&won[0].to_be_bytes()))));
}
