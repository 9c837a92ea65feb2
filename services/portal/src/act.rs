//! What people do here, and the one way in which it happens: ask keyward, and act on the answer.
//!
//! `ask` puts the question. An ALLOW is acted on at once. A STEP_UP is handed to the page with its challenge, and the act
//! waits under the ceremony's id; the page's answer comes back through [`flows::step_up`](crate::flows::step_up), which
//! settles it in the same way. Nothing else here opens a chart or signs anything.

use std::sync::Arc;

use keyward_api::v1;

use crate::answer::{Answer, Done};
use crate::clinic::{Draft, Patient};
use crate::people::Person;
use crate::server::Portal;
use crate::trouble::Trouble;
use crate::visit::{Visit, context};
use crate::{console, flows};

/// Something that keyward must allow first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Sign in.
    SignIn,
    /// Go on with a running session. Lifts no lock.
    GoOn,
    /// Go on with a session that is locked, after its person showed who she is.
    Unlock,
    /// See today's appointments.
    SeeAppointments,
    /// Open a chart.
    OpenChart(&'static str),
    /// Write a note: patient and text.
    WriteNote(&'static str, String),
    /// Sign a prescription.
    Prescribe(Draft),
    /// Change one's own settings: passkeys, and what is taken along.
    OpenSettings,
    /// Administer staff, or look at the security console.
    Administer(Task),
}

/// An administrator's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// See the staff list.
    SeeStaff,
    /// Hand a person a new code for the first passkey.
    RenewCode(&'static str),
    /// Open the security console.
    OpenConsole,
}

impl Act {
    /// What keyward is told about it.
    fn action(&self, person: &Person) -> v1::Action {
        let (kind, sensitivity) = match self {
            Self::SignIn => (v1::ActionKind::Login, v1::Sensitivity::Routine),
            Self::GoOn | Self::Unlock => (v1::ActionKind::Resume, v1::Sensitivity::Routine),
            Self::SeeAppointments => (v1::ActionKind::Read, v1::Sensitivity::Routine),
            Self::OpenChart(patient) => (v1::ActionKind::Read, sensitivity(patient)),
            Self::WriteNote(patient, _) => (v1::ActionKind::Write, sensitivity(patient)),
            Self::Prescribe(draft) => (v1::ActionKind::Prescribe, draft.sensitivity()),
            Self::OpenSettings => (v1::ActionKind::Write, v1::Sensitivity::Routine),
            Self::Administer(_) => (v1::ActionKind::Administer, v1::Sensitivity::Routine),
        };
        let patient = self.patient().and_then(|id| Patient::by_id(id).ok());
        let in_care_team = patient.map(|patient| patient.is_in_care_of(person));
        v1::Action { kind: kind.into(), sensitivity: sensitivity.into(), in_care_team }
    }

    /// The same after a passkey was shown for it.
    #[must_use]
    pub fn proven(self) -> Self {
        if self == Self::GoOn { Self::Unlock } else { self }
    }

    fn patient(&self) -> Option<&str> {
        match self {
            Self::OpenChart(patient) | Self::WriteNote(patient, _) => Some(patient),
            Self::Prescribe(draft) => Some(&draft.patient),
            _ => None,
        }
    }

    /// What it is, in words, for the person's list of recent activity.
    fn in_words(&self) -> String {
        let name = |id: &str| Patient::by_id(id).map_or("a patient", |patient| patient.name);
        match self {
            Self::SignIn => "Sign-in".to_owned(),
            Self::GoOn => "Checkpoint in a running session".to_owned(),
            Self::Unlock => "Unlocked a session".to_owned(),
            Self::SeeAppointments => "Looked at appointments".to_owned(),
            Self::OpenChart(patient) => format!("Opened the chart of {}", name(patient)),
            Self::WriteNote(patient, _) => format!("Wrote a note for {}", name(patient)),
            Self::Prescribe(draft) => format!("Prescribed {} for {}", draft.drug, name(&draft.patient)),
            Self::OpenSettings => "Opened own settings".to_owned(),
            Self::Administer(Task::SeeStaff) => "Looked at the staff list".to_owned(),
            Self::Administer(Task::RenewCode(_)) => "Made a new enrolment code".to_owned(),
            Self::Administer(Task::OpenConsole) => "Opened the security console".to_owned(),
        }
    }

    /// Does it. Called with an ALLOW and in no other case.
    fn perform(self, portal: &Portal, of: &Of, decision: &v1::Decision) -> Result<Done, Trouble> {
        match self {
            Self::SignIn => Ok(flows::sign_in::welcome(portal, of)),
            Self::GoOn => Ok(flows::checkpoint::go_on(of)),
            Self::Unlock => Ok(flows::unlock::open(of)),
            Self::SeeAppointments => Ok(flows::today::appointments(of)),
            Self::OpenChart(patient) => flows::chart::show(portal, of, patient, decision),
            Self::WriteNote(patient, text) => flows::chart::keep_note(portal, of, patient, text, decision),
            Self::Prescribe(draft) => flows::prescribe::keep(portal, of, draft, decision),
            Self::OpenSettings => Ok(flows::settings::opened(of, decision)),
            Self::Administer(Task::OpenConsole) => Ok(console::opened(of, decision)),
            Self::Administer(task) => flows::administer::perform(portal, task),
        }
    }
}

fn sensitivity(patient: &str) -> v1::Sensitivity {
    Patient::by_id(patient).map_or(v1::Sensitivity::Restricted, Patient::sensitivity)
}

/// Whose act it is, and from where.
pub struct Of {
    /// The person.
    pub person: &'static Person,
    /// The browser's visit.
    pub visit: Arc<Visit>,
    /// The browser's address.
    pub ip: std::net::IpAddr,
}

/// What comes with a question.
#[derive(Default)]
pub struct With {
    /// What the browser recorded.
    pub telemetry: Option<v1::Telemetry>,
    /// A passkey's answer.
    pub assertion: Option<v1::PasskeyAssertion>,
}

/// Asks keyward, and acts on the answer.
///
/// # Errors
/// [`Trouble`] when keyward gave no decision.
pub async fn ask(portal: &Portal, of: Of, act: Act, with: With) -> Result<Answer, Trouble> {
    let question = question(portal, &of, &act, with);
    let decision = portal.keyward.assess(question).await?;
    settle(portal, &of, act, &decision)
}

/// Acts on an answer: does what was allowed, files what waits for a step-up.
///
/// # Errors
/// [`Trouble`] when what was allowed could not be done.
pub fn settle(portal: &Portal, of: &Of, act: Act, decision: &v1::Decision) -> Result<Answer, Trouble> {
    let device = of.visit.state().device_class;
    portal.activity.note(of.person, &of.visit.session, device, act.in_words(), decision);
    match decision.outcome() {
        v1::Outcome::Allow => {
            obey(portal, of, decision);
            let done = act.perform(portal, of, decision)?;
            Ok(Answer::decided(decision, Some(done)))
        }
        v1::Outcome::StepUp => {
            if matches!(act, Act::GoOn | Act::Unlock) {
                of.visit.state().held = true;
            }
            let ceremony = decision.step_up.as_ref().map(|step_up| step_up.ceremony_id.as_str());
            if let Some(ceremony) = ceremony.filter(|ceremony| !ceremony.is_empty()) {
                of.visit.file(ceremony, of.person, act);
            }
            Ok(Answer::decided(decision, None))
        }
        // What this version does not know counts as DENY: the contract says so.
        v1::Outcome::Deny | v1::Outcome::Unspecified => Ok(Answer::decided(decision, None)),
    }
}

fn question(portal: &Portal, of: &Of, act: &Act, with: With) -> v1::Assessment {
    let failures = portal.directory.failures(of.person.id, of.ip);
    let mut telemetry = with.telemetry;
    let state = of.visit.state();
    if matches!(act, Act::OpenChart(_) | Act::GoOn | Act::Unlock)
        && let Some(access) = flows::checkpoint::access(&state, act)
    {
        telemetry.get_or_insert_default().record_access = Some(access);
    }
    v1::Assessment {
        tenant: portal.keyward.tenant.clone(),
        subject: of.person.id.to_owned(),
        roles: of.person.roles.iter().map(|role| (*role).to_owned()).collect(),
        session: of.visit.session.clone(),
        device: Some(v1::Device { id: of.visit.device.clone(), device_class: state.device_class.into() }),
        action: Some(act.action(of.person)),
        client: Some(context(of.ip, failures)),
        claims: flows::sign_in::claims(&state, of.person),
        telemetry,
        assertion: with.assertion,
        break_glass: None,
    }
}

/// What keyward asks the caller to do besides. What the person must be told, and when access ends, the page reads from the
/// decision; the officer's alerts come from the log.
fn obey(portal: &Portal, of: &Of, decision: &v1::Decision) {
    if decision.obligations().any(|obligation| obligation == v1::Obligation::EndOtherSessions) {
        portal.visits.end_others(of.person, &of.visit);
    }
}
