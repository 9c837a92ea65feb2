#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod checkpoint;
mod hash;
mod leaf;
mod note;
mod proof;
mod record;
mod replay;
mod signals;
mod tile;
mod tree;
mod verify;

pub use checkpoint::Checkpoint;
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use leaf::{Leaf, SALT_BYTES, commitment_to};
pub use note::{KeyKind, Note, NoteError, NoteSigner, Signature, VerifierKey, is_name};
pub use proof::{InclusionProof, consistent, included};
pub use record::{
    AdministratorRead, BandLimits, DecisionRecord, Event, KeyChange, PasskeyChange, ProfileChange, Record,
    RecordError,
};
pub use replay::{Replay, hex, replay};
pub use tile::{TILE_WIDTH, TileId, bundle, entries_of, hashes_of, tiles_of, width_in};
pub use tree::{Edge, Tiles, TreeError};
pub use verify::{Archive, Finding, Trusted, Verification, verify};
