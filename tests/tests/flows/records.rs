//! Who reads the log, what they see of it, and what of their reading stays.

use std::time::{Duration, Instant};

use futures::future::join_all;
use keyward_api::v1;
use keyward_api::v1::audit_service_client::AuditServiceClient;
use keyward_domain::{DecisionId, Outcome, SubjectId, SubjectKey, TenantId};
use keyward_policy::PolicySet;
use keyward_tests::person::{TENANT, own, somebody_elses};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, Place};
use tonic::Code;
use tonic::transport::Endpoint;

fn all() -> v1::QueryRecordsRequest {
    v1::QueryRecordsRequest { tenant: TENANT.to_owned(), ..Default::default() }
}

async fn page(door: &Door, request: v1::QueryRecordsRequest) -> v1::QueryRecordsResponse {
    door.audit().query_records(request).await.expect("records").into_inner()
}

/// Every record that a query finds, through pages of its size; the number of pages.
async fn every(door: &Door, mut request: v1::QueryRecordsRequest) -> (Vec<v1::Record>, usize) {
    let (mut records, mut pages) = (Vec::new(), 0);
    loop {
        let found = page(door, request.clone()).await;
        assert!(found.records.len() <= 100.max(request.page_size as usize));
        records.extend(found.records);
        pages += 1;
        assert!(pages < 100, "a query ends");
        if found.next_page_token.is_empty() {
            return (records, pages);
        }
        request.page_token = found.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_person_kind_outcome_and_time() {
    Place::each(async |place| {
        let alice = place.well_known_clinician("alice").await;
        let bob = place.clinician("bob").await;
        let begin = place.world.clock().now().secs();
        place.world.clock.advance(Duration::from_secs(100));
        let stepped = place.door.password_login(&place.world, &alice, "impostor", &somebody_elses(1)).await;
        assert_eq!(Seen::from(&stepped).outcome, Outcome::StepUp);
        place.door.proven_login(&place.world, &bob, "s", 1).await;

        let steps = v1::QueryRecordsRequest { outcome: v1::Outcome::StepUp.into(), ..all() };
        let (found, _) = every(&place.door, steps).await;
        assert_eq!(found.len(), 1);
        let decision = found[0].decision.clone().expect("a decision");
        assert_eq!((decision.id, found[0].subject.as_str()), (stepped.id.clone(), "alice"));
        let signals = |signals: &[v1::Signal]| -> Vec<(i32, f32)> {
            signals.iter().map(|signal| (signal.kind, signal.contribution)).collect()
        };
        assert_eq!(signals(&decision.signals), signals(&stepped.signals));
        assert_eq!((decision.policies, decision.risk), (stepped.policies, stepped.risk));
        assert_eq!(
            (decision.evidence, decision.session.as_str()),
            (v1::Evidence::Passkey.into(), "impostor")
        );
        assert!(decision.facts_json.contains("\"clinician\"") && decision.policy_digest.len() == 64);

        let hers = v1::QueryRecordsRequest { subject: "alice".to_owned(), ..all() };
        let (found, _) = every(&place.door, hers).await;
        assert!(found.iter().all(|record| record.subject == "alice") && found.len() >= 4, "{found:?}");
        assert!(found.windows(2).all(|pair| pair[0].index > pair[1].index), "the newest first");
        let passkeys = v1::QueryRecordsRequest { kind: v1::RecordKind::Passkey.into(), ..all() };
        let (found, _) = every(&place.door, v1::QueryRecordsRequest { oldest_first: true, ..passkeys }).await;
        let registered =
            found.iter().map(|record| (record.subject.as_str(), record.facts["change"].as_str()));
        assert!(registered.clone().any(|it| it == ("bob", "registered")) && found[0].index < found[1].index);
        let later = prost_types::Timestamp { seconds: begin + 50, nanos: 0 };
        let decisions = v1::QueryRecordsRequest { kind: v1::RecordKind::Decision.into(), ..all() };
        let since = v1::QueryRecordsRequest { from: Some(later), ..decisions.clone() };
        assert_eq!(every(&place.door, since).await.0.len(), 2);
        let before = v1::QueryRecordsRequest { until: Some(later), ..decisions.clone() };
        let (old, new) =
            (every(&place.door, before).await.0.len(), every(&place.door, decisions).await.0.len());
        assert_eq!(new, old + 2);
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_is_a_record_and_reading_comes_to_an_end() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    for n in 0..7 {
        place.door.password_login(&place.world, &person, &format!("s{n}"), &own(n)).await;
    }
    let (whole, _) = every(&place.door, v1::QueryRecordsRequest { oldest_first: true, ..all() }).await;
    for oldest_first in [true, false] {
        let request = v1::QueryRecordsRequest { page_size: 2, oldest_first, ..all() };
        let before = every(&place.door, all()).await.0.len();
        let (mut found, pages) = every(&place.door, request).await;
        // The read before is seen by this one, and this one's own pages are not.
        assert_eq!(found.len(), before + 1);
        if !oldest_first {
            found.reverse();
        }
        assert_eq!(&found[..whole.len()], &whole[..]);
        assert!(pages >= found.len().div_ceil(2), "{pages} pages");
        let reads = v1::QueryRecordsRequest { kind: v1::RecordKind::AdministratorRead.into(), ..all() };
        let (after, _) = every(&place.door, reads).await;
        let recorded =
            after.iter().take(pages).filter(|record| record.facts["call"] == "QueryRecords").count();
        assert_eq!(recorded, pages, "a record each page");
        assert!(after.iter().all(|record| record.facts["caller"] == "local"), "{after:?}");
    }
    // Looking somebody up is on record with whom, under their name.
    let hers = v1::QueryRecordsRequest { subject: "alice".to_owned(), ..all() };
    page(&place.door, hers.clone()).await;
    let kind = v1::RecordKind::AdministratorRead.into();
    let (found, _) = every(&place.door, v1::QueryRecordsRequest { kind, ..hers }).await;
    assert_eq!((found.len(), found[0].facts["subject"].as_str()), (1, "alice"));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_cannot_be_read() {
    let place = Place::open().await;
    place.clinician("alice").await;
    place.world.faults.append(true);
    let refused = place.door.audit().query_records(all()).await;
    assert_eq!(refusal(refused), (Code::Unavailable, "STORE_UNAVAILABLE".to_owned()));
    place.world.faults.none();
    assert!(!page(&place.door, all()).await.records.is_empty());
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_persons_records_are_there_and_say_nothing() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let decision = place.door.proven_login(&place.world, &person, "s", 1).await;
    let index = decision.audit_index.expect("an index");
    place.world.engine.integrate_log().await.expect("integrated");
    let erase = v1::EraseSubjectRequest { tenant: TENANT.to_owned(), subject: "alice".to_owned() };
    place.door.profiles().erase_subject(erase).await.expect("a receipt");
    let (found, _) = every(&place.door, all()).await;
    let hers = found.iter().find(|record| record.index == index).expect("there");
    assert_eq!((hers.state(), hers.subject.as_str(), &hers.decision), (v1::RecordState::Erased, "", &None));
    assert!(found.iter().any(|record| record.kind() == v1::RecordKind::Erased));
    assert!(found.iter().all(|record| record.state() != v1::RecordState::Damaged), "{found:?}");
    let name = Some(v1::get_record_request::Name::Index(index));
    let request = v1::GetRecordRequest { tenant: TENANT.to_owned(), name };
    let kept = place.door.audit().get_record(request).await.expect("a record").into_inner();
    assert!(kept.opening.is_empty() && !kept.proof.expect("a proof").text.is_empty(), "the log stays valid");
    // An engine that does not know the person's key any more says so of the decision, too.
    let who = SubjectKey {
        tenant: TenantId::parse(TENANT).expect("an id"),
        subject: SubjectId::parse("alice").expect("an id"),
    };
    let id = DecisionId(decision.id.parse().expect("a uuid"));
    assert!(place.world.engine.decision_record(&who, id).await.is_err());
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_opened_for_callers_with_the_right_alone() {
    let deployment = Deployment::new();
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::confined(&world, deployment.dir(), "token-of-the-portal", TENANT).await;
    let with_token = |mut request: tonic::Request<v1::QueryRecordsRequest>| {
        let token = "Bearer token-of-the-portal".parse().expect("a header");
        request.metadata_mut().insert("authorization", token);
        request
    };
    let refused = door.audit().query_records(with_token(tonic::Request::new(all()))).await;
    assert_eq!(refusal(refused), (Code::PermissionDenied, "AUDIT_NOT_ALLOWED".to_owned()));
    assert_eq!(keyward_tests::log::rows(&world).await.len(), 0, "nothing was read, and nothing recorded");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_sees_records_as_they_come() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let request = v1::WatchRecordsRequest { tenant: TENANT.to_owned() };
    let mut watch = place.door.audit().watch_records(request).await.expect("a watch").into_inner();
    let mut given = Vec::new();
    for n in 0..3 {
        given.push(place.door.password_login(&place.world, &person, &format!("s{n}"), &own(n)).await.id);
    }
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let record = watch.message().await.expect("no error").expect("no end").record.expect("a record");
        seen.push(record.decision.expect("a decision").id);
    }
    assert_eq!(seen, given, "those, in their order, and not the read itself");
    drop(watch);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_falls_behind_is_told_and_asks_for_what_it_missed() {
    /// More than may wait for a watcher, in the server and on the way.
    const MANY: usize = 2_048;
    let place = Place::open().await;
    let watched = async |tenant: &str| {
        let request = v1::WatchRecordsRequest { tenant: tenant.to_owned() };
        place.door.audit().watch_records(request).await.map(tonic::Response::into_inner)
    };
    // One who takes little on the way.
    let slow = Endpoint::from_shared(format!("http://{}", place.door.address())).expect("a url");
    let slow = slow.initial_stream_window_size(16_384).connect().await.expect("it connects");
    let request = v1::WatchRecordsRequest { tenant: TENANT.to_owned() };
    let mut behind =
        AuditServiceClient::new(slow).watch_records(request).await.expect("a watch").into_inner();
    // Others take all the places that are left, so that it shows when this one is given up.
    let mut others = Vec::new();
    let refused = loop {
        match watched("st-john").await {
            Ok(watch) => others.push(watch),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refusal::<()>(Err(refused)), (Code::ResourceExhausted, "OVERLOADED".to_owned()));

    let person = place.deployment.person("front-7");
    let mut given = Vec::new();
    for round in 0..MANY / 64 {
        let asked = (0..64).map(|n| {
            let mut question = person.asks(&format!("s{round}-{n}"));
            question.roles = vec!["front_desk".to_owned()];
            place.door.ask(question)
        });
        given.extend(join_all(asked).await.into_iter().map(|decision| decision.expect("a decision").id));
    }
    let patience = Instant::now() + Duration::from_mins(1);
    while watched("st-john").await.is_err() {
        assert!(Instant::now() < patience, "whoever does not read is not waited for");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // What it got before it is told is whole and in order, and the log has the rest.
    let mut seen = Vec::new();
    let told = loop {
        match behind.message().await {
            Ok(item) => seen.push(item.expect("no end").record.expect("a record").decision.expect("one").id),
            Err(status) => break status,
        }
    };
    assert_eq!(refusal::<()>(Err(told)), (Code::ResourceExhausted, "WATCH_LAGGED".to_owned()));
    assert!(!seen.is_empty() && seen.len() < given.len(), "{} of {}", seen.len(), given.len());
    let request = v1::QueryRecordsRequest {
        tenant: TENANT.to_owned(),
        kind: v1::RecordKind::Decision.into(),
        oldest_first: true,
        page_size: 1000,
        ..Default::default()
    };
    let (found, _) = every(&place.door, request).await;
    let logged: Vec<String> = found.into_iter().map(|record| record.decision.expect("one").id).collect();
    assert_eq!(seen, logged[..seen.len()]);
    given.sort();
    let mut missed = logged;
    missed.sort();
    assert_eq!(missed, given, "each of them, once");
    drop((behind, others));
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_is_tried_on_decisions_that_were_made() {
    let place = Place::open().await;
    let alice = place.well_known_clinician("alice").await;
    place.door.password_login(&place.world, &alice, "own", &own(60)).await;
    place.door.password_login(&place.world, &alice, "impostor", &somebody_elses(1)).await;
    let tried = async |policy: &str| {
        let request = v1::TryPolicyRequest {
            tenant: TENANT.to_owned(),
            policy: policy.to_owned(),
            ..Default::default()
        };
        place.door.audit().try_policy(request).await
    };
    let shipped = include_str!("../../../crates/policy/policies/telemedicine.cedar");
    let same = tried(shipped).await.expect("an answer").into_inner();
    assert!(same.differences.is_empty() && same.decisions >= 3 && same.unreadable == 0, "{same:?}");
    assert!(same.outcomes.iter().all(|count| count.outcome == count.new_outcome));

    let nothing = r#"@id("nothing") forbid (principal, action, resource);"#;
    assert!(PolicySet::parse(nothing).is_ok());
    let denied = tried(nothing).await.expect("an answer").into_inner();
    assert_eq!(denied.differences.len() as u64, same.decisions, "each came out otherwise");
    let newest = &denied.differences[0];
    assert_eq!((newest.outcome(), newest.new_outcome()), (v1::Outcome::StepUp, v1::Outcome::Deny));
    assert_eq!((newest.subject.as_str(), &newest.new_policies[..]), ("alice", &["nothing".to_owned()][..]));
    let counted: u64 = denied.outcomes.iter().map(|count| count.decisions).sum();
    assert_eq!(counted, same.decisions);
    let refused = tried("permit (").await;
    assert_eq!(refusal(refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    // The policy in force is as it was.
    let still = place.door.proven_login(&place.world, &alice, "later", 61).await;
    assert_eq!(Seen::from(&still).outcome, Outcome::Allow);
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_in_force_is_on_record() {
    let place = Place::open().await;
    let changes = || v1::QueryRecordsRequest {
        tenant: "*".to_owned(),
        kind: v1::RecordKind::PolicyChanged.into(),
        ..Default::default()
    };
    for _ in 0..2 {
        place.world.engine.record_policy().await.expect("recorded");
    }
    let (found, _) = every(&place.door, changes()).await;
    assert_eq!(
        (found.len(), found[0].facts["previous"].as_str()),
        (1, ""),
        "the same policy is recorded once"
    );
    let first = found[0].facts["digest"].clone();
    // As when its file is read again while the server runs.
    let other =
        PolicySet::parse(r#"@id("nothing") forbid (principal, action, resource);"#).expect("a policy");
    place.world.engine.set_policy(other);
    let patience = Instant::now() + Duration::from_secs(20);
    let found = loop {
        let (found, _) = every(&place.door, changes()).await;
        if found.len() > 1 {
            break found;
        }
        assert!(Instant::now() < patience, "it is on record within a second or so");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((found.len(), &found[0].facts["previous"]), (2, &first));
    assert_ne!(found[0].facts["digest"], first);
    // Both texts are kept, for whoever reads what they decided.
    let kept = place.world.store.policies().await.expect("listed");
    let kept: Vec<String> = kept.iter().map(|(digest, _)| keyward_audit::hex(digest)).collect();
    assert_eq!(kept.len(), 2, "each once");
    for digest in found.iter().map(|record| &record.facts["digest"]) {
        assert!(kept.contains(digest), "{digest} is not among {kept:?}");
    }
    place.door.close().await;
}
