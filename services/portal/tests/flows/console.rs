//! The security console.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use futures::StreamExt as _;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::browser::{Browser, Clinic};

/// An officer whose console is open, after a clinician broke the glass.
async fn officer(clinic: &Clinic) -> Browser {
    let mut clinician = clinic.signed_in("jonas.lindqvist").await;
    let asked = clinician.post("/api/patients/p-1319/open", json!({})).await;
    let opened = clinician.step_up(&asked, Some("found collapsed in the corridor")).await;
    assert_eq!(opened.outcome(), "allow", "{opened:?}");
    let mut officer = clinic.signed_in("ines.hartmann").await;
    clinic.keyward.learned().await;
    let opened = officer.post("/api/console/open", json!({})).await;
    assert_eq!(opened.outcome(), "allow", "{opened:?}");
    officer
}

#[tokio::test]
async fn it_is_closed_to_all_but_officers_whom_keyward_let_in() {
    let clinic = Clinic::open().await;
    let mut clinician = clinic.signed_in("amara.osei").await;
    assert_eq!(clinician.post("/api/console/open", json!({})).await.outcome(), "deny");
    let mut officer = clinic.signed_in("ines.hartmann").await;
    for path in ["overview", "people/amara.osei", "decisions/0", "policy", "stream"] {
        let path = format!("/api/console/{path}");
        let got = clinician.get(&path).await;
        assert_eq!((got.status, got.code()), (StatusCode::FORBIDDEN, "console_closed"), "{path}");
        assert_eq!(officer.get(&path).await.code(), "console_closed", "{path}: it was not opened yet");
    }
    assert_eq!(
        clinician.post("/api/console/what-if", json!({ "policy": "" })).await.code(),
        "console_closed"
    );
}

#[tokio::test]
async fn emergency_access_raises_an_alert_that_is_acknowledged_once() {
    let clinic = Clinic::open().await;
    let mut officer = officer(&clinic).await;
    let overview = officer.get("/api/console/overview").await.body;
    let alert =
        overview["alerts"].as_array().expect("alerts").iter().find(|a| a["title"] == "Emergency access");
    let alert = alert.unwrap_or_else(|| panic!("{overview}"));
    assert_eq!((&alert["subject"], &alert["acknowledged"]), (&json!("jonas.lindqvist"), &Value::Null));
    let seen = officer.post("/api/console/acknowledge", json!({ "id": alert["id"] })).await;
    assert_eq!(seen.body["acknowledged"]["by"], "Ines Hartmann", "{seen:?}");
    let decision = alert["decision"].as_str().expect("an id");
    let opened = officer.get(&format!("/api/console/decisions/{decision}")).await;
    assert_eq!(opened.body["row"]["justification"], "found collapsed in the corridor", "{opened:?}");
    assert!(opened.body["row"]["policies"].to_string().contains("restricted.break-glass"));
    assert_eq!(opened.body["facts"]["break_glass"], true, "what the policy was asked: {opened:?}");
    let proof = &opened.body["proof"];
    assert!(root_of(proof).is_some() && root_of(proof) == bytes(&proof["root_hash"]), "{proof}");
}

/// The bytes of a text in hexadecimal.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

/// The root that a proof leads to (RFC 9162, section 2.1.3.2).
fn root_of(proof: &Value) -> Option<Vec<u8>> {
    let hash = |parts: &[&[u8]]| digest(&SHA256, &parts.concat()).as_ref().to_vec();
    let (mut node, mut last) = (proof["index"].as_u64()?, proof["tree_size"].as_u64()?.checked_sub(1)?);
    let mut root = hash(&[&[0], &bytes(&proof["entry"])?]);
    for sibling in proof["path"].as_array()? {
        let sibling = bytes(sibling)?;
        if node % 2 == 1 || node == last {
            root = hash(&[&[1], &sibling, &root]);
            while node.is_multiple_of(2) && node != 0 {
                (node, last) = (node / 2, last / 2);
            }
        } else {
            root = hash(&[&[1], &root, &sibling]);
        }
        (node, last) = (node / 2, last / 2);
    }
    (last == 0).then_some(root)
}

#[tokio::test]
async fn a_report_by_the_person_is_an_alert() {
    let clinic = Clinic::open().await;
    let mut hers = clinic.signed_in("amara.osei").await;
    let decision = hers.get("/api/activity").await.body["entries"][0]["decision"].clone();
    hers.post("/api/activity/not-me", json!({ "decision": decision })).await;
    let mut officer = officer(&clinic).await;
    let alerts = officer.get("/api/console/overview").await.body["alerts"].clone();
    let reported =
        alerts.as_array().expect("alerts").iter().find(|a| a["title"] == "Reported: this was not me");
    assert_eq!(reported.map(|alert| &alert["decision"]), Some(&decision), "{alerts}");
}

#[tokio::test]
async fn a_person_has_a_time_line_with_each_signal() {
    let clinic = Clinic::open().await;
    let mut officer = officer(&clinic).await;
    let rows = officer.get("/api/console/people/jonas.lindqvist").await.body["rows"].clone();
    let rows = rows.as_array().expect("rows");
    assert!(rows.len() >= 3 && rows.iter().all(|row| row["subject"] == "jonas.lindqvist"), "{rows:?}");
    assert!(rows.iter().all(|row| row["signals"].as_array().is_some_and(|signals| !signals.is_empty())));
    assert!(
        rows.windows(2).all(|pair| pair[0]["index"].as_u64() < pair[1]["index"].as_u64()),
        "oldest first"
    );
    assert!(
        officer.get("/api/console/people/nobody").await.body["rows"].as_array().is_some_and(Vec::is_empty)
    );
}

#[tokio::test]
async fn an_edited_policy_shows_what_would_differ_and_changes_nothing() {
    let clinic = Clinic::open().await;
    let mut officer = officer(&clinic).await;
    let policy = officer.get("/api/console/policy").await.body["text"].as_str().expect("a text").to_owned();
    let same = officer.post("/api/console/what-if", json!({ "policy": policy })).await.body;
    assert_eq!((&same["changed"], &same["complete"]), (&json!(0), &json!(true)), "{same}");
    assert!(same["considered"].as_u64() > Some(3), "{same}");
    let strict = format!(
        "{policy}\n@id(\"nobody\")\n@description(\"Nobody.\")\nforbid (principal, action, resource);"
    );
    let strict = officer.post("/api/console/what-if", json!({ "policy": strict })).await.body;
    assert!(strict["changed"].as_u64() > Some(3), "{strict}");
    let went = strict["outcomes"].as_array().expect("counts");
    let all: u64 = went.iter().filter_map(|went| went["decisions"].as_u64()).sum();
    assert_eq!(Some(all), strict["considered"].as_u64(), "each decision is counted once: {strict}");
    assert!(went.iter().all(|went| went["after"] == "deny"), "{strict}");
    assert!(strict["changes"].as_array().expect("changes").iter().all(|change| change["after"] == "deny"));
    let broken = officer.post("/api/console/what-if", json!({ "policy": "permit (" })).await;
    assert_eq!(broken.code(), "bad_request", "{broken:?}");
    assert_eq!(officer.post("/api/appointments", json!({})).await.outcome(), "allow", "nothing changed");
}

#[tokio::test]
async fn decisions_arrive_as_they_are_made() {
    let clinic = Clinic::open().await;
    let officer = officer(&clinic).await;
    let cookies: Vec<String> =
        officer.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request::get("/api/console/stream").header(header::COOKIE, cookies.join("; "));
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let router = keyward_portal::server::router(clinic.portal.clone());
    let response = router.oneshot(request).await.expect("an answer");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut rosa = clinic.browser().await;
    rosa.enrol(&clinic, "rosa.delgado").await;
    let mut seen = String::new();
    let read = async {
        while !seen.contains("rosa.delgado") {
            let chunk = stream.next().await.expect("the stream goes on").expect("a chunk");
            seen.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("the sign-in arrives");
    assert!(seen.contains("event: row"), "{seen}");
}
