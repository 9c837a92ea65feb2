//! Everything held on a person, given out.

use keyward_api::v1;
use keyward_audit::Event;
use keyward_domain::Outcome;
use keyward_tests::person::{TENANT, subject};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Person, Place, log};
use serde_json::Value;
use tonic::Code;

pub(super) async fn export(place: &Place, person: &Person) -> Value {
    let request = v1::ExportSubjectRequest { tenant: TENANT.to_owned(), subject: person.subject.clone() };
    let mut pieces = place.door.profiles().export_subject(request).await.expect("it begins").into_inner();
    let mut document = Vec::new();
    while let Some(piece) = pieces.message().await.expect("a piece") {
        assert!(!piece.json.is_empty() && piece.json.len() <= 64 << 10);
        document.extend_from_slice(&piece.json);
    }
    serde_json::from_slice(&document).expect("one JSON document")
}

fn list<'a>(document: &'a Value, name: &str) -> &'a Vec<Value> {
    document[name].as_array().unwrap_or_else(|| panic!("{name}: {document:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_everything_of_one_person_and_nothing_of_another() {
    Place::each(async |place| {
        let person = place.well_known_clinician("alice").await;
        let other = place.well_known_clinician("bob").await;
        place.door.proven_login(&place.world, &other, "bobs-session", 7).await;
        let decision = place.door.proven_login(&place.world, &person, "s1", 1).await;
        assert_eq!(Seen::from(&decision).outcome, Outcome::Allow);
        place.world.engine.learned().await;
        let document = export(&place, &person).await;

        assert_eq!(document["format"], "keyward-subject-export");
        assert_eq!(document["version"], 1);
        assert_eq!((&document["tenant"], &document["subject"]), (&TENANT.into(), &"alice".into()));
        assert_eq!(document["behaviour"]["consent"], "opted_in");
        let passkeys = list(&document, "passkeys");
        assert!(passkeys.len() == 1 && passkeys[0]["name"] == "passkey", "{passkeys:?}");
        assert!(list(&document, "devices").len() == 1 && list(&document, "networks").len() == 1);
        let profiles = list(&document, "profiles");
        assert_eq!(profiles.len(), 1);
        assert_eq!(profiles[0]["device_class"], "personal");
        let samples = list(&profiles[0], "samples");
        let status = &place.door.status(&person).await[0];
        assert_eq!((samples.len(), profiles[0]["trained_on"].as_u64()), (51, Some(status.samples.into())));
        assert!(samples.iter().all(|sample| sample["typing"].is_object() && sample["damaged"] == false));
        assert!(samples.iter().any(|sample| sample["decision"] == decision.id.as_str()));

        let records = list(&document, "records");
        let kinds: Vec<&str> =
            records.iter().filter_map(|entry| entry["record"]["event"]["kind"].as_str()).collect();
        assert_eq!(kinds.len(), records.len(), "every record opens: {records:#?}");
        for kind in ["passkey", "decision", "profile", "exported"] {
            assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
        }
        assert_eq!(kinds.last(), Some(&"exported"), "up to the record of this export");
        let logged = log::rows(&place.world).await;
        let hers =
            logged.iter().filter(|(_, row)| row.subject.as_ref().is_some_and(|s| s.as_str() == "alice"));
        assert_eq!(records.len(), hers.count());
        let told = records.iter().find(|entry| entry["record"]["event"]["id"] == decision.id.as_str());
        let told = told.expect("the decision");
        assert!(told["record"]["event"]["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()));
        let sessions = list(&document, "sessions");
        assert!(sessions.iter().any(|entry| entry["session"] == "s1"), "{sessions:#?}");
        let text = document.to_string();
        assert!(!text.contains("bob"), "nothing of another person");
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_comes_in_pieces_and_is_complete() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    for n in 0..450 {
        let session = format!("s{n}");
        place.door.ask(person.asks(&session)).await.expect("a decision");
    }
    let document = export(&place, &person).await;
    let records = list(&document, "records");
    let decisions = records.iter().filter(|entry| entry["record"]["event"]["kind"] == "decision").count();
    assert_eq!(decisions, 451, "her first login too");
    let indices: Vec<u64> = records.iter().filter_map(|entry| entry["index"].as_u64()).collect();
    assert!(indices.is_sorted() && indices.len() == records.len());
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_that_is_not_recorded() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let request = || v1::ExportSubjectRequest { tenant: TENANT.to_owned(), subject: "alice".to_owned() };
    place.world.faults.append(true);
    let refused = refusal(place.door.profiles().export_subject(request()).await);
    assert_eq!(refused, (Code::Unavailable, "STORE_UNAVAILABLE".to_owned()));
    place.world.faults.none();
    let stranger = v1::ExportSubjectRequest { subject: "nobody-we-know".to_owned(), ..request() };
    let refused = refusal(place.door.profiles().export_subject(stranger).await);
    assert_eq!(refused, (Code::NotFound, "NOT_FOUND".to_owned()));
    export(&place, &person).await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_proven_by_its_record() {
    let place = Place::open().await;
    let person = place.well_known_clinician("alice").await;
    place.door.proven_login(&place.world, &person, "s", 1).await;
    place.world.engine.learned().await;
    let hers = log::rows(&place.world).await.iter().filter(|(_, row)| row.subject.is_some()).count();
    let request = v1::EraseSubjectRequest { tenant: TENANT.to_owned(), subject: "alice".to_owned() };
    let receipt = place.door.profiles().erase_subject(request.clone()).await.expect("a receipt").into_inner();
    assert_eq!((receipt.passkeys, receipt.samples), (1, 51));
    assert!(receipt.documents >= 2, "a profile and what is known of her: {receipt:?}");
    assert_eq!(receipt.audit_records, hers as u64);

    let (index, row) = log::rows(&place.world).await.pop().expect("the record");
    assert_eq!((index, row.subject.as_ref()), (receipt.audit_index, None));
    assert_eq!(log::leaf_hash(&row).as_slice(), receipt.leaf_hash.as_slice());
    let record = place.world.engine.deployment_record(index).await.expect("it opens without her key");
    assert_eq!(record.who, subject(&person));
    let Event::Erased { passkeys, samples, documents, records } = record.event else {
        panic!("{record:?}");
    };
    assert_eq!((passkeys, documents, samples, records), (1, receipt.documents, 51, receipt.audit_records));

    let nothing = place.door.profiles().erase_subject(request).await.expect("a receipt").into_inner();
    assert!(!nothing.erased && nothing.audit_records == 0);
    place.door.close().await;
}
