//! Nothing behavioural and no word of a person stands in the stores in plaintext.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward_domain::{ActionKind, DeviceClass, KeystrokeSample, Outcome, Sensitivity};
use keyward_features::fixed_text;
use keyward_testkit::RedisServer;
use keyward_tests::door::break_glass;
use keyward_tests::person::{action, history, own, typed};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot};

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

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).expect("the directory").map(|entry| entry.expect("an entry").path());
    entries.map(|path| (path.clone(), std::fs::read(&path).expect("a file"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_typing_nor_words_lie_open_in_the_stores() {
    let mut redis_dir = PathBuf::new();
    let redis = RedisServer::start_with(|dir| {
        dir.clone_into(&mut redis_dir);
        ["--rdbcompression", "no"].map(OsString::from).to_vec()
    });
    let redis = redis.await.expect("redis starts");
    let deployment = Deployment::new();
    let world = deployment.start(Hot::Redis(&redis.url(), Duration::from_secs(2))).await;
    let door = Door::on_the_wire(&world).await;
    let person = deployment.person("alice");
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
    question.session = "emergency-left-open".to_owned();
    question.assertion = None;
    assert!(Seen::from(&door.ask(question).await.expect("a decision")).challenge);
    world.engine.learned().await;

    let saved = redis.command("SAVE").await.expect("it saves");
    assert!(saved.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&saved));
    let mut places = files(deployment.dir());
    door.close().await;
    world.stop().await;
    places.extend(files(deployment.dir()));
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
    for (what, needle) in planted {
        let holding: Vec<_> =
            places.iter().filter(|(_, bytes)| contains(bytes, &needle)).map(|(path, _)| path).collect();
        assert!(holding.is_empty(), "{what} lies open in {holding:?}");
    }
}
