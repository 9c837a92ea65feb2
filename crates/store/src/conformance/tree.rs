use std::sync::Arc;

use super::{at, checks, race};
use crate::{CosignatureRow, DurableStore, KEPT_COSIGNATURES, StoreError, Tile, TreeHead};

pub(super) async fn all<S: DurableStore + 'static>(make: &impl AsyncFn() -> S) {
    checks!(make;
        there_is_no_tree_at_first,
        the_tree_advances_from_what_is_expected_only,
        tiles_grow_and_are_kept_apart,
        of_replicas_that_race_one_advances,
        cosignatures_are_kept_by_tree_and_witness,
        the_newest_cosignatures_are_kept,
    );
}

fn head(size: u64) -> TreeHead {
    TreeHead {
        size,
        signed_at: at(i64::try_from(size).expect("small")),
        note: format!("checkpoint of {size}\n"),
    }
}

fn tile(level: u8, index: u64, hashes: usize) -> Tile {
    let byte = u8::try_from(index % 251).expect("small") + level;
    Tile { level, index, hashes: vec![byte; hashes * 32] }
}

async fn there_is_no_tree_at_first<S: DurableStore>(store: Arc<S>) {
    assert_eq!(store.head().await, Ok(None));
    assert_eq!(store.tile(0, 0).await, Ok(None));
    assert_eq!(store.cosignatures().await, Ok(vec![]));
}

async fn the_tree_advances_from_what_is_expected_only<S: DurableStore>(store: Arc<S>) {
    let refused = store.advance(1, head(2), vec![tile(0, 0, 2)]).await;
    assert_eq!(refused, Err(StoreError::Conflict), "there is none yet");
    assert_eq!((store.head().await, store.tile(0, 0).await), (Ok(None), Ok(None)), "all or nothing");
    assert_eq!(store.advance(0, head(1), vec![tile(0, 0, 1)]).await, Ok(()));
    for stale in [0, 2] {
        let refused = store.advance(stale, head(3), vec![tile(0, 0, 3), tile(1, 0, 1)]).await;
        assert_eq!(refused, Err(StoreError::Conflict), "expected {stale}");
        assert_eq!(store.head().await, Ok(Some(head(1))));
        assert_eq!(store.tile(0, 0).await, Ok(Some(tile(0, 0, 1).hashes)));
        assert_eq!(store.tile(1, 0).await, Ok(None));
    }
    assert_eq!(store.advance(1, head(3), vec![tile(0, 0, 3)]).await, Ok(()));
    assert_eq!(store.head().await, Ok(Some(head(3))));
}

async fn tiles_grow_and_are_kept_apart<S: DurableStore>(store: Arc<S>) {
    let first: Vec<Tile> = (0..100).map(|index| tile(0, index, 256)).chain([tile(1, 0, 100)]).collect();
    assert_eq!(store.advance(0, head(25_600), first.clone()).await, Ok(()));
    let next = vec![tile(0, 100, 7), tile(1, 0, 101), tile(7, 0, 1), tile(0, 1 << 40, 1)];
    assert_eq!(store.advance(25_600, head(25_607), next.clone()).await, Ok(()));
    for tile in first[..100].iter().chain(&next) {
        assert_eq!(store.tile(tile.level, tile.index).await, Ok(Some(tile.hashes.clone())));
    }
    assert_eq!(store.tile(0, 101).await, Ok(None));
    assert_eq!(store.tile(2, 0).await, Ok(None));
    assert_eq!(store.tile(0, u64::MAX).await, Ok(None));
}

async fn of_replicas_that_race_one_advances<S: DurableStore + 'static>(store: Arc<S>) {
    const ROUNDS: u64 = 5;
    for round in 0..ROUNDS {
        let advance = |n: usize, store: Arc<S>| async move {
            let byte = u8::try_from(n).expect("small");
            let size = round + 1;
            let note = format!("by {n}");
            let tile = Tile { level: 0, index: round, hashes: vec![byte; 32] };
            store.advance(round, TreeHead { size, signed_at: at(0), note }, vec![tile]).await
        };
        let outcomes = race(&store, 10, advance).await;
        let won: Vec<usize> = (0..10).filter(|n| outcomes[*n].is_ok()).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        assert!(outcomes.iter().filter(|it| it.is_err()).all(|it| *it == Err(StoreError::Conflict)));
        let head = store.head().await.expect("read").expect("there");
        assert_eq!((head.size, head.note), (round + 1, format!("by {}", won[0])));
        let tile = store.tile(0, round).await.expect("read").expect("there");
        assert_eq!(usize::from(tile[0]), won[0], "tiles and checkpoint are by the same");
    }
}

fn cosignature(size: u64, witness: &str, line: &str) -> CosignatureRow {
    let note = format!("checkpoint of {size}\n");
    CosignatureRow { size, witness: witness.to_owned(), note, line: line.to_owned() }
}

async fn cosignatures_are_kept_by_tree_and_witness<S: DurableStore>(store: Arc<S>) {
    for (size, witness, line) in [(5, "b", "1"), (9, "a", "2"), (5, "a", "3"), (5, "b", "4")] {
        store.cosign(cosignature(size, witness, line)).await.expect("kept");
    }
    let expected = [(9, "a", "2"), (5, "a", "3"), (5, "b", "4")];
    let expected = expected.map(|(size, witness, line)| cosignature(size, witness, line));
    assert_eq!(store.cosignatures().await, Ok(expected.to_vec()));
}

async fn the_newest_cosignatures_are_kept<S: DurableStore>(store: Arc<S>) {
    let kept = KEPT_COSIGNATURES as u64;
    for size in 0..kept + 10 {
        store.cosign(cosignature(size, "a", "line")).await.expect("kept");
    }
    // One that comes late, under a tree that nobody asks for any more.
    store.cosign(cosignature(1, "b", "line")).await.expect("not refused");
    let sizes: Vec<u64> = store.cosignatures().await.expect("read").into_iter().map(|it| it.size).collect();
    assert_eq!(sizes, (10..kept + 10).rev().collect::<Vec<_>>());
}
