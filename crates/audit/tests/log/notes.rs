//! Notes and keys: what is read comes back, and what is changed is refused.

use keyward_audit::{Checkpoint, KeyKind, Note, NoteError, Signature, VerifierKey};

use crate::common::{ORIGIN, log_of, signer};

/// The public key of a log that everybody knows: Go's checksum database.
const KNOWN_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

#[test]
fn keys_are_read_as_the_specification_writes_them_or_refused() {
    let key = signer("witness.example", KeyKind::Cosignature);
    let text = key.key().to_string();
    assert_eq!(VerifierKey::parse(&text).as_ref(), Ok(key.key()));
    let (name, rest) = text.split_once('+').expect("parts");
    let (id, encoded) = rest.split_once('+').expect("parts");
    let refused = [
        String::new(),
        "name".to_owned(),
        format!("{name}+{id}"),
        format!("other+{id}+{encoded}"),
        format!("{name}+00000000+{encoded}"),
        format!("{name}+{id}+{}", &encoded[..40]),
        format!("{name}+{id}+AQ=="),
        format!(" {name}+{id}+{encoded}"),
    ];
    for text in refused {
        assert!(matches!(VerifierKey::parse(&text), Err(NoteError::Key(_))), "{text}");
    }
    let known = VerifierKey::parse(KNOWN_KEY).expect("a key");
    assert_eq!((known.name(), known.kind()), ("sum.golang.org", KeyKind::Note));
    assert_eq!(known.to_string(), KNOWN_KEY);
}

#[test]
fn a_witness_signs_the_time_with_the_checkpoint() {
    let log = log_of(300);
    let ours = signer(ORIGIN, KeyKind::Note);
    let witness = signer("witness.example", KeyKind::Cosignature);
    let text = log.checkpoint().sign(&ours);
    let mut note = Note::parse(&text).expect("a note");
    assert_eq!(witness.key().verify(&note), Err(NoteError::Unsigned("witness.example".to_owned())));
    note.signatures.push(witness.sign(&note.text, 1_679_315_147));
    let both = note.to_string();
    let read = Note::parse(&both).expect("a note");
    assert_eq!(read, note);
    assert!(witness.key().verify(&read).is_ok());
    assert_eq!(Checkpoint::verify(&both, ours.key()), Ok(log.checkpoint()));
    // The time is signed, too.
    let mut later = note.clone();
    later.signatures[1].bytes[7] ^= 1;
    assert_eq!(witness.key().verify(&later), Err(NoteError::Wrong("witness.example".to_owned())));
    // A witness's signature is none of a log's, and the other way round.
    let same_name = signer("witness.example", KeyKind::Note);
    assert!(same_name.key().verify(&read).is_err());
    let line = both.lines().last().expect("a line");
    assert_eq!(Signature::parse(line).as_ref(), Some(&note.signatures[1]));
}

#[test]
fn only_the_log_that_the_key_is_named_after_is_accepted() {
    let ours = signer("example.org/other", KeyKind::Note);
    let text = log_of(3).checkpoint().sign(&ours);
    assert!(matches!(Checkpoint::verify(&text, ours.key()), Err(NoteError::Malformed(_))));
}

#[test]
fn what_is_no_note_is_refused() {
    let ours = signer(ORIGIN, KeyKind::Note);
    let good = log_of(3).checkpoint().sign(&ours);
    assert!(Note::parse(&good).is_ok());
    let bad = [
        String::new(),
        good.trim_end().to_owned(),
        good.replace("\n\n", "\n"),
        good.replace("— ", "- "),
        format!("{good}\n"),
        good.replace('\n', "\r\n"),
        format!("{good}{}", good.lines().last().expect("a line").to_owned().repeat(1000)),
        "x".repeat(100_000),
    ];
    for text in bad {
        assert!(Note::parse(&text).is_err(), "{text:.200}");
    }
    for text in ["a\n1\n", "a\n01\nAAAA\n", "\n1\nAAAA\n", "a\n-1\nAAAA\n", "a\n1\nAAAA\n"] {
        assert!(Checkpoint::parse(text).is_err(), "{text}");
    }
}
