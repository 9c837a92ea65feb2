//! What people may do about what is done in their names and known of them; and what only administrators may.

use serde_json::json;

use crate::browser::{Clinic, HER, PRESENT, typed};

#[tokio::test]
async fn this_was_not_me() {
    let clinic = Clinic::open().await;
    let mut hers = clinic.signed_in("amara.osei").await;
    let mut thief = clinic.browser().await;
    // Whoever holds her passkey and its PIN: her own authenticator, in a browser elsewhere.
    std::mem::swap(&mut hers.authenticator, &mut thief.authenticator);
    assert_eq!(thief.passkey(Some("amara.osei"), None).await.outcome(), "allow");
    let entries = hers.get("/api/activity").await.body["entries"].clone();
    let elsewhere = entries.as_array().expect("a list").iter().find(|entry| entry["here"] == false);
    let decision = elsewhere.expect("the thief's sign-in")["decision"].clone();
    let reported = hers.post("/api/activity/not-me", json!({ "decision": decision })).await;
    assert_eq!(reported.body["ended_sessions"], 1, "{reported:?}");
    assert_eq!(thief.get("/api/activity").await.code(), "signed_out", "the thief is out");
    let entries = hers.get("/api/activity").await.body["entries"].clone();
    assert!(
        entries
            .as_array()
            .expect("a list")
            .iter()
            .any(|e| e["decision"] == decision && e["reported"] == true)
    );
}

#[tokio::test]
async fn nobody_reports_what_is_a_colleagues() {
    let clinic = Clinic::open().await;
    let mut hers = clinic.signed_in("amara.osei").await;
    let mut colleagues = clinic.signed_in("rosa.delgado").await;
    let decision = hers.get("/api/activity").await.body["entries"][0]["decision"].clone();
    let got = colleagues.post("/api/activity/not-me", json!({ "decision": decision })).await;
    assert_eq!(got.code(), "not_found", "{got:?}");
    let entries = colleagues.get("/api/activity").await.body.to_string();
    assert!(!entries.contains(decision.as_str().expect("an id")));
}

#[tokio::test]
async fn what_is_known_of_typing_is_shown_and_forgotten() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    clinic.learn("amara.osei", HER).await;
    let data = browser.get("/api/my-data").await;
    assert_eq!(data.body["profiles"][0]["maturity"], "MATURITY_MATURE", "{data:?}");
    let reset = browser.post("/api/my-data/reset", json!({})).await;
    assert_eq!(reset.body["profiles"], 1, "{reset:?}");
    assert_eq!(browser.get("/api/my-data").await.body["profiles"], json!([]));
}

#[tokio::test]
async fn she_takes_her_data_along_and_opts_out() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    clinic.learn("amara.osei", HER).await;
    assert_eq!(browser.get("/api/my-data/export").await.code(), "settings_closed");
    assert_eq!(browser.post("/api/settings/open", json!({})).await.outcome(), "allow");
    let file = browser.get("/api/my-data/export").await;
    assert!(
        file.headers[http::header::CONTENT_DISPOSITION].to_str().expect("text").starts_with("attachment")
    );
    assert_eq!(file.body["subject"], "amara.osei", "{:?}", file.headers);
    assert_eq!(file.body["profiles"].as_array().map(Vec::len), Some(1));
    let out = browser.post("/api/my-data/consent", json!({ "granted": false })).await;
    assert_eq!(out.outcome(), "allow", "{out:?}");
    let data = browser.get("/api/my-data").await;
    assert_eq!((&data.body["opted_out"], &data.body["profiles"]), (&json!(true), &json!([])), "{data:?}");
    browser.post("/api/sign-out", json!({})).await;
    browser.visit().await;
    assert_eq!(
        browser.passkey(Some("amara.osei"), None).await.outcome(),
        "allow",
        "her passkey opens all the same"
    );
}

#[tokio::test]
async fn passkeys_are_added_named_and_removed_and_the_last_one_stays() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    assert_eq!(browser.post("/api/settings/open", json!({})).await.outcome(), "allow", "she just showed one");
    let id = browser.get("/api/passkeys").await.body["passkeys"][0]["id"].clone();
    let refused = browser.post("/api/passkeys/change", json!({ "id": id })).await;
    assert_eq!(refused.code(), "last_passkey");
    let begun = browser.post("/api/passkeys/begin", json!({})).await;
    let phone = clinic.authenticator();
    let laptop = std::mem::replace(&mut browser.authenticator, phone);
    let answer = browser.registered(&begun.body["begun"]);
    let added = browser.post("/api/passkeys/finish", json!({ "answer": answer, "name": "phone" })).await;
    assert_eq!(added.body["passkey"]["name"], "phone", "{added:?}");
    let renamed = browser.post("/api/passkeys/change", json!({ "id": id, "name": "old laptop" })).await;
    assert_eq!(renamed.outcome(), "allow");
    assert!(browser.get("/api/passkeys").await.body.to_string().contains("old laptop"));
    assert_eq!(browser.post("/api/passkeys/change", json!({ "id": id })).await.outcome(), "allow");
    let gone = browser.post("/api/passkeys/change", json!({ "id": id, "name": "new laptop" })).await;
    assert_eq!((gone.status, gone.code()), (http::StatusCode::NOT_FOUND, "passkey_gone"), "{gone:?}");
    browser.post("/api/sign-out", json!({})).await;
    browser.visit().await;
    // A challenge for whoever answers, and the removed passkey answers it.
    let begun = browser.post("/api/sign-in/passkey/begin", json!({})).await;
    let assertion = laptop.authenticate(begun.body["begun"]["optionsJson"].as_str().expect("options"));
    let assertion = json!({
        "ceremonyId": begun.body["begun"]["ceremonyId"], "credentialJson": assertion.expect("an answer"),
    });
    let finish = json!({ "assertion": assertion, "device": "personal" });
    let unknown = browser.post("/api/sign-in/passkey/finish", finish).await;
    assert_eq!(unknown.code(), "passkey_unknown", "the page is to tell its passkey manager: {unknown:?}");
    browser.authenticator = laptop;
    let body = json!({ "staff_id": "amara.osei" });
    let begun = browser.post("/api/sign-in/passkey/begin", body).await;
    let options = begun.body["begun"]["optionsJson"].as_str().expect("options");
    assert!(browser.authenticator.authenticate(options).is_err(), "the removed passkey is not asked for");
}

#[tokio::test]
async fn a_session_that_typing_opened_adds_and_removes_no_passkey_until_she_shows_one() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    clinic.learn("amara.osei", HER).await;
    browser.post("/api/sign-out", json!({})).await;
    browser.visit().await;
    let telemetry = browser.telemetry(&typed(HER, PRESENT + 1)).await;
    assert_eq!(browser.password("amara.osei", Some(telemetry)).await.outcome(), "allow");
    let id = browser.get("/api/passkeys").await.body["passkeys"][0]["id"].clone();
    assert_eq!(browser.post("/api/passkeys/begin", json!({})).await.code(), "settings_closed");
    assert_eq!(browser.post("/api/passkeys/change", json!({ "id": id })).await.code(), "settings_closed");
    let asked = browser.post("/api/settings/open", json!({})).await;
    assert_eq!((asked.outcome(), asked.evidence()), ("step_up", "EVIDENCE_PASSKEY"), "{asked:?}");
    assert_eq!(browser.post("/api/passkeys/begin", json!({})).await.code(), "settings_closed", "not yet");
    assert_eq!(browser.step_up(&asked, None).await.outcome(), "allow");
    assert!(browser.post("/api/passkeys/begin", json!({})).await.body["begun"].is_object());
}

#[tokio::test]
async fn administrators_alone_see_staff_and_renew_codes() {
    let clinic = Clinic::open().await;
    let mut clinician = clinic.signed_in("amara.osei").await;
    let got = clinician.post("/api/administer/staff", json!({})).await;
    assert_eq!(got.outcome(), "deny", "{got:?}");
    let got = clinician.post("/api/administer/code", json!({ "staff_id": "amara.osei" })).await;
    assert!(got.outcome() == "deny" && got.body.get("result").is_none(), "{got:?}");
    let mut officer = clinic.signed_in("ines.hartmann").await;
    clinic.keyward.learned().await;
    let staff = officer.post("/api/administer/staff", json!({})).await;
    assert_eq!(staff.outcome(), "allow", "{staff:?}");
    let renewed = officer.post("/api/administer/code", json!({ "staff_id": "amara.osei" })).await;
    assert_eq!(renewed.body["result"]["code"], json!(clinic.code("amara.osei")), "{renewed:?}");
}
