//! Runs cases at a door: sets up what a case tells, asks, and compares.

use std::fmt::Debug;
use std::time::Duration;

use keyward_api::convert::WireEnum;
use keyward_api::v1;
use keyward_domain::{InputQuality, KeyEvents, KeyZone, KeystrokeSample, Outcome};
use keyward_simulate::authenticator::{Behaviour, Counter};
use keyward_simulate::typist::{Typist, jittered, machine, replay};

use crate::case::{self, Case, Flaw, Has, Health, Nonce, Place, Shown, Typing};
use crate::door::{break_glass, claim};
use crate::person::{KEYS, history, own, somebody_elses, typed};
use crate::seen::Seen;
use crate::{Deployment, Door, Person, World};

/// A case that was run.
pub struct Ran {
    /// What the caller saw.
    pub seen: Seen,
    /// Every decision that was given for it.
    pub given: Vec<v1::Decision>,
    /// Where it differs from what is right.
    pub wrong: Vec<String>,
}

/// A case under way.
struct Scene<'a> {
    deployment: &'a Deployment,
    world: &'a World,
    door: &'a Door,
    case: &'a Case,
    person: Person,
    session: String,
    given: Vec<v1::Decision>,
}

/// Runs a case as the `number`-th of its world. Cases share a clock, so one runs at a time.
pub async fn run(deployment: &Deployment, world: &World, door: &Door, case: &Case, number: usize) -> Ran {
    let subject = format!("person-{number}");
    let person = match case.has {
        Has::SecurityKey => deployment.person_with_security_key(&subject),
        Has::Passkey | Has::Nothing => deployment.person(&subject),
    };
    let session = format!("session-{number}");
    let mut scene = Scene { deployment, world, door, case, person, session, given: Vec::new() };
    scene.before().await;
    let decision = scene.ask().await;
    world.faults.none();
    let decision = match decision {
        Ok(decision) => decision,
        Err(status) => panic!("{}: refused with {:?}: {}", case.case, status.code(), status.message()),
    };
    let seen = Seen::from(&decision);
    let mut wrong = differences(case, &seen);
    scene.given.push(decision.clone());
    if let Some(expected) = case.expect.then_step_up {
        scene.then_step_up(&decision, expected, &mut wrong).await;
    }
    Ran { seen, given: scene.given, wrong }
}

impl Scene<'_> {
    /// What happened before the day of the case.
    async fn before(&mut self) {
        let knows = self.case.knows;
        let samples = knows.typing.samples();
        if samples > 0 {
            self.door.import(&self.person, self.case.device, &history(samples)).await;
        }
        if self.case.has != Has::Nothing {
            self.door.register(&self.person).await;
        }
        if knows.place != Place::New && self.case.has != Has::Nothing {
            self.visit(knows.place).await;
        }
        if self.case.behaviour == case::Behaviour::OptedOut {
            self.door.consent(&self.person, v1::BehaviourConsent::OptedOut).await;
        }
        self.world.clock.advance(Duration::from_hours(24));
    }

    /// A login that is proven by the passkey makes a place known.
    async fn visit(&mut self, place: Place) {
        let session = format!("{}-the-day-before", self.session);
        let mut question = self.question(&session);
        question.action = Some(crate::person::action(
            keyward_domain::ActionKind::Login,
            keyward_domain::Sensitivity::Routine,
        ));
        if place == Place::NewDevice {
            "another-computer".clone_into(&mut question.device.as_mut().expect("a device").id);
        }
        if place == Place::NewNetwork {
            "203.0.113.9".clone_into(&mut question.client.as_mut().expect("a client").ip);
        }
        question.assertion = Some(self.door.show(&self.person, &session, None).await);
        let decision = self.door.ask(question).await.expect("a decision");
        assert_eq!(Seen::from(&decision).outcome, Outcome::Allow, "a passkey opens a session");
        self.given.push(decision);
        self.world.engine.learned().await;
    }

    async fn ask(&mut self) -> Result<v1::Decision, tonic::Status> {
        let case = self.case;
        for n in 0..case.earlier_attempts {
            let mut question = self.question(&self.session);
            let session = format!("{}-attempt-{n}", self.session);
            question.session.clone_from(&session);
            question.telemetry = Some(typed(&machine(KEYS), &self.door.nonce(&session).await));
            self.given.push(self.door.ask(question).await.expect("a decision"));
        }
        let nonce = self.nonce().await;
        if let Shown::Earlier(age) = case.passkey {
            let assertion = self.door.show(&self.person, &self.session, None).await;
            self.door.authenticate(&self.session, assertion).await.expect("the passkey verifies");
            self.world.clock.advance(age.0);
        }
        let telemetry = self.telemetry(&nonce);
        let mut question = self.question(&self.session);
        if let Shown::Now(flaw) = case.passkey {
            question.assertion = Some(self.assertion(flaw, telemetry.as_ref()).await);
        }
        question.claims = case.claims.iter().map(|(kind, age)| claim(self.world, *kind, age.0)).collect();
        question.telemetry = telemetry;
        question.break_glass = case.break_glass.as_deref().map(break_glass);
        self.world.faults.hot(case.hot_store == Health::Down);
        self.world.faults.append(case.audit_log == Health::Down);
        self.door.ask(question).await
    }

    fn question(&self, session: &str) -> v1::Assessment {
        let case = self.case;
        let mut question = self.person.asks(session);
        question.roles = case.who.names();
        question.device.as_mut().expect("a device").device_class = case.device.number();
        question.client.as_mut().expect("a client").recent_failures = case.recent_failures;
        question.action = Some(v1::Action {
            kind: case.action.number(),
            sensitivity: case.sensitivity.number(),
            in_care_team: case.in_care_team,
        });
        question
    }

    async fn nonce(&mut self) -> String {
        let nonce = match self.case.nonce {
            Nonce::Missing => String::new(),
            Nonce::OtherSession => self.door.nonce("somebody-elses-session").await,
            Nonce::Valid | Nonce::Reused | Nonce::Stale => self.door.nonce(&self.session).await,
        };
        if self.case.nonce == Nonce::Stale {
            self.world.clock.advance(Duration::from_mins(11));
        }
        if self.case.nonce == Nonce::Reused {
            let mut question = self.question(&self.session);
            question.telemetry = Some(v1::Telemetry { nonce: nonce.clone(), ..v1::Telemetry::default() });
            self.given.push(self.door.ask(question).await.expect("a decision"));
        }
        nonce
    }

    fn telemetry(&self, nonce: &str) -> Option<v1::Telemetry> {
        let sample = sample(self.case.typing);
        let mut telemetry = match &sample {
            Some(sample) => typed(sample, nonce),
            None => v1::Telemetry::default(),
        };
        telemetry.record_access = self.case.records_opened.map(|opened| v1::RecordAccess {
            window_s: u32::try_from(opened.within.0.as_secs()).expect("not so long"),
            reads: opened.reads,
            ..v1::RecordAccess::default()
        });
        (sample.is_some() || telemetry.record_access.is_some()).then_some(telemetry)
    }

    async fn assertion(&self, flaw: Option<Flaw>, telemetry: Option<&v1::Telemetry>) -> v1::PasskeyAssertion {
        let (door, person, session) = (self.door, &self.person, self.session.as_str());
        let usual = if person.hardware { Behaviour::hardware() } else { Behaviour::default() };
        let behaving = |behaviour| person.authenticator.behave(behaviour);
        match flaw {
            None => return door.show(person, session, telemetry).await,
            Some(Flaw::Unverified) => behaving(Behaviour { user_verified: false, ..usual.clone() }),
            Some(Flaw::Forged) => behaving(Behaviour { tamper_signature: true, ..usual.clone() }),
            Some(Flaw::CounterBehind) => behaving(Behaviour { counter: Counter::Fixed(1), ..usual.clone() }),
            Some(Flaw::BackupChanged) => behaving(Behaviour { backed_up: !usual.backed_up, ..usual.clone() }),
            Some(Flaw::Colleague) => return self.colleagues_assertion(telemetry).await,
            Some(Flaw::OtherTyping) => {
                let other = typed(&somebody_elses(7), &door.nonce(session).await);
                return door.show(person, session, Some(&other)).await;
            }
            Some(Flaw::OtherSession) => return door.show(person, "another-session", telemetry).await,
            Some(Flaw::Spent) => {
                // Whoever it is spent on, its ceremony does not open again.
                let assertion = door.show(person, session, telemetry).await;
                let mut question = Person::new("stranger").asks(session);
                question.assertion = Some(assertion.clone());
                door.ask(question).await.expect("a decision");
                return assertion;
            }
        }
        let assertion = door.show(person, session, telemetry).await;
        behaving(usual);
        assertion
    }

    /// A colleague answers a challenge that names nobody.
    async fn colleagues_assertion(&self, telemetry: Option<&v1::Telemetry>) -> v1::PasskeyAssertion {
        let colleague = self.deployment.person(&format!("colleague-of-{}", self.person.subject));
        self.door.register(&colleague).await;
        let (ceremony_id, options) = self.door.begin("", &self.session, telemetry).await;
        let credential_json =
            colleague.authenticator.authenticate(&options).expect("the authenticator answers");
        v1::PasskeyAssertion { ceremony_id, credential_json }
    }

    async fn then_step_up(&mut self, decision: &v1::Decision, expected: Outcome, wrong: &mut Vec<String>) {
        let Some(step_up) = decision.step_up.as_ref().filter(|step_up| !step_up.ceremony_id.is_empty())
        else {
            wrong.push("then_step_up: there is no challenge to answer".to_owned());
            return;
        };
        let justification = self.case.expect.justification.as_deref();
        match self.door.complete(&self.person, &self.session, step_up, justification).await {
            Ok(decision) => {
                let seen = Seen::from(&decision);
                if seen.outcome != expected {
                    wrong.push(format!("then_step_up: expected {expected}, got {seen:?}"));
                }
                self.given.push(decision);
            }
            Err(status) => {
                wrong.push(format!("then_step_up: refused with {:?}: {}", status.code(), status.message()));
            }
        }
    }
}

fn sample(typing: Typing) -> Option<KeystrokeSample> {
    let flagged = |quality| KeystrokeSample { quality, ..own(1) };
    let recording = || history(1).remove(0);
    Some(match typing {
        Typing::None => return None,
        Typing::Own => own(1),
        Typing::SomeoneElse => somebody_elses(1),
        Typing::Replayed => replay(&recording()),
        Typing::ReplayedWithJitter => jittered(&recording(), 2.0, 5),
        Typing::Script => machine(KEYS),
        Typing::Pasted => flagged(InputQuality { pasted: true, ..InputQuality::default() }),
        Typing::Autofilled => flagged(InputQuality { autofilled: true, ..InputQuality::default() }),
        Typing::OtherLength => KeystrokeSample { ..Typist::new(3).type_text(KEYS - 2, 201) },
        Typing::Corrected => corrected(&own(1)),
    })
}

/// The same typing with a Backspace in it.
fn corrected(sample: &KeystrokeSample) -> KeystrokeSample {
    let events = &sample.events;
    let mut zones = events.zone().to_vec();
    zones[4] = KeyZone::Backspace;
    let (position, down, up) =
        (events.position().to_vec(), events.down_us().to_vec(), events.up_us().to_vec());
    let events = KeyEvents::new(position, zones, down, up).expect("times are as they were");
    KeystrokeSample { events, ..sample.clone() }
}

/// Where an answer differs from the right one; a line each.
fn differences(case: &Case, seen: &Seen) -> Vec<String> {
    let expect = &case.expect;
    let mut wrong = Vec::new();
    differs(&mut wrong, "outcome", &expect.outcome, &seen.outcome);
    differs(&mut wrong, "evidence", &expect.evidence, &seen.evidence);
    differs(&mut wrong, "challenge", &expect.challenge.unwrap_or(expect.evidence.is_some()), &seen.challenge);
    differs(&mut wrong, "a token", &(expect.outcome == Outcome::Allow), &seen.token);
    differs(&mut wrong, "a record in the log", &(case.audit_log == Health::Up), &seen.recorded);
    if let Some(band) = &expect.band {
        differs(&mut wrong, "band", &Some(*band), &seen.band);
    }
    if let Some(aal) = &expect.aal {
        differs(&mut wrong, "aal", aal, &seen.aal);
    }
    if let Some(amr) = &expect.amr {
        differs(&mut wrong, "amr", amr, &seen.amr);
    }
    if let Some(obligations) = &expect.obligations {
        let sorted = |mut list: Vec<keyward_domain::Obligation>| {
            list.sort();
            list
        };
        differs(&mut wrong, "obligations", &sorted(obligations.clone()), &sorted(seen.obligations.clone()));
    }
    wrong.extend(
        expect
            .reasons
            .iter()
            .filter(|code| !seen.says(**code))
            .map(|code| format!("reasons: {} is missing", code.code())),
    );
    wrong.extend(
        expect
            .not_reasons
            .iter()
            .filter(|code| seen.says(**code))
            .map(|code| format!("reasons: {} must not be there", code.code())),
    );
    let missing = expect.policies.iter().filter(|id| !seen.policies.contains(*id));
    wrong.extend(missing.map(|id| format!("policies: {id} is missing")));
    wrong
}

fn differs<T: PartialEq + Debug>(wrong: &mut Vec<String>, what: &str, expected: &T, got: &T) {
    if expected != got {
        wrong.push(format!("{what}: expected {expected:?}, got {got:?}"));
    }
}
