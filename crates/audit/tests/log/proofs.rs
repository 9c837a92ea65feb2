//! Proofs hold for what they prove and for nothing else, whatever the tree.

use keyward_audit::{InclusionProof, consistent, included, leaf_hash};
use proptest::prelude::*;

use crate::common::{entry, log_of};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_inclusion_proof_holds_for_its_entry_place_and_tree_alone(
        size in 1..1_500_u64, at in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let log = log_of(size);
        let index = at.index(usize::try_from(size).unwrap()) as u64;
        let leaf = leaf_hash(&entry(index));
        let proof = log.ask(|tiles| tiles.inclusion(index, size));
        prop_assert!(included(&leaf, index, size, &proof, &log.root));
        prop_assert!(!included(&leaf_hash(&entry(index + 1)), index, size, &proof, &log.root));
        prop_assert!(!included(&leaf, size, size, &proof, &log.root));
        if index > 0 {
            prop_assert!(!included(&leaf, index - 1, size, &proof, &log.root));
        }
        if !proof.is_empty() {
            let mut changed = proof.clone();
            let bit = bit.index(proof.len() * 256);
            changed[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            prop_assert!(!included(&leaf, index, size, &changed, &log.root));
            prop_assert!(!included(&leaf, index, size, &proof[1..], &log.root));
        }
        let longer = [&proof[..], &[[0; 32]]].concat();
        prop_assert!(!included(&leaf, index, size, &longer, &log.root));
    }

    #[test]
    fn a_consistency_proof_holds_for_its_two_trees_alone(
        new in 2..1_500_u64, at in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let log = log_of(new);
        let old = 1 + at.index(usize::try_from(new - 1).unwrap()) as u64;
        let old_root = log.ask(|tiles| tiles.root(old));
        let proof = log.ask(|tiles| tiles.consistency(old, new));
        prop_assert!(consistent((old, &old_root), (new, &log.root), &proof));
        let mut other = old_root;
        other[0] ^= 1;
        prop_assert!(!consistent((old, &other), (new, &log.root), &proof));
        prop_assert!(!consistent((old, &old_root), (new, &other), &proof));
        prop_assert!(!consistent((new, &log.root), (old, &old_root), &proof));
        let mut changed = proof.clone();
        let bit = bit.index(proof.len() * 256);
        changed[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(!consistent((old, &old_root), (new, &log.root), &changed));
        prop_assert!(!consistent((old, &old_root), (new, &log.root), &proof[1..]));
    }
}

#[test]
fn a_tree_is_consistent_with_itself() {
    let log = log_of(7);
    assert!(consistent((7, &log.root), (7, &log.root), &[]));
    assert!(!consistent((7, &log.root), (7, &entry(0)), &[]));
    assert!(!consistent((0, &log.root), (7, &log.root), &[]));
}

#[test]
fn a_proof_travels_as_text() {
    let log = log_of(300);
    let hashes = log.ask(|tiles| tiles.inclusion(130, 300));
    let proof =
        InclusionProof { index: 130, hashes, checkpoint: "o\n300\nroot\n\n— o AAAAAA==\n".to_owned() };
    let text = proof.to_text();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 130\n"));
    assert_eq!(InclusionProof::parse(&text).as_ref(), Some(&proof));
    let extra = text.replacen("index", "extra AAAA\nindex", 1);
    assert_eq!(InclusionProof::parse(&extra), Some(proof));
    for bad in ["", "c2sp.org/tlog-proof@v2\nindex 1\n\nx", "c2sp.org/tlog-proof@v1\nindex 01\n\nx"] {
        assert_eq!(InclusionProof::parse(bad), None, "{bad}");
    }
}
