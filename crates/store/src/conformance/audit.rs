use std::sync::Arc;

use super::{alice, at, checks, decision, race, tenant, who};
use crate::{AuditRow, AuditSelection, DECISION_KIND, DurableStore};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        indices_begin_at_zero,
        concurrent_appends_leave_no_gap_and_keep_their_order,
        a_batch_larger_than_any_statement_is_one_append,
        reading_begins_and_ends_where_it_is_told,
        a_decision_is_found_in_its_tenant_alone,
        every_column_comes_back,
        commitments_are_read_in_order,
        a_selection_is_of_one_tenant_subject_and_kind,
        a_selection_keeps_to_its_indices_order_and_limit,
        an_erased_subject_is_in_no_selection,
        pruned_rows_are_gone_and_their_indices_are_not_given_again,
        the_newest_row_is_never_pruned,
    );
}

fn row(n: u32) -> AuditRow {
    AuditRow {
        commitment: [n.to_be_bytes()[3]; 32],
        kind: DECISION_KIND.to_owned(),
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
    let full =
        AuditRow { tenant: tenant("%:*'"), commitment: [255; 32], kind: "erased".to_owned(), ..row(2) };
    store.append(vec![bare.clone(), full.clone()]).await.expect("appended");
    assert_eq!(store.read(0, 10).await, Ok(vec![(0, bare), (1, full)]));
}

async fn commitments_are_read_in_order<S: DurableStore>(store: Arc<S>) {
    store.append((0..1000).map(row).collect()).await.expect("appended");
    let expected = |from: u64, to: u64| (from..to).map(|n| (n, [n.to_be_bytes()[7]; 32])).collect::<Vec<_>>();
    assert_eq!(store.commitments(0, usize::MAX).await, Ok(expected(0, 1000)));
    assert_eq!(store.commitments(255, 3).await, Ok(expected(255, 258)));
    assert_eq!(store.commitments(999, 3).await, Ok(expected(999, 1000)));
    assert_eq!(store.commitments(1000, 3).await, Ok(vec![]));
    assert_eq!(store.commitments(u64::MAX, 3).await, Ok(vec![]));
}

/// Everything of a tenant, oldest first.
fn all_of(name: &str) -> AuditSelection {
    let (indices, limit) = (0..u64::MAX, usize::MAX);
    AuditSelection { tenant: tenant(name), subject: None, kind: None, indices, newest_first: false, limit }
}

/// The indices that a selection finds; the rows must be those that were appended.
async fn found<S: DurableStore>(store: &S, what: AuditSelection, rows: &[AuditRow]) -> Vec<u64> {
    let found = store.select(&what).await.expect("selected");
    for (index, row) in &found {
        assert_eq!(row, &rows[usize::try_from(*index).expect("small")], "{what:?}");
    }
    found.into_iter().map(|(index, _)| index).collect()
}

async fn a_selection_is_of_one_tenant_subject_and_kind<S: DurableStore>(store: Arc<S>) {
    let bob = who("st-mary", "bob").subject;
    let event = |kind: &str, n| AuditRow { kind: kind.to_owned(), decision: None, ..row(n) };
    let rows = vec![
        row(0),
        AuditRow { subject: Some(bob.clone()), ..row(1) },
        event("erased", 2),
        AuditRow { subject: None, ..event("policy_changed", 3) },
        AuditRow { tenant: tenant("st-john"), ..event("erased", 4) },
        AuditRow { tenant: tenant("st-john"), ..row(5) },
        AuditRow { subject: Some(bob.clone()), ..event("erased", 6) },
        // A kind is what its column says, whatever else stands in the row.
        AuditRow { kind: "erased".to_owned(), ..row(7) },
    ];
    store.append(rows.clone()).await.expect("appended");
    let kind = |kind: &str| Some(kind.to_owned());
    let cases = [
        (all_of("st-mary"), vec![0, 1, 2, 3, 6, 7]),
        (all_of("st-john"), vec![4, 5]),
        (all_of("st-luke"), vec![]),
        (AuditSelection { subject: Some(bob.clone()), ..all_of("st-mary") }, vec![1, 6]),
        (AuditSelection { subject: Some(bob), ..all_of("st-john") }, vec![]),
        (AuditSelection { subject: Some(alice().subject), ..all_of("st-john") }, vec![4, 5]),
        (AuditSelection { kind: kind(DECISION_KIND), ..all_of("st-mary") }, vec![0, 1]),
        (AuditSelection { kind: kind("erased"), ..all_of("st-mary") }, vec![2, 6, 7]),
        (AuditSelection { kind: kind("%"), ..all_of("st-mary") }, vec![]),
    ];
    for (what, expected) in cases {
        assert_eq!(found(&*store, what.clone(), &rows).await, expected, "{what:?}");
    }
    let both = AuditSelection { subject: Some(alice().subject), kind: kind("erased"), ..all_of("st-mary") };
    assert_eq!(found(&*store, both, &rows).await, [2, 7]);
}

async fn a_selection_keeps_to_its_indices_order_and_limit<S: DurableStore>(store: Arc<S>) {
    let rows: Vec<AuditRow> = (0..20).map(row).collect();
    store.append(rows.clone()).await.expect("appended");
    let cases = [
        (5..8, false, 100, vec![5, 6, 7]),
        (5..8, true, 100, vec![7, 6, 5]),
        (5..8, false, 2, vec![5, 6]),
        (5..8, true, 2, vec![7, 6]),
        (18..u64::MAX, false, 100, vec![18, 19]),
        (0..u64::MAX, true, 1, vec![19]),
        (7..7, false, 100, vec![]),
        (0..20, false, 0, vec![]),
        (u64::MAX..u64::MAX, false, 100, vec![]),
    ];
    for (indices, newest_first, limit, expected) in cases {
        for subject in [None, Some(alice().subject)] {
            let indices = indices.clone();
            let what = AuditSelection { subject, indices, newest_first, limit, ..all_of("st-mary") };
            assert_eq!(found(&*store, what.clone(), &rows).await, expected, "{what:?}");
        }
    }
}

async fn an_erased_subject_is_in_no_selection<S: DurableStore>(store: Arc<S>) {
    store.append((0..3).map(row).collect()).await.expect("appended");
    store.erase_subject(&alice()).await.expect("erased");
    let hers = AuditSelection { subject: Some(alice().subject), ..all_of("st-mary") };
    assert_eq!(store.select(&hers).await, Ok(vec![]));
    let nameless: Vec<AuditRow> = (0..3).map(|n| AuditRow { subject: None, ..row(n) }).collect();
    assert_eq!(found(&*store, all_of("st-mary"), &nameless).await, [0, 1, 2]);
}

async fn pruned_rows_are_gone_and_their_indices_are_not_given_again<S: DurableStore>(store: Arc<S>) {
    let rows: Vec<AuditRow> = (0..600).map(row).collect();
    store.append(rows.clone()).await.expect("appended");
    assert_eq!(store.prune(512).await, Ok(512));
    assert_eq!(store.prune(512).await, Ok(0));
    assert_eq!(store.size().await, Ok(600));
    assert_eq!(store.read(0, 1).await, Ok(vec![(512, row(512))]));
    assert_eq!(store.commitments(0, 1).await, Ok(vec![(512, row(512).commitment)]));
    assert_eq!(store.by_decision(&tenant("st-mary"), decision(7)).await, Ok(None));
    assert_eq!(store.by_decision(&tenant("st-mary"), decision(513)).await, Ok(Some((513, row(513)))));
    assert_eq!(found(&*store, all_of("st-mary"), &rows).await, (512..600).collect::<Vec<_>>());
    assert_eq!(store.append(vec![row(600)]).await, Ok(600));
}

async fn the_newest_row_is_never_pruned<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.prune(10).await, Ok(0), "of an empty log");
    store.append((0..256).map(row).collect()).await.expect("appended");
    assert_eq!(store.prune(u64::MAX).await, Ok(255));
    assert_eq!(store.size().await, Ok(256));
    assert_eq!(store.read(0, 10).await, Ok(vec![(255, row(255))]));
    assert_eq!(store.append(vec![row(256)]).await, Ok(256));
}
