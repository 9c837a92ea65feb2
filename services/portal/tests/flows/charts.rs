//! Charts, notes, prescriptions, and emergencies.

use serde_json::json;

use crate::browser::Clinic;

const DRAFT: &str =
    r#"{"patient":"p-1042","drug":"Lisinopril 10 mg tablet","directions":"one daily","quantity":28}"#;

#[tokio::test]
async fn a_clinician_opens_a_chart_and_writes_in_it() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    let chart = browser.post("/api/patients/p-1042/open", json!({})).await;
    assert_eq!(chart.outcome(), "allow", "{chart:?}");
    assert_eq!(chart.body["result"]["patient"]["name"], "Margaret Whitlow");
    assert!(chart.body["result"]["ends_in_s"].is_null());
    let written = browser.post("/api/patients/p-1042/notes", json!({ "text": "Seen by video." })).await;
    assert_eq!(written.body["result"]["notes"][0]["text"], "Seen by video.", "{written:?}");
    let empty = browser.post("/api/patients/p-1042/notes", json!({ "text": " " })).await;
    assert_eq!(empty.code(), "bad_request");
    assert_eq!(browser.post("/api/patients/p-0/open", json!({})).await.code(), "not_found");
}

#[tokio::test]
async fn the_front_desk_sees_appointments_and_no_chart() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("femi.adeyemi").await;
    let today = browser.post("/api/appointments", json!({})).await;
    assert_eq!(today.outcome(), "allow");
    assert!(!today.body.to_string().contains("Migraine"), "what is confidential is not in the list");
    let chart = browser.post("/api/patients/p-1042/open", json!({})).await;
    assert_eq!(chart.outcome(), "deny", "{chart:?}");
    assert!(chart.body.get("result").is_none(), "nothing of the chart came along");
}

#[tokio::test]
async fn each_prescription_is_signed_by_itself() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("amara.osei").await;
    // The clinic asks for a passkey of the last half minute; the one of the sign-in is that young.
    let first = browser.post("/api/prescriptions", serde_json::from_str(DRAFT).expect("json")).await;
    assert_eq!(first.outcome(), "allow", "{first:?}");
    let signed = &first.body["result"]["signed"];
    assert_eq!((&signed["by"], &signed["quantity"]), (&json!("Dr. Amara Osei"), &json!(28)));
    assert_eq!(signed["decision"], first.body["decision"]["id"], "the signature names its evidence");
    let mut unknown: serde_json::Value = serde_json::from_str(DRAFT).expect("json");
    unknown["drug"] = json!("Sugar");
    assert_eq!(browser.post("/api/prescriptions", unknown).await.code(), "bad_request");
    let mut controlled: serde_json::Value = serde_json::from_str(DRAFT).expect("json");
    controlled["drug"] = json!("Oxycodone 5 mg tablet");
    let asked = browser.post("/api/prescriptions", controlled).await;
    assert_eq!((asked.outcome(), asked.evidence()), ("step_up", "EVIDENCE_HARDWARE_PASSKEY"), "{asked:?}");
    let chart = browser.post("/api/patients/p-1042/open", json!({})).await;
    assert_eq!(chart.body["result"]["prescriptions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_nurse_signs_no_prescription() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("rosa.delgado").await;
    let got = browser.post("/api/prescriptions", serde_json::from_str(DRAFT).expect("json")).await;
    assert_eq!(got.outcome(), "deny", "{got:?}");
}

#[tokio::test]
async fn in_an_emergency_a_chart_that_is_not_hers_opens_for_a_while() {
    let clinic = Clinic::open().await;
    let mut browser = clinic.signed_in("jonas.lindqvist").await;
    let asked = browser.post("/api/patients/p-1319/open", json!({})).await;
    assert_eq!((asked.outcome(), asked.evidence()), ("step_up", "EVIDENCE_BREAK_GLASS"), "{asked:?}");
    assert!(asked.body.get("result").is_none());
    let short = browser.step_up(&asked, Some("help")).await;
    assert_ne!(short.outcome(), "allow", "a justification has ten characters at least: {short:?}");
    let asked = browser.post("/api/patients/p-1319/open", json!({})).await;
    let why = "unconscious in the emergency room, medication unknown";
    let opened = browser.step_up(&asked, Some(why)).await;
    assert_eq!(opened.outcome(), "allow", "{opened:?}");
    assert_eq!(opened.body["result"]["patient"]["name"], "Caleb Njoroge");
    assert_eq!(opened.body["result"]["ends_in_s"], 900);
    let obligations = opened.body["decision"]["obligations"].to_string();
    assert!(obligations.contains("NOTIFY_USER") && obligations.contains("TIME_BOX"), "{obligations}");
    let again = browser.post("/api/patients/p-1319/open", json!({})).await;
    assert_eq!(again.outcome(), "step_up", "each opening is asked for");
}
