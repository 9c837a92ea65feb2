//! The portal's HTTP side: routes, who is asking, and what every answer carries.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, header};
use keyward::settings::Settings;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::activity::Activity;
use crate::clinic::Clinic;
use crate::console::alerts::Alerts;
use crate::keyward::{Keyward, SPENT};
use crate::pages::Pages;
use crate::people::{DEMO_PASSWORD, Directory, Person, STAFF};
use crate::trouble::Trouble;
use crate::visit::{Visit, Visits, check_forgery};
use crate::{console, flows, pages};

/// The longest request, in bytes: telemetry of the largest size that the contract takes, as JSON.
const MAX_BODY: usize = 512 * 1024;
/// Passwords that are verified at once.
const PASSWORD_CHECKS: usize = 2;

/// The portal.
pub struct Portal {
    /// The way to keyward.
    pub keyward: Keyward,
    /// Browsers.
    pub visits: Visits,
    /// Staff.
    pub directory: Directory,
    /// Patients.
    pub clinic: Clinic,
    /// What happened in people's names.
    pub activity: Activity,
    /// What officers acknowledged.
    pub alerts: Alerts,
    /// The share of genuine logins that typing may raise, as keyward is set.
    pub friction_budget: f32,
    /// Bounds what verifying passwords may cost.
    pub password_checks: Semaphore,
    /// The pages.
    pub pages: Pages,
    /// Where browsers find the portal, such as `http://localhost:8080`.
    pub origin: String,
}

/// The portal as handlers see it.
pub type Shared = Arc<Portal>;

impl Portal {
    /// A portal with its demonstration people and patients, for browsers at `origin`.
    pub fn new(keyward: Keyward, pages: Pages, origin: String) -> Shared {
        Arc::new(Self {
            keyward,
            visits: Visits::new(origin.starts_with("https://")),
            directory: Directory::seeded(),
            clinic: Clinic::default(),
            activity: Activity::default(),
            alerts: Alerts::default(),
            friction_budget: Settings::defaults().assessment.friction_budget,
            password_checks: Semaphore::new(PASSWORD_CHECKS),
            pages,
            origin,
        })
    }
}

impl Portal {
    /// Whose password this is. Verifying takes long on purpose, so only so many are verified at once.
    ///
    /// # Errors
    /// [`Trouble::Fault`] when the program ends meanwhile.
    pub async fn check_password(
        self: &Arc<Self>,
        id: &str,
        password: &str,
    ) -> Result<Option<&'static Person>, Trouble> {
        let _place = self.password_checks.acquire().await.map_err(|_| Trouble::Fault)?;
        let (portal, id, password) = (self.clone(), id.to_owned(), password.to_owned());
        let checked =
            tokio::task::spawn_blocking(move || portal.directory.check_password(&id, &password)).await;
        checked.map_err(|_| Trouble::Fault)
    }
}

/// Serves until told to stop.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    portal: Shared,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router(portal).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

/// All routes.
pub fn router(portal: Shared) -> Router {
    let api = Router::new()
        .route("/visit", get(visit))
        .route("/nonce", post(flows::sign_in::nonce))
        .route("/sign-out", post(flows::sign_in::sign_out))
        .route("/sign-in/password", post(flows::sign_in_password::sign_in))
        .route("/sign-in/passkey/begin", post(flows::sign_in_passkey::begin))
        .route("/sign-in/passkey/finish", post(flows::sign_in_passkey::finish))
        .route("/sign-in/badge", post(flows::sign_in_badge::sign_in))
        .route("/enrol/begin", post(flows::enrol::begin))
        .route("/enrol/finish", post(flows::enrol::finish))
        .route("/step-up", post(flows::step_up::complete))
        .route("/checkpoint", post(flows::checkpoint::check))
        .route("/lock", post(flows::unlock::lock))
        .route("/unlock", post(flows::unlock::unlock))
        .route("/unlock/begin", post(flows::unlock::begin))
        .route("/unlock/passkey", post(flows::unlock::passkey))
        .route("/appointments", post(flows::today::see))
        .route("/patients/{id}/open", post(flows::chart::open))
        .route("/patients/{id}/notes", post(flows::chart::write))
        .route("/prescriptions", post(flows::prescribe::sign))
        .route("/activity", get(flows::not_me::list))
        .route("/activity/not-me", post(flows::not_me::report))
        .route("/my-data", get(flows::my_data::see))
        .route("/my-data/reset", post(flows::my_data::reset))
        .route("/my-data/export", get(flows::my_data::export))
        .route("/my-data/consent", post(flows::my_data::consent))
        .route("/settings/open", post(flows::settings::open))
        .route("/passkeys", get(flows::passkeys::list))
        .route("/passkeys/begin", post(flows::passkeys::begin))
        .route("/passkeys/finish", post(flows::passkeys::finish))
        .route("/passkeys/change", post(flows::passkeys::change))
        .route("/administer/staff", post(flows::administer::staff))
        .route("/administer/code", post(flows::administer::renew))
        .route("/console/open", post(console::open))
        .route("/console/overview", get(console::records::overview))
        .route("/console/people/{subject}", get(console::records::person))
        .route("/console/decisions/{name}", get(console::records::decision))
        .route("/console/acknowledge", post(console::alerts::acknowledge))
        .route("/console/stream", get(console::stream::watch))
        .route("/console/policy", get(console::what_if::policy))
        .route("/console/what-if", post(console::what_if::ask))
        .fallback(|| async { Trouble::NotFound("route") })
        .layer(DefaultBodyLimit::max(MAX_BODY));
    Router::new()
        .nest("/api", api)
        .fallback(pages::page)
        .layer(from_fn_with_state(portal.clone(), around))
        .with_state(portal)
}

/// `GET /api/visit`: who is here. Begins a visit where there is none; the only route that does.
async fn visit(State(portal): State<Shared>, request: Request) -> Response {
    let (visit, cookies) = portal.visits.find_or_begin(request.headers());
    let state = visit.state();
    let mut body = json!({ "csrf": "", "person": null, "held": state.held, "clinic": "St Mary Telehealth" });
    if let Some(person) = state.person {
        body["person"] = json!({
            "id": person.id, "name": person.name, "title": person.title, "officer": person.is_officer(),
        });
    } else {
        body["demo"] = demo(&portal);
    }
    drop(state);
    body["csrf"] = json!(visit.csrf());
    let mut response = Json(body).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// What the sign-in page shows of the demonstration's people. No real portal hands out any of this.
fn demo(portal: &Portal) -> Value {
    let people = STAFF.iter().map(|person| {
        json!({
            "id": person.id, "name": person.name, "title": person.title, "badge": person.badge,
            "code": portal.directory.code(person),
        })
    });
    json!({ "password": DEMO_PASSWORD, "people": people.collect::<Vec<_>>() })
}

/// The browser that asks: its visit and address. A request that changes something is checked for forgery first.
pub struct Here {
    /// Its visit.
    pub visit: Arc<Visit>,
    /// Its address.
    pub ip: IpAddr,
}

impl FromRequestParts<Shared> for Here {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, portal: &Shared) -> Result<Self, Trouble> {
        let visit = portal.visits.find(&parts.headers).ok_or(Trouble::SignedOut)?;
        if parts.method != Method::GET {
            check_forgery(&parts.headers, &visit, &portal.origin)?;
        }
        // An address that a proxy claims is anybody's word, so the peer's own counts.
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let ip = peer.map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.ip());
        Ok(Self { visit, ip })
    }
}

/// A body that one of the portal's pages sent.
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Sent<T> {
    type Rejection = Trouble;

    async fn from_request(request: Request, portal: &Shared) -> Result<Self, Trouble> {
        let bad = |what: &str| Trouble::BadRequest(what.to_owned());
        let json = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        if !json {
            return Err(bad("The body must be application/json."));
        }
        let body = Bytes::from_request(request, portal).await.map_err(|_| bad("The body is too long."))?;
        // What the parser says may repeat what was sent.
        serde_json::from_slice(&body).map(Self).map_err(|_| bad("The body is not what this page sends."))
    }
}

/// No script, style or frame but the portal's own, and none of it inline.
const POLICY: &str = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";
const PERMISSIONS: &str = "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), \
                           geolocation=(), microphone=()";

/// What every answer carries: the rules for browsers, and how long keyward took.
async fn around(State(portal): State<Shared>, request: Request, next: Next) -> Response {
    let spent = std::cell::Cell::new(Duration::ZERO);
    let (mut response, spent) = SPENT
        .scope(spent, async move {
            let response = next.run(request).await;
            (response, SPENT.with(std::cell::Cell::get))
        })
        .await;
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        // Isolated pages have a clock fine enough for typing.
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if portal.origin.starts_with("https://") {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if !spent.is_zero() {
        let timing = format!("keyward;dur={:.3}", spent.as_secs_f64() * 1e3);
        let timing = HeaderValue::try_from(timing).expect("digits are visible ASCII");
        headers.insert(HeaderName::from_static("server-timing"), timing);
    }
    response
}
