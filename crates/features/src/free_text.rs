//! Typing of any text, by key zones alone.

use keyward_domain::{KeyZone, KeystrokeSample};

use crate::zone_code;

/// From this long on, the time to the next key is a pause to think, and says nothing of the hands, in seconds.
pub const MAX_FLIGHT_S: f32 = 1.0;
/// Holds are taken as at least this long, in seconds: a clock's tick.
const MIN_HOLD_S: f32 = 0.01;
/// Flights are taken as at least this long, in seconds: keys that were struck together.
const MIN_FLIGHT_S: f32 = 0.03;
/// Holds are taken as at most this long, in seconds: a key that repeats is no longer a stroke.
const MAX_HOLD_S: f32 = 0.6;
/// More than any zone's code.
const ZONES: usize = 20;
/// How many kinds of times there are: a hold for each zone, a flight for each pair of zones.
pub const FREE_TEXT_FEATURES: usize = ZONES + ZONES * ZONES;

/// A key that was pressed, and how long it took to the next one.
#[derive(Clone, Copy, PartialEq)]
pub struct Stroke {
    hold: Time,
    flight: Option<Time>,
}

/// A time of one kind.
#[derive(Clone, Copy, PartialEq)]
pub struct Time {
    /// Which kind, below [`FREE_TEXT_FEATURES`].
    pub feature: usize,
    /// Its natural logarithm, in seconds: times of hands spread by shares rather than by differences.
    pub ln_s: f32,
}

impl Stroke {
    /// A key held for so long, and the next key with the time from press to press, both in seconds. `None` for times
    /// that are no numbers or below zero.
    pub fn new(zone: KeyZone, hold_s: f32, next: Option<(KeyZone, f32)>) -> Option<Self> {
        let sound = |time: f32| time.is_finite() && time >= 0.0;
        if !sound(hold_s) || next.is_some_and(|(_, flight_s)| !sound(flight_s)) {
            return None;
        }
        let code = |zone| usize::from(zone_code(zone));
        let flight = next.filter(|(_, flight_s)| *flight_s < MAX_FLIGHT_S).map(|(to, flight_s)| Time {
            feature: ZONES + ZONES * code(zone) + code(to),
            ln_s: flight_s.max(MIN_FLIGHT_S).ln(),
        });
        Some(Self {
            hold: Time { feature: code(zone), ln_s: hold_s.clamp(MIN_HOLD_S, MAX_HOLD_S).ln() },
            flight,
        })
    }

    /// What it tells: its hold, and its flight unless a pause followed.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        [Some(self.hold), self.flight].into_iter().flatten()
    }
}

impl std::fmt::Debug for Stroke {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stroke").finish_non_exhaustive()
    }
}

/// The strokes of a recording, in order. Nothing that was pasted, filled or composed was typed.
pub fn free_text(sample: &KeystrokeSample) -> Vec<Stroke> {
    let (events, quality) = (&sample.events, sample.quality);
    if quality.pasted || quality.autofilled || quality.composed {
        return Vec::new();
    }
    let (zone, down, up) = (events.zone(), events.down_us(), events.up_us());
    let seconds = |from: u32, to: u32| to.saturating_sub(from) as f32 / 1e6;
    let stroke = |i: usize| {
        let next = (i + 1 < events.len()).then(|| (zone[i + 1], seconds(down[i], down[i + 1])));
        Stroke::new(zone[i], seconds(down[i], up[i]), next)
    };
    (0..events.len()).filter_map(stroke).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_domain::{FieldLabel, InputQuality, KeyEvents};

    fn sample(quality: InputQuality) -> KeystrokeSample {
        let zones = vec![KeyZone::LeftHome, KeyZone::Space, KeyZone::RightTop];
        let (down, up) = (vec![0, 200_000, 1_300_000], vec![100_000, 250_000, 1_400_000]);
        KeystrokeSample {
            field: FieldLabel::parse("note").unwrap(),
            events: KeyEvents::new(vec![0, 1, 2], zones, down, up).unwrap(),
            quality,
        }
    }

    #[test]
    fn strokes_tell_holds_and_flights_but_no_pauses() {
        let strokes = free_text(&sample(InputQuality::default()));
        let times: Vec<(usize, f32)> =
            strokes.iter().flat_map(Stroke::times).map(|t| (t.feature, t.ln_s.exp())).collect();
        let expected = [(3, 0.1), (20 + 20 * 3 + 10, 0.2), (10, 0.05), (5, 0.1)];
        assert_eq!(times.len(), expected.len());
        for ((feature, s), (known, known_s)) in times.into_iter().zip(expected) {
            assert!(feature == known && (s - known_s).abs() < 1e-4, "{feature} {s}");
        }
    }

    #[test]
    fn what_was_not_typed_has_no_strokes_and_what_is_no_time_is_none() {
        for quality in [
            InputQuality { pasted: true, ..InputQuality::default() },
            InputQuality { autofilled: true, ..InputQuality::default() },
            InputQuality { composed: true, ..InputQuality::default() },
        ] {
            assert!(free_text(&sample(quality)).is_empty());
        }
        for bad in [f32::NAN, f32::INFINITY, -0.1] {
            assert!(Stroke::new(KeyZone::Space, bad, None).is_none());
            assert!(Stroke::new(KeyZone::Space, 0.1, Some((KeyZone::Space, bad))).is_none());
        }
        let all = KeyZone::ALL.iter().flat_map(|a| KeyZone::ALL.iter().map(move |b| (*a, *b)));
        for (from, to) in all {
            let stroke = Stroke::new(from, 0.0, Some((to, 0.0))).unwrap();
            assert!(stroke.times().all(|t| t.feature < FREE_TEXT_FEATURES && t.ln_s.is_finite()));
        }
    }
}
