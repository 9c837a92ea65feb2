//! What both sides of a transfer must agree on: how many rows there are, every byte of them, and the log's root.

use aws_lc_rs::digest::{SHA256, digest};
use keyward_audit::{Hash, empty_root, hex, leaf_hash, node_hash};
use keyward_store::transfer::{Counts, Row};

use super::format::{Line, Totals};

/// Counts and hashes rows as they come: those of the log in order, the others in any.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: Counts,
    /// The sum of the rows' SHA-256, as little-endian numbers of 64 bits each: stores read rows in different orders.
    content: [u64; 4],
    root: Root,
}

impl Tally {
    /// Counts a row, and gives its line.
    pub(super) fn line(&mut self, row: Row) -> serde_json::Result<String> {
        self.counts.add(&row);
        if let Row::Record(_, record) = &row {
            self.root.add(leaf_hash(&record.commitment));
        }
        let line = serde_json::to_string(&Line::from(row))?;
        let digest = digest(&SHA256, line.as_bytes());
        for (sum, word) in self.content.iter_mut().zip(digest.as_ref().as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
        }
        Ok(line)
    }

    /// What came to now.
    pub(super) fn totals(&self) -> Totals {
        let Counts { subjects, credentials, documents, samples, records, tree, policies } = self.counts;
        let content: Vec<u8> = self.content.iter().flat_map(|word| word.to_le_bytes()).collect();
        let (log_root, content) = (hex(&self.root.hash()), hex(&content));
        Totals { subjects, credentials, documents, samples, records, tree, policies, log_root, content }
    }
}

/// The RFC 6962 root over entries that come one after the other.
#[derive(Debug, Default)]
struct Root {
    /// The perfect subtrees, largest first: how many entries each covers, and its hash.
    subtrees: Vec<(u64, Hash)>,
}

impl Root {
    fn add(&mut self, leaf: Hash) {
        let mut new = (1, leaf);
        while let Some(last) = self.subtrees.last().filter(|last| last.0 == new.0).copied() {
            self.subtrees.pop();
            new = (2 * new.0, node_hash(&last.1, &new.1));
        }
        self.subtrees.push(new);
    }

    fn hash(&self) -> Hash {
        let hashes = self.subtrees.iter().rev().map(|subtree| subtree.1);
        hashes.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962 §2.1, as it is written there.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            more => {
                let split = more.len().next_power_of_two() / 2;
                node_hash(&by_definition(&more[..split]), &by_definition(&more[split..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_standard() {
        let leaves: Vec<Hash> = (0..70_u8).map(|n| leaf_hash(&[n])).collect();
        let mut root = Root::default();
        assert_eq!(root.hash(), empty_root());
        for (n, leaf) in leaves.iter().enumerate() {
            root.add(*leaf);
            assert_eq!(root.hash(), by_definition(&leaves[..=n]), "{n}");
        }
    }
}
