//! `tlog_tiles` and `signed_note` are another implementation of the same specifications. They read what we publish.

use keyward_audit::{KeyKind, TileId, VerifierKey, bundle};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, HashReader, Tile, TileHashReader, TileReader, check_record, check_tree,
    prove_record, record_hash, stored_hash_index, tree_hash,
};

use crate::common::{Log, entry, log_of, signer};

const SIZES: [u64; 8] = [1, 2, 255, 256, 257, 700, 65_536, 65_800];

/// Serves what we publish by the paths of the specification; one bit of one tile may be wrong.
struct Published<'a> {
    log: &'a Log,
    flipped: Option<TileId>,
}

impl Published<'_> {
    fn get(&self, id: TileId) -> Vec<u8> {
        let mut bytes = self.log.published(id);
        if self.flipped.is_some_and(|it| (it.level, it.index) == (id.level, id.index)) {
            bytes[id.width * 16] ^= 1;
        }
        bytes
    }
}

impl TileReader for Published<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let width = usize::try_from(tile.width()).expect("small");
            let id = TileId { level: tile.level(), index: tile.level_index(), width };
            // Their paths name the height, which is fixed in ours.
            assert_eq!(id.path(), tile.path().replacen("tile/8/", "tile/", 1));
            self.get(id)
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn their(hash: &keyward_audit::Hash) -> Hash {
    Hash(*hash)
}

/// Every entry's hash, read and authenticated by their reader.
fn read_all(log: &Log, flipped: Option<TileId>) -> Result<Vec<Hash>, Error> {
    let published = Published { log, flipped };
    let reader = TileHashReader::new(log.size, their(&log.root), &published);
    let indexes: Vec<u64> = (0..log.size).map(|n| stored_hash_index(0, n)).collect();
    reader.read_hashes(&indexes)
}

#[test]
fn they_accept_every_tile_and_find_every_entry() {
    for size in SIZES {
        let log = log_of(size);
        let hashes = read_all(&log, None).expect("authentic");
        assert!(
            (0..size).all(|n| hashes[usize::try_from(n).expect("small")] == record_hash(&entry(n))),
            "{size}"
        );
        let published = Published { log: &log, flipped: None };
        let reader = TileHashReader::new(size, their(&log.root), &published);
        assert_eq!(tree_hash(size, &reader).expect("a root"), their(&log.root));
    }
}

/// Whether they accept the entry as part of the tree that the checkpoint names: by its hash in the tiles, and by the proof
/// that they make from the tiles. The proof is what counts: their reader of tiles takes some full ones on trust.
fn accept(log: &Log, flipped: TileId, index: u64) -> bool {
    let published = Published { log, flipped: Some(flipped) };
    let reader = TileHashReader::new(log.size, their(&log.root), &published);
    let leaf = record_hash(&entry(index));
    let read = reader.read_hashes(&[stored_hash_index(0, index)]);
    let proof = prove_record(log.size, index, &reader);
    let holds = |proof: &Vec<Hash>| check_record(proof, log.size, their(&log.root), index, leaf).is_ok();
    read.is_ok_and(|hashes| hashes == [leaf]) && proof.as_ref().is_ok_and(holds)
}

#[test]
fn they_reject_a_flipped_bit_in_any_tile() {
    for size in SIZES {
        let log = log_of(size);
        for ((level, index), stored) in &log.stored {
            let width = stored.len() / 32;
            let id = TileId { level: *level, index: *index, width };
            // The entries under the flipped hash, and those under its neighbour, whose proofs name it.
            let under = |hash: u64| (index * 256 + hash) << (8 * u32::from(*level));
            let flipped = width as u64 / 2;
            let entries = [under(flipped), under(flipped ^ 1)].into_iter().filter(|entry| *entry < size);
            let accepted = entries.filter(|entry| accept(&log, id, *entry)).collect::<Vec<_>>();
            let both = *level == 0 || width == 1;
            assert!(
                accepted.is_empty() || !both && accepted == [under(flipped)],
                "{size}: {id:?} {accepted:?}"
            );
        }
    }
}

#[test]
fn they_accept_our_proofs_and_we_make_the_ones_they_make() {
    for size in SIZES {
        let log = log_of(size);
        let published = Published { log: &log, flipped: None };
        let reader = TileHashReader::new(size, their(&log.root), &published);
        for index in [0, 1, 200, 255, 256, size / 2, size - 1].into_iter().filter(|index| *index < size) {
            let ours: Vec<Hash> = log.ask(|t| t.inclusion(index, size)).iter().map(their).collect();
            assert_eq!(ours, prove_record(size, index, &reader).expect("a proof"), "{index} in {size}");
            let leaf = record_hash(&entry(index));
            check_record(&ours, size, their(&log.root), index, leaf).expect("it holds");
            let other = record_hash(&entry(index + 1));
            assert!(check_record(&ours, size, their(&log.root), index, other).is_err());
        }
        for old in
            [1, 2, 3, 254, 256, 257, size / 2, size - 1].into_iter().filter(|it| (1..size).contains(it))
        {
            let ours: Vec<Hash> = log.ask(|t| t.consistency(old, size)).iter().map(their).collect();
            let old_root = their(&log.ask(|t| t.root(old)));
            check_tree(&ours, size, their(&log.root), old, old_root).expect("it holds");
            let other = their(&log.ask(|t| t.root(old.saturating_sub(1).max(old / 2))));
            assert!(other == old_root || check_tree(&ours, size, their(&log.root), old, other).is_err());
        }
    }
}

#[test]
fn they_accept_our_checkpoint_and_reject_it_with_a_flipped_bit() {
    let log = log_of(700);
    let ours = signer(crate::common::ORIGIN, KeyKind::Note);
    let text = log.checkpoint().sign(&ours);
    let verify = |text: &[u8], key: &VerifierKey| -> Result<Checkpoint, String> {
        let note = Note::from_bytes(text).map_err(|e| e.to_string())?;
        let key = StandardVerifier::new(&key.to_string()).map_err(|e| e.to_string())?;
        note.verify(&VerifierList::new(vec![Box::new(key)])).map_err(|e| e.to_string())?;
        Checkpoint::from_bytes(note.text()).map_err(|e| e.to_string())
    };
    let read = verify(text.as_bytes(), ours.key()).expect("accepted");
    assert_eq!((read.origin(), read.size(), read.hash()), (crate::common::ORIGIN, 700, &their(&log.root)));
    for at in 0..text.len() {
        let mut flipped = text.clone().into_bytes();
        flipped[at] ^= 1;
        assert!(verify(&flipped, ours.key()).is_err(), "byte {at}");
    }
    let another = signer(crate::common::ORIGIN, KeyKind::Note);
    assert!(verify(text.as_bytes(), another.key()).is_err());
}

#[test]
fn the_entries_of_a_bundle_are_what_they_hash() {
    let entries = [entry(0), entry(1)];
    let bytes = bundle(&entries);
    let read = keyward_audit::entries_of(&bytes).expect("a bundle");
    assert_eq!(
        read.iter().map(|entry| record_hash(entry)).collect::<Vec<_>>(),
        [record_hash(&entries[0]), record_hash(&entries[1])]
    );
}
