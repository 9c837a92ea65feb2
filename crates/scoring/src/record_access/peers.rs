//! What is usual among people of one role: what a person's own habits are believed to be before they have any.

use keyward_features::{ACCESS_CLASSES, AccessClass, AccessCounts};

use super::habits::within_over;

/// Hours of a day.
pub(super) const DAY: usize = 24;
/// The fewest people whose records make a group: fewer do not tell people apart from chance.
pub const MIN_PEERS: usize = 4;
/// Bounds of what is learned of how people differ, and how hours do.
const BETWEEN: (f64, f64) = (0.2, 3.0);
/// See [`BETWEEN`].
const WITHIN: (f64, f64) = (0.4, 8.0);
/// How many peers' worth the shipped differences count for: few people tell little of how people differ.
const SHIPPED_WORTH: f64 = 8.0;
/// The least usual rate, an hour: what nobody did yet is not impossible.
const LEAST_RATE: f64 = 0.02;

/// How often something is done among people of a role.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// Times an hour, on average.
    pub per_hour: f64,
    /// How people differ: the squared coefficient of variation of their rates.
    pub between: f64,
    /// How one person's half hours differ beyond chance: the same of the rates of half an hour.
    pub within: f64,
}

/// What is usual among people of one role.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerGroup {
    pub(super) usual: [Usual; ACCESS_CLASSES],
    /// Shares of activity by hour of the day at the place of work; they add up to 1.
    pub(super) hours: [f64; DAY],
}

impl PeerGroup {
    /// The group that is shipped for a role; anybody's for a role that is not known. See [`SHIPPED`].
    pub fn of_role(role: &str) -> Self {
        let shipped = SHIPPED.iter().find(|shipped| shipped.role == role).unwrap_or(&ANYBODY);
        let usual = std::array::from_fn(|class| Usual {
            per_hour: shipped.per_hour[class],
            between: shipped.between,
            within: USUAL_WITHIN[class],
        });
        Self { usual, hours: hours(shipped.edges, shipped.night) }
    }

    /// What is usual by the records of peers: each one's windows. `None` with fewer than [`MIN_PEERS`] people who worked.
    ///
    /// Empirical Bayes by the method of moments: what people's totals, and their windows, vary more than Poisson counts of
    /// their own means would is how people, and their hours, differ. Hours of the day stay as they were.
    #[must_use]
    pub fn fitted(&self, people: &[Vec<AccessCounts>]) -> Option<Self> {
        let worked = people.iter().filter(|windows| windows.iter().any(|window| window.hours() > 0.0));
        if worked.count() < MIN_PEERS {
            return None;
        }
        let usual = AccessClass::ALL.map(|class| fitted(class, &self.usual[class as usize], people));
        Some(Self { usual, hours: self.hours })
    }
}

fn fitted(class: AccessClass, shipped: &Usual, people: &[Vec<AccessCounts>]) -> Usual {
    let total = |windows: &[AccessCounts]| {
        let add = |(counts, hours): (f64, f64), window: &AccessCounts| {
            (counts + f64::from(window.count(class)), hours + window.hours())
        };
        windows.iter().fold((0.0, 0.0), add)
    };
    let totals: Vec<(f64, f64)> = people.iter().map(|windows| total(windows)).collect();
    let (counts, hours) = totals.iter().fold((0.0, 0.0), |sum, (y, e)| (sum.0 + y, sum.1 + e));
    let per_hour = (counts / hours).max(LEAST_RATE);
    let windows = people.iter().zip(&totals).flat_map(|(windows, (y, e))| {
        let own = y / e;
        windows.iter().map(move |window| (f64::from(window.count(class)), own * window.hours()))
    });
    let number = people.len() as f64;
    let shrunk =
        |found: f64, shipped: f64| (number * found + SHIPPED_WORTH * shipped) / (number + SHIPPED_WORTH);
    let within = shrunk(over_dispersion(windows), shipped.within).clamp(WITHIN.0, WITHIN.1);
    let totals = totals.iter().map(|(y, e)| (*y, per_hour * e));
    // A person's total varies by the chance of their hours too, which is no difference of people.
    let each = hours / number;
    let between = over_dispersion(totals) - within_over(within, each.min(8.0), (each / 8.0).max(1.0));
    Usual { per_hour, between: shrunk(between.max(0.0), shipped.between).clamp(BETWEEN.0, BETWEEN.1), within }
}

/// By how much counts vary more than Poisson counts of these means, as the squared coefficient of variation of rates.
fn over_dispersion(counts: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (excess, squares) = counts
        .fold((0.0, 0.0), |sum, (count, mean)| (sum.0 + (count - mean).powi(2) - mean, sum.1 + mean * mean));
    if squares > 0.0 { excess / squares } else { 0.0 }
}

/// A role as it is shipped.
struct Shipped {
    role: &'static str,
    /// By class, in the order of [`AccessClass::ALL`].
    per_hour: [f64; ACCESS_CLASSES],
    between: f64,
    /// The shares of activity at the edges of the day, and at night.
    edges: f64,
    night: f64,
}

/// How one person's half hours differ, by class, in every role. What is done seldom is done in batches.
const USUAL_WITHIN: [f64; ACCESS_CLASSES] = [1.2, 1.0, 1.2, 1.0, 5.0, 2.0];

/// The roles of the shipped policy. Judgement, not measurement: no public record of clinicians' access by role exists, and
/// hospitals differ. They are wide on purpose, and [`PeerGroup::fitted`] makes a provider's own of its records.
const SHIPPED: [Shipped; 5] = [
    Shipped {
        role: "clinician",
        per_hour: [14.0, 5.0, 3.0, 8.0, 0.3, 0.5],
        between: 0.8,
        edges: 0.1,
        night: 0.1,
    },
    Shipped {
        role: "nurse",
        per_hour: [14.0, 6.0, 1.0, 11.0, 0.15, 0.4],
        between: 0.8,
        edges: 0.2,
        night: 0.25,
    },
    Shipped {
        role: "pharmacist",
        per_hour: [20.0, 11.0, 6.0, 8.0, 0.2, 3.0],
        between: 0.8,
        edges: 0.1,
        night: 0.02,
    },
    Shipped {
        role: "front_desk",
        per_hour: [11.0, 9.0, 9.0, 5.0, 0.5, 2.0],
        between: 0.8,
        edges: 0.03,
        night: 0.0005,
    },
    Shipped {
        role: "administrator",
        per_hour: [2.0, 1.0, 2.0, 2.0, 0.5, 0.6],
        between: 1.0,
        edges: 0.03,
        night: 0.0005,
    },
];

/// Any other role: between all of them, and people may differ by more.
const ANYBODY: Shipped =
    Shipped { role: "", per_hour: [12.0, 6.0, 4.0, 7.0, 0.3, 1.0], between: 1.5, edges: 0.2, night: 0.3 };

/// Even by day (7 to 19), at the edges of the day (5 to 7 and 19 to 22), and at night.
fn hours(edges: f64, night: f64) -> [f64; DAY] {
    std::array::from_fn(|hour| match hour {
        7..19 => (1.0 - edges - night) / 12.0,
        5..7 | 19..22 => edges / 5.0,
        _ => night / 7.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_domain::RecordAccess;

    #[test]
    fn every_role_of_the_policy_has_peers() {
        for role in ["clinician", "nurse", "pharmacist", "front_desk", "administrator", "astronaut"] {
            let group = PeerGroup::of_role(role);
            assert!((group.hours.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{role}");
            assert!(group.usual.iter().all(|usual| usual.per_hour > 0.0), "{role}");
        }
        assert_ne!(PeerGroup::of_role("nurse"), PeerGroup::of_role("front_desk"));
    }

    /// Windows of half an hour with these reads, in turn.
    fn windows(reads: &[u32]) -> Vec<AccessCounts> {
        let window = |reads: &u32| RecordAccess { window_s: 1800, reads: *reads, ..RecordAccess::default() };
        reads.iter().map(|reads| AccessCounts::of(&window(reads))).collect()
    }

    #[test]
    fn a_group_is_what_its_people_do() {
        let of = |means: [u32; 6]| {
            let people: Vec<_> = means.iter().map(|m| windows(&[*m, m + 2, m - 2, *m].repeat(20))).collect();
            PeerGroup::of_role("nurse").fitted(&people).expect("six people").usual[0]
        };
        let (alike, apart) = (of([10; 6]), of([3, 5, 8, 12, 20, 30]));
        assert!((alike.per_hour - 20.0).abs() < 1e-9 && (apart.per_hour - 26.0).abs() < 1e-9);
        assert!(apart.between > 1.2 * alike.between, "{apart:?} {alike:?}");
        assert!(PeerGroup::of_role("nurse").fitted(&[windows(&[1]), windows(&[2])]).is_none());
        assert!(PeerGroup::of_role("nurse").fitted(&vec![Vec::new(); 9]).is_none(), "nobody worked");
    }
}
