//! Typing that no person can have typed.
//!
//! These checks catch careless forgers: scripts that send events at fixed intervals, and generators without
//! jitter. One who draws times from a human-like distribution passes them, and is left to the person's own
//! template.

use keyward_domain::{KeyEvents, KeyZone, KeystrokeSample};

/// A grid at least this coarse is suspicious unless the client says that its clock is coarse, in
/// microseconds.
pub const MIN_GRID_US: u32 = 5_000;
/// Below this standard deviation of all hold times of a sample they are taken as generated, in microseconds.
pub const MIN_DWELL_SD_US: f64 = 1_500.0;
/// Below this standard deviation of all press-to-press times of a sample they are taken as generated, in
/// microseconds.
pub const MIN_FLIGHT_SD_US: f64 = 3_000.0;
/// Jitter is judged from this many keys on.
pub const MIN_JITTER_KEYS: usize = 6;
/// Nobody keeps up more than this many keys a second …
pub const MAX_KEYS_PER_S: u32 = 40;
/// … over this many keys.
pub const RATE_KEYS: usize = 8;
/// The least time from the first of them to the last, in microseconds.
const MIN_RATE_US: u32 = 7 * 1_000_000 / MAX_KEYS_PER_S;

/// Why typing looks generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MachineLike {
    /// A key held twice at once, held for no time at all, or keys faster than hands.
    Impossible,
    /// All times are multiples of a coarse grid, and the client does not claim a coarse clock.
    Quantised,
    /// Hold times or press-to-press times vary less than people's do.
    NoJitter,
}

impl MachineLike {
    /// The stable name, as reasons carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Impossible => "impossible",
            Self::Quantised => "quantised",
            Self::NoJitter => "no_jitter",
        }
    }
}

/// Whether a sample looks generated, and why. Samples that were pasted or filled have no typing to judge.
pub fn machine_like(sample: &KeystrokeSample) -> Option<MachineLike> {
    let (events, quality) = (&sample.events, sample.quality);
    if quality.pasted || quality.autofilled || quality.composed || events.is_empty() {
        return None;
    }
    let fine = !quality.coarse_clock;
    if too_fast(events) || held_twice(events) || (fine && no_hold(events)) {
        Some(MachineLike::Impossible)
    } else if fine && quantised(events) {
        Some(MachineLike::Quantised)
    } else if fine && no_jitter(events) {
        Some(MachineLike::NoJitter)
    } else {
        None
    }
}

fn too_fast(events: &KeyEvents) -> bool {
    events.down_us().windows(RATE_KEYS).any(|w| w[RATE_KEYS - 1] - w[0] < MIN_RATE_US)
}

/// Space and Tab are one key each; elsewhere a zone holds many, and only the same place in the text tells
/// that it is the same. Where all places are equal the client does not know them.
fn held_twice(events: &KeyEvents) -> bool {
    let (position, zone, down, up) = (events.position(), events.zone(), events.down_us(), events.up_us());
    let places_known = position.windows(2).any(|w| w[0] != w[1]);
    (1..events.len()).any(|i| {
        let single = matches!(zone[i], KeyZone::Space | KeyZone::Tab);
        let modifier = matches!(zone[i], KeyZone::Shift | KeyZone::Control);
        let same_place = places_known && position[i] == position[i - 1] && !modifier;
        zone[i] == zone[i - 1] && down[i] < up[i - 1] && (single || same_place)
    })
}

fn no_hold(events: &KeyEvents) -> bool {
    events.down_us().iter().zip(events.up_us()).any(|(down, up)| down == up)
}

/// The greatest common divisor of all times, counted from the first press. Three times or more are needed; by
/// chance 2n − 1 times in whole milliseconds share a grid of 5 ms with a probability of 5^(1 − 2n).
fn quantised(events: &KeyEvents) -> bool {
    let start = events.down_us()[0];
    let times = events.down_us().iter().chain(events.up_us()).map(|t| t - start);
    events.len() >= 3 && times.fold(0, gcd) >= MIN_GRID_US
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn no_jitter(events: &KeyEvents) -> bool {
    if events.len() < MIN_JITTER_KEYS {
        return false;
    }
    let (down, up) = (events.down_us(), events.up_us());
    let dwell = down.iter().zip(up).map(|(d, u)| f64::from(u - d));
    let flight = down.windows(2).map(|w| f64::from(w[1] - w[0]));
    deviation(dwell) < MIN_DWELL_SD_US || deviation(flight) < MIN_FLIGHT_SD_US
}

fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use keyward_domain::{FieldLabel, InputQuality};
    use proptest::prelude::*;

    use super::*;

    /// Times in microseconds as a person might have typed them.
    const DOWN: [u32; 8] = [0, 183_211, 301_994, 520_013, 640_771, 801_337, 1_013_702, 1_190_441];
    const HOLD: [u32; 8] = [81_213, 95_871, 70_444, 88_102, 101_733, 79_912, 84_391, 90_650];

    fn sample(
        position: Vec<u16>,
        zone: Vec<KeyZone>,
        down: Vec<u32>,
        hold: &[u32],
        coarse_clock: bool,
    ) -> KeystrokeSample {
        let up = down.iter().zip(hold).map(|(d, h)| d + h).collect();
        KeystrokeSample {
            field: FieldLabel::parse("password").unwrap(),
            events: KeyEvents::new(position, zone, down, up).unwrap(),
            quality: InputQuality { coarse_clock, ..InputQuality::default() },
        }
    }

    fn typed(down: &[u32], hold: &[u32]) -> KeystrokeSample {
        sample(
            (0..).take(down.len()).collect(),
            vec![KeyZone::Character; down.len()],
            down.into(),
            hold,
            false,
        )
    }

    fn coarse(sample: &KeystrokeSample) -> KeystrokeSample {
        KeystrokeSample { quality: InputQuality { coarse_clock: true, ..sample.quality }, ..sample.clone() }
    }

    fn on_grid(times: &[u32], grid: u32) -> Vec<u32> {
        times.iter().map(|t| t / grid * grid).collect()
    }

    #[test]
    fn typing_is_not_machine_like() {
        assert_eq!(machine_like(&typed(&DOWN, &HOLD)), None);
        assert_eq!(
            machine_like(&typed(&on_grid(&DOWN, 1_000), &on_grid(&HOLD, 1_000))),
            None,
            "a clock of 1 ms"
        );
        assert_eq!(machine_like(&typed(&on_grid(&DOWN, 100), &on_grid(&HOLD, 100))), None);
        assert_eq!(machine_like(&typed(&[], &[])), None);
    }

    #[test]
    fn a_grid_is_suspicious_unless_the_clock_is_said_to_be_coarse() {
        for grid in [5_000, 10_000, 16_000] {
            let gridded = typed(&on_grid(&DOWN, grid), &on_grid(&HOLD, grid));
            assert_eq!(machine_like(&gridded), Some(MachineLike::Quantised), "{grid}");
            assert_eq!(machine_like(&coarse(&gridded)), None, "{grid}");
        }
    }

    #[test]
    fn people_on_a_coarse_clock_may_hold_a_key_for_no_time_and_all_alike() {
        let flat = typed(&on_grid(&DOWN, 15_625), &[78_125; 8]);
        assert_eq!(machine_like(&flat).map(MachineLike::name), Some("quantised"));
        assert_eq!(machine_like(&coarse(&flat)), None);
        let mut hold = HOLD;
        hold[3] = 0;
        assert_eq!(machine_like(&typed(&DOWN, &hold)), Some(MachineLike::Impossible));
        assert_eq!(machine_like(&coarse(&typed(&DOWN, &hold))), None);
    }

    #[test]
    fn what_has_no_jitter_was_generated() {
        let even: Vec<u32> = (0..8).map(|k| k * 120_007).collect();
        assert_eq!(machine_like(&typed(&even, &HOLD)), Some(MachineLike::NoJitter));
        assert_eq!(machine_like(&typed(&DOWN, &[80_003; 8])), Some(MachineLike::NoJitter));
        assert_eq!(machine_like(&typed(&even[..5], &HOLD[..5])), None, "five keys are too few to tell");
    }

    #[test]
    fn nobody_is_that_fast() {
        let fast: Vec<u32> = DOWN.iter().map(|t| t / 8).collect();
        assert_eq!(machine_like(&typed(&fast, &HOLD)), Some(MachineLike::Impossible));
        assert_eq!(machine_like(&coarse(&typed(&fast, &HOLD))), Some(MachineLike::Impossible));
    }

    #[test]
    fn one_key_is_not_held_twice_at_once() {
        let mut down = DOWN.to_vec();
        down[4] = down[3] + 40_000;
        let zones = |zone| {
            let mut zones = vec![KeyZone::Character; 8];
            zones[3] = zone;
            zones[4] = zone;
            zones
        };
        let at = |position: &[u16], zone| {
            machine_like(&sample(position.into(), zones(zone), down.clone(), &HOLD, false))
        };
        let advancing = [0, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(at(&advancing, KeyZone::Character), None, "two keys of a zone may overlap");
        assert_eq!(at(&advancing, KeyZone::Space), Some(MachineLike::Impossible));
        assert_eq!(at(&[0, 1, 2, 3, 3, 4, 5, 6], KeyZone::Character), Some(MachineLike::Impossible));
        assert_eq!(at(&[0, 1, 2, 3, 3, 4, 5, 6], KeyZone::Shift), None, "there are two of them");
        assert_eq!(at(&[0; 8], KeyZone::Character), None, "a client that knows no places");
    }

    proptest! {
        #[test]
        fn any_events_get_an_answer(mut times in prop::collection::vec((0_u32..500_000_000, 0_u32..100_000_000), 0..40), coarse in any::<bool>()) {
            times.sort_unstable();
            let (down, hold): (Vec<u32>, Vec<u32>) = times.into_iter().unzip();
            let position = vec![0; down.len()];
            let zone = vec![KeyZone::Character; down.len()];
            let _ = machine_like(&sample(position, zone, down, &hold, coarse)).map(MachineLike::name);
        }
    }
}
