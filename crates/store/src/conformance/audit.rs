use std::sync::Arc;

use super::{alice, at, checks, decision, race, tenant};
use crate::{AuditRow, DurableStore};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        indices_begin_at_zero,
        concurrent_appends_leave_no_gap_and_keep_their_order,
        a_batch_larger_than_any_statement_is_one_append,
        reading_begins_and_ends_where_it_is_told,
        a_decision_is_found_in_its_tenant_alone,
        every_column_comes_back,
    );
}

fn row(n: u32) -> AuditRow {
    AuditRow {
        leaf_hash: [n.to_be_bytes()[3]; 32],
        tenant: tenant("st-mary"),
        subject: Some(alice().subject),
        decision: Some(decision(n.into())),
        at: at(n.into()),
        sealed: n.to_be_bytes().repeat(300),
    }
}

fn number(row: &AuditRow) -> u32 {
    u32::from_be_bytes(*row.sealed.first_chunk().expect("four bytes"))
}

async fn indices_begin_at_zero<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.size().await, Ok(0));
    assert_eq!(store.append(vec![row(0)]).await, Ok(0));
    assert_eq!(store.append(vec![row(1), row(2)]).await, Ok(1));
    assert_eq!(store.append(vec![row(3)]).await, Ok(3));
    assert_eq!(store.size().await, Ok(4));
    store.append(vec![]).await.expect("nothing to append");
    assert_eq!(store.size().await, Ok(4));
}

async fn concurrent_appends_leave_no_gap_and_keep_their_order<S: DurableStore + 'static>(store: Arc<S>) {
    const APPENDS: usize = 100;
    let append = |n: usize, store: Arc<S>| async move {
        let first = u32::try_from(n * 10).expect("small");
        let rows = u32::try_from(n % 5 + 1).expect("small");
        let index = store.append((first..first + rows).map(row).collect()).await.expect("appended");
        // What was acknowledged is seen at once.
        let seen = store.read(index, rows as usize).await.expect("read");
        assert!(
            seen.iter().map(|(_, row)| number(row)).eq(first..first + rows),
            "rows of one append are in order"
        );
        (index, u64::from(rows))
    };
    let mut given = race(&store, APPENDS, append).await;
    given.sort_unstable();
    let mut next = 0;
    for (index, rows) in given {
        assert_eq!(index, next, "an index was left out or given twice");
        next += rows;
    }
    assert_eq!(store.size().await, Ok(next));
    let all = store.read(0, usize::MAX).await.expect("read");
    assert!(all.iter().map(|(index, _)| *index).eq(0..next));
}

async fn a_batch_larger_than_any_statement_is_one_append<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.append((0..1000).map(row).collect()).await, Ok(0));
    assert_eq!(store.append((1000..1300).map(row).collect()).await, Ok(1000));
    let all = store.read(0, usize::MAX).await.expect("read");
    assert!(all.iter().map(|(_, row)| number(row)).eq(0..1300));
}

async fn reading_begins_and_ends_where_it_is_told<S: DurableStore>(store: Arc<S>) {
    store.append((0..10).map(row).collect()).await.expect("appended");
    assert_eq!(store.read(3, 2).await, Ok(vec![(3, row(3)), (4, row(4))]));
    assert_eq!(store.read(9, 5).await, Ok(vec![(9, row(9))]));
    assert_eq!(store.read(10, 5).await, Ok(vec![]));
    assert_eq!(store.read(u64::MAX, 5).await, Ok(vec![]));
    assert_eq!(store.read(0, 0).await, Ok(vec![]));
}

async fn a_decision_is_found_in_its_tenant_alone<S: DurableStore>(store: Arc<S>) {
    store.append((0..10).map(row).collect()).await.expect("appended");
    assert_eq!(store.by_decision(&tenant("st-mary"), decision(7)).await, Ok(Some((7, row(7)))));
    assert_eq!(store.by_decision(&tenant("st-john"), decision(7)).await, Ok(None));
    assert_eq!(store.by_decision(&tenant("st-mary"), decision(77)).await, Ok(None));
    // A later record of the same decision does not hide the first.
    store.append(vec![row(7)]).await.expect("appended");
    assert_eq!(store.by_decision(&tenant("st-mary"), decision(7)).await, Ok(Some((7, row(7)))));
}

async fn every_column_comes_back<S: DurableStore>(store: Arc<S>) {
    let bare = AuditRow { subject: None, decision: None, sealed: vec![], at: at(-5), ..row(1) };
    let full = AuditRow { tenant: tenant("%:*'"), leaf_hash: [255; 32], ..row(2) };
    store.append(vec![bare.clone(), full.clone()]).await.expect("appended");
    assert_eq!(store.read(0, 10).await, Ok(vec![(0, bare), (1, full)]));
}
