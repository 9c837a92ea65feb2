//! Signing in.

use serde_json::json;

use crate::browser::{Clinic, HER, PRESENT, SOMEBODY_ELSE, typed};

#[tokio::test]
async fn the_first_passkey_needs_password_and_code() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    let early = browser.post("/api/enrol/begin", json!({ "code": clinic.code("amara.osei") })).await;
    assert_eq!(early.code(), "signed_out", "a code without the password is nothing");
    assert_eq!(browser.password("amara.osei", None).await.code(), "enrol");
    let wrong = browser.post("/api/enrol/begin", json!({ "code": "AAAAA-AAAAA" })).await;
    assert_eq!(wrong.code(), "wrong_code");
    let colleagues = clinic.code("mei.tanaka");
    assert_eq!(browser.post("/api/enrol/begin", json!({ "code": colleagues })).await.code(), "wrong_code");
    let code = clinic.code("amara.osei");
    browser.enrol(&clinic, "amara.osei").await;
    assert_eq!(browser.visit().await["person"]["id"], "amara.osei");
    let mut thief = clinic.browser().await;
    let known = thief.password("amara.osei", None).await;
    assert_eq!(known.outcome(), "step_up", "with a passkey there is no second first time");
    assert_eq!(thief.post("/api/enrol/begin", json!({ "code": code })).await.code(), "wrong_code");
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_look_the_same() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    let body = |id: &str| json!({ "staff_id": id, "password": "guess", "device": "personal" });
    let wrong_password = browser.post("/api/sign-in/password", body("amara.osei")).await;
    let wrong_name = browser.post("/api/sign-in/password", body("amara.oseii")).await;
    assert_eq!(wrong_password.code(), "wrong");
    assert_eq!(wrong_password.body, wrong_name.body);
    assert!(browser.visit().await["person"].is_null());
}

#[tokio::test]
async fn the_daily_sign_in_by_passkey_teaches_typing_in_passing() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    for n in 0..2 {
        browser.post("/api/sign-out", json!({})).await;
        browser.visit().await;
        let telemetry = browser.telemetry(&typed(HER, n)).await;
        let got = browser.passkey(Some("amara.osei"), Some(telemetry)).await;
        assert_eq!(got.outcome(), "allow", "{got:?}");
    }
    clinic.keyward.learned().await;
    let data = browser.get("/api/my-data").await;
    assert_eq!(data.body["profiles"][0]["field"], "password", "{data:?}");
    assert_eq!(data.body["profiles"][0]["maturity"], "MATURITY_LEARNING");
}

#[tokio::test]
async fn a_passkey_alone_tells_who_it_is() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("rosa.delgado").await;
    browser.post("/api/sign-out", json!({})).await;
    browser.visit().await;
    let got = browser.passkey(None, None).await;
    assert_eq!((got.outcome(), &got.body["result"]["person"]), ("allow", &json!("rosa.delgado")), "{got:?}");
    assert_eq!(browser.visit().await["person"]["name"], "Rosa Delgado");
}

#[tokio::test]
async fn known_typing_spares_her_the_prompt_and_other_hands_meet_it() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    clinic.learn("amara.osei", HER).await;
    browser.post("/api/sign-out", json!({})).await;
    browser.visit().await;
    let telemetry = browser.telemetry(&typed(HER, PRESENT + 1)).await;
    let hers = browser.password("amara.osei", Some(telemetry)).await;
    assert_eq!(hers.outcome(), "allow", "{hers:?}");
    browser.post("/api/sign-out", json!({})).await;
    browser.visit().await;
    let telemetry = browser.telemetry(&typed(SOMEBODY_ELSE, PRESENT + 1)).await;
    let other = browser.password("amara.osei", Some(telemetry)).await;
    assert_eq!((other.outcome(), other.evidence()), ("step_up", "EVIDENCE_PASSKEY"), "{other:?}");
    assert!(browser.visit().await["person"].is_null(), "nobody is in yet");
    let reasons = other.body["decision"]["reasons"].to_string();
    assert!(reasons.contains("looks different") && !reasons.contains("adminText"), "{reasons}");
    assert!(other.body["decision"].get("signals").is_none(), "scores are not the browser's business");
}

#[tokio::test]
async fn a_badge_opens_a_session_on_a_known_workstation_and_no_chart() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    browser.device = "shared_workstation";
    let new = browser.post("/api/sign-in/badge", json!({ "badge": "40218340" })).await;
    assert_eq!(new.code(), "no_passkey");
    browser.enrol(&clinic, "rosa.delgado").await;
    browser.post("/api/sign-out", json!({})).await;
    clinic.keyward.learned().await;
    browser.visit().await;
    let got = browser.post("/api/sign-in/badge", json!({ "badge": " 40218340 " })).await;
    assert_eq!(got.outcome(), "allow", "{got:?}");
    assert_eq!(browser.post("/api/appointments", json!({})).await.outcome(), "allow");
    let chart = browser.post("/api/patients/p-1042/open", json!({})).await;
    assert_eq!((chart.outcome(), chart.evidence()), ("step_up", "EVIDENCE_PASSKEY"), "{chart:?}");
    let unknown = browser.post("/api/sign-in/badge", json!({ "badge": "1" })).await;
    assert_eq!(unknown.code(), "wrong");
}
