use std::collections::HashMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use keyward_audit::{Checkpoint, Edge, Hash, KeyKind, NoteSigner, TileId, Tiles, TreeError, commitment_to};

/// The log of the tests.
pub(crate) const ORIGIN: &str = "example.org/log";

/// A log in memory, in the form of the store.
pub(crate) struct Log {
    pub(crate) size: u64,
    pub(crate) stored: HashMap<(u8, u64), Vec<u8>>,
    pub(crate) root: Hash,
}

pub(crate) fn entry(n: u64) -> Hash {
    commitment_to(&n.to_be_bytes())
}

pub(crate) fn log_of(size: u64) -> Log {
    let mut edge = Edge::default();
    (0..size).for_each(|n| edge.push(entry(n)));
    let stored = edge.take_tiles().into_iter().map(|(id, bytes)| ((id.level, id.index), bytes)).collect();
    Log { size, stored, root: edge.root() }
}

impl Log {
    /// Asks the tree, and brings the tiles that it names.
    pub(crate) fn ask<T>(&self, question: impl Fn(&Tiles) -> Result<T, TreeError>) -> T {
        let mut tiles = Tiles::default();
        loop {
            match question(&tiles) {
                Err(TreeError::Missing(id)) => {
                    tiles.insert(id, &self.stored[&(id.level, id.index)]).expect("a tile");
                }
                answer => return answer.expect("an answer"),
            }
        }
    }

    /// A tile as it is published.
    pub(crate) fn published(&self, id: TileId) -> Vec<u8> {
        let stored = &self.stored[&(id.level, id.index)][..id.width * 32];
        let (hashes, _) = stored.as_chunks::<32>();
        match id.level {
            0 => hashes.iter().flat_map(|entry| keyward_audit::leaf_hash(entry)).collect(),
            _ => stored.to_vec(),
        }
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: ORIGIN.to_owned(), size: self.size, root: self.root }
    }
}

pub(crate) fn signer(name: &str, kind: KeyKind) -> NoteSigner {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    NoteSigner::from_pkcs8(name, kind, pkcs8.as_ref()).expect("a signer")
}
