//! A rehearsal: colleagues who never were sign in, work and are attacked, through keyward's real API, so that its log
//! has something in it. Their ids begin with [`PREFIX`]; their typing is synthetic and measures nothing.

use keyward_api::convert::keystrokes_to_wire;
use keyward_api::v1;
use keyward_domain::KeystrokeSample;
use keyward_simulate::authenticator::SoftAuthenticator;
use keyward_simulate::typist::Typist;

use crate::keyward::{Keyward, bounded, call, now};
use crate::trouble::Trouble;
use crate::visit::random_id;

/// What the ids of rehearsed colleagues begin with.
pub const PREFIX: &str = "rehearsed-";
/// The colleagues, with the seeds of how they type.
const CAST: [(&str, u64); 4] = [("lena", 41), ("omar", 17), ("nia", 23), ("piet", 29)];
/// Whose hands try to pass for them.
const IMPOSTOR: u64 = 8;
/// Keys of the password; samples that are known beforehand; days that are played.
const KEYS: usize = 10;
const KNOWN: u64 = 50;
const DAYS: u64 = 24;
/// How many texts are typed before the rehearsal begins, so that typing is practised.
const BEFORE: u64 = 200;

/// Plays it. How many decisions there were.
///
/// # Errors
/// [`Trouble`] when keyward refuses a call.
pub async fn play(keyward: &Keyward, origin: &str) -> Result<usize, Trouble> {
    let mut decisions = 0;
    for (number, (name, seed)) in (1..).zip(CAST) {
        let actor = Actor {
            keyward,
            subject: format!("{PREFIX}{name}"),
            seed,
            authenticator: SoftAuthenticator::new(origin, 1_000 + number),
        };
        decisions += actor.play().await?;
    }
    Ok(decisions)
}

/// A colleague.
struct Actor<'a> {
    keyward: &'a Keyward,
    subject: String,
    seed: u64,
    authenticator: SoftAuthenticator,
}

impl Actor<'_> {
    async fn play(&self) -> Result<usize, Trouble> {
        self.register().await?;
        self.seed_typing().await?;
        let mut decisions = 0;
        for day in 0..DAYS {
            decisions += self.day(day).await?;
        }
        Ok(decisions)
    }

    /// A morning's sign-in and some work; now and then an attack.
    async fn day(&self, day: u64) -> Result<usize, Trouble> {
        let session = random_id();
        let mut decisions = 2;
        let typed = Typist::new(self.seed).type_text(KEYS, BEFORE + day);
        let login = self.question(&session, v1::ActionKind::Login, v1::Sensitivity::Routine);
        let proven = day.is_multiple_of(3);
        self.sign_in(login, &session, &typed, proven).await?;
        let chart = self.question(&session, v1::ActionKind::Read, v1::Sensitivity::Clinical);
        decisions += self.ask_and_answer(chart, None).await?;
        if day % 5 == 2 {
            let draft = self.question(&session, v1::ActionKind::Prescribe, v1::Sensitivity::Clinical);
            decisions += self.ask_and_answer(draft, None).await?;
        }
        if day % 12 == 7 {
            let mut chart = self.question(&session, v1::ActionKind::Read, v1::Sensitivity::Restricted);
            chart.action.get_or_insert_default().in_care_team = Some(false);
            decisions +=
                self.ask_and_answer(chart, Some("rehearsal: unconscious, allergies unknown")).await?;
        }
        if day % 6 == 4 {
            decisions += self.attack(day, &typed).await?;
        }
        Ok(decisions)
    }

    /// Somebody types her password; then a recording of hers is played.
    async fn attack(&self, day: u64, recorded: &KeystrokeSample) -> Result<usize, Trouble> {
        for typed in [&Typist::new(IMPOSTOR).type_text(KEYS, BEFORE + day), recorded] {
            let session = random_id();
            let mut login = self.question(&session, v1::ActionKind::Login, v1::Sensitivity::Routine);
            login.client = Some(v1::ClientContext {
                ip: "203.0.113.80".to_owned(),
                recent_failures: 2,
                ..Default::default()
            });
            login.device = Some(v1::Device {
                id: "rehearsed-elsewhere".to_owned(),
                device_class: v1::DeviceClass::Personal.into(),
            });
            self.sign_in(login, &session, typed, false).await?;
        }
        Ok(2)
    }

    async fn sign_in(
        &self,
        mut login: v1::Assessment,
        session: &str,
        typed: &KeystrokeSample,
        proven: bool,
    ) -> Result<v1::Decision, Trouble> {
        let telemetry = v1::Telemetry {
            nonce: self.keyward.nonce(session).await?,
            keystrokes: vec![keystrokes_to_wire(typed)],
            ..v1::Telemetry::default()
        };
        if proven {
            login.assertion = Some(self.prove(session, telemetry.clone()).await?);
        }
        self.keyward.assess(v1::Assessment { telemetry: Some(telemetry), ..login }).await
    }

    /// Asks, and answers what is asked for.
    async fn ask_and_answer(&self, question: v1::Assessment, why: Option<&str>) -> Result<usize, Trouble> {
        let session = question.session.clone();
        let asked = self.keyward.assess(question).await?;
        let challenge = asked.step_up.filter(|step_up| !step_up.ceremony_id.is_empty());
        let Some(challenge) = challenge else { return Ok(1) };
        let credential = self.authenticator.authenticate(&challenge.options_json);
        let answer = v1::CompleteStepUpRequest {
            tenant: self.keyward.tenant.clone(),
            subject: self.subject.clone(),
            session,
            assertion: Some(v1::PasskeyAssertion {
                ceremony_id: challenge.ceremony_id,
                credential_json: credential.map_err(|_| Trouble::Fault)?,
            }),
            break_glass: why.map(|text| v1::BreakGlass { justification: text.to_owned() }),
        };
        self.keyward.complete_step_up(answer).await?;
        Ok(2)
    }

    async fn prove(&self, session: &str, telemetry: v1::Telemetry) -> Result<v1::PasskeyAssertion, Trouble> {
        let request = v1::BeginAuthenticationRequest {
            tenant: self.keyward.tenant.clone(),
            subject: self.subject.clone(),
            session: session.to_owned(),
            telemetry: Some(telemetry),
        };
        let begun = call(self.keyward.passkeys.clone().begin_authentication(bounded(request))).await?;
        let credential = self.authenticator.authenticate(&begun.options_json);
        Ok(v1::PasskeyAssertion {
            ceremony_id: begun.ceremony_id,
            credential_json: credential.map_err(|_| Trouble::Fault)?,
        })
    }

    async fn register(&self) -> Result<(), Trouble> {
        let (tenant, subject, session) = (self.keyward.tenant.clone(), self.subject.clone(), random_id());
        let request = v1::BeginRegistrationRequest {
            tenant: tenant.clone(),
            subject: subject.clone(),
            session: session.clone(),
            user_name: subject.clone(),
            display_name: subject.clone(),
            hardware_bound: false,
        };
        let begun = call(self.keyward.passkeys.clone().begin_registration(bounded(request))).await?;
        let credential = self.authenticator.register(&begun.options_json).map_err(|_| Trouble::Fault)?;
        let request = v1::FinishRegistrationRequest {
            tenant,
            subject,
            session,
            ceremony_id: begun.ceremony_id,
            credential_json: credential,
            name: "rehearsal".to_owned(),
        };
        call(self.keyward.passkeys.clone().finish_registration(bounded(request))).await?;
        Ok(())
    }

    async fn seed_typing(&self) -> Result<(), Trouble> {
        let typist = Typist::new(self.seed);
        let samples = (1..=KNOWN).rev().map(|n| keystrokes_to_wire(&typist.type_text(KEYS, BEFORE - 3 * n)));
        let request = v1::ImportSamplesRequest {
            tenant: self.keyward.tenant.clone(),
            subject: self.subject.clone(),
            device_class: v1::DeviceClass::Personal.into(),
            samples: samples.collect(),
        };
        call(self.keyward.profiles.clone().import_samples(bounded(request))).await?;
        Ok(())
    }

    /// A question in a session in which the password was just typed rightly.
    fn question(&self, session: &str, kind: v1::ActionKind, sensitivity: v1::Sensitivity) -> v1::Assessment {
        v1::Assessment {
            tenant: self.keyward.tenant.clone(),
            subject: self.subject.clone(),
            roles: vec!["clinician".to_owned()],
            session: session.to_owned(),
            device: Some(v1::Device {
                id: format!("{}-laptop", self.subject),
                device_class: v1::DeviceClass::Personal.into(),
            }),
            action: Some(v1::Action {
                kind: kind.into(),
                sensitivity: sensitivity.into(),
                in_care_team: Some(true),
            }),
            client: Some(v1::ClientContext {
                ip: "192.0.2.17".to_owned(),
                recent_failures: 0,
                ..Default::default()
            }),
            claims: vec![v1::Claim { kind: v1::ClaimKind::Password.into(), verified_at: Some(now()) }],
            ..v1::Assessment::default()
        }
    }
}
