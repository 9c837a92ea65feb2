//! When a person is at work: hours of the day and of the week, each on its circle.
//!
//! The model is a kernel density over the moments at which the person was proven: von Mises kernels on the circle of the day
//! and on that of the week, drawn out over the shift that may have begun there, newer moments weighing more. Few moments are shrunk towards the flat density, which also stands
//! for anybody else: keyward knows neither time zones nor when attackers rise. From that surprise the person's own is taken
//! off: what nineteen of twenty of their own moments reach when they are left out. Who works around the clock is thus at no
//! hour unusual.
//!
//! It is a weak signal. [`MAX_RHYTHM_LLR`] bounds it, it only accuses, and `fusion` hears it beside typing alone.
//!
//! Kernel density on circles: C. C. Taylor, "Automatic bandwidth selection for circular density estimation", Computational
//! Statistics & Data Analysis 52, 2008; the kernel is that of R. von Mises, 1918.

use std::f32::consts::TAU;
use std::sync::LazyLock;

use keyward_domain::{Maturity, Signal, SignalKind, SignalStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// The most that an hour says against a person, in nats. With a known device and nothing else the risk stays LOW.
pub const MAX_RHYTHM_LLR: f32 = 0.6;
/// From here on an hour is called unusual.
pub const UNUSUAL_LLR: f32 = 0.4;
/// The newest moments that are kept.
pub const KEPT: usize = 64;
/// The fewest moments that are judged by.
pub const MIN_MOMENTS: usize = 10;
/// From the first to the last of them: rotas turn within weeks.
pub const MIN_SPAN_DAYS: u32 = 21;

/// Moments are kept to the quarter of an hour.
const QUARTER_US: i64 = 15 * 60 * 1_000_000;
const DAY: u32 = 24 * 4;
const WEEK: u32 = 7 * DAY;
/// Moments nearer than this to the last one say nothing new.
const GAP: u32 = 4;
/// A moment is judged by what is at least half a day away: the same shift knows itself.
const APART: u32 = DAY / 2;
/// The spread of a kernel: two hours.
const SPREAD: f32 = 8.0;
/// Who was proven is there for eight hours more: a passkey is often shown when a shift begins, and never again in it.
const SHIFT: usize = 32;
/// The part that an hour has on any day; the other is that of its own day of the week.
const ANY_DAY: f32 = 0.5;
/// The weight of a moment is halved in four weeks.
const HALF_LIFE_DAYS: f32 = 28.0;
/// So many moments weighs the flat density.
const PRIOR: f32 = 10.0;
/// The share of a person's own moments that is not unusual.
const OWN_SHARE: f32 = 0.95;

/// The density about a moment, by quarters of an hour after it within the week, in units of the flat density.
static KERNEL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let (day, week) = (von_mises(DAY), von_mises(WEEK));
    let days = week.iter().zip(day.iter().cycle());
    days.map(|(week, day)| ANY_DAY * day + (1.0 - ANY_DAY) * week).collect()
});

/// A von Mises density over a circle of so many quarters of an hour, drawn out over a shift, in units of the flat one.
fn von_mises(circle: u32) -> Vec<f32> {
    let turn = TAU / circle as f32;
    let concentration = (SPREAD * turn).powi(-2);
    let bell: Vec<f32> =
        (0..circle).map(|at| (concentration * ((at as f32 * turn).cos() - 1.0)).exp()).collect();
    let before = |at: usize, back: usize| bell[(at + bell.len() - back) % bell.len()];
    let drawn: Vec<f32> = (0..bell.len()).map(|at| (0..=SHIFT).map(|back| before(at, back)).sum()).collect();
    let mean = drawn.iter().sum::<f32>() / circle as f32;
    drawn.into_iter().map(|height| height / mean).collect()
}

/// When a person was proven. Holds behaviour: seal it before it is stored.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rhythm {
    /// In quarters of an hour since the Unix epoch, oldest first.
    moments: Vec<u32>,
    /// The surprise that [`OWN_SHARE`] of the moments stay below, in nats.
    own: f32,
}

impl Rhythm {
    /// Notes that the person was proven. False if it says nothing new.
    pub fn see(&mut self, at: Timestamp) -> bool {
        let now = quarter(at);
        if let Some(&last) = self.moments.last() {
            if last.saturating_sub(now) > DAY {
                // The clock was ahead: what it gave would stand in the way until that time comes.
                self.moments.retain(|moment| *moment <= now);
            } else if now < last.saturating_add(GAP) {
                return false;
            }
        }
        if self.moments.len() >= KEPT {
            self.moments.remove(0);
        }
        self.moments.push(now);
        self.own = self.own_surprise(now);
        true
    }

    /// Whether nothing is known.
    pub const fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// The moments that are kept, oldest first, each the beginning of its quarter of an hour.
    pub fn moments(&self) -> impl Iterator<Item = Timestamp> {
        self.moments.iter().map(|moment| Timestamp { micros: i64::from(*moment) * QUARTER_US })
    }

    /// How unusual it is for the person to be there, beyond what is usual for them, in nats; not bounded. `None` while too
    /// little is known.
    pub fn surprise(&self, at: Timestamp) -> Option<f32> {
        let (first, last) = (self.moments.first()?, self.moments.last()?);
        let known = self.moments.len() >= MIN_MOMENTS && last.abs_diff(*first) >= MIN_SPAN_DAYS * DAY;
        known.then(|| {
            let now = quarter(at);
            self.against(now, now, |_| true) - self.own
        })
    }

    /// The surprise that most of the person's own moments stay below, each judged without its shift.
    fn own_surprise(&self, now: u32) -> f32 {
        let mut own: Vec<f32> = self
            .moments
            .iter()
            .map(|moment| self.against(*moment, now, |other| other.abs_diff(*moment) >= APART))
            .collect();
        own.sort_by(f32::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of at most 64")]
        let most = (OWN_SHARE * own.len() as f32) as usize;
        own.get(most).map_or(0.0, |surprise| surprise.max(0.0))
    }

    /// How much likelier a moment is for anybody than for the person, as their moments tell it that are not left out.
    fn against(&self, moment: u32, now: u32, counts: impl Fn(u32) -> bool) -> f32 {
        let (mut known, mut there) = (0.0, 0.0);
        for &seen in self.moments.iter().filter(|seen| counts(**seen)) {
            let weight = (-(now.abs_diff(seen) as f32) / DAY as f32 / HALF_LIFE_DAYS).exp2();
            let apart = (moment % WEEK + WEEK - seen % WEEK) % WEEK;
            known += weight;
            there += weight * KERNEL[apart as usize];
        }
        ((known + PRIOR) / (there + PRIOR)).ln()
    }
}

impl std::fmt::Debug for Rhythm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rhythm(redacted)")
    }
}

/// What the hour says of who it is.
pub fn signal(rhythm: &Rhythm, at: Timestamp) -> Signal {
    let samples = u32::try_from(rhythm.moments.len()).unwrap_or(u32::MAX);
    match rhythm.surprise(at) {
        Some(surprise) => Signal {
            kind: SignalKind::Rhythm,
            status: SignalStatus::Scored,
            // That it is the usual hour says nothing: colleagues have the same.
            llr: surprise.clamp(0.0, MAX_RHYTHM_LLR),
            score: None,
            // Its constants were tried on made rotas, not on people: never more than provisional.
            maturity: Maturity::Provisional,
            samples,
            profile_version: 0,
        },
        None => Signal { samples, ..Signal::unscored(SignalKind::Rhythm, SignalStatus::NoModel) },
    }
}

/// A moment in quarters of an hour since the Unix epoch, of UTC.
fn quarter(at: Timestamp) -> u32 {
    u32::try_from(at.micros.div_euclid(QUARTER_US).max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment of a day, by its hour.
    fn at(day: u32, hour: f32) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "a day's seconds")]
        let seconds = (hour * 3600.0) as i64;
        Timestamp::from_secs((20_000 + i64::from(day)) * 86_400 + seconds)
    }

    /// Five days a week from eight, for so many weeks.
    fn clinic(weeks: u32) -> Rhythm {
        let mut rhythm = Rhythm::default();
        for day in (0..weeks * 7).filter(|day| day % 7 < 5) {
            rhythm.see(at(day, 8.0 + (day % 3) as f32 * 3.0));
        }
        rhythm
    }

    #[test]
    fn a_kernel_is_a_density_and_lies_on_its_circle() {
        let mean = KERNEL.iter().sum::<f32>() / WEEK as f32;
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        let after = |hours: usize| KERNEL[(hours + 7 * 24) % (7 * 24) * 4];
        assert!((after(8 + 3) - after(7 * 24 - 3)).abs() < 1e-3, "as steep before a shift as after it");
        assert!(after(4) > after(24 + 4) && after(24 + 4) > 10.0 * after(24 + 16));
    }

    #[test]
    fn night_is_unusual_for_who_works_by_day_and_says_little() {
        let rhythm = clinic(8);
        let llr = |hour| signal(&rhythm, at(57, hour)).llr;
        assert!(llr(10.0) < 1e-6, "{}", llr(10.0));
        assert!((UNUSUAL_LLR..=MAX_RHYTHM_LLR).contains(&llr(4.0)), "{}", llr(4.0));
        // Around midnight there is no seam.
        assert!((llr(23.75) - signal(&rhythm, at(58, 0.0)).llr).abs() < 0.1);
    }

    #[test]
    fn what_is_little_known_is_not_judged() {
        for (rhythm, known) in [(Rhythm::default(), 0), (clinic(1), 5), (clinic(2), 10)] {
            let signal = signal(&rhythm, at(30, 2.0));
            assert_eq!((signal.status, signal.samples), (SignalStatus::NoModel, known));
        }
        assert_eq!(signal(&clinic(4), at(30, 2.0)).status, SignalStatus::Scored);
    }

    #[test]
    fn a_change_to_nights_is_learned_within_days() {
        let mut rhythm = clinic(10);
        let night = |day| at(day, 2.0);
        let nights = (70..90).position(|day| {
            let usual = signal(&rhythm, night(day)).llr < UNUSUAL_LLR;
            rhythm.see(night(day));
            usual
        });
        assert!(nights.is_some_and(|n| (2..8).contains(&n)), "{nights:?}");
    }

    #[test]
    fn what_is_long_past_says_little() {
        let rhythm = clinic(8);
        assert!(signal(&rhythm, at(57, 2.0)).llr > UNUSUAL_LLR);
        assert!(signal(&rhythm, at(57 + 200, 2.0)).llr < UNUSUAL_LLR, "half a year later");
    }

    #[test]
    fn an_hour_counts_once_and_little_is_kept() {
        let mut rhythm = Rhythm::default();
        assert!(rhythm.see(at(0, 8.0)));
        assert!(!rhythm.see(at(0, 8.5)) && !rhythm.see(at(0, 7.5)), "nothing new, and what comes late");
        for day in 1..200 {
            assert!(rhythm.see(at(day, 8.0)));
        }
        assert_eq!(rhythm.moments().count(), KEPT);
        assert_eq!(rhythm.moments().last(), Some(at(199, 8.0)));
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_stop_learning() {
        let mut rhythm = clinic(4);
        rhythm.see(at(4000, 8.0));
        assert!(rhythm.see(at(30, 8.0)));
        assert_eq!(rhythm.moments().last(), Some(at(30, 8.0)));
        assert!(rhythm.surprise(Timestamp { micros: i64::MIN }).is_some_and(f32::is_finite));
        assert!(rhythm.surprise(Timestamp { micros: i64::MAX }).is_some_and(f32::is_finite));
    }

    #[test]
    fn it_shows_no_behaviour() {
        assert_eq!(format!("{:?}", clinic(1)), "Rhythm(redacted)");
    }
}
