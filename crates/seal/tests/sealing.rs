//! What opens, and what must not.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keyward_domain::{Entropy, SubjectId, SubjectKey, TenantId};
use keyward_seal::{Bound, DataKey, DataSecret, KeyRing, SealError};
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64 over a counter: reproducible, for tests alone.
struct Seeded(AtomicU64);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

fn who(tenant: &str, subject: &str) -> SubjectKey {
    SubjectKey { tenant: TenantId::parse(tenant).unwrap(), subject: SubjectId::parse(subject).unwrap() }
}

fn key(seed: u64) -> DataKey {
    DataSecret::generate(&Seeded::new(seed)).sealing_key("data")
}

proptest! {
    #[test]
    fn what_was_sealed_opens(plaintext in proptest::collection::vec(any::<u8>(), 0..2048), version: u64) {
        let (key, mary) = (key(1), who("t", "mary"));
        let bound = Bound { who: &mary, kind: "document", name: "n", version };
        let sealed = key.seal(&bound, &plaintext, &Seeded::new(2));
        prop_assert_eq!(sealed.len(), plaintext.len() + 33);
        prop_assert_eq!(key.open(&bound, &sealed), Ok(plaintext));
    }

    #[test]
    fn every_flipped_bit_is_refused(plaintext in proptest::collection::vec(any::<u8>(), 0..64), at: prop::sample::Index) {
        let (key, mary) = (key(1), who("t", "mary"));
        let bound = Bound { who: &mary, kind: "document", name: "n", version: 1 };
        let mut sealed = key.seal(&bound, &plaintext, &Seeded::new(2));
        let bit = at.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(key.open(&bound, &sealed).is_err());
    }

    #[test]
    fn every_cut_is_refused(at: prop::sample::Index) {
        let (key, mary) = (key(1), who("t", "mary"));
        let bound = Bound { who: &mary, kind: "document", name: "n", version: 1 };
        let sealed = key.seal(&bound, b"forty-one bytes of something that is kept", &Seeded::new(2));
        prop_assert!(key.open(&bound, &sealed[..at.index(sealed.len())]).is_err());
    }

    #[test]
    fn another_binding_is_refused(
        a in ("[a-c]{1,3}", "[a-c]{1,3}", "[a-c]{0,3}", "[a-c]{0,3}", 0_u64..3),
        b in ("[a-c]{1,3}", "[a-c]{1,3}", "[a-c]{0,3}", "[a-c]{0,3}", 0_u64..3),
    ) {
        let key = key(1);
        let (mary, other) = (who(&a.0, &a.1), who(&b.0, &b.1));
        let sealed_for = Bound { who: &mary, kind: &a.2, name: &a.3, version: a.4 };
        let opened_for = Bound { who: &other, kind: &b.2, name: &b.3, version: b.4 };
        let sealed = key.seal(&sealed_for, b"x", &Seeded::new(2));
        prop_assert_eq!(key.open(&opened_for, &sealed).is_ok(), a == b);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        let mary = who("t", "mary");
        let bound = Bound { who: &mary, kind: "k", name: "n", version: 0 };
        prop_assert!(key(1).open(&bound, &bytes).is_err());
        prop_assert!(KeyRing::generate(&Seeded::new(1)).unwrap(&mary, &bytes).is_err());
        prop_assert!(KeyRing::parse(&text).is_err());
    }
}

#[test]
fn each_of_the_five_bound_values_counts() {
    let (key, mary) = (key(1), who("t", "mary"));
    let bound = Bound { who: &mary, kind: "document", name: "n", version: 1 };
    let sealed = key.seal(&bound, b"x", &Seeded::new(2));
    let (tenant, subject) = (who("u", "mary"), who("t", "joan"));
    for other in [
        Bound { who: &tenant, ..bound },
        Bound { who: &subject, ..bound },
        Bound { kind: "sample", ..bound },
        Bound { name: "m", ..bound },
        Bound { version: 0, ..bound },
    ] {
        assert_eq!(key.open(&other, &sealed), Err(SealError::Refused), "{other:?}");
    }
    assert_eq!(key.open(&bound, &sealed), Ok(b"x".to_vec()));
}

#[test]
fn equal_plaintexts_give_different_ciphertexts() {
    let (key, mary, entropy) = (key(1), who("t", "mary"), Seeded::new(9));
    let bound = Bound { who: &mary, kind: "k", name: "n", version: 1 };
    assert_ne!(key.seal(&bound, b"same", &entropy), key.seal(&bound, b"same", &entropy));
}

#[test]
fn a_wrapped_key_opens_for_its_subject_alone() {
    let entropy = Seeded::new(3);
    let ring = KeyRing::generate(&entropy);
    let mary = who("t", "mary");
    let secret = DataSecret::generate(&entropy);
    let wrapped = ring.wrap(&mary, &secret, &entropy);
    assert_eq!(ring.unwrap(&mary, &wrapped).unwrap().expose(), secret.expose());
    for other in [who("t", "joan"), who("u", "mary"), who("tm", "ary")] {
        assert_eq!(ring.unwrap(&other, &wrapped).err(), Some(SealError::Refused));
    }
    assert_eq!(KeyRing::generate(&Seeded::new(4)).unwrap(&mary, &wrapped).err(), Some(SealError::Refused));
}

#[test]
fn rotation_unwraps_the_old_and_wraps_with_the_new() {
    let entropy = Seeded::new(5);
    let old = KeyRing::generate(&entropy);
    let new = old.rotated(&entropy);
    assert_eq!(new.ids(), [2, 1]);
    let mary = who("t", "mary");
    let secret = DataSecret::generate(&entropy);
    let (wrapped, rewrapped) = (old.wrap(&mary, &secret, &entropy), new.wrap(&mary, &secret, &entropy));
    assert_eq!((KeyRing::id_of(&wrapped), KeyRing::id_of(&rewrapped)), (Ok(1), Ok(2)));
    assert_eq!(new.unwrap(&mary, &wrapped).unwrap().expose(), secret.expose());
    assert_eq!(new.unwrap(&mary, &rewrapped).unwrap().expose(), secret.expose());
    assert_eq!(old.unwrap(&mary, &rewrapped).err(), Some(SealError::UnknownKey { id: 2 }));
    let dropped = new.without(1).expect("it is not current");
    assert_eq!(dropped.unwrap(&mary, &wrapped).err(), Some(SealError::UnknownKey { id: 1 }));
    assert!(dropped.unwrap(&mary, &rewrapped).is_ok());
}

#[test]
fn a_prepared_key_unwraps_before_it_wraps() {
    let entropy = Seeded::new(6);
    let first = KeyRing::generate(&entropy);
    let prepared = first.prepared(&entropy);
    assert_eq!((prepared.ids(), prepared.prepared_id()), (vec![1, 2], Some(2)));
    assert_eq!(prepared.prepared(&entropy).ids(), [1, 2], "one is enough");
    let rotated = prepared.rotated(&entropy);
    assert_eq!((rotated.ids(), rotated.prepared_id()), (vec![2, 1], None));
    let (mary, secret) = (who("t", "mary"), DataSecret::generate(&entropy));
    let wrapped = rotated.wrap(&mary, &secret, &entropy);
    assert!(prepared.unwrap(&mary, &wrapped).is_ok(), "a replica that was told of it opens it");
    assert_eq!(rotated.rotated(&entropy).ids(), [3, 2, 1]);
    assert!(rotated.without(2).is_none() && rotated.without(9).is_none(), "the current one stays");
}

#[test]
fn derived_keys_differ_by_secret_and_purpose() {
    let (one, other) = (DataSecret::generate(&Seeded::new(6)), DataSecret::generate(&Seeded::new(7)));
    let mary = who("t", "mary");
    let bound = Bound { who: &mary, kind: "k", name: "n", version: 1 };
    let sealed = one.sealing_key("hot").seal(&bound, b"x", &Seeded::new(7));
    assert!(one.sealing_key("hot").open(&bound, &sealed).is_ok());
    assert_eq!(other.sealing_key("hot").open(&bound, &sealed), Err(SealError::Refused));
    assert_eq!(one.sealing_key("cold").open(&bound, &sealed), Err(SealError::Refused));
    assert_ne!(one.mac_key("hot").mac(&[]), other.mac_key("hot").mac(&[]));
}

#[test]
fn a_mac_counts_purpose_and_the_borders_of_parts() {
    let secret = DataSecret::generate(&Seeded::new(8));
    let page = secret.mac_key("page");
    let mac = page.mac(&[b"ab", b"c"]);
    assert!(page.verify(&[b"ab", b"c"], &mac));
    assert!(page.verify(&[b"ab", b"c"], &mac[..16]));
    assert!(!page.verify(&[b"a", b"bc"], &mac));
    assert!(!secret.mac_key("token").verify(&[b"ab", b"c"], &mac));
    for odd in [&mac[..15], &[], &[mac.as_slice(), &[0]].concat()] {
        assert!(!page.verify(&[b"ab", b"c"], odd));
    }
}

#[test]
fn a_key_file_reads_back_and_names_its_bad_line() {
    let ring = KeyRing::generate(&Seeded::new(10)).rotated(&Seeded::new(11));
    let text = ring.to_text();
    let read = KeyRing::parse(&format!("# root keys\n\n{}", text.as_str())).unwrap();
    assert_eq!(read.ids(), [2, 1]);
    let (mary, secret) = (who("t", "mary"), DataSecret::generate(&Seeded::new(12)));
    assert!(read.unwrap(&mary, &ring.wrap(&mary, &secret, &Seeded::new(13))).is_ok());

    let first = text.lines().next().unwrap();
    let bad = |file: String| KeyRing::parse(&file).err();
    assert_eq!(bad(String::new()), Some(SealError::NoKey));
    assert_eq!(bad(format!("{first}\n{first}")), Some(SealError::RepeatedKey { id: 2 }));
    for line in ["x", "1:", "1:AAAA", ":AAAA", "-1:AAAA", &first[2..], &format!("{first}AAAA")] {
        assert_eq!(bad(format!("{first}\n{line}\n")), Some(SealError::KeyLine { line: 2 }), "{line}");
    }
}

#[test]
fn debug_shows_ids_alone() {
    let ring = KeyRing::generate(&Seeded::new(12));
    assert_eq!(format!("{ring:?}"), "KeyRing { ids: [1], .. }");
    assert_eq!(format!("{:?}", key(1)), "DataKey { id: 0, .. }");
    assert_eq!(format!("{:?}", DataSecret::generate(&Seeded::new(1))), "DataSecret { .. }");
}
