//! Figures of lives: false alarms, what was promised, and how insiders were noticed.

use keyward_scoring::evaluation::quantile;
use keyward_scoring::record_access::PROMISED;
use keyward_simulate::shifts::Insider;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::life::{Attack, Detector, ESTABLISHED_FROM, Judged, Life, NEW_SHIFTS, Session};
use crate::report::{bootstrap, share};

/// Bootstrap samples of people.
const RESAMPLES: usize = 500;

/// Names and values, in the order in which they are printed.
pub(super) fn of(lives: &[Life], insider: Insider, detector: Detector, seed: u64) -> Vec<(String, f64)> {
    let mut figures = Figures { lives, random: ChaCha8Rng::seed_from_u64(seed), found: Vec::new() };
    let new = |session: &Session| session.nth < NEW_SHIFTS;
    let established = |session: &Session| session.nth >= ESTABLISHED_FROM;
    figures.alarms("medium", Judged::medium, &|_| true);
    figures.alarms("high", Judged::high, &|_| true);
    figures.alarms("medium_new", Judged::medium, &new);
    figures.alarms("medium_established", Judged::medium, &established);
    let promised = if detector == Detector::Ceilings { (f64::NAN, f64::NAN) } else { PROMISED };
    figures.promise("medium", Judged::medium, promised.0);
    figures.promise("high", Judged::high, promised.1);
    let noticed = |attack: &Attack| attack.noticed.is_some();
    figures.detected("detected_medium", insider, &|_| true, &noticed);
    figures.detected("detected_medium_new", insider, &|attack| attack.on_new, &noticed);
    figures.detected("detected_medium_established", insider, &|attack| !attack.on_new, &noticed);
    figures.detected("detected_high", insider, &|_| true, &|attack| attack.most.high());
    figures.detected("detected_in_first_window", insider, &|_| true, &|attack| {
        attack.noticed.is_some_and(|(_, windows)| windows == 1)
    });
    figures.time(insider);
    figures.found
}

struct Figures<'a> {
    lives: &'a [Life],
    random: ChaCha8Rng,
    found: Vec<(String, f64)>,
}

impl Figures<'_> {
    fn add(&mut self, name: impl Into<String>, value: f64) {
        self.found.push((name.into(), value));
    }

    /// A share of counts over people, with its interval over samples of people.
    fn share(&mut self, name: &str, times: f64, each: &[(usize, usize)]) {
        let of = |who: &mut dyn Iterator<Item = usize>| {
            let (hits, all) = who.fold((0, 0), |sum, i| (sum.0 + each[i].0, sum.1 + each[i].1));
            times * share(hits, all)
        };
        let (low, high) =
            bootstrap(each.len(), RESAMPLES, &mut self.random, |who| of(&mut who.iter().copied()));
        self.add(name, of(&mut (0..each.len())));
        self.add(format!("{name}_lo"), low);
        self.add(format!("{name}_hi"), high);
    }

    /// Sessions of their own in which people were alarmed at least once, of a hundred.
    fn alarms(&mut self, name: &str, alarmed: fn(Judged) -> bool, of: &dyn Fn(&Session) -> bool) {
        let each = |life: &Life| {
            let sessions = life.sessions.iter().filter(|session| of(session));
            let alarms = sessions.clone().filter(|session| alarmed(session.most)).count();
            (alarms, sessions.count())
        };
        let each: Vec<_> = self.lives.iter().map(each).collect();
        self.share(&format!("false_alarms_per_100_sessions_{name}"), 100.0, &each);
    }

    /// Windows that were alarmed, against what was promised.
    fn promise(&mut self, name: &str, alarmed: fn(Judged) -> bool, promised: f64) {
        let windows = || self.lives.iter().flat_map(|life| &life.sessions).flat_map(|s| &s.windows);
        let observed = share(windows().filter(|window| alarmed(**window)).count(), windows().count());
        self.add(format!("windows_{name}_observed"), observed);
        self.add(format!("windows_{name}_promised"), promised);
        self.add(format!("windows_{name}_ratio"), observed / promised);
    }

    fn detected(
        &mut self,
        name: &str,
        insider: Insider,
        of: &dyn Fn(&Attack) -> bool,
        found: &dyn Fn(&Attack) -> bool,
    ) {
        let each = |life: &Life| {
            let attacks = || life.against(insider).filter(|attack| of(attack));
            (attacks().filter(|attack| found(attack)).count(), attacks().count())
        };
        let each: Vec<_> = self.lives.iter().map(each).collect();
        self.share(name, 1.0, &each);
    }

    /// How long it took, where it was noticed.
    fn time(&mut self, insider: Insider) {
        let noticed = || self.lives.iter().flat_map(|life| life.against(insider)).filter_map(|a| a.noticed);
        #[expect(clippy::cast_possible_truncation, reason = "minutes of some shifts")]
        let minutes: Vec<f32> = noticed().map(|(minutes, _)| minutes as f32).collect();
        for (name, part) in [("p50", 0.5), ("p90", 0.9)] {
            let at = quantile(&minutes, part).map_or(f64::NAN, f64::from);
            self.add(format!("minutes_to_detect_{name}"), at);
        }
    }
}
