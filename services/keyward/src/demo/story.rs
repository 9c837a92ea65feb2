//! What happens, in order, and how each part should end.

use std::io::Write;

use keyward_api::v1;
use keyward_domain::KeystrokeSample;
use keyward_simulate::authenticator::SoftAuthenticator;
use keyward_simulate::typist::jittered;

use super::ORIGIN;
use super::cast::{Cast, Roles};
use super::portal::{Answer, Failed, Portal, Visit};
use super::server::Server;
use super::table::{Logins, Table};
use crate::clock::SystemClock;

const CLINICIAN: &str = "dr-amara";
/// One with an account of his own.
const COLLEAGUE: &str = "mr-moss";
/// The share of her samples after which the clinician's model must be mature.
const ENROLMENT: (usize, usize) = (1, 2);
/// The least share of her later logins that must go without a passkey, and of impostors' first tries that must be
/// stopped, for the story to have come out as told. Some people type much alike, so they are low.
const WITHOUT_FRICTION: f64 = 0.6;
const STOPPED: f64 = 1.0 / 3.0;
/// Logins of a day: the first with the passkey.
const LOGINS_A_DAY: u32 = 3;
/// An impostor's first tries, as the benchmark's protocol takes them. Who typed the same text hundreds of times, as the
/// people of a recording did, types it more like everybody else.
const FIRST_TRIES: usize = 5;

/// How often she was let in by typing, and impostors were stopped.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    daily: usize,
    let_in: usize,
    first_tries: usize,
    first_stopped: usize,
    tries: usize,
    stopped: usize,
}

/// The story on its way.
pub(super) struct Story<'a, W> {
    server: &'a Server,
    portal: Portal,
    roles: Roles<'a>,
    /// Her account.
    account: String,
    table: Table<W>,
    /// Hers, with her passkey.
    laptop: SoftAuthenticator,
    /// The colleague's, with his.
    phone: SoftAuthenticator,
    /// Her samples that were not typed yet.
    samples: std::slice::Iter<'a, KeystrokeSample>,
    /// The newest sample that the profile was trained on.
    learned: Option<&'a KeystrokeSample>,
    /// What came out otherwise.
    unlike: Vec<String>,
    daily: Logins,
    tries: Logins,
    first_tries: Logins,
}

impl<'a, W: Write> Story<'a, W> {
    pub(super) fn new(
        server: &'a Server,
        portal: Portal,
        roles: Roles<'a>,
        table: Table<W>,
        seed: u64,
    ) -> Self {
        Self {
            server,
            portal,
            account: CLINICIAN.to_owned(),
            table,
            laptop: SoftAuthenticator::new(ORIGIN, seed),
            phone: SoftAuthenticator::new(ORIGIN, seed.wrapping_add(1)),
            samples: roles.clinician.samples.iter(),
            roles,
            learned: None,
            unlike: Vec::new(),
            daily: Logins::default(),
            tries: Logins::default(),
            first_tries: Logins::default(),
        }
    }

    /// Tells it.
    pub(super) async fn tell(&mut self) -> Result<(), Failed> {
        self.table.header()?;
        self.register().await?;
        self.enrol().await?;
        let session = self.daily_logins().await?;
        self.behaviour_is_no_factor(session).await?;
        self.impostors_once().await?;
        self.pasted().await?;
        self.replayed().await?;
        self.controlled_substance().await?;
        self.break_glass().await?;
        self.all_impostors().await
    }

    /// Only what is counted, for someone else as the clinician.
    async fn count(&mut self) -> Result<Counts, Failed> {
        let visit = self.portal.visit(&self.account);
        self.portal.register(&visit, &self.laptop).await?;
        self.enrol().await?;
        self.daily_logins().await?;
        self.all_impostors().await?;
        Ok(self.counts())
    }

    fn counts(&self) -> Counts {
        Counts {
            daily: self.daily.count(),
            let_in: self.daily.allowed(),
            first_tries: self.first_tries.count(),
            first_stopped: self.first_tries.count() - self.first_tries.allowed(),
            tries: self.tries.count(),
            stopped: self.tries.count() - self.tries.allowed(),
        }
    }

    /// The counts with other people of the recordings as the clinician: typing differs more between some than others.
    pub(super) async fn others(&mut self, cast: &Cast) -> Result<(), Failed> {
        if !cast.is_recorded() {
            return Ok(());
        }
        self.table.chapter("11. All of it again, with other people as the clinician.")?;
        let mut all = self.counts();
        for (number, roles) in cast.other_roles().enumerate() {
            let name = roles.clinician.name.clone();
            let portal = Portal::connect(self.server.address(), SystemClock, &name).await?;
            let seed = 1_000 + number as u64;
            let mut story = Story::new(self.server, portal, roles, Table::new(std::io::sink(), false), seed);
            story.account = format!("dr-{name}");
            // What her story would say of itself, a few people being hard to tell from others, is left to the counts.
            let counts = story.count().await?;
            self.table.text(&format!("  {name:<8}{}", counts.told()))?;
            all.add(counts);
        }
        self.table.text(&format!("  {:<8}{}", "all", all.told()))?;
        self.check(
            share(all.first_stopped, all.first_tries) >= STOPPED,
            "too many impostors passed, over all people",
        );
        Ok(())
    }

    async fn register(&mut self) -> Result<(), Failed> {
        self.table.chapter(
            "1. Two people register a passkey: the clinician, and a colleague who will turn on her.",
        )?;
        let visit = self.portal.visit(&self.account);
        self.portal.register(&visit, &self.laptop).await?;
        let visit = self.portal.visit(COLLEAGUE);
        self.portal.register(&visit, &self.phone).await?;
        self.table.text("   done; nobody enrols typing: it is learned from logins that a passkey proves.")?;
        Ok(())
    }

    /// Logins by password, typing and passkey until the model is mature.
    async fn enrol(&mut self) -> Result<(), Failed> {
        self.table.chapter(
            "2. She signs in with password and passkey. keyward learns how she types the password.",
        )?;
        let most = self.roles.clinician.samples.len() * ENROLMENT.0 / ENROLMENT.1;
        let mut stage = Logins::default();
        let mut maturity = None;
        for _ in 0..most {
            let Some(sample) = self.samples.next() else { break };
            let answer = self.proven_login(sample).await?;
            self.check(answer.allows(), "a login with her passkey was not allowed");
            let now = answer.maturity();
            if maturity.replace(now).is_some_and(|before| before != now) {
                self.show_enrolment(&std::mem::take(&mut stage))?;
            }
            stage.add(answer);
            if now == v1::Maturity::Mature {
                break;
            }
        }
        self.show_enrolment(&stage)?;
        self.check(maturity == Some(v1::Maturity::Mature), "her typing model did not become mature");
        Ok(())
    }

    fn show_enrolment(&mut self, logins: &Logins) -> Result<(), Failed> {
        Ok(self.table.many(CLINICIAN, "password, typing, passkey", logins)?)
    }

    async fn proven_login(&mut self, sample: &'a KeystrokeSample) -> Result<Answer, Failed> {
        let visit = self.portal.visit(&self.account);
        let telemetry = self.portal.record(&visit, sample).await?;
        let assertion = self.portal.prove(&visit, Some(telemetry.clone()), &self.laptop).await?;
        let question =
            v1::Assessment { assertion: Some(assertion), ..self.portal.login(&visit, Some(telemetry)) };
        let answer = self.portal.assess(question).await?;
        self.server.learned().await;
        self.learned = Some(sample);
        Ok(answer)
    }

    /// A login by password and typing alone.
    async fn plain_login(&mut self, sample: &KeystrokeSample) -> Result<(Visit, Answer), Failed> {
        let visit = self.portal.visit(&self.account);
        let telemetry = self.portal.record(&visit, sample).await?;
        let question = self.portal.login(&visit, Some(telemetry));
        let answer = self.portal.assess(question).await?;
        Ok((visit, answer))
    }

    /// Her days: the passkey with one login of each day, password and typing for the others; where that is not enough,
    /// the passkey again. What the passkey proves keeps the model up to date.
    async fn daily_logins(&mut self) -> Result<Option<Visit>, Failed> {
        self.table.chapter(
            "3. Her days: with the passkey in the morning, later logins by password and typing alone.",
        )?;
        let (mut mornings, mut stepped_up) = (Logins::default(), Logins::default());
        let mut session = None;
        for number in 0.. {
            let Some(sample) = self.samples.next() else { break };
            if number % LOGINS_A_DAY == 0 {
                mornings.add(self.proven_login(sample).await?);
                continue;
            }
            let (visit, answer) = self.plain_login(sample).await?;
            if let Some(challenge) = answer.challenge() {
                let response = self.laptop.authenticate(&challenge.options_json)?;
                stepped_up.add(self.portal.complete(&visit, challenge, response, None).await?);
                self.server.learned().await;
                self.learned = Some(sample);
            } else if answer.allows() {
                session = Some(visit);
            }
            self.daily.add(answer);
        }
        self.table.many(CLINICIAN, "password, typing, passkey", &mornings)?;
        self.table.many(CLINICIAN, "password, typing", &self.daily)?;
        self.table.many(CLINICIAN, "passkey on the challenge", &stepped_up)?;
        self.check(
            share(self.daily.allowed(), self.daily.count()) >= WITHOUT_FRICTION,
            "too many of her daily logins asked for the passkey",
        );
        self.check(
            stepped_up.allowed() == stepped_up.count(),
            "her passkey did not open a login that asked for it",
        );
        Ok(session)
    }

    async fn behaviour_is_no_factor(&mut self, session: Option<Visit>) -> Result<(), Failed> {
        self.table.chapter(
            "4. In such a session she opens a chart. Typing spared her friction; it proved nothing, so now the \
             passkey.",
        )?;
        let Some(visit) = session else { return Ok(()) };
        let question = self.portal.question(&visit, v1::ActionKind::Read, v1::Sensitivity::Clinical);
        self.step_up_and_answer(&visit, question, "reads a patient's chart", None).await
    }

    async fn impostors_once(&mut self) -> Result<(), Failed> {
        self.table.chapter(
            "5. Colleagues have her password, and sit down at her laptop. Only their hands are their own.",
        )?;
        let mut caught = None;
        for impostor in self.roles.impostors.clone() {
            let Some(sample) = impostor.samples.first() else { continue };
            let (visit, answer) = self.plain_login(sample).await?;
            self.table.one(&impostor.name, "her password, other hands", &answer)?;
            if !answer.allows() {
                caught = Some((&impostor.name, visit, answer));
            }
        }
        let Some((who, visit, answer)) = caught else {
            self.check(false, "no impostor was stopped at the first try");
            return Ok(());
        };
        self.check(answer.asks_for(v1::Evidence::Passkey), "the impostor was not asked for her passkey");
        let Some(challenge) = answer.challenge() else {
            self.check(false, "the impostor got no challenge");
            return Ok(());
        };
        self.check(
            self.phone.authenticate(&challenge.options_json).is_err(),
            "the colleague's phone holds a passkey that fits",
        );
        let forced = self.phone.authenticate(&for_anyone(&challenge.options_json)?)?;
        let answer = self.portal.complete(&visit, challenge, forced, None).await?;
        self.table.one(who, "own passkey on her challenge", &answer)?;
        self.check(
            !answer.allows() && answer.says(v1::ReasonCode::PasskeyRejected),
            "the colleague's passkey was not refused",
        );
        Ok(())
    }

    async fn pasted(&mut self) -> Result<(), Failed> {
        self.table.chapter(
            "6. Her wrist hurts: a password manager fills the field. That costs the passkey, no more.",
        )?;
        let Some(sample) = self.roles.clinician.samples.first() else { return Ok(()) };
        let visit = self.portal.visit(&self.account);
        let mut telemetry = self.portal.record(&visit, sample).await?;
        telemetry.keystrokes = vec![v1::KeystrokeSample {
            field: "password".to_owned(),
            autofilled: true,
            ..v1::KeystrokeSample::default()
        }];
        let question = self.portal.login(&visit, Some(telemetry));
        self.step_up_and_answer(&visit, question, "password, filled in", None).await
    }

    async fn replayed(&mut self) -> Result<(), Failed> {
        self.table.chapter("7. Malware recorded her typing and sends it again, under a fresh nonce.")?;
        let Some(sample) = self.learned else { return Ok(()) };
        let noisy = jittered(sample, 1.0, 7);
        for (sent, sample) in
            [("a recording of her typing", sample), ("the same, moved by 1 ms of noise", &noisy)]
        {
            let (_, answer) = self.plain_login(sample).await?;
            self.table.one("malware", sent, &answer)?;
            self.check(
                answer.asks_for(v1::Evidence::Passkey) && answer.says(v1::ReasonCode::TelemetryReplayed),
                "a replay was not taken for one",
            );
        }
        Ok(())
    }

    async fn controlled_substance(&mut self) -> Result<(), Failed> {
        self.table.chapter(
            "8. She prescribes a controlled substance: two factors, one of them hardware, whoever types how.",
        )?;
        let visit = self.passkey_session().await?;
        let question = self.portal.question(&visit, v1::ActionKind::Prescribe, v1::Sensitivity::Controlled);
        let answer = self.portal.assess(question).await?;
        self.table.one(CLINICIAN, "prescribes, after her passkey", &answer)?;
        self.check(
            answer.asks_for(v1::Evidence::HardwarePasskey),
            "the prescription did not ask for a hardware passkey",
        );
        Ok(())
    }

    async fn break_glass(&mut self) -> Result<(), Failed> {
        self.table.chapter(
            "9. An emergency: a restricted chart of a patient who is not hers. Care is not locked out.",
        )?;
        let visit = self.passkey_session().await?;
        let mut question = self.portal.question(&visit, v1::ActionKind::Read, v1::Sensitivity::Restricted);
        question.action.get_or_insert_default().in_care_team = Some(false);
        let why = "unconscious patient, allergies unknown";
        self.step_up_and_answer(&visit, question, "reads a restricted chart", Some(why)).await
    }

    /// A session that was opened with her passkey, without typing.
    async fn passkey_session(&mut self) -> Result<Visit, Failed> {
        let visit = self.portal.visit(&self.account);
        let assertion = self.portal.prove(&visit, None, &self.laptop).await?;
        let question = v1::Assessment { assertion: Some(assertion), ..self.portal.login(&visit, None) };
        let answer = self.portal.assess(question).await?;
        self.check(answer.allows(), "her passkey alone did not open a session");
        Ok(visit)
    }

    /// Asks, expects to be asked for her passkey (or for emergency access, when there is a justification), and answers.
    async fn step_up_and_answer(
        &mut self,
        visit: &Visit,
        question: v1::Assessment,
        sent: &str,
        justification: Option<&str>,
    ) -> Result<(), Failed> {
        let asked = self.portal.assess(question).await?;
        self.table.one(CLINICIAN, sent, &asked)?;
        let expected = match justification {
            None => v1::Evidence::Passkey,
            Some(_) => v1::Evidence::BreakGlass,
        };
        self.check(asked.asks_for(expected), &format!("{sent}: other evidence was asked for"));
        let Some(challenge) = asked.challenge() else {
            self.check(false, &format!("{sent}: there was no challenge"));
            return Ok(());
        };
        let response = self.laptop.authenticate(&challenge.options_json)?;
        let answer = self.portal.complete(visit, challenge, response, justification).await?;
        let with = justification.map_or("her passkey", |_| "her passkey and why, in words");
        self.table.one(CLINICIAN, with, &answer)?;
        self.check(answer.allows(), &format!("{sent}: her answer was not enough"));
        if justification.is_some() {
            self.show_obligations(&answer)?;
        }
        Ok(())
    }

    fn show_obligations(&mut self, answer: &Answer) -> Result<(), Failed> {
        let names: Vec<&str> = answer
            .decision
            .obligations()
            .map(|o| o.as_str_name().trim_start_matches("OBLIGATION_"))
            .collect();
        let minutes = answer.decision.valid_for.map_or(0, |d| d.seconds / 60);
        self.check(names.contains(&"REVIEW") && minutes > 0, "emergency access came without review or end");
        let line = format!("{:14}for {minutes} minutes, with {}", "", names.join(", "));
        Ok(self.table.text(&line)?)
    }

    async fn all_impostors(&mut self) -> Result<(), Failed> {
        self.table
            .chapter("10. The same colleagues, with all that each of them ever typed of that password.")?;
        for impostor in self.roles.impostors.clone() {
            let mut tries = Logins::default();
            for (number, sample) in impostor.samples.iter().enumerate() {
                let (_, answer) = self.plain_login(sample).await?;
                if number < FIRST_TRIES {
                    self.first_tries.add(answer.clone());
                }
                self.tries.add(answer.clone());
                tries.add(answer);
            }
            self.table.many(&impostor.name, "her password, other hands", &tries)?;
        }
        let counts = self.counts();
        self.check(share(counts.first_stopped, counts.first_tries) >= STOPPED, "too many impostors passed");
        Ok(())
    }

    /// Counts, what it was, and what to do next. Whether everything came out as told.
    pub(super) fn close(mut self, cast: &Cast) -> Result<bool, Failed> {
        self.table.text(&format!(
            "\nIn all, after her model was mature, by password and typing alone:\n  {}\n",
            self.counts().told()
        ))?;
        self.table.text(&format!(
            "First tries are the first {FIRST_TRIES} of each impostor; later ones were typed with practice."
        ))?;
        self.table.text(
            "The limit on attempts was lifted, so that typing alone had to stop them; served, keyward counts failures \
             too.\nThe times are of one call there and back over loopback, audit record on disk included.",
        )?;
        self.table.text(if cast.is_recorded() {
            "crates/scoring/README.md has the figures over all subjects of the benchmark."
        } else {
            "!! SYNTHETIC TYPING: the counts above are no measure of accuracy. Recordings: --data CSV."
        })?;
        for unlike in &self.unlike {
            self.table.text(&format!("NOT AS TOLD: {unlike}"))?;
        }
        self.table.text(NEXT)?;
        Ok(self.unlike.is_empty())
    }

    fn check(&mut self, holds: bool, otherwise: &str) {
        if !holds && !self.unlike.iter().any(|told| told == otherwise) {
            self.unlike.push(otherwise.to_owned());
        }
    }
}

const NEXT: &str = "
What to do next:
  keyward                       serve, with data in ./data
  keyward doctor                is this deployment sound?
  grpcurl -plaintext 127.0.0.1:50051 describe keyward.v1.DecisionService
  crates/policy/policies/telemedicine.cedar   the policy that decided all this; policy.file replaces it";

impl Counts {
    fn add(&mut self, other: Self) {
        self.daily += other.daily;
        self.let_in += other.let_in;
        self.first_tries += other.first_tries;
        self.first_stopped += other.first_stopped;
        self.tries += other.tries;
        self.stopped += other.stopped;
    }

    fn told(self) -> String {
        let of = |part, whole| format!("{part} of {whole} ({:.0} %)", 100.0 * share(part, whole));
        format!(
            "let in {}; stopped {} first tries, {} in all",
            of(self.let_in, self.daily),
            of(self.first_stopped, self.first_tries),
            of(self.stopped, self.tries),
        )
    }
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// A challenge's options without the list of credentials that may answer: what an attacker's own software would do.
fn for_anyone(options_json: &str) -> Result<String, Failed> {
    let mut options: serde_json::Value = serde_json::from_str(options_json)?;
    if let Some(options) = options["publicKey"].as_object_mut() {
        options.remove("allowCredentials");
    }
    Ok(options.to_string())
}
