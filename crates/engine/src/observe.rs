//! From what was read and sent to signals: what each says, and why.

use keyward_domain::{
    Band, FieldLabel, KeystrokeSample, Maturity, Reason, ReasonCode, RecordAccess, Risk, Signal, SignalKind,
    SignalStatus, Telemetry, Timestamp,
};
use keyward_features::integrity::{MachineLike, machine_like};
use keyward_features::{FixedText, fixed_text};
use keyward_policy::NonceState;
use keyward_scoring::fusion::{Limits, habit_accuses};
use keyward_scoring::{authenticator, behaviour_band, context, fuse, integrity, record_access, rhythm};

use crate::assertions::Shown;
use crate::assess::{Case, Read};
use crate::habits::{Behaviour, Habits};
use crate::profiles::{self, Lookup};
use crate::{Engine, EngineSettings};

/// What the signals say.
#[expect(clippy::struct_excessive_bools, reason = "independent findings, each a fact of its own")]
pub(crate) struct Observed {
    pub signals: Vec<Signal>,
    pub reasons: Vec<Reason>,
    pub risk: Option<Risk>,
    /// What behaviour alone says.
    pub behaviour: Option<Band>,
    /// What bands were judged by.
    pub limits: Limits,
    /// What typing alone says.
    pub typing: Option<Band>,
    /// The least mature of the typing models that have a say.
    pub maturity: Maturity,
    pub replayed: bool,
    pub machine_like: bool,
    pub burst: bool,
    pub device_known: Option<bool>,
    pub network_known: Option<bool>,
    pub travel_impossible: bool,
    /// Whether typing spared so many logins in a row that this one is to be proven.
    pub proof_due: bool,
    /// Whether a typing model could not be asked.
    pub model_missing: bool,
    /// Free text and pointer movement.
    pub behaviour_seen: Behaviour,
    /// Typing that a proof could make a training sample.
    pub typed: Vec<(FieldLabel, FixedText)>,
}

/// One field's typing, looked at.
struct Typing {
    signal: Signal,
    reason: Reason,
    replayed: bool,
    text: Option<FixedText>,
    /// What the model's say is judged by.
    limits: Option<Limits>,
    /// Whether it spared so many logins in a row that this one is to be proven.
    proof_due: bool,
}

impl Engine {
    /// Looks at everything that was sent.
    pub(crate) fn observe(&self, case: &Case, read: &Read, nonce: NonceState, now: Timestamp) -> Observed {
        let a = &case.assessment;
        let mut reasons = Vec::new();
        let fixed: Vec<&KeystrokeSample> =
            a.telemetry.keystrokes.iter().filter(|sample| !sample.quality.free_text).collect();
        let typings: Vec<Typing> = fixed
            .iter()
            .map(|sample| look_at(sample, profiles::found(&read.profiles, &sample.field), &self.settings))
            .collect();
        let proof_due = typings.iter().any(|t| t.proof_due);
        let limits = typings.iter().filter_map(|t| t.limits).reduce(Limits::stricter).unwrap_or_default();
        let replayed = typings.iter().any(|t| t.replayed) || self.repeats_lately(case, &typings);
        let machine = fixed.iter().find_map(|sample| machine_like(sample));
        let (seen, habits) =
            habits_signals(&a.telemetry, read.habits.as_ref().map(|cached| &*cached.habits), &mut reasons);
        let known = read.person.as_ref().filter(|_| !case.withheld).map(|person| &person.known);
        let travel_impossible = known.is_some_and(|known| known.cannot_be_there(read.marks, now));
        let context = self.context(case, read, travel_impossible, &mut reasons);
        let access = self.record_access(a.telemetry.record_access.as_ref(), &mut reasons);

        let mut signals: Vec<Signal> = typings.iter().map(|t| t.signal.clone()).collect();
        let typing = behaviour_band(&signals, limits);
        if typings.is_empty() {
            signals.push(Signal::unscored(SignalKind::KeystrokeFixed, SignalStatus::Absent));
            let why = if case.withheld { ReasonCode::BehaviourOptedOut } else { ReasonCode::TypingAbsent };
            reasons.push(why.into());
            if nonce == NonceState::Reused {
                reasons.push(ReasonCode::NonceReused.into());
            }
        } else {
            signals.push(integrity::signal(replayed, machine.is_some(), scoring_nonce(nonce)));
            integrity_reasons(replayed, machine.map(MachineLike::name), nonce, &mut reasons);
        }
        if proof_due && typing == Some(Band::Low) {
            reasons.push(ReasonCode::TypingProofDue.into());
        }
        let burst = access.llr > 0.0;
        signals.extend([context, authenticator_signal(&case.shown, &mut reasons), access]);
        signals.extend(habits);
        signals.extend(hour(case, read, now, &mut reasons));

        let mut typed = Vec::new();
        for (typing, sample) in typings.into_iter().zip(fixed) {
            reasons.push(typing.reason);
            typed.extend(typing.text.map(|text| (sample.field.clone(), text)));
        }
        Observed {
            risk: fuse(&signals, limits, now),
            behaviour: behaviour_band(&signals, limits),
            limits,
            typing,
            maturity: least_mature(&signals),
            behaviour_seen: seen,
            model_missing: signals
                .iter()
                .any(|s| s.kind == SignalKind::KeystrokeFixed && s.status == SignalStatus::Unavailable),
            signals,
            reasons,
            proof_due,
            replayed,
            machine_like: machine.is_some(),
            burst,
            device_known: read.person.as_ref().map(|p| p.known.has_device(read.marks)),
            network_known: read.person.as_ref().map(|p| p.known.has_network(read.marks)),
            travel_impossible,
            typed,
        }
    }

    /// Whether something was typed as it came before, in whatever session. A step-up asks about the same telemetry again.
    fn repeats_lately(&self, case: &Case, typings: &[Typing]) -> bool {
        let a = &case.assessment;
        let same = case.nonce.map(|_| &case.telemetry);
        let fixed = a.telemetry.keystrokes.iter().filter(|sample| !sample.quality.free_text);
        let typed = typings.iter().zip(fixed);
        typed.filter_map(|(typing, sample)| Some((typing.text.as_ref()?, &sample.field))).any(
            |(text, field)| {
                self.lately.repeats(&a.who, &profiles::name_of(field, a.device.class), text, same)
            },
        )
    }

    fn context(
        &self,
        case: &Case,
        read: &Read,
        travel_impossible: bool,
        reasons: &mut Vec<Reason>,
    ) -> Signal {
        let device = read.person.as_ref().map(|p| p.known.has_device(read.marks));
        let network = read.person.as_ref().map(|p| p.known.has_network(read.marks));
        let failures = case.assessment.client.recent_failures;
        let attempts = read.hot.as_ref().map_or(0, |view| view.attempts);
        if device == Some(false) {
            reasons.push(ReasonCode::DeviceNew.into());
        }
        if network == Some(false) && case.assessment.client.ip.is_some() {
            reasons.push(ReasonCode::NetworkNew.into());
        }
        if travel_impossible {
            reasons.push(ReasonCode::TravelImpossible.into());
        }
        if failures > 0 {
            reasons.push(Reason::new(ReasonCode::RecentFailures).with("count", &failures));
        }
        for (scope, count) in self.attempts_limited(read) {
            let reason = Reason::new(ReasonCode::AttemptsLimited).with("count", &count);
            reasons.push(reason.with("scope", scope));
        }
        // A network that the caller does not tell is no finding.
        let network = network.filter(|_| case.assessment.client.ip.is_some());
        let signal = context::signal(device, network, failures, attempts);
        if travel_impossible { context::after_impossible_journey(&signal) } else { signal }
    }

    /// Whose limits of attempts are reached, with the counts.
    pub(crate) fn attempts_limited(&self, read: &Read) -> impl Iterator<Item = (&'static str, u32)> {
        let attempts = read.hot.as_ref().map_or(0, |view| view.attempts);
        let own = (attempts >= self.settings.attempts_limit).then_some(("subject", attempts));
        own.into_iter().chain(self.limiter.reached(read.counts.unwrap_or_default()))
    }

    fn record_access(&self, access: Option<&RecordAccess>, reasons: &mut Vec<Reason>) -> Signal {
        let Some(access) = access else {
            return Signal::unscored(SignalKind::RecordAccess, SignalStatus::Absent);
        };
        if let Some((kind, _)) = record_access::worst(access, &self.settings.ceilings) {
            reasons.push(Reason::new(ReasonCode::RecordAccessBurst).with("kind", kind));
        }
        record_access::signal(access, &self.settings.ceilings)
    }
}

/// The hour, against when the person was proven before; of nobody who opted out.
fn hour(case: &Case, read: &Read, now: Timestamp, reasons: &mut Vec<Reason>) -> Option<Signal> {
    let person = read.person.as_ref().filter(|_| !case.withheld)?;
    let signal = rhythm::signal(person.known.rhythm(), now);
    if signal.llr >= rhythm::UNUSUAL_LLR {
        reasons.push(ReasonCode::HourUnusual.into());
    }
    Some(signal)
}

/// Free text and pointer movement, and what the person's habits say of them.
fn habits_signals(
    telemetry: &Telemetry,
    habits: Option<&Habits>,
    reasons: &mut Vec<Reason>,
) -> (Behaviour, Vec<Signal>) {
    let seen = Behaviour::of(telemetry);
    let signals = match habits {
        _ if seen.is_empty() => Vec::new(),
        Some(habits) => habits.signals(&seen),
        None => {
            let sent = [
                (SignalKind::FreeText, !seen.strokes.is_empty()),
                (SignalKind::Pointer, !seen.actions.is_empty()),
            ];
            let missing = |(kind, sent): (SignalKind, bool)| {
                sent.then(|| Signal::unscored(kind, SignalStatus::Unavailable))
            };
            sent.into_iter().filter_map(missing).collect()
        }
    };
    for signal in signals.iter().filter(|signal| habit_accuses(signal)) {
        reasons.push(Reason::new(ReasonCode::HabitsUnusual).with("signal", &signal.kind));
    }
    (seen, signals)
}

fn look_at(sample: &KeystrokeSample, profile: Option<&Lookup>, settings: &EngineSettings) -> Typing {
    let unscored = |status, reason: Reason, text| Typing {
        signal: Signal::unscored(SignalKind::KeystrokeFixed, status),
        reason: reason.with("field", sample.field.as_str()),
        replayed: false,
        text,
        limits: None,
        proof_due: false,
    };
    let text = match fixed_text(sample) {
        Ok(text) => text,
        Err(cause) => {
            let reason = Reason::new(ReasonCode::TypingNotComparable).with("cause", cause.name());
            return unscored(SignalStatus::NotComparable, reason, None);
        }
    };
    let Some(profile) = profile else {
        return Typing {
            reason: Reason::new(ReasonCode::ModelUnavailable).with("cause", "store"),
            ..unscored(SignalStatus::Unavailable, ReasonCode::TypingLearning.into(), Some(text))
        };
    };
    let Lookup::Found(profile) = profile else {
        let reason = Reason::new(ReasonCode::TypingLearning).with("samples", &0);
        return unscored(SignalStatus::NoModel, reason, Some(text));
    };
    let Ok(scored) = profile.model.score(&text) else {
        let reason = Reason::new(ReasonCode::TypingNotComparable).with("cause", "other_shape");
        return unscored(SignalStatus::NotComparable, reason, Some(text));
    };
    let signal = Signal {
        kind: SignalKind::KeystrokeFixed,
        status: SignalStatus::Scored,
        llr: scored.llr,
        score: Some(scored.z),
        maturity: profile.model.maturity(),
        samples: profile.model.samples(),
        profile_version: profile.version,
    };
    let limits = profile.limits(settings.friction);
    Typing {
        reason: typing_reason(&signal, limits).with("field", sample.field.as_str()),
        // A model that is still learning has no say, so that nothing is judged.
        limits: (signal.maturity != Maturity::Learning).then_some(limits),
        proof_due: profile.proof_due(settings.typing_proof_every),
        signal,
        replayed: scored.is_replay(),
        text: Some(text),
    }
}

fn typing_reason(signal: &Signal, limits: Limits) -> Reason {
    match behaviour_band(std::slice::from_ref(signal), limits) {
        None => Reason::new(ReasonCode::TypingLearning).with("samples", &signal.samples),
        Some(Band::Low) => ReasonCode::TypingMatches.into(),
        Some(Band::Medium) => ReasonCode::TypingUnusual.into(),
        Some(Band::High) => ReasonCode::TypingDiffers.into(),
    }
}

fn least_mature(signals: &[Signal]) -> Maturity {
    let typing =
        signals.iter().filter(|s| s.kind == SignalKind::KeystrokeFixed && s.status == SignalStatus::Scored);
    let typing = typing.map(|s| s.maturity).filter(|m| *m != Maturity::Learning).min();
    // Habits speak for themselves where they accuse, and spare nobody anything.
    let habits = signals.iter().filter(|s| habit_accuses(s)).map(|s| s.maturity).min();
    typing.or(habits).unwrap_or(Maturity::Learning)
}

fn scoring_nonce(nonce: NonceState) -> integrity::Nonce {
    match nonce {
        NonceState::Valid => integrity::Nonce::Fresh,
        // What could not be checked is treated as absent; that the store is missing is a fact of its own.
        NonceState::Missing | NonceState::Unverified => integrity::Nonce::Missing,
        NonceState::Stale => integrity::Nonce::Stale,
        NonceState::Reused => integrity::Nonce::Reused,
    }
}

fn integrity_reasons(
    replayed: bool,
    machine: Option<&'static str>,
    nonce: NonceState,
    reasons: &mut Vec<Reason>,
) {
    if replayed {
        reasons.push(ReasonCode::TelemetryReplayed.into());
    }
    if let Some(cause) = machine {
        reasons.push(Reason::new(ReasonCode::TelemetryMachineLike).with("cause", cause));
    }
    match nonce {
        NonceState::Valid | NonceState::Unverified => {}
        NonceState::Missing => reasons.push(ReasonCode::NonceMissing.into()),
        NonceState::Stale => reasons.push(ReasonCode::NonceStale.into()),
        NonceState::Reused => reasons.push(ReasonCode::NonceReused.into()),
    }
}

fn authenticator_signal(shown: &Shown, reasons: &mut Vec<Reason>) -> Signal {
    match shown {
        Shown::None => Signal::unscored(SignalKind::Authenticator, SignalStatus::Absent),
        Shown::Rejected { cause } => {
            reasons.push(Reason::new(ReasonCode::PasskeyRejected).with("cause", cause));
            Signal::unscored(SignalKind::Authenticator, SignalStatus::Absent)
        }
        Shown::OtherTelemetry => {
            reasons.push(ReasonCode::PasskeyTelemetryMismatch.into());
            Signal::unscored(SignalKind::Authenticator, SignalStatus::Absent)
        }
        Shown::Verified { counter_regressed, backup_changed, .. } => {
            if *counter_regressed {
                reasons.push(ReasonCode::PasskeyCounterRegressed.into());
            }
            if *backup_changed {
                reasons.push(ReasonCode::PasskeyBackupChanged.into());
            }
            authenticator::signal(*counter_regressed, *backup_changed)
        }
    }
}
