//! One assessment: read, observe, decide, record, write back, answer. The order is the point: no ALLOW leaves before its
//! record is durable, and no nonce or session changes without a decision that saw it.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyward_domain::{
    Assessment, CeremonyId, Decision, FieldLabel, Outcome, PasskeyProof, ReasonCode, RequestId,
    TelemetryHash, Timestamp,
};
use keyward_features::telemetry_hash;
use keyward_policy::NonceState;
use keyward_store::{Announced, HotRead, HotView, HotWrite, HotWritten};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span, debug_span};

use crate::assertions::Shown;
use crate::habits;
use crate::known::Marks;
use crate::limits::Counts;
use crate::observe::Observed;
use crate::people::{Beside, Person};
use crate::profiles::{self, Cached};
use crate::session::{self, LastDecision, Reply, ReplyTo, SessionState};
use crate::{Engine, EngineError, Stage, nonce};

/// How often an assessment is made again because another one of the same session came between its read and its write.
const RACES: usize = 8;
/// The window in which false alarms are counted: a week, from its first.
const FALSE_ALARMS_WINDOW: Duration = Duration::from_hours(7 * 24);
/// The part of the time that is kept back for recording and writing, in percent.
const RESERVE_PERCENT: u32 = 30;

/// An assessment on its way, with what was found out once and holds however often it is decided.
pub(crate) struct Case {
    pub assessment: Assessment,
    pub telemetry: TelemetryHash,
    pub fingerprint: [u8; 32],
    /// The passkey assertion of this call.
    pub shown: Shown,
    /// A nonce judged when the telemetry first came, for step-ups.
    pub nonce: Option<NonceState>,
    pub deadline: Instant,
    /// Whether behaviour was taken out, because the person opted out of it.
    pub withheld: bool,
}

impl Case {
    /// Takes behaviour out, so that it is neither looked at nor kept with a challenge.
    fn withhold_behaviour(&mut self) {
        self.assessment.telemetry.withhold_behaviour();
        self.withheld = true;
    }

    /// Until when to wait for what the answer can do without. Recording and writing have the rest.
    pub(crate) fn wait_until(&self) -> Instant {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.deadline - left * RESERVE_PERCENT / 100
    }
}

/// What was read.
pub(crate) struct Read {
    /// The person's keys; without them nothing can be recorded, so nothing can be allowed.
    pub person: Option<Arc<Person>>,
    /// Hot state, unless its store did not answer.
    pub hot: Option<HotView>,
    /// Attempts from the network and of the tenant, unless nobody knows.
    pub counts: Option<Counts>,
    pub session: SessionState,
    pub marks: Marks,
    /// For each keystroke sample: its profile, or that the store did not answer.
    pub profiles: Vec<(FieldLabel, Option<Cached>)>,
    /// The person's habits, where telemetry carries what they judge and the store answered.
    pub habits: Option<habits::Cached>,
    /// Whether time ran out while reading.
    pub late: bool,
    /// Why the person's data key could not be used.
    pub key_fault: Option<&'static str>,
}

/// What the durable store has for an assessment, from caches or itself.
struct ReadDurable {
    /// The person, or why their data key could not be used if that is why not.
    person: Result<Arc<Person>, Option<&'static str>>,
    /// See [`Read::profiles`].
    profiles: Vec<(FieldLabel, Option<Cached>)>,
    /// See [`Read::habits`].
    habits: Option<habits::Cached>,
}

impl ReadDurable {
    /// The person alone, where nothing else could be read.
    const fn person(person: Result<Arc<Person>, Option<&'static str>>) -> Self {
        Self { person, profiles: Vec::new(), habits: None }
    }
}

/// A span of waiting for a store; nothing of what is asked is in it.
fn store_span(store: &'static str, operation: &'static str) -> Span {
    debug_span!("store", otel.name = format_args!("{store} {operation}"), otel.kind = "client")
}

impl Engine {
    /// Answers one login or checkpoint.
    ///
    /// # Errors
    /// [`EngineError::RequestIdReused`], [`EngineError::DeadlineExceeded`], [`EngineError::Conflict`] when other calls of the
    /// same session win every race. Stores that do not answer are no error: the decision is stricter and says so.
    pub async fn assess(&self, assessment: Assessment, deadline: Instant) -> Result<Decision, EngineError> {
        let telemetry = telemetry_hash(&assessment.telemetry);
        let fingerprint = session::fingerprint(&assessment, &telemetry)?;
        let shown = Shown::None;
        let case = Case { assessment, telemetry, fingerprint, shown, nonce: None, deadline, withheld: false };
        self.run(case).await
    }

    /// Decides a case, again if another call of the session comes in between.
    pub(crate) async fn run(&self, mut case: Case) -> Result<Decision, EngineError> {
        let mut hot_usable = true;
        for round in 0..RACES {
            if Instant::now() >= case.deadline {
                return Err(EngineError::DeadlineExceeded);
            }
            let started = Instant::now();
            let read = self.read(&case, hot_usable).instrument(debug_span!("read")).await;
            self.observer.stage(Stage::Read, started.elapsed());
            if let Some(decision) = Self::replied(&case, &read)? {
                return Ok(decision);
            }
            if read.person.as_ref().is_some_and(|person| person.known.opted_out()) {
                case.withhold_behaviour();
            }
            // Once: its ceremony opens once.
            if round == 0 && case.assessment.assertion.is_some() {
                case.shown = self.verify_shown(&case, &read).instrument(debug_span!("verify")).await;
            }
            let Decided { decision, observed, nonce, asked } = self.decide(&case, &read).await?;
            let written = self.write_back(&case, &read, &decision, asked).instrument(debug_span!("write"));
            match written.await? {
                Written::Done => {
                    tracing::debug!(decision = %decision.id, outcome = decision.outcome.name(), "decided");
                    self.observer.decision(&decision);
                    self.note_typing(&case, &observed);
                    self.learn_from(&case, &read, observed, nonce, &decision);
                    return Ok(decision);
                }
                Written::Replied(earlier) => return Ok(*earlier),
                Written::Raced => {}
                Written::StoreLost => hot_usable = false,
            }
        }
        Err(EngineError::Conflict)
    }

    /// Reads everything at once, within the part of the deadline that reading may take.
    async fn read(&self, case: &Case, hot_usable: bool) -> Read {
        let a = &case.assessment;
        let until = case.wait_until();
        let what = HotRead {
            who: a.who.clone(),
            session: a.session.clone(),
            request: a.request.clone(),
            nonce: a.telemetry.nonce.clone().filter(|_| case.nonce.is_none()),
        };
        let hot = async {
            if !hot_usable {
                return (None, false);
            }
            match timeout_at(until, self.hot.read(&what).instrument(store_span("hot", "read"))).await {
                Ok(Ok(view)) => (Some(view), false),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "hot store did not answer");
                    (None, false)
                }
                Err(_) => (None, true),
            }
        };
        let counts = async {
            if !hot_usable {
                return None;
            }
            timeout_at(until, self.limiter.counts(&a.who.tenant, &a.client)).await.ok().flatten()
        };
        let durable = timeout_at(until, self.read_durable(a).instrument(store_span("durable", "read")));
        let ((hot, hot_late), counts, durable) = tokio::join!(hot, counts, durable);
        self.observer.store("hot", hot.is_some());
        let mut durable_late = durable.is_err();
        let mut durable = match durable {
            Ok(read) => read,
            Err(_) => ReadDurable::person(self.people.cached(&a.who).await.ok_or(None)),
        };
        if let (Ok(found), Some(view)) = (durable.person.clone(), &hot)
            && !view.announced.is_empty()
        {
            let outdated = found.is_outdated(&view.announced);
            let renewed = timeout_at(until, self.renew(a, &found, durable, &view.announced)).await;
            durable_late |= renewed.is_err();
            // Whom another replica erased, or who opted out there, is not gone on with as they were.
            durable =
                renewed.unwrap_or_else(|_| ReadDurable::person(if outdated { Err(None) } else { Ok(found) }));
        }
        let ReadDurable { person, profiles, habits } = durable;
        let key_fault = person.as_ref().err().copied().flatten();
        let person = person.ok();
        self.observer.store("durable", person.is_some());
        let session: Option<SessionState> = person.as_ref().zip(hot.as_ref()).and_then(|(person, view)| {
            let (_, sealed) = view.session.as_ref()?;
            session::open(&person.hot_key, &a.who, "session", a.session.as_str(), sealed)
        });
        Read {
            marks: person.as_ref().map(|p| p.marker.marks(&a.device, &a.client)).unwrap_or_default(),
            person,
            hot,
            counts,
            session: session.unwrap_or_default().at(self.clock.now()),
            profiles,
            habits,
            late: hot_late || durable_late,
            key_fault,
        }
    }

    /// The person, the profiles and, where telemetry carries what they judge, the habits.
    async fn read_durable(&self, a: &Assessment) -> ReadDurable {
        let samples = || a.telemetry.keystrokes.iter().filter(|sample| !sample.quality.free_text);
        let names: Vec<String> =
            samples().map(|sample| profiles::name_of(&sample.field, a.device.class)).collect();
        let beside = Beside { profiles: &self.profiles, names: &names };
        let person = match self.people.get_or_create_with(&a.who, beside).await {
            Ok(person) => person,
            Err(error) => {
                tracing::warn!(%error, "person could not be read");
                return ReadDurable::person(Err(key_fault(&error)));
            }
        };
        let mut profiles = Vec::with_capacity(names.len());
        for (sample, name) in samples().zip(&names) {
            profiles.push((sample.field.clone(), readable(self.profiles.get(&person, name).await)));
        }
        let habits = self.read_habits(&person, a).await;
        ReadDurable { person: Ok(person), profiles, habits }
    }

    /// What was cached, read anew where another replica announced a version since. Sequential, for it is rare, and what is
    /// read after an announcement is at least as new as that.
    async fn renew(
        &self,
        a: &Assessment,
        person: &Arc<Person>,
        cached: ReadDurable,
        announced: &Announced,
    ) -> ReadDurable {
        let person = if person.is_outdated(announced) {
            match self.people.renew(person, announced).await {
                Ok(person) => person,
                Err(error) => {
                    tracing::warn!(%error, "person could not be read anew");
                    return ReadDurable::person(Err(key_fault(&error)));
                }
            }
        } else {
            Arc::clone(person)
        };
        let mut profiles = Vec::with_capacity(cached.profiles.len());
        for (field, cached) in cached.profiles {
            let name = profiles::name_of(&field, a.device.class);
            let told = announced.version(&name);
            let cached = match cached {
                Some(cached) if cached.is_outdated(told) => {
                    readable(self.profiles.renew(&person, &name, &cached, told).await)
                }
                cached => cached,
            };
            profiles.push((field, cached));
        }
        let habits = self.renew_habits(&person, a, cached.habits, announced).await;
        ReadDurable { person: Ok(person), profiles, habits }
    }

    /// The decision that this request got before, if it is a repetition.
    fn replied(case: &Case, read: &Read) -> Result<Option<Decision>, EngineError> {
        let sealed = read.hot.as_ref().and_then(|view| view.reply.as_ref());
        match (sealed, &read.person) {
            (Some(sealed), Some(person)) => reply_of(case, person, sealed),
            _ => Ok(None),
        }
    }

    /// Observes, asks the policy, and records the answer.
    async fn decide(&self, case: &Case, read: &Read) -> Result<Decided, EngineError> {
        let started = Instant::now();
        let now = self.clock.now();
        let nonce = self.judge_nonce(case, read, now);
        let observed = self.observe(case, read, nonce, now);
        let answer = self.answer(case, read, &observed, nonce, now).instrument(debug_span!("decide")).await;
        self.observer.stage(Stage::Decide, started.elapsed());
        let started = Instant::now();
        let asked = answer.asked;
        let decision = self.record(case, read, answer).instrument(store_span("audit", "append")).await?;
        self.observer.stage(Stage::Audit, started.elapsed());
        Ok(Decided { decision, observed, nonce, asked })
    }

    fn judge_nonce(&self, case: &Case, read: &Read, now: Timestamp) -> NonceState {
        if let Some(judged) = case.nonce {
            return judged;
        }
        let a = &case.assessment;
        let Some(nonce) = &a.telemetry.nonce else { return NonceState::Missing };
        let ttl = self.settings.nonce_ttl;
        if !nonce::is_fresh(&self.nonces, nonce, &a.who.tenant, &a.session, now, ttl) {
            return NonceState::Stale;
        }
        match &read.hot {
            None => NonceState::Unverified,
            Some(view) if view.nonce_used => NonceState::Reused,
            Some(_) => NonceState::Valid,
        }
    }

    /// Writes session, reply, nonce and attempt, all or nothing.
    async fn write_back(
        &self,
        case: &Case,
        read: &Read,
        decision: &Decision,
        asked: bool,
    ) -> Result<Written, EngineError> {
        let (Some(person), Some(view)) = (&read.person, &read.hot) else { return Ok(Written::Done) };
        let started = Instant::now();
        let write = self.hot_write(case, read, person, view, decision, asked)?;
        let (who, client) = (&case.assessment.who, &case.assessment.client);
        let attempt = write.count_attempt.is_some();
        let writing = timeout_at(case.deadline, self.hot.write(write).instrument(store_span("hot", "write")));
        let written = if attempt {
            // At the same time: it takes no longer. A write that loses its race is counted once too often.
            let counted = timeout_at(case.deadline, self.limiter.count(&who.tenant, client));
            tokio::join!(writing, counted).0
        } else {
            writing.await
        };
        self.observer.stage(Stage::Write, started.elapsed());
        match written {
            Ok(Ok(HotWritten::Done)) => Ok(Written::Done),
            Ok(Ok(HotWritten::NonceUsed | HotWritten::SessionChanged)) => Ok(Written::Raced),
            Ok(Ok(HotWritten::ReplyExists(sealed))) => match reply_of(case, person, &sealed)? {
                Some(earlier) => Ok(Written::Replied(Box::new(earlier))),
                None => Ok(Written::Done),
            },
            Ok(Err(error)) => {
                tracing::warn!(%error, "hot store did not take a write");
                Ok(Written::StoreLost)
            }
            Err(_) => Err(EngineError::DeadlineExceeded),
        }
    }

    fn hot_write(
        &self,
        case: &Case,
        read: &Read,
        person: &Person,
        view: &HotView,
        decision: &Decision,
        asked: bool,
    ) -> Result<HotWrite, EngineError> {
        let a = &case.assessment;
        let entropy = &*self.entropy;
        let proven = decision.outcome == Outcome::Allow
            && matches!(case.shown, Shown::Verified { proof, .. } if proof.user_verified);
        let state = SessionState {
            passkey: case.shown.proof().or(read.session.passkey),
            last: Some(LastDecision {
                id: decision.id,
                outcome: decision.outcome,
                risk: decision.risk,
                assurance: decision.assurance.clone(),
                at: decision.at,
            }),
            asked: asked || (read.session.asked && !proven),
        };
        let reply = ReplyTo { fingerprint: case.fingerprint, decision: Some(decision) };
        let spend = a.telemetry.nonce.clone().filter(|_| case.nonce.is_none());
        Ok(HotWrite {
            who: a.who.clone(),
            session: a.session.clone(),
            session_expected: view.session.as_ref().map_or(0, |(version, _)| *version),
            session_value: session::seal(
                &person.hot_key,
                &a.who,
                "session",
                a.session.as_str(),
                &state,
                entropy,
            )?,
            session_ttl: self.settings.session_ttl,
            request: a.request.clone(),
            reply: session::seal(&person.hot_key, &a.who, "reply", a.request.as_str(), &reply, entropy)?,
            reply_ttl: self.settings.reply_ttl,
            use_nonce: spend.filter(|_| !view.nonce_used).map(|nonce| (nonce, self.settings.nonce_ttl)),
            count_attempt: counts_as_attempt(decision).then_some(self.settings.attempts_window),
            count_false_alarm: (read.session.asked && proven).then_some(FALSE_ALARMS_WINDOW),
        })
    }

    /// The passkey proof that holds now: of this call, or of the session.
    pub(crate) fn proof(case: &Case, read: &Read) -> Option<PasskeyProof> {
        case.shown.proof().or(read.session.passkey)
    }
}

/// A recorded decision with what it was made from.
struct Decided {
    decision: Decision,
    observed: Observed,
    nonce: NonceState,
    asked: bool,
}

/// What became of writing back.
enum Written {
    Done,
    Replied(Box<Decision>),
    Raced,
    StoreLost,
}

const fn key_fault(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::KeyUnavailable { cause } => Some(cause),
        _ => None,
    }
}

fn readable(cached: Result<Cached, EngineError>) -> Option<Cached> {
    cached.inspect_err(|error| tracing::warn!(%error, "profile could not be read")).ok()
}

fn reply_of(case: &Case, person: &Person, sealed: &[u8]) -> Result<Option<Decision>, EngineError> {
    let a = &case.assessment;
    let reply: Option<Reply> = session::open(&person.hot_key, &a.who, "reply", a.request.as_str(), sealed);
    let Some(reply) = reply else { return Ok(None) };
    if reply.fingerprint != case.fingerprint {
        return Err(EngineError::RequestIdReused);
    }
    Ok(reply.decision)
}

/// Attempts that count: denied, or failed for a cause that an attacker would show. A step-up that policy asks of everybody
/// does not count.
fn counts_as_attempt(decision: &Decision) -> bool {
    let adverse = |code| {
        matches!(
            code,
            ReasonCode::TypingDiffers
                | ReasonCode::TelemetryReplayed
                | ReasonCode::TelemetryMachineLike
                | ReasonCode::PasskeyRejected
                | ReasonCode::PasskeyTelemetryMismatch
        )
    };
    match decision.outcome {
        Outcome::Allow => false,
        // What the log could not record is denied, too: an outage of ours, and no attempt of the person's.
        Outcome::Deny => decision.reasons.iter().any(|reason| reason.code == ReasonCode::PolicyForbids),
        Outcome::StepUp => decision.reasons.iter().any(|reason| adverse(reason.code)),
    }
}

/// The request id under which a step-up's decision is kept: its ceremony opens once, so its reply is asked for by it.
/// A hash, because the ceremony id is the client's word here and may be as long as ids are.
pub(crate) fn step_up_request(ceremony: &CeremonyId) -> RequestId {
    let digest = digest(&SHA256, ceremony.as_str().as_bytes());
    let name = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]);
    RequestId::parse(format!("step-up:{name}")).expect("30 characters of visible ASCII are an id")
}
