//! A generator of shifts: what hospital staff that never were do with records, and insiders among them. What is measured
//! with it is synthetic: no figure of it was held against a real hospital.
//!
//! It is not the model's own assumption drawn at random: hospitals, people, days and windows differ log-normally and not by
//! gamma distributions, counts depend on each other through the patients that are seen, windows are idle or busy, records are
//! taken out in batches, hours rotate, and people stay longer. Rates are of the order that a ward has, by judgement.

use keyward_domain::RecordAccess;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_distr::{Binomial, Distribution, Poisson, StandardNormal};

/// Deviations of logarithms of rates: between hospitals, between people in general and in each kind of work, from day to
/// day, from window to window.
const HOSPITAL: f64 = 0.35;
const PERSON: f64 = 0.25;
const PERSON_IN_KIND: f64 = 0.35;
const DAY: f64 = 0.25;
const WINDOW: f64 = 0.5;
/// One window in so many is idle: a talk, a break, an emergency away from the screen.
const IDLE_ONE_IN: u32 = 10;
/// The first window of a shift is a handover.
const HANDOVER: f64 = 1.8;
/// One time in so many that records are taken out it is a batch of several letters.
const BATCH_ONE_IN: u32 = 6;
/// One shift in so many is worked at another time, and one in so many runs late.
const SWAPPED_ONE_IN: u32 = 50;
const LATE_ONE_IN: u32 = 8;
/// The most that one kind of work comes to in a window.
const MOST: f64 = 100_000.0;
/// Keep the randomness of hospitals, of people and of shifts apart.
const HOSPITAL_SALT: u64 = 0x4057_1000_0000_0000;
const SHIFT_SALT: u64 = 0x5417_0000_0000_0000;
const INSIDER_SALT: u64 = 0x1451_0000_0000_0000;

/// What somebody does at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sees patients, writes and signs.
    Clinician,
    /// Cares on a ward, in rotating shifts of twelve hours.
    Nurse,
    /// Looks at the orders of everybody's patients.
    Pharmacist,
    /// Finds and registers patients, by day.
    FrontDesk,
    /// Administers and reports, by day.
    Administrator,
}

impl Role {
    /// All.
    pub const ALL: [Self; 5] =
        [Self::Clinician, Self::Nurse, Self::Pharmacist, Self::FrontDesk, Self::Administrator];

    /// As the shipped policy names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::Nurse => "nurse",
            Self::Pharmacist => "pharmacist",
            Self::FrontDesk => "front_desk",
            Self::Administrator => "administrator",
        }
    }

    const fn work(self) -> Work {
        match self {
            Self::Clinician => Work::new([5.0, 2.8, 2.5, 8.0, 0.25], 0.08, 8.0),
            Self::Nurse => Work::new([6.0, 2.4, 1.0, 12.0, 0.1], 0.05, 12.0),
            Self::Pharmacist => Work::new([12.0, 1.8, 6.0, 8.0, 0.15], 0.3, 8.0),
            Self::FrontDesk => Work::new([9.0, 1.2, 9.0, 5.0, 0.4], 0.25, 8.0),
            Self::Administrator => Work::new([1.0, 1.6, 2.0, 1.5, 0.5], 0.5, 8.0),
        }
    }
}

/// What a role's work comes to in an hour.
struct Work {
    /// Patients, reads for each patient, searches, changes, times that records are taken out.
    rates: [f64; KINDS],
    /// The share of patients of other departments.
    outside: f64,
    /// Hours of a shift.
    hours: f64,
}

/// Kinds of work that people differ in.
const KINDS: usize = 5;

impl Work {
    const fn new(rates: [f64; KINDS], outside: f64, hours: f64) -> Self {
        Self { rates, outside, hours }
    }
}

/// A window of a shift, as a caller would report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// What the contract has.
    pub access: RecordAccess,
    /// Of the patients, those outside the person's care.
    pub outside_care: u32,
    /// The hour of the day at which the window ends.
    pub hour: u8,
}

/// A synthetic member of staff, the same for the same seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    hospital: u64,
    role: Role,
    seed: u64,
}

impl Worker {
    /// The person of a seed, at the hospital of another.
    pub const fn new(hospital: u64, role: Role, seed: u64) -> Self {
        Self { hospital, role, seed }
    }

    /// What they do at work.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The windows of a shift; `nth` counts the person's shifts.
    pub fn shift(&self, nth: u32) -> Vec<Observed> {
        let (start, mut now) = self.start(nth);
        let late = if one_in(LATE_ONE_IN, &mut now) { 2.0 } else { 0.0 };
        self.windows(start, self.role.work().hours + late, &mut now)
    }

    /// A shift's windows from an hour of the day on.
    fn windows(&self, start: f64, hours: f64, now: &mut ChaCha8Rng) -> Vec<Observed> {
        let mut rates = self.rates();
        let busy = (DAY * normal(now)).exp();
        rates
            .iter_mut()
            .enumerate()
            .filter(|(kind, _)| *kind != READS_EACH)
            .for_each(|(_, rate)| *rate *= busy);
        let (mut windows, mut worked) = (Vec::new(), 0.0);
        while worked < hours {
            let length = 0.25 + 0.75 * uniform(now);
            worked += length;
            let pace = if windows.is_empty() { HANDOVER } else { 1.0 };
            let pace = if one_in(IDLE_ONE_IN, now) { 0.05 } else { pace };
            windows.push(window(
                rates.map(|rate| rate * (WINDOW * normal(now)).exp()),
                self.role.work().outside,
                Time { length, ends: start + worked, pace },
                now,
            ));
        }
        windows
    }

    /// The person's own rates at their hospital.
    fn rates(&self) -> [f64; KINDS] {
        let mut hospital = stream(self.hospital ^ HOSPITAL_SALT, self.role as u64);
        let mut person = stream(self.seed, self.role as u64);
        let general = PERSON * normal(&mut person);
        self.role.work().rates.map(|rate| {
            rate * (general + HOSPITAL * normal(&mut hospital) + PERSON_IN_KIND * normal(&mut person)).exp()
        })
    }

    /// The hour at which a shift begins, in blocks of five alike for who rotates; and the shift's randomness.
    fn start(&self, nth: u32) -> (f64, ChaCha8Rng) {
        let mut now = stream(self.seed ^ SHIFT_SALT, u64::from(nth));
        let (block, rotates) = (nth / 5 + low(self.seed), self.seed.is_multiple_of(3));
        let usual = match self.role {
            Role::Nurse => [7.0, 7.0, 19.0][block as usize % 3],
            Role::Clinician if rotates => [7.5, 7.5, 7.5, 20.0][block as usize % 4],
            Role::Pharmacist => [8.0, 8.0, 13.0][block as usize % 3],
            Role::Clinician => 7.5,
            Role::FrontDesk | Role::Administrator => 8.0,
        };
        let by_day = matches!(self.role, Role::FrontDesk | Role::Administrator);
        let swap = if one_in(SWAPPED_ONE_IN, &mut now) { if by_day { 3.0 } else { 6.0 } } else { 0.0 };
        (usual + 0.5 * uniform(&mut now) + swap, now)
    }
}

/// Somebody inside who takes what is not theirs, with the person's own session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insider {
    /// Looks at 30 other patients an hour for two hours, most of them outside the person's care.
    Snooper,
    /// Takes out 40 records within a window.
    Exporter,
    /// Takes out two or three records an hour more than the person would, shift after shift.
    SlowExfiltration,
    /// A program that rewrites a record each second for five minutes.
    Ransomware,
    /// Works as the person would, for three hours in the middle of the person's free time.
    OutOfHours,
}

impl Insider {
    /// All.
    pub const ALL: [Self; 5] =
        [Self::Snooper, Self::Exporter, Self::SlowExfiltration, Self::Ransomware, Self::OutOfHours];

    /// In words of `[a-z-]`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snooper => "snooper",
            Self::Exporter => "exporter",
            Self::SlowExfiltration => "slow-exfiltration",
            Self::Ransomware => "ransomware",
            Self::OutOfHours => "out-of-hours",
        }
    }

    /// Over how many shifts it goes on.
    pub const fn shifts(self) -> u32 {
        match self {
            Self::SlowExfiltration => 10,
            _ => 1,
        }
    }

    /// The person's shift with the insider's doing in it, and the window at which that begins.
    pub fn shift(self, worker: &Worker, nth: u32) -> (Vec<Observed>, usize) {
        let mut now = stream(worker.seed ^ INSIDER_SALT, (u64::from(nth) << 8) | self as u64);
        let mut windows = worker.shift(nth);
        let from =
            if self.shifts() > 1 { 0 } else { low(u64::from(now.next_u32())) as usize % windows.len() };
        match self {
            Self::Snooper => {
                let mut hours = 0.0;
                for window in windows.iter_mut().skip(from) {
                    let length = f64::from(window.access.window_s) / 3600.0;
                    let patients = count(30.0 * length, &mut now);
                    add(
                        window,
                        [patients + count(0.3 * f64::from(patients), &mut now), patients, patients / 2, 0, 0],
                    );
                    window.outside_care += part(patients, 0.8, &mut now);
                    hours += length;
                    if hours >= 2.0 {
                        break;
                    }
                }
            }
            Self::Exporter => add(&mut windows[from], [40, 40, 0, 0, 40]),
            Self::SlowExfiltration => {
                for window in &mut windows {
                    let more = count(2.5 * f64::from(window.access.window_s) / 3600.0, &mut now);
                    add(window, [more, more, 0, 0, more]);
                }
            }
            Self::Ransomware => {
                let end = windows[from].hour;
                windows.truncate(from + 1);
                windows[from] = Observed {
                    access: RecordAccess { window_s: 300, ..RecordAccess::default() },
                    outside_care: 0,
                    hour: end,
                };
                add(&mut windows[from], [300, 250, 0, 300, 0]);
                windows[from].outside_care = 200;
            }
            Self::OutOfHours => {
                let ((start, _), hours) = (worker.start(nth), worker.role.work().hours);
                let free = 24.0 - hours;
                return (worker.windows(start + hours + (free - 3.0) / 2.0, 3.0, &mut now), 0);
            }
        }
        (windows, from)
    }
}

/// Adds to reads, patients, searches, changes and exports.
fn add(window: &mut Observed, [reads, patients, searches, changes, exports]: [u32; 5]) {
    let access = &mut window.access;
    access.reads += reads;
    access.distinct_patients += patients;
    access.searches += searches;
    access.changes += changes;
    access.exports += exports;
}

const READS_EACH: usize = 1;

/// When a window is.
#[derive(Clone, Copy)]
struct Time {
    /// In hours.
    length: f64,
    /// Hours since midnight, of this day or a later one.
    ends: f64,
    /// How much faster than usual.
    pace: f64,
}

fn window(rates: [f64; KINDS], outside: f64, time: Time, now: &mut ChaCha8Rng) -> Observed {
    let Time { length, ends, pace } = time;
    let [patients, reads_each, searches, changes, exports] = rates;
    let amount = length * pace;
    let seen = count(patients * amount, now);
    let again = count(f64::from(seen) * (reads_each - 1.0).max(0.05), now);
    let taken: u32 = (0..count(exports * amount, now))
        .map(|_| if one_in(BATCH_ONE_IN, now) { 2 + now.next_u32() % 6 } else { 1 })
        .sum();
    let found = count(searches * amount, now);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hours, and their seconds"
    )]
    let (hour, window_s) = ((ends % 24.0) as u8, (length * 3600.0) as u32);
    Observed {
        access: RecordAccess {
            window_s,
            reads: seen + again,
            distinct_patients: seen,
            searches: found,
            changes: count(changes * amount, now),
            exports: taken,
        },
        outside_care: part(seen, outside, now),
        hour,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded counts")]
fn count(mean: f64, now: &mut ChaCha8Rng) -> u32 {
    Poisson::new(mean.clamp(1e-6, MOST)).map_or(0, |poisson| poisson.sample(now) as u32)
}

fn part(of: u32, share: f64, now: &mut ChaCha8Rng) -> u32 {
    Binomial::new(u64::from(of), share).map_or(0, |binomial| low(binomial.sample(now)))
}

fn one_in(n: u32, now: &mut ChaCha8Rng) -> bool {
    now.next_u32().is_multiple_of(n)
}

fn uniform(now: &mut ChaCha8Rng) -> f64 {
    f64::from(now.next_u32()) / f64::from(u32::MAX)
}

fn normal(now: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(now)
}

fn low(n: u64) -> u32 {
    u32::try_from(n & 0x7fff_ffff).unwrap_or(0)
}

fn stream(seed: u64, part: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(part);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(windows: &[Observed], of: fn(&Observed) -> u32) -> u32 {
        windows.iter().map(of).sum()
    }

    #[test]
    fn a_seed_gives_a_person_and_people_differ() {
        let worker = Worker::new(1, Role::Nurse, 5);
        assert_eq!(worker.shift(3), Worker::new(1, Role::Nurse, 5).shift(3));
        assert_ne!(worker.shift(3), worker.shift(4));
        assert_ne!(worker.shift(3), Worker::new(1, Role::Nurse, 6).shift(3));
    }

    #[test]
    fn a_shift_can_have_happened() {
        for role in Role::ALL {
            for nth in 0..40 {
                let windows = Worker::new(2, role, 9).shift(nth);
                let seconds: u32 = total(&windows, |w| w.access.window_s);
                assert!((7 * 3600..16 * 3600).contains(&seconds), "{role:?}: {seconds}");
                for Observed { access, outside_care, hour } in windows {
                    assert!(
                        access.reads >= access.distinct_patients && outside_care <= access.distinct_patients
                    );
                    assert!(hour < 24 && (900..=3600).contains(&access.window_s));
                }
            }
        }
    }

    #[test]
    fn insiders_do_what_they_are_called_for() {
        for role in Role::ALL {
            for seed in 0..10 {
                let worker = Worker::new(3, role, seed);
                let usual = worker.shift(20);
                let with = |insider: Insider| insider.shift(&worker, 20);
                let more =
                    |insider, of: fn(&Observed) -> u32| total(&with(insider).0, of) - total(&usual, of);
                assert!(more(Insider::Snooper, |w| w.outside_care) > 2, "{role:?}");
                assert_eq!(more(Insider::Exporter, |w| w.access.exports), 40);
                assert!(more(Insider::SlowExfiltration, |w| w.access.exports) > 5);
                let (burst, from) = with(Insider::Ransomware);
                assert!(burst.len() == from + 1 && burst[from].access.changes >= 300);
                let (night, _) = with(Insider::OutOfHours);
                assert!(night.iter().all(|w| usual.iter().all(|u| u.hour != w.hour)), "{role:?} {seed}");
            }
        }
    }
}
