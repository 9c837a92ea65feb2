//! What a hostile page, a hostile client and a bad day meet.

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::browser::{Clinic, ORIGIN};

/// A request without what the portal's own page adds.
fn bare(path: &str) -> http::request::Builder {
    Request::post(path).header(header::CONTENT_TYPE, "application/json")
}

#[tokio::test]
async fn pages_of_others_change_nothing() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    let body = || Body::from("{}");
    let csrf = browser.csrf.clone();
    let path = "/api/my-data/reset";
    let forgeries = [
        bare(path),
        bare(path).header("x-portal-csrf", "guess").header(header::ORIGIN, ORIGIN),
        bare(path).header("x-portal-csrf", &csrf).header(header::ORIGIN, "https://evil.example"),
        bare(path).header("x-portal-csrf", &csrf).header("sec-fetch-site", "cross-site"),
    ];
    for forgery in forgeries {
        let got = browser.send(forgery, body()).await;
        assert_eq!((got.status, got.code()), (StatusCode::FORBIDDEN, "forged"), "{got:?}");
    }
    let form = Request::post(path)
        .header("x-portal-csrf", &csrf)
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(browser.send(form, body()).await.outcome(), "allow", "no body is read here");
    let form = Request::post("/api/sign-in/badge")
        .header("x-portal-csrf", &csrf)
        .header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(browser.send(form, Body::from(r#"{"badge":"1"}"#)).await.code(), "bad_request");
}

#[tokio::test]
async fn cookies_are_out_of_scripts_reach_and_pages_run_nothing_foreign() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    browser.cookies.clear();
    let got = browser.get("/api/visit").await;
    let cookies: Vec<&str> =
        got.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("text")).collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert!(
        cookies
            .iter()
            .all(|c| c.contains("HttpOnly") && c.contains("SameSite=Strict") && c.contains("Path=/"))
    );
    let policy = got.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(got.headers[header::CACHE_CONTROL], "no-store");
    browser.visit().await;
    let answer = browser.post("/api/nonce", json!({})).await;
    let timing = answer.headers["server-timing"].to_str().expect("text");
    assert!(timing.starts_with("keyward;dur="), "{timing}");
}

#[tokio::test]
async fn over_tls_cookies_are_secure_and_for_this_host() {
    let clinic = Clinic::open().await;
    let address = format!("http://{}", clinic.keyward.address());
    let keyward = keyward_portal::keyward::Keyward::at(&address, "st-mary", None).expect("an address");
    let pages = keyward_portal::pages::Pages::none();
    let portal = keyward_portal::server::Portal::new(keyward, pages, "https://portal.example".to_owned());
    let clinic = Clinic { portal, ..clinic };
    let mut browser = clinic.browser().await;
    browser.cookies.clear();
    let got = browser.get("/api/visit").await;
    for cookie in got.headers.get_all(header::SET_COOKIE) {
        let cookie = cookie.to_str().expect("text");
        assert!(cookie.starts_with("__Host-") && cookie.contains("Secure"), "{cookie}");
    }
    assert!(got.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
}

#[tokio::test]
async fn nobody_signed_in_sees_nothing() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    for path in ["/api/activity", "/api/my-data", "/api/passkeys"] {
        assert_eq!(browser.get(path).await.code(), "signed_out", "{path}");
    }
    for path in
        ["/api/appointments", "/api/patients/p-1042/open", "/api/passkeys/begin", "/api/administer/staff"]
    {
        assert_eq!(browser.post(path, json!({})).await.code(), "signed_out", "{path}");
    }
    browser.cookies = vec![("portal-visit".to_owned(), "A".repeat(43))];
    assert_eq!(browser.get("/api/activity").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_not_repeated() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.browser().await;
    let password = |telemetry: Value| json!({ "staff_id": "amara.osei", "password": "x", "device": "personal", "telemetry": telemetry });
    let bodies = [
        json!("hunter2"),
        json!({ "staff_id": "hunter2" }),
        json!({ "staff_id": "a", "password": "b", "device": "hunter2" }),
        password(json!({ "keystrokes": [{ "text": "hunter2" }] })),
        password(json!({ "keystrokes": "hunter2" })),
        password(json!({ "nonce": 5 })),
    ];
    for body in bodies {
        let got = browser.post("/api/sign-in/password", body).await;
        assert_eq!((got.status, got.code()), (StatusCode::BAD_REQUEST, "bad_request"), "{got:?}");
        assert!(!got.body.to_string().contains("hunter2"), "{got:?}");
    }
    let long = browser.post("/api/sign-in/password", json!({ "staff_id": "x".repeat(600_000) })).await;
    assert_eq!(long.code(), "bad_request");
}

#[tokio::test]
async fn without_keyward_nothing_opens_and_the_person_is_told() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("jonas.lindqvist").await;
    let asked = browser.post("/api/patients/p-1319/open", json!({})).await;
    let Clinic { keyward, portal, .. } = clinic;
    keyward.stop().await;
    let opened = browser.post("/api/patients/p-1203/open", json!({})).await;
    assert_eq!(
        (opened.status, opened.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "unreachable"),
        "{opened:?}"
    );
    assert!(opened.body["message"].as_str().expect("a text").contains("downtime procedure"));
    let answered = browser.step_up(&asked, Some("found collapsed in the corridor")).await;
    assert_eq!(answered.code(), "unreachable");
    assert_eq!(browser.post("/api/nonce", json!({})).await.code(), "unreachable");
    assert_eq!(browser.visit().await["person"]["id"], "jonas.lindqvist", "she is still signed in");
    drop(portal);
}
