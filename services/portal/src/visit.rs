//! Visits: the portal's own sessions. A browser holds a random id in a cookie that scripts cannot read; everything else is
//! kept here, in memory. Ids change at sign-in, so that nobody can hand another person a session that they know.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};
use keyward_api::v1;
use subtle::ConstantTimeEq as _;

use crate::act::Act;
use crate::people::Person;
use crate::trouble::Trouble;

/// A visit ends after so long without a request.
const IDLE: Duration = Duration::from_mins(30);
/// Visits at once; the ones that were silent longest make room.
const MOST: usize = 10_000;
/// Prompts that one visit may have open; more than a person can look at.
const PROMPTS: usize = 16;
/// The header that carries the visit's secret against forged requests.
pub const CSRF_HEADER: &str = "x-portal-csrf";

/// One browser's visit.
pub struct Visit {
    /// The session's id at keyward. It stays the same at sign-in, because proofs and nonces belong to it.
    pub session: String,
    /// The device, as recognised by a cookie that outlives visits.
    pub device: String,
    state: Mutex<State>,
}

/// What changes during a visit.
#[derive(Default)]
pub struct State {
    /// Who is signed in.
    pub person: Option<&'static Person>,
    /// Whose password was typed rightly in this visit, and when.
    pub password: Option<(&'static Person, prost_types::Timestamp)>,
    /// Whose badge was held to the reader, and when.
    pub badge: Option<(&'static Person, prost_types::Timestamp)>,
    /// The kind of device, as the browser's owner said.
    pub device_class: v1::DeviceClass,
    /// Whether the session waits for a step-up before anything else.
    pub held: bool,
    /// What each open prompt is for.
    prompts: HashMap<String, (&'static Person, Act)>,
    /// Sign-ins by passkey that were begun: for whom, if it is known.
    pub begun: HashMap<String, Option<&'static Person>>,
    /// Whether the enrolment code was given rightly for the person whose password was typed.
    pub may_enrol: bool,
    /// Until when the security console is open.
    pub console: Option<Instant>,
    /// Until when the person's own settings are open.
    pub settings: Option<Instant>,
    /// Charts that were opened, since the last checkpoint.
    pub opened: Vec<&'static str>,
    /// When the last checkpoint was.
    pub checkpoint: Option<Instant>,
    csrf: String,
    seen: Option<Instant>,
}

impl Visit {
    fn new(device: String, now: Instant) -> Self {
        let state = State {
            csrf: random_id(),
            device_class: v1::DeviceClass::Personal,
            seen: Some(now),
            checkpoint: Some(now),
            ..State::default()
        };
        Self { session: random_id(), device, state: Mutex::new(state) }
    }

    /// Its state. Never held across a call.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is signed in, unless the session is held.
    ///
    /// # Errors
    /// [`Trouble::SignedOut`], [`Trouble::Held`].
    pub fn person(&self) -> Result<&'static Person, Trouble> {
        let state = self.state();
        let person = state.person.ok_or(Trouble::SignedOut)?;
        if state.held { Err(Trouble::Held) } else { Ok(person) }
    }

    /// Remembers what a prompt is for.
    pub fn file(&self, ceremony: &str, person: &'static Person, act: Act) {
        let mut state = self.state();
        if state.prompts.len() >= PROMPTS {
            state.prompts.clear();
        }
        state.prompts.insert(ceremony.to_owned(), (person, act));
    }

    /// What a prompt was for, once.
    pub fn take(&self, ceremony: &str) -> Option<(&'static Person, Act)> {
        self.state().prompts.remove(ceremony)
    }

    /// The secret that the pages of this visit know.
    pub fn csrf(&self) -> String {
        self.state().csrf.clone()
    }
}

/// Everybody's visits.
pub struct Visits {
    visits: Mutex<HashMap<String, Arc<Visit>>>,
    secure: bool,
}

impl Visits {
    /// None yet. `secure` where browsers come over TLS.
    pub fn new(secure: bool) -> Self {
        Self { visits: Mutex::default(), secure }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Visit>>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The visit of a request, if its cookie names one that still runs.
    pub fn find(&self, headers: &HeaderMap) -> Option<Arc<Visit>> {
        let id = cookie_of(headers, self.visit_cookie())?;
        let mut visits = self.all();
        let visit = visits.get(&id)?.clone();
        let now = Instant::now();
        let mut state = visit.state();
        if state.seen.is_none_or(|seen| now.duration_since(seen) > IDLE) {
            drop(state);
            visits.remove(&id);
            return None;
        }
        state.seen = Some(now);
        drop(state);
        Some(visit)
    }

    /// The visit of a request, or a new one with the cookies that go with it.
    pub fn find_or_begin(&self, headers: &HeaderMap) -> (Arc<Visit>, Vec<HeaderValue>) {
        if let Some(visit) = self.find(headers) {
            return (visit, Vec::new());
        }
        let known = cookie_of(headers, self.device_cookie()).filter(|id| is_random_id(id));
        let device = known.unwrap_or_else(random_id);
        let visit = Arc::new(Visit::new(device.clone(), Instant::now()));
        let id = self.keep(visit.clone());
        (visit, vec![self.visit_header(&id), self.device_header(&device)])
    }

    fn keep(&self, visit: Arc<Visit>) -> String {
        let id = random_id();
        let mut visits = self.all();
        if visits.len() >= MOST {
            let oldest = visits.iter().min_by_key(|(_, visit)| visit.state().seen).map(|(id, _)| id.clone());
            oldest.map(|id| visits.remove(&id));
        }
        visits.insert(id.clone(), visit);
        id
    }

    /// Signs a person in: under a new id and a new secret, with every open prompt of before forgotten.
    pub fn sign_in(&self, visit: &Arc<Visit>, person: &'static Person) -> HeaderValue {
        self.forget(visit);
        {
            let mut state = visit.state();
            state.person = Some(person);
            state.held = false;
            state.may_enrol = false;
            state.console = None;
            state.settings = None;
            state.prompts.clear();
            state.begun.clear();
            state.csrf = random_id();
        }
        self.visit_header(&self.keep(visit.clone()))
    }

    /// Ends a visit. The browser's next request begins another, with another session at keyward.
    pub fn end(&self, visit: &Arc<Visit>) {
        self.forget(visit);
        let mut state = visit.state();
        state.person = None;
        state.console = None;
        state.settings = None;
        state.password = None;
        state.badge = None;
        state.prompts.clear();
    }

    /// Ends a person's other visits. How many there were.
    pub fn end_others(&self, person: &Person, but: &Arc<Visit>) -> usize {
        let others: Vec<Arc<Visit>> = self
            .all()
            .values()
            .filter(|visit| !Arc::ptr_eq(visit, but))
            .filter(|visit| visit.state().person.is_some_and(|other| other.id == person.id))
            .cloned()
            .collect();
        for visit in &others {
            self.end(visit);
        }
        others.len()
    }

    fn forget(&self, visit: &Arc<Visit>) {
        self.all().retain(|_, other| !Arc::ptr_eq(other, visit));
    }

    /// The prefix makes browsers refuse the cookie unless it came over TLS, for this host alone.
    fn visit_cookie(&self) -> &'static str {
        if self.secure { "__Host-portal-visit" } else { "portal-visit" }
    }

    fn device_cookie(&self) -> &'static str {
        if self.secure { "__Host-portal-device" } else { "portal-device" }
    }

    fn visit_header(&self, id: &str) -> HeaderValue {
        header(&self.cookie(self.visit_cookie(), id))
    }

    fn device_header(&self, id: &str) -> HeaderValue {
        let mut cookie = self.cookie(self.device_cookie(), id);
        cookie.set_max_age(cookie::time::Duration::days(400));
        header(&cookie)
    }

    fn cookie<'a>(&self, name: &'a str, value: &'a str) -> Cookie<'a> {
        Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Strict)
            .secure(self.secure)
            .build()
    }
}

/// Refuses what a page of another origin could send: a request that changes something carries the visit's secret, and its
/// origin, where the browser says it, is the portal's.
///
/// # Errors
/// [`Trouble::Forged`].
pub fn check_forgery(headers: &HeaderMap, visit: &Visit, origin: &str) -> Result<(), Trouble> {
    let given = headers.get(CSRF_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
    let same = bool::from(given.ct_eq(visit.csrf().as_bytes()));
    let from = headers.get(header::ORIGIN);
    let ours = from.is_none_or(|from| from.as_bytes() == origin.as_bytes());
    let site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    if same && ours && site { Ok(()) } else { Err(Trouble::Forged) }
}

/// 256 random bits as text.
///
/// # Panics
/// Never: aws-lc aborts rather than give no randomness.
pub fn random_id() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("aws-lc aborts rather than give no randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a text has the form of [`random_id`]: cookies are the client's word.
fn is_random_id(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = texts.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.filter(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned()).next()
}

fn header(cookie: &Cookie<'_>) -> HeaderValue {
    HeaderValue::try_from(cookie.to_string()).expect("names and base64url are visible ASCII")
}

/// Where a request came from, as the portal sees it.
pub fn context(ip: IpAddr, recent_failures: u32) -> v1::ClientContext {
    v1::ClientContext { ip: ip.to_string(), recent_failures, ..Default::default() }
}
