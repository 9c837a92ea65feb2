//! Whatever is done to a published log, verification finds it, and says which record or hash it was.

use std::cell::RefCell;
use std::collections::BTreeMap;

use keyward_audit::{
    Archive, Finding, KeyKind, NoteSigner, TileId, Trusted, Verification, bundle, entries_of, hashes_of,
    tiles_of, verify,
};
use proptest::prelude::*;

use crate::common::{Log, ORIGIN, log_of, signer};

/// A published log in memory.
#[derive(Clone)]
struct Published(BTreeMap<String, Vec<u8>>);

impl Archive for Published {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(path).cloned())
    }
}

fn published(log: &Log, signer: &NoteSigner) -> Published {
    let mut files = BTreeMap::from([("checkpoint".to_owned(), log.checkpoint().sign(signer).into_bytes())]);
    for tile in tiles_of(log.size) {
        if tile.level == 0 {
            let entries = hashes_of(&log.stored[&(0, tile.index)]).expect("hashes");
            files.insert(tile.entries_path(), bundle(&entries));
        }
        files.insert(tile.path(), log.published(tile));
    }
    Published(files)
}

fn checked(published: &Published, signer: &NoteSigner, previous: Option<&str>) -> Verification {
    let last = RefCell::new((0, 0));
    let trusted = Trusted { key: Some(signer.key()), previous };
    let verified = verify(published, &trusted, &mut |done, of| *last.borrow_mut() = (done, of));
    let (done, of) = last.into_inner();
    assert_eq!(done, of, "progress ends at the end");
    verified
}

fn findings(published: &Published, signer: &NoteSigner) -> Vec<Finding> {
    checked(published, signer, None).findings
}

const SIZES: [u64; 6] = [1, 255, 256, 700, 1024, 66_000];

#[test]
fn what_was_not_touched_is_right() {
    let key = signer(ORIGIN, KeyKind::Note);
    for size in SIZES {
        let log = log_of(size);
        let verified = checked(&published(&log, &key), &key, None);
        assert_eq!((verified.findings, verified.checkpoint), (vec![], Some(log.checkpoint())), "{size}");
    }
    assert_eq!(findings(&published(&log_of(0), &key), &key), vec![]);
}

#[test]
fn a_changed_removed_moved_or_added_record_is_named() {
    let key = signer(ORIGIN, KeyKind::Note);
    for size in [300, 700, 1024] {
        let whole = published(&log_of(size), &key);
        for index in 0..size.div_ceil(256) {
            let width = usize::try_from(size - index * 256).expect("small").min(256);
            let path = TileId { level: 0, index, width }.entries_path();
            let spoilt = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
                let bytes = &whole.0[&path];
                let mut entries: Vec<Vec<u8>> =
                    entries_of(bytes).expect("a bundle").into_iter().map(<[u8]>::to_vec).collect();
                change(&mut entries);
                let mut spoilt = whole.clone();
                let written = entries
                    .iter()
                    .flat_map(|e| [&[0, u8::try_from(e.len()).expect("short")], &e[..]].concat());
                spoilt.0.insert(path.clone(), written.collect());
                findings(&spoilt, &key)
            };
            let first = index * 256;
            let changed = spoilt(&|entries| entries[5][7] ^= 1);
            assert_eq!(changed, [Finding::Changed { record: first + 5 }]);
            let shorter = spoilt(&|entries| entries[5].truncate(31));
            assert_eq!(shorter, [Finding::Changed { record: first + 5 }]);
            let moved = spoilt(&|entries| entries.swap(3, 9));
            let expected =
                [(3, 9), (9, 3)].map(|(n, to)| Finding::Moved { record: first + n, to: first + to });
            assert_eq!(moved, expected);
            let removed = spoilt(&|entries| drop(entries.remove(width - 1)));
            assert_eq!(removed, [Finding::Removed { record: first + width as u64 - 1 }]);
            let removed = spoilt(&|entries| drop(entries.remove(0)));
            assert_eq!(removed[0], Finding::Removed { record: first });
            assert_eq!(removed[1], Finding::Moved { record: first + 1, to: first });
            let added = spoilt(&|entries| entries.push(vec![1; 32]));
            assert!(added.contains(&Finding::Added { path: path.clone(), entries: 1 }), "{added:?}");
            let mut gone = whole.clone();
            gone.0.remove(&path);
            assert_eq!(
                findings(&gone, &key),
                [Finding::File { path: path.clone(), what: "is missing".to_owned() }]
            );
            let mut cut = whole.clone();
            cut.0.get_mut(&path).expect("there").pop();
            assert!(!findings(&cut, &key).is_empty());
        }
    }
}

#[test]
fn a_changed_hash_of_any_tile_is_named() {
    let key = signer(ORIGIN, KeyKind::Note);
    for size in [1, 300, 700, 66_000] {
        let log = log_of(size);
        let whole = published(&log, &key);
        for tile in tiles_of(size).filter(|tile| tile.level > 0 || tile.index < 2 || tile.width < 256) {
            let mut spoilt = whole.clone();
            let place = tile.width / 2;
            spoilt.0.get_mut(&tile.path()).expect("there")[place * 32] ^= 1;
            let span = 256_u64.pow(u32::from(tile.level));
            let from = (tile.index * 256 + place as u64) * span;
            let (path, to) = (tile.path(), from + span - 1);
            assert_eq!(findings(&spoilt, &key), [Finding::Hash { path, place, from, to }], "{size} {tile:?}");
            let mut gone = whole.clone();
            gone.0.remove(&tile.path());
            assert!(!findings(&gone, &key).is_empty(), "{tile:?} is gone");
        }
    }
}

#[test]
fn records_that_were_changed_together_with_their_hashes_are_found() {
    let key = signer(ORIGIN, KeyKind::Note);
    let log = log_of(700);
    let mut spoilt = published(&log, &key);
    let tile = TileId { level: 0, index: 1, width: 256 };
    let mut entries = hashes_of(&log.stored[&(0, 1)]).expect("hashes");
    entries[9][0] ^= 1;
    spoilt.0.insert(tile.entries_path(), bundle(&entries));
    let hashes = entries.iter().flat_map(|entry| keyward_audit::leaf_hash(entry)).collect();
    spoilt.0.insert(tile.path(), hashes);
    assert_eq!(findings(&spoilt, &key), [Finding::Replaced { from: 256, to: 511 }]);
}

#[test]
fn a_rewritten_or_shortened_log_is_found_by_an_earlier_checkpoint() {
    let key = signer(ORIGIN, KeyKind::Note);
    let log = log_of(700);
    let whole = published(&log, &key);
    let earlier = |size: u64| log_of(size).checkpoint().sign(&key);
    for size in [1, 256, 300, 512, 699, 700] {
        assert_eq!(checked(&whole, &key, Some(&earlier(size))).findings, [], "{size}");
    }
    let shortened = checked(&whole, &key, Some(&earlier(701))).findings;
    assert_eq!(shortened, [Finding::Shortened { from: 701, to: 700 }]);
    // The operator signs another history.
    let mut other = log_of(600);
    other.root[0] ^= 1;
    let note = other.checkpoint().sign(&key);
    assert_eq!(checked(&whole, &key, Some(&note)).findings, [Finding::Rewritten { size: 600 }]);
    let stranger = signer(ORIGIN, KeyKind::Note);
    let found = checked(&whole, &key, Some(&log.checkpoint().sign(&stranger))).findings;
    assert!(matches!(found[..], [Finding::Previous(_)]), "{found:?}");
}

#[test]
fn a_checkpoint_that_is_not_the_logs_is_refused() {
    let (key, stranger) = (signer(ORIGIN, KeyKind::Note), signer(ORIGIN, KeyKind::Note));
    let mut log = log_of(300);
    let found = findings(&published(&log, &stranger), &key);
    assert!(matches!(found[..], [Finding::Checkpoint(_)]), "{found:?}");
    log.root[0] ^= 1;
    assert_eq!(findings(&published(&log, &key), &key), [Finding::Root]);
    assert!(matches!(findings(&Published(BTreeMap::new()), &key)[..], [Finding::Checkpoint(_)]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_flipped_bit_of_any_file_is_found(
        size in 1..1_200_u64, file in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let key = signer(ORIGIN, KeyKind::Note);
        let mut spoilt = published(&log_of(size), &key);
        let path = spoilt.0.keys().nth(file.index(spoilt.0.len())).cloned().unwrap();
        let bytes = spoilt.0.get_mut(&path).unwrap();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let found = findings(&spoilt, &key);
        prop_assert!(!found.is_empty(), "{path}, bit {bit}");
        // An entry or a hash is named, and nothing that was not touched.
        if let Some(first) = path.strip_prefix("tile/0/") {
            let place = bit / 256;
            let index: u64 = first[..3].parse().unwrap();
            let from = index * 256 + place as u64;
            prop_assert_eq!(found, [Finding::Hash { path, place, from, to: from }]);
        }
    }

    #[test]
    fn any_removed_or_reordered_record_is_found(
        size in 2..1_200_u64, one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), remove: bool,
    ) {
        let key = signer(ORIGIN, KeyKind::Note);
        let log = log_of(size);
        let mut spoilt = published(&log, &key);
        let mut all: Vec<keyward_audit::Hash> = Vec::new();
        for index in 0..size.div_ceil(256) {
            all.extend(hashes_of(&log.stored[&(0, index)]).unwrap());
        }
        let (one, other) = (one.index(all.len()), other.index(all.len()));
        if remove {
            // Everything behind it moves up, and something else fills the end.
            all.remove(one);
            all.push([9; 32]);
        } else if one == other {
            return Ok(());
        } else {
            all.swap(one, other);
        }
        for (index, entries) in (0..).zip(all.chunks(256)) {
            let tile = TileId { level: 0, index, width: entries.len() };
            spoilt.0.insert(tile.entries_path(), bundle(entries));
        }
        let found = findings(&spoilt, &key);
        let about = |record: usize| found.iter().any(|finding| match finding {
            Finding::Changed { record: at } | Finding::Removed { record: at } | Finding::Moved { record: at, .. } => {
                *at == record as u64
            }
            _ => false,
        });
        prop_assert!(about(one) && (remove || about(other)), "{one} {other} {remove} {found:?}");
    }
}
