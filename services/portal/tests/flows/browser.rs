//! A clinic for a test, and browsers that visit it.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use keyward_api::convert::keystrokes_to_wire;
use keyward_api::v1;
use keyward_domain::KeystrokeSample;
use keyward_portal::embedded::Embedded;
use keyward_portal::keyward::Keyward;
use keyward_portal::pages::Pages;
use keyward_portal::people::{DEMO_PASSWORD, Person};
use keyward_portal::server::{Portal, Shared, router};
use keyward_portal::wire;
use keyward_simulate::authenticator::SoftAuthenticator;
use keyward_simulate::typist::Typist;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "http://localhost:8080";
/// Keys of the password, Enter included.
const KEYS: usize = 11;
/// Where the history of typing ends, counted in texts typed.
pub(crate) const PRESENT: u64 = 200;
/// Typists whose verdict is clear: how often verdicts are wrong is measured elsewhere.
pub(crate) const HER: u64 = 41;
pub(crate) const SOMEBODY_ELSE: u64 = 8;

/// The portal before a keyward of its own.
pub(crate) struct Clinic {
    pub(crate) portal: Shared,
    pub(crate) keyward: Embedded,
    /// No two browsers hold the same passkey.
    pub(crate) browsers: AtomicU64,
}

impl Clinic {
    pub(crate) async fn open() -> Self {
        let keyward = Embedded::start(ORIGIN, None).await.expect("keyward starts");
        let address = format!("http://{}", keyward.address());
        let client = Keyward::at(&address, "st-mary", None).expect("an address");
        let portal = Portal::new(client, Pages::none(), ORIGIN.to_owned());
        Self { portal, keyward, browsers: AtomicU64::new(1) }
    }

    /// A browser on a computer of its own.
    pub(crate) async fn browser(&self) -> Browser {
        let mut browser = Browser {
            router: router(self.portal.clone()),
            cookies: Vec::new(),
            csrf: String::new(),
            authenticator: self.authenticator(),
            device: "personal",
        };
        browser.visit().await;
        browser
    }

    /// An authenticator with keys of its own.
    pub(crate) fn authenticator(&self) -> SoftAuthenticator {
        SoftAuthenticator::new(ORIGIN, self.browsers.fetch_add(1, Ordering::Relaxed))
    }

    /// A browser in which this person has made a passkey and is signed in.
    pub(crate) async fn signed_in(&self, id: &str) -> Browser {
        let mut browser = self.browser().await;
        browser.enrol(self, id).await;
        browser
    }

    /// The code that this person was handed.
    pub(crate) fn code(&self, id: &str) -> String {
        self.portal.directory.code(Person::by_id(id).expect("staff")).expect("an open code")
    }

    /// Lets keyward know how a person types the password, as a month of proven sign-ins would.
    pub(crate) async fn learn(&self, id: &str, typist: u64) {
        let samples = (1..=50).rev().map(|back| keystrokes_to_wire(&typed(typist, PRESENT - 3 * back)));
        let request = v1::ImportSamplesRequest {
            tenant: "st-mary".to_owned(),
            subject: id.to_owned(),
            device_class: v1::DeviceClass::Personal.into(),
            samples: samples.collect(),
        };
        let imported = self.portal.keyward.profiles.clone().import_samples(request).await.expect("imported");
        let profile = imported.into_inner().profile.expect("a profile");
        assert_eq!(profile.maturity(), v1::Maturity::Mature);
    }
}

/// A person types the password, for the `n`-th time.
pub(crate) fn typed(typist: u64, n: u64) -> KeystrokeSample {
    Typist::new(typist).type_text(KEYS, n)
}

/// An answer of the portal's.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Got {
    /// How it ended.
    pub(crate) fn outcome(&self) -> &str {
        self.body["outcome"].as_str().unwrap_or("none")
    }

    /// The evidence that a STEP_UP asks for.
    pub(crate) fn evidence(&self) -> &str {
        self.body["decision"]["stepUp"]["evidence"].as_str().unwrap_or("none")
    }

    /// The portal's own code.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("none")
    }
}

/// A browser with its cookies, a page that knows the visit's secret, and an authenticator.
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) csrf: String,
    pub(crate) authenticator: SoftAuthenticator,
    pub(crate) device: &'static str,
}

impl Browser {
    /// Loads the page anew.
    pub(crate) async fn visit(&mut self) -> Value {
        let got = self.get("/api/visit").await;
        got.body["csrf"].as_str().expect("a secret").clone_into(&mut self.csrf);
        got.body
    }

    pub(crate) async fn get(&mut self, path: &str) -> Got {
        self.send(Request::get(path), Body::empty()).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Got {
        let csrf = self.csrf.clone();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ORIGIN, ORIGIN)
            .header("sec-fetch-site", "same-origin")
            .header("x-portal-csrf", csrf);
        self.send(request, Body::from(body.to_string())).await
    }

    pub(crate) async fn send(&mut self, request: http::request::Builder, body: Body) -> Got {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).body(body).expect("a request");
        let changes = request.method() != Method::GET;
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (head, body) = response.into_parts();
        self.keep(&head.headers);
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        // As the page does after a sign-in.
        if changes && let Some(csrf) = body["result"]["csrf"].as_str() {
            csrf.clone_into(&mut self.csrf);
        }
        Got { status: head.status, headers: head.headers, body }
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().expect("text");
            let (name, rest) = text.split_once('=').expect("a cookie");
            let value = rest.split(';').next().expect("a value").to_owned();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value));
        }
    }

    /// A nonce for this visit.
    pub(crate) async fn nonce(&mut self) -> String {
        self.post("/api/nonce", json!({})).await.body["nonce"].as_str().expect("a nonce").to_owned()
    }

    /// Telemetry as the collector gives it: typing of the password under a fresh nonce.
    pub(crate) async fn telemetry(&mut self, sample: &KeystrokeSample) -> Value {
        let nonce = self.nonce().await;
        let keystrokes = vec![keystrokes_to_wire(sample)];
        wire::to_json("Telemetry", &v1::Telemetry { nonce, keystrokes, ..v1::Telemetry::default() })
    }

    /// Types staff id and the right password.
    pub(crate) async fn password(&mut self, id: &str, telemetry: Option<Value>) -> Got {
        let body = json!({
            "staff_id": id, "password": DEMO_PASSWORD, "device": self.device, "telemetry": telemetry,
        });
        self.post("/api/sign-in/password", body).await
    }

    /// First sign-in: password, code, passkey, and the passkey's first use.
    pub(crate) async fn enrol(&mut self, clinic: &Clinic, id: &str) {
        let invited = self.password(id, None).await;
        assert_eq!(invited.code(), "enrol", "{invited:?}");
        let asked = self.make_passkey(&clinic.code(id)).await;
        assert_eq!((asked.outcome(), asked.evidence()), ("step_up", "EVIDENCE_PASSKEY"), "{asked:?}");
        let done = self.step_up(&asked, None).await;
        assert_eq!(done.outcome(), "allow", "{done:?}");
    }

    /// Enters a code and makes a passkey.
    pub(crate) async fn make_passkey(&mut self, code: &str) -> Got {
        let begun = self.post("/api/enrol/begin", json!({ "code": code })).await;
        let answer = self.registered(&begun.body["begun"]);
        self.post("/api/enrol/finish", json!({ "answer": answer, "name": "laptop" })).await
    }

    /// What the browser's prompt gives for a registration.
    pub(crate) fn registered(&self, begun: &Value) -> Value {
        let credential = self.authenticator.register(begun["optionsJson"].as_str().expect("options"));
        json!({ "ceremonyId": begun["ceremonyId"], "credentialJson": credential.expect("a passkey") })
    }

    /// What the browser's prompt gives for a challenge.
    pub(crate) fn answered(&self, begun: &Value) -> Value {
        let credential = self.authenticator.authenticate(begun["optionsJson"].as_str().expect("options"));
        json!({ "ceremonyId": begun["ceremonyId"], "credentialJson": credential.expect("an answer") })
    }

    /// Answers the prompt of a STEP_UP.
    pub(crate) async fn step_up(&mut self, asked: &Got, justification: Option<&str>) -> Got {
        let assertion = self.answered(&asked.body["decision"]["stepUp"]);
        let break_glass = justification.map(|text| json!({ "justification": text }));
        self.post("/api/step-up", json!({ "assertion": assertion, "breakGlass": break_glass })).await
    }

    /// Signs in with the passkey, having typed the staff id or not.
    pub(crate) async fn passkey(&mut self, id: Option<&str>, telemetry: Option<Value>) -> Got {
        let body = json!({ "staff_id": id, "telemetry": telemetry });
        let begun = self.post("/api/sign-in/passkey/begin", body).await;
        let assertion = self.answered(&begun.body["begun"]);
        let finish = json!({ "assertion": assertion, "device": self.device, "telemetry": telemetry });
        self.post("/api/sign-in/passkey/finish", finish).await
    }
}
