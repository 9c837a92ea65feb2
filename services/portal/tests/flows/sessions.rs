//! Running sessions: taking turns, checkpoints, prompts.

use keyward_portal::people::DEMO_PASSWORD;
use keyward_simulate::authenticator::Behaviour;
use serde_json::json;

use crate::browser::{Clinic, HER, PRESENT, SOMEBODY_ELSE, typed};

#[tokio::test]
async fn ids_and_secrets_change_at_sign_in_and_the_device_stays() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    let before = (browser.cookies.clone(), browser.csrf.clone());
    browser.enrol(&clinic, "amara.osei").await;
    let cookie = |cookies: &[(String, String)], name: &str| {
        cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).expect("a cookie")
    };
    assert_ne!(cookie(&before.0, "portal-visit"), cookie(&browser.cookies, "portal-visit"));
    assert_eq!(cookie(&before.0, "portal-device"), cookie(&browser.cookies, "portal-device"));
    assert_ne!(before.1, browser.csrf);
    browser.cookies = before.0;
    assert_eq!(browser.get("/api/activity").await.code(), "signed_out", "the old id opens nothing");
}

#[tokio::test]
async fn people_take_turns_at_a_workstation() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    browser.device = "shared_workstation";
    browser.enrol(&clinic, "rosa.delgado").await;
    browser.post("/api/sign-out", json!({})).await;
    assert_eq!(browser.get("/api/activity").await.code(), "signed_out");
    browser.visit().await;
    browser.authenticator = clinic.authenticator();
    browser.enrol(&clinic, "samuel.brandt").await;
    let entries = browser.get("/api/activity").await.body.to_string();
    assert!(entries.contains("Sign-in") && entries.contains("Shared workstation"), "{entries}");
    let people = browser.visit().await;
    assert_eq!(people["person"]["id"], "samuel.brandt");
}

#[tokio::test]
async fn other_hands_in_a_running_session_hold_it_until_she_confirms() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    clinic.learn("amara.osei", HER).await;
    // Policy lets very unusual typing pass for five minutes after a passkey: this session was opened by typing.
    browser.post("/api/sign-out", json!({})).await;
    browser.visit().await;
    let telemetry = browser.telemetry(&typed(HER, PRESENT + 1)).await;
    assert_eq!(browser.password("amara.osei", Some(telemetry)).await.outcome(), "allow");
    let locked = browser.post("/api/lock", json!({})).await;
    assert_eq!(locked.outcome(), "allow");
    let unlock = |telemetry| json!({ "password": DEMO_PASSWORD, "telemetry": telemetry });
    let wrong = browser.post("/api/unlock", json!({ "password": "guess" })).await;
    assert_eq!(wrong.code(), "wrong");
    let checkpoint = browser.post("/api/checkpoint", json!({})).await;
    assert_eq!(checkpoint.body["result"]["held"], true, "a checkpoint alone unlocks nothing: {checkpoint:?}");
    assert_eq!(browser.post("/api/appointments", json!({})).await.code(), "held");
    let telemetry = browser.telemetry(&typed(HER, PRESENT + 2)).await;
    let fine = browser.post("/api/unlock", unlock(telemetry)).await;
    assert_eq!(fine.outcome(), "allow", "{fine:?}");
    assert_eq!(browser.post("/api/appointments", json!({})).await.outcome(), "allow");
    let telemetry = browser.telemetry(&typed(SOMEBODY_ELSE, PRESENT + 1)).await;
    let asked = browser.post("/api/unlock", unlock(telemetry)).await;
    assert_eq!(asked.outcome(), "step_up", "{asked:?}");
    assert_eq!(browser.post("/api/appointments", json!({})).await.code(), "held");
    assert_eq!(browser.get("/api/my-data").await.code(), "held");
    assert_eq!(browser.visit().await["held"], true, "a reload does not lift it");
    let confirmed = browser.step_up(&asked, None).await;
    assert_eq!(confirmed.outcome(), "allow", "{confirmed:?}");
    assert_eq!(browser.post("/api/appointments", json!({})).await.outcome(), "allow");
}

#[tokio::test]
async fn a_locked_session_opens_with_her_passkey_and_no_other() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    let mut colleagues = clinic.browser().await;
    colleagues.authenticator = clinic.authenticator();
    colleagues.enrol(&clinic, "rosa.delgado").await;
    browser.post("/api/lock", json!({})).await;
    let begun = browser.post("/api/unlock/begin", json!({})).await.body["begun"].clone();
    let forged = Behaviour { tamper_signature: true, ..Behaviour::default() };
    browser.authenticator.behave(forged);
    let assertion = browser.answered(&begun);
    let got = browser.post("/api/unlock/passkey", json!({ "assertion": assertion })).await;
    assert_eq!(got.code(), "passkey_rejected", "{got:?}");
    assert_eq!(browser.get("/api/my-data").await.code(), "held");
    browser.authenticator.behave(Behaviour::default());
    let begun = browser.post("/api/unlock/begin", json!({})).await.body["begun"].clone();
    let assertion = browser.answered(&begun);
    let got = browser.post("/api/unlock/passkey", json!({ "assertion": assertion })).await;
    assert_eq!(got.outcome(), "allow", "{got:?}");
    assert_eq!(browser.get("/api/my-data").await.status, http::StatusCode::OK);
    // A challenge for whoever answers, begun in her session: a colleague's passkey is not hers.
    browser.post("/api/lock", json!({})).await;
    let begun = browser.post("/api/sign-in/passkey/begin", json!({})).await.body["begun"].clone();
    let assertion = colleagues.answered(&begun);
    let got = browser.post("/api/unlock/passkey", json!({ "assertion": assertion })).await;
    assert_eq!(got.code(), "passkey_rejected", "{got:?}");
}

#[tokio::test]
async fn a_prompt_opens_once_and_for_its_own_session() {
    let clinic = Clinic::open().await;
    let mut hers = clinic.signed_in("jonas.lindqvist").await;
    let mut other = clinic.browser().await;
    let asked = hers.post("/api/patients/p-1319/open", json!({})).await;
    let assertion = hers.answered(&asked.body["decision"]["stepUp"]);
    let body = json!({ "assertion": assertion, "breakGlass": { "justification": "found collapsed in the corridor" } });
    let stolen = other.post("/api/step-up", body.clone()).await;
    assert_eq!(stolen.code(), "CHALLENGE_EXPIRED", "{stolen:?}");
    assert_eq!(hers.post("/api/step-up", body.clone()).await.outcome(), "allow");
    let twice = hers.post("/api/step-up", body).await;
    assert_eq!(twice.code(), "CHALLENGE_EXPIRED", "{twice:?}");
}

#[tokio::test]
async fn a_rejected_answer_keeps_what_was_waiting() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("jonas.lindqvist").await;
    let asked = browser.post("/api/patients/p-1319/open", json!({})).await;
    let forged = Behaviour { tamper_signature: true, ..Behaviour::default() };
    browser.authenticator.behave(forged);
    let again = browser.step_up(&asked, Some("found collapsed in the corridor")).await;
    assert_eq!(again.outcome(), "step_up", "{again:?}");
    browser.authenticator.behave(Behaviour::default());
    let opened = browser.step_up(&again, Some("found collapsed in the corridor")).await;
    assert_eq!(opened.outcome(), "allow", "the chart still opens: {opened:?}");
}
