//! Signals to one risk.
//!
//! The log odds of "someone else" are a prior plus the bounded log likelihood ratios of the signals that have
//! a say. This is the one place where a model that is still learning is kept from having one.
//!
//! What a band means: a promise of a false-alarm rate. Within a person's own limits (`friction`) one genuine
//! login in fifty reaches MEDIUM or above and one in two hundred HIGH, by typing alone of a mature model.
//! Within the fixed limits the rates are those measured on the benchmark, averaged over people: single people
//! may lie several times above.

use keyward_domain::{Band, Maturity, Risk, Signal, SignalKind, SignalStatus, Timestamp};

use crate::keystroke::MAX_TYPING_LLR;

/// Log odds of "someone else" before anything was observed. Not a measured rate of attacks, which no
/// deployment knows beforehand: with the limits below, it says how much evidence each band needs.
pub const PRIOR_LOG_ODDS: f32 = -2.0;
/// Evidence from which a risk is [`Band::Medium`], in nats above the prior (score 0.14). Typing alone of a
/// mature person gets there about once in fifteen genuine logins.
pub const MEDIUM_LLR: f32 = 0.2;
/// Evidence from which a risk is [`Band::High`], in nats above the prior (score 0.57). Typing alone of a
/// mature person gets there about once in sixty genuine logins.
pub const HIGH_LLR: f32 = 2.3;
/// The most that a signal can say, in nats, either way.
pub const MAX_LLR: f32 = 4.0;

/// The fused risk, its band within a person's limits; `None` when no signal has a say.
pub fn fuse(signals: &[Signal], limits: Limits, at: Timestamp) -> Option<Risk> {
    let evidence = evidence(signals.iter().filter(|s| was_scored(s)))?;
    Some(Risk { score: sigmoid(PRIOR_LOG_ODDS + evidence.total), band: evidence.band(limits), at })
}

/// The band of the behavioural signals alone: typing, integrity and record access. `None` when none of them
/// has a say.
///
/// Integrity, record access and habits can only accuse: nobody is spared anything for moving a pointer as usual. The hour is
/// heard beside typing, and never by itself.
pub fn behaviour_band(signals: &[Signal], limits: Limits) -> Option<Band> {
    let typed = signals.iter().any(|s| s.kind == SignalKind::KeystrokeFixed && was_scored(s));
    let says = |s: &&Signal| {
        was_scored(s)
            && match s.kind {
                SignalKind::KeystrokeFixed => true,
                SignalKind::Integrity | SignalKind::RecordAccess => s.llr > 0.0,
                // Below, they would give a band LOW of their own, which spares friction.
                SignalKind::FreeText | SignalKind::Pointer => habit_accuses(s),
                SignalKind::Rhythm => typed,
                SignalKind::Context | SignalKind::Authenticator => false,
            }
    };
    evidence(signals.iter().filter(says)).map(|evidence| evidence.band(limits))
}

/// Whether a signal is one of habits that, by itself, finds enough to ask for more.
pub fn habit_accuses(signal: &Signal) -> bool {
    matches!(signal.kind, SignalKind::FreeText | SignalKind::Pointer)
        && signal.llr >= MEDIUM_LLR
        && signal.status == SignalStatus::Scored
}

/// Where the bands begin, in nats of evidence above the prior.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Where MEDIUM begins.
    pub medium: f32,
    /// Where HIGH begins; not below `medium`.
    pub high: f32,
}

impl Limits {
    /// Those that are nowhere above either: what several fields of one person are judged by.
    #[must_use]
    pub const fn stricter(self, other: Self) -> Self {
        Self { medium: self.medium.min(other.medium), high: self.high.min(other.high) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { medium: MEDIUM_LLR, high: HIGH_LLR }
    }
}

/// The band of so much evidence above the prior, in nats.
pub fn band(evidence: f32) -> Band {
    band_within(evidence, Limits::default())
}

/// The same within a person's own limits (`friction`).
pub fn band_within(evidence: f32, limits: Limits) -> Band {
    if evidence >= limits.high || evidence.is_nan() {
        Band::High
    } else if evidence >= limits.medium {
        Band::Medium
    } else {
        Band::Low
    }
}

/// Evidence of consecutive logins of one session's hands, each in nats: n logins count for √n, as n fields
/// do, because mistakes about a person last. `None` without any.
pub fn over_logins(llrs: &[f32]) -> Option<f32> {
    let bounded = |llr: &f32| if llr.is_nan() { MAX_LLR } else { llr.clamp(-MAX_LLR, MAX_LLR) };
    let sum: f32 = llrs.iter().map(bounded).sum();
    (!llrs.is_empty()).then(|| sum / (llrs.len() as f32).sqrt())
}

/// What signals say together.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    /// In nats above the prior.
    total: f32,
    /// Whether integrity or record access accuse.
    accused: bool,
}

impl Evidence {
    /// The band within a person's limits. Those are earned by typing, and excuse nothing else.
    fn band(self, limits: Limits) -> Band {
        let own = band_within(self.total, limits);
        if self.accused { own.max(band(self.total)) } else { own }
    }
}

/// INVARIANT: a model that is still learning has no say.
fn was_scored(signal: &Signal) -> bool {
    let model = matches!(
        signal.kind,
        SignalKind::KeystrokeFixed | SignalKind::FreeText | SignalKind::Pointer | SignalKind::Rhythm
    );
    let learning = model && signal.maturity == Maturity::Learning;
    signal.status == SignalStatus::Scored && !learning
}

/// What the signals say together; `None` without any.
///
/// The sum, but never less than what integrity and record access accuse of: a replay types perfectly, and who
/// types as usual may still take too much. The typing of several fields comes from the same hands within
/// seconds: it is neither independent nor the same, so that n fields count for √n, and together for no more
/// than one may.
fn evidence<'a>(signals: impl Iterator<Item = &'a Signal>) -> Option<Evidence> {
    let (mut typing, mut fields, mut others, mut accusations, mut any) =
        (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32, false);
    for signal in signals {
        // An hour alone is no evidence of anybody.
        any |= signal.kind != SignalKind::Rhythm;
        let llr = bounded(signal);
        match signal.kind {
            SignalKind::KeystrokeFixed => {
                typing += llr;
                fields += 1.0;
            }
            SignalKind::Integrity | SignalKind::RecordAccess => {
                others += llr;
                accusations += llr.max(0.0);
            }
            SignalKind::Context | SignalKind::Authenticator => others += llr,
            // They can only accuse.
            SignalKind::FreeText | SignalKind::Pointer | SignalKind::Rhythm => others += llr.max(0.0),
        }
    }
    let typing = (typing / fields.max(1.0).sqrt()).clamp(-MAX_TYPING_LLR, MAX_TYPING_LLR);
    let accused = accusations > 0.0;
    let total = if accused { (typing + others).max(accusations) } else { typing + others };
    any.then_some(Evidence { total, accused })
}

fn bounded(signal: &Signal) -> f32 {
    // What is no number must not pass as harmless.
    if signal.llr.is_nan() { MAX_LLR } else { signal.llr.clamp(-MAX_LLR, MAX_LLR) }
}

fn sigmoid(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{authenticator, context, integrity, record_access};
    use keyward_domain::RecordAccess;

    /// A person's limits a nat above the fixed ones.
    const LOOSE: Limits = Limits { medium: MEDIUM_LLR + 1.0, high: HIGH_LLR + 1.0 };

    #[test]
    fn own_limits_excuse_typing_and_nothing_else() {
        let unusual = typing(MEDIUM_LLR + 0.5, Maturity::Mature);
        let alone = std::slice::from_ref(&unusual);
        assert_eq!(behaviour_band(alone, Limits::default()), Some(Band::Medium));
        assert_eq!(behaviour_band(alone, LOOSE), Some(Band::Low));
        assert_eq!(fuse(alone, LOOSE, Timestamp::from_secs(1)).unwrap().band, Band::Low);
        let replay = [unusual, integrity::signal(true, false, integrity::Nonce::Fresh)];
        assert_eq!(behaviour_band(&replay, LOOSE), behaviour_band(&replay, Limits::default()));
        assert_eq!(LOOSE.stricter(Limits::default()), Limits::default());
    }

    fn typing(llr: f32, maturity: Maturity) -> Signal {
        Signal { llr, maturity, ..crate::observed(SignalKind::KeystrokeFixed, 0.0) }
    }

    fn fused(signals: &[Signal]) -> Band {
        fuse(signals, Limits::default(), Timestamp::from_secs(1)).unwrap().band
    }

    fn clean() -> Signal {
        integrity::signal(false, false, integrity::Nonce::Fresh)
    }

    #[test]
    fn a_model_that_is_learning_has_no_say() {
        let learning = typing(MAX_TYPING_LLR, Maturity::Learning);
        assert_eq!(fuse(std::slice::from_ref(&learning), Limits::default(), Timestamp::from_secs(1)), None);
        assert_eq!(behaviour_band(std::slice::from_ref(&learning), Limits::default()), None);
        assert_eq!(fused(&[learning, clean()]), Band::Low);
    }

    #[test]
    fn typing_alone_reaches_every_band() {
        for (llr, band) in
            [(-4.0, Band::Low), (0.0, Band::Low), (MEDIUM_LLR, Band::Medium), (HIGH_LLR, Band::High)]
        {
            let signals = [typing(llr, Maturity::Mature), clean()];
            assert_eq!(fused(&signals), band);
            assert_eq!(behaviour_band(&signals, Limits::default()), Some(band));
        }
        assert_eq!(
            fused(&[typing(4.0, Maturity::Mature), context::signal(Some(true), Some(true), 0, 0)]),
            Band::High
        );
    }

    #[test]
    fn habits_only_accuse_and_never_reach_high() {
        let habit = |kind, llr| Signal { llr, maturity: Maturity::Provisional, ..crate::observed(kind, 0.0) };
        let band = |signals: &[Signal]| behaviour_band(signals, Limits::default());
        for (kind, most) in [
            (SignalKind::FreeText, crate::free_text::MAX_FREE_TEXT_LLR),
            (SignalKind::Pointer, crate::pointer::MAX_POINTER_LLR),
        ] {
            for as_usual in [-1.0, 0.0, MEDIUM_LLR - 0.01] {
                assert_eq!(band(&[habit(kind, as_usual)]), None, "as usual spares nobody anything");
            }
            assert_eq!(band(&[habit(kind, most)]), Some(Band::Medium));
            let learning = Signal { maturity: Maturity::Learning, ..habit(kind, most) };
            assert_eq!(band(&[learning]), None);
        }
        let own = typing(-4.0, Maturity::Mature);
        assert_eq!(band(&[own.clone(), habit(SignalKind::Pointer, 1.0)]), Some(Band::Low));
        let risk = |signals: &[Signal]| fuse(signals, Limits::default(), Timestamp::from_secs(0));
        assert_eq!(
            risk(&[own.clone(), habit(SignalKind::FreeText, -1.0)]),
            risk(&[own]),
            "no risk is less for it"
        );
    }

    #[test]
    fn an_hour_alone_is_nothing_and_beside_typing_it_accuses() {
        let hour =
            |llr| Signal { llr, maturity: Maturity::Provisional, ..crate::observed(SignalKind::Rhythm, 0.0) };
        let band = |signals: &[Signal]| behaviour_band(signals, Limits::default());
        let risk = |signals: &[Signal]| fuse(signals, Limits::default(), Timestamp::from_secs(0));
        let most = hour(crate::rhythm::MAX_RHYTHM_LLR);
        assert_eq!((band(std::slice::from_ref(&most)), risk(std::slice::from_ref(&most))), (None, None));
        let learning = typing(MAX_TYPING_LLR, Maturity::Learning);
        assert_eq!(band(&[learning, most.clone(), clean()]), None);
        // Whatever else is as usual, the hour does not lift the risk out of LOW.
        for network in [None, Some(true)] {
            let at_home = context::signal(Some(true), network, 0, 0);
            assert_eq!(fused(&[at_home, most.clone()]), Band::Low);
        }
        let own = typing(-2.0, Maturity::Mature);
        assert_eq!(band(&[own.clone(), most.clone()]), Some(Band::Low));
        let odd = typing(MEDIUM_LLR - 0.1, Maturity::Mature);
        assert_eq!(band(std::slice::from_ref(&odd)), Some(Band::Low));
        assert_eq!(band(&[odd, most.clone()]), Some(Band::Medium));
        let unusual = typing(HIGH_LLR - crate::rhythm::MAX_RHYTHM_LLR - 0.1, Maturity::Mature);
        assert_eq!(band(&[unusual, most]), Some(Band::Medium), "by half a nat it makes nothing HIGH");
        assert_eq!(risk(&[own.clone(), hour(-1.0)]), risk(&[own]), "no risk is less for it");
    }

    #[test]
    fn a_replay_is_high_however_well_it_types() {
        let place = context::signal(Some(true), Some(true), 0, 0);
        let perfect = typing(-MAX_TYPING_LLR, Maturity::Mature);
        for accusation in [
            integrity::signal(true, false, integrity::Nonce::Fresh),
            integrity::signal(false, true, integrity::Nonce::Fresh),
            integrity::signal(false, false, integrity::Nonce::Reused),
        ] {
            assert_eq!(fused(std::slice::from_ref(&accusation)), Band::High);
            let signals = [perfect.clone(), place.clone(), accusation];
            assert_eq!(
                (fused(&signals), behaviour_band(&signals, Limits::default())),
                (Band::High, Some(Band::High))
            );
        }
    }

    #[test]
    fn a_new_place_is_no_more_than_medium_and_failures_on_top_are_high() {
        assert_eq!(fused(&[context::signal(Some(false), Some(true), 0, 0)]), Band::Medium);
        assert_eq!(fused(&[context::signal(Some(true), Some(false), 0, 0)]), Band::Low);
        assert_eq!(fused(&[context::signal(Some(false), Some(false), 0, 0)]), Band::Medium);
        assert_eq!(fused(&[context::signal(Some(false), Some(false), 10, 0)]), Band::High);
        let at_home = context::signal(Some(true), Some(true), 0, 0);
        assert_eq!(fused(&[context::after_impossible_journey(&at_home)]), Band::Medium);
        assert!(context::signal(Some(true), None, 3, 0).llr > context::signal(Some(true), None, 0, 0).llr);
        assert!(context::signal(None, None, 0, 9).llr > context::signal(None, None, 0, 2).llr);
    }

    #[test]
    fn what_finds_nothing_wrong_does_not_vouch() {
        let quiet = record_access::signal(
            &RecordAccess { window_s: 3600, reads: 10, ..RecordAccess::default() },
            &record_access::Ceilings::default(),
        );
        assert_eq!(
            behaviour_band(
                &[clean(), quiet, context::signal(Some(true), Some(true), 0, 0)],
                Limits::default()
            ),
            None
        );
        assert_eq!(
            fuse(
                &[Signal::unscored(SignalKind::Context, SignalStatus::Absent)],
                Limits::default(),
                Timestamp::from_secs(1)
            ),
            None
        );
    }

    #[test]
    fn record_access_accuses_by_how_far_it_exceeds_a_ceiling() {
        let ceilings = record_access::Ceilings::default();
        let access = |reads| RecordAccess { window_s: 3600, reads, ..RecordAccess::default() };
        let llr = |reads| record_access::signal(&access(reads), &ceilings).llr;
        assert_eq!((llr(239), llr(240), llr(480)), (0.0, 0.5, 1.5));
        assert_eq!(Some(llr(u32::MAX)), Some(record_access::MAX_RECORD_ACCESS_LLR));
        assert_eq!(record_access::worst(&access(480), &ceilings), Some(("reads", 2.0)));
        let short = RecordAccess { window_s: 5, reads: 10, ..RecordAccess::default() };
        assert!(
            record_access::signal(&short, &ceilings).llr.abs() < 1e-6,
            "ten reads at once are no rate of an hour"
        );
        assert_eq!(record_access::signal(&RecordAccess::default(), &ceilings).status, SignalStatus::Absent);
        let burst = record_access::signal(&access(5000), &ceilings);
        assert_eq!(
            fused(&[typing(-4.0, Maturity::Mature), burst]),
            Band::High,
            "good typing does not excuse it"
        );
    }

    #[test]
    fn several_fields_say_no_more_than_one_may() {
        let field = typing(1.5, Maturity::Mature);
        let one =
            fuse(std::slice::from_ref(&field), Limits::default(), Timestamp::from_secs(1)).unwrap().score;
        let three = fuse(&[field.clone(), field.clone(), field], Limits::default(), Timestamp::from_secs(1))
            .unwrap()
            .score;
        assert!(three > one);
        let most = fuse(&vec![typing(4.0, Maturity::Mature); 8], Limits::default(), Timestamp::from_secs(1))
            .unwrap()
            .score;
        let one_may =
            fuse(&[typing(4.0, Maturity::Mature)], Limits::default(), Timestamp::from_secs(1)).unwrap().score;
        assert!((most - one_may).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_number_is_taken_as_the_worst() {
        let risk =
            fuse(&[typing(f32::NAN, Maturity::Mature)], Limits::default(), Timestamp::from_secs(1)).unwrap();
        assert_eq!(risk.band, Band::High);
        assert!((0.0..=1.0).contains(&risk.score));
        assert_eq!(fused(&[typing(f32::INFINITY, Maturity::Mature)]), Band::High);
    }

    #[test]
    fn an_authenticator_that_went_backwards_is_high() {
        assert_eq!(fused(&[authenticator::signal(true, false)]), Band::High);
        assert_eq!(fused(&[authenticator::signal(false, true)]), Band::Medium);
        assert_eq!(fused(&[authenticator::signal(false, false)]), Band::Low);
        assert_eq!(
            behaviour_band(&[authenticator::signal(true, true)], Limits::default()),
            None,
            "a factor's state is no behaviour"
        );
    }
}
