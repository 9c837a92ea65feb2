//! Nothing behavioural and no word of a person stands in the stores in plaintext.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward_domain::{
    ActionKind, DecisionId, DeviceClass, KeystrokeSample, Outcome, Sensitivity, SubjectKey,
};
use keyward_features::fixed_text;
use keyward_seal::{Bound, DataKey};
use keyward_store::{DurableStore, KEPT_SAMPLES};
use keyward_testkit::RedisServer;
use keyward_tests::database::DATABASE;
use keyward_tests::door::break_glass;
use keyward_tests::person::{action, history, own, subject, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Database, Deployment, Door, Hot, Place, World, log};

const JUSTIFICATION: &str = "Patient unconscious in the emergency room, allergies unknown.";

/// The forms in which a sample's times could stand somewhere.
fn forms(sample: &KeystrokeSample) -> Vec<(&'static str, Vec<u8>)> {
    let text = fixed_text(sample).expect("typed from beginning to end");
    let times = text.times_s();
    let json = |times: &[f32]| {
        serde_json::to_string(times).expect("json").trim_matches(['[', ']']).as_bytes().to_vec()
    };
    let down = &sample.events.down_us()[1..5];
    let down_json = serde_json::to_string(down).expect("json").trim_matches(['[', ']']).as_bytes().to_vec();
    let floats = times[..3].iter().flat_map(|time| time.to_le_bytes()).collect();
    let integers = down.iter().flat_map(|time| time.to_le_bytes()).collect();
    let (mut message, wire) = (Vec::new(), typed(sample, ""));
    prost::Message::encode(&wire, &mut message).expect("it encodes");
    let half = message.len() / 2;
    vec![
        ("times as json", json(&times[..3])),
        ("press times as json", down_json),
        ("times as f32", floats),
        ("press times as u32", integers),
        ("part of the message", message[half..half + 16].to_vec()),
    ]
}

/// What stands sealed in the durable store of a person, in the clear: opened with the deployment's ring, so that the
/// search is for what is really there.
async fn opened(
    deployment: &Deployment,
    store: &dyn DurableStore,
    who: &SubjectKey,
) -> Vec<(String, Vec<u8>)> {
    let row = store.subject(who).await.expect("it reads").expect("a row");
    let secret = deployment.ring().unwrap(who, &row.wrapped_key).expect("it unwraps");
    let key = secret.sealing_key("data");
    let open = |kind, name: &str, version, sealed: &[u8]| {
        key.open(&Bound { who, kind, name, version }, sealed).expect("it opens")
    };
    let mut found = vec![("the data key".to_owned(), secret.expose().to_vec())];
    for (name, _) in store.document_names(who).await.expect("names") {
        for kept in store.document_history(who, &name).await.expect("versions") {
            found.push((name.clone(), open("document", &name, kept.version, &kept.sealed)));
        }
        for sample in store.samples(who, &name, KEPT_SAMPLES).await.expect("samples") {
            found.push((format!("a sample of {name}"), open("sample", &name, 0, &sample.sealed)));
        }
    }
    found
}

/// Parts of a plaintext that are nothing else's by chance.
fn parts(plaintext: &[u8]) -> Vec<Vec<u8>> {
    let telling = |part: &&[u8]| part.iter().collect::<HashSet<_>>().len() >= 10;
    plaintext.chunks_exact(24).filter(telling).map(<[u8]>::to_vec).step_by(7).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The bytes that stand in a text as runs of hexadecimal digits (`\\x00ff`, in `COPY` with another backslash).
fn unhex(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for part in text.split(|byte| *byte == b'\\').filter_map(|part| part.strip_prefix(b"x")) {
        let pairs = part.chunks_exact(2).map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
        bytes.extend(pairs);
    }
    bytes
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).expect("the directory").map(|entry| entry.expect("an entry").path());
    entries.map(|path| (path.clone(), std::fs::read(&path).expect("a file"))).collect()
}

/// What was left behind.
struct Traces {
    /// The files of the data directory as they are while the process runs.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// What stands sealed in the durable store, in the clear.
    sealed: Vec<(String, Vec<u8>)>,
    /// The last decision that a session remembers.
    decision: [u8; 16],
    /// A record's commitment, which is no secret.
    commitment: [u8; 32],
}

/// Leaves behind what is to be kept from whoever reads the stores, each thing at least once.
async fn leave_traces(deployment: &Deployment, world: World, name: &str) -> Traces {
    let door = Door::on_the_wire(&world).await;
    let person = deployment.person(name);
    door.register(&person).await;
    door.import(&person, DeviceClass::Personal, &history(12)).await;
    door.proven_login(&world, &person, "proven", 1).await;
    // A step-up that is left open keeps its assessment, telemetry and all, in Redis.
    let open = door.password_login(&world, &person, "unproven", &own(2)).await;
    assert!(Seen::from(&open).challenge);
    let mut question = person.asks("emergency");
    question.action = Some(action(ActionKind::Read, Sensitivity::Restricted));
    question.assertion = Some(door.show(&person, "emergency", None).await);
    question.break_glass = Some(break_glass(JUSTIFICATION));
    let decision = door.ask(question.clone()).await.expect("a decision");
    assert_eq!(Seen::from(&decision).outcome, Outcome::Allow);
    "emergency-left-open".clone_into(&mut question.session);
    question.assertion = None;
    assert!(Seen::from(&door.ask(question).await.expect("a decision")).challenge);
    world.engine.learned().await;
    let traces = Traces {
        files: files(deployment.dir()),
        sealed: opened(deployment, &*world.store, &subject(&person)).await,
        decision: DecisionId(decision.id.parse().expect("a uuid")).0.into_bytes(),
        commitment: log::rows(&world).await[0].1.commitment,
    };
    assert!(traces.sealed.len() >= 15, "data key, profile, samples, known devices: {}", traces.sealed.len());
    door.close().await;
    world.stop().await;
    traces
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_typing_nor_words_lie_open_in_the_stores() {
    let mut redis_dir = PathBuf::new();
    let redis = RedisServer::start_with(|dir| {
        dir.clone_into(&mut redis_dir);
        ["--rdbcompression", "no"].map(OsString::from).to_vec()
    });
    let redis = redis.await.expect("redis starts");
    let url = redis.url();
    let (deployment, database) = (Deployment::new(), Database::start().await);
    let hot = || Hot::Redis(&url, Duration::from_secs(2));
    let world = deployment.start(hot()).await;
    let mut embedded = leave_traces(&deployment, world, "alice").await;
    let world = deployment.start_on(database.open().await, hot()).await;
    let postgres = leave_traces(&deployment, world, "alicia").await;

    let mut places = std::mem::take(&mut embedded.files);
    let saved = redis.command("SAVE").await.expect("it saves");
    assert!(saved.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&saved));
    places.extend(files(deployment.dir()));
    let dump = database.server.dump(DATABASE).expect("a dump");
    // Bytes stand in a dump as hexadecimal: both forms are searched.
    let bytes = unhex(&dump);
    assert!(contains(&dump, b"alicia") && contains(&bytes, &postgres.commitment));
    places.push((PathBuf::from("bytes of pg_dump"), bytes));
    places.push((PathBuf::from("pg_dump"), dump));
    let dump = redis_dir.join("dump.rdb");
    places.push((dump.clone(), std::fs::read(&dump).expect("the dump")));

    // The search finds what is there: ids stand in keys and columns.
    let found = |needle: &[u8]| places.iter().filter(|(_, bytes)| contains(bytes, needle)).count();
    assert!(found(b"alice") >= 2 && contains(&places.last().expect("the dump").1, b"unproven"));
    let mut planted = vec![("the justification", JUSTIFICATION.as_bytes().to_vec())];
    planted.push(("a word of it", b"unconscious".to_vec()));
    for sample in [history(1).remove(0), own(1), own(2)] {
        planted.extend(forms(&sample));
    }
    for (what, plaintext) in embedded.sealed.iter().chain(&postgres.sealed) {
        let parts = parts(plaintext);
        assert!(!parts.is_empty(), "{what} has parts to look for");
        for part in parts {
            let holding: Vec<_> =
                places.iter().filter(|(_, bytes)| contains(bytes, &part)).map(|(path, _)| path).collect();
            assert!(holding.is_empty(), "part of {what} lies open in {holding:?}");
        }
    }
    // What a session remembers is its last decision: its id stands in columns of the log, and in Redis sealed alone.
    for id in [embedded.decision, postgres.decision] {
        assert!(found(&id) >= 1 && !contains(&places.last().expect("the dump").1, &id));
    }
    for (what, needle) in planted {
        let holding: Vec<_> =
            places.iter().filter(|(_, bytes)| contains(bytes, &needle)).map(|(path, _)| path).collect();
        assert!(holding.is_empty(), "{what} lies open in {holding:?}");
    }
}

/// Every key that whoever holds ring and store can still come by.
async fn keys_left(place: &Place) -> Vec<DataKey> {
    let mut keys = Vec::new();
    for (who, row) in place.world.store.subjects_after(None, 1000).await.expect("a page") {
        let secret = place.deployment.ring().unwrap(&who, &row.wrapped_key).expect("it unwraps");
        keys.extend(["data", "hot", "audit"].map(|purpose| secret.sealing_key(purpose)));
    }
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_opens_with_nothing_that_is_left_and_is_in_no_file() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    place.clinician("bob").await;
    place.door.proven_login(&place.world, &person, "s", 1).await;
    place.world.engine.learned().await;
    let (who, store) = (subject(&person), place.world.store.clone());
    let wrapped = store.subject(&who).await.expect("it reads").expect("a row").wrapped_key;
    let mut ciphertexts = vec![wrapped.clone()];
    for (name, _) in store.document_names(&who).await.expect("names") {
        let kept = store.document_history(&who, &name).await.expect("versions");
        ciphertexts.extend(kept.into_iter().map(|kept| kept.sealed));
        let samples = store.samples(&who, &name, KEPT_SAMPLES).await.expect("samples");
        ciphertexts.extend(samples.into_iter().map(|sample| sample.sealed));
    }
    let mine = |row: &keyward_store::AuditRow| row.subject.as_ref() == Some(&who.subject);
    let hers: Vec<u64> =
        log::rows(&place.world).await.iter().filter(|(_, row)| mine(row)).map(|(index, _)| *index).collect();
    let bound = Bound { who: &who, kind: "audit", name: "", version: 0 };
    let opening = async |place: &Place| {
        let (keys, mut opened) = (keys_left(place).await, 0);
        for (_, row) in log::rows(&place.world).await.iter().filter(|(index, _)| hers.contains(index)) {
            opened += usize::from(keys.iter().any(|key| key.open(&bound, &row.sealed).is_ok()));
        }
        opened
    };
    assert_eq!(opening(&place).await, hers.len(), "the search finds what is there");
    let before: usize =
        files(place.deployment.dir()).iter().filter(|(_, all)| contains(all, &wrapped)).count();
    assert!(before > 0, "and so does this one");

    place.world.engine.erase_subject(&who).await.expect("erased");
    assert_eq!(opening(&place).await, 0, "commitments remain that nobody can open");
    let left = files(place.deployment.dir());
    for ciphertext in &ciphertexts {
        let part = &ciphertext[17..ciphertext.len().min(49)];
        let holding: Vec<_> =
            left.iter().filter(|(_, all)| contains(all, part)).map(|(path, _)| path).collect();
        assert!(holding.is_empty(), "of {} bytes some are left in {holding:?}", ciphertext.len());
    }
    place.door.close().await;
}
