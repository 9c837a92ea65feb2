//! Pointer movement as actions: a movement from rest to a click's end, or to rest.
//!
//! What an action tells are kinds of values as the literature on the Balabit data has them (M. Antal, E. Egyed-Zsigmond,
//! "Intrusion Detection Using Mouse Dynamics", IET Biometrics 8, 2019): how long, how far, how straight, how fast, how evenly,
//! how bent, and how a click goes.

use keyward_domain::PointerSample;

/// How many kinds of values an action has.
pub const POINTER_FEATURES: usize = 16;
/// A rest of this long ends an action, in seconds.
const REST_S: f64 = 1.0;
/// Fewer events are no movement.
const MIN_EVENTS: usize = 5;
/// Nor are fewer different times …
const MIN_POINTS: usize = 4;
/// … or a shorter way, in pixels.
const MIN_PATH: f64 = 5.0;
/// Events nearer in time are one, in seconds.
const SAME_TIME_S: f64 = 1e-4;
/// The shortest time whose logarithm is taken, in seconds …
const MIN_S: f64 = 0.01;
/// … and the longest rest.
const MAX_REST_S: f64 = 60.0;
/// A click whose button stays down over more events than this is a drag.
const CLICK_EVENTS: usize = 2;

/// Where the pointer is at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointerEvent {
    /// Seconds since some beginning.
    pub t_s: f64,
    /// Horizontal position in pixels.
    pub x: f64,
    /// Vertical position in pixels.
    pub y: f64,
    /// Whether a button is down.
    pub pressed: bool,
}

/// One action's values, some of which an action may lack.
#[derive(Clone, Copy, PartialEq)]
pub struct PointerAction([Option<f32>; POINTER_FEATURES]);

impl PointerAction {
    /// Each value that it has, with its kind below [`POINTER_FEATURES`]; finite.
    pub fn values(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.0.iter().enumerate().filter_map(|(kind, value)| Some((kind, (*value)?)))
    }
}

impl std::fmt::Debug for PointerAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PointerAction").finish_non_exhaustive()
    }
}

/// The actions of what a client recorded.
pub fn actions(sample: &PointerSample) -> Vec<PointerAction> {
    let places = sample.x.iter().zip(&sample.y).zip(&sample.pressed);
    let events = sample.t_us.iter().zip(places).map(|(t_us, ((x, y), pressed))| PointerEvent {
        t_s: f64::from(*t_us) / 1e6,
        x: f64::from(*x),
        y: f64::from(*y),
        pressed: *pressed,
    });
    actions_of(&events.collect::<Vec<_>>())
}

/// The actions of events whose times do not decrease.
pub fn actions_of(events: &[PointerEvent]) -> Vec<PointerAction> {
    let (mut found, mut start, mut rest_s) = (Vec::new(), 0, 0.0);
    for at in 1..events.len() {
        let (before, now) = (&events[at - 1], &events[at]);
        let gap_s = now.t_s - before.t_s;
        if gap_s > REST_S {
            found.extend(action(&events[start..at], rest_s));
            (start, rest_s) = (at, gap_s);
        } else if before.pressed && !now.pressed {
            found.extend(action(&events[start..=at], rest_s));
            (start, rest_s) = (at, 0.0);
        }
    }
    found.extend(action(&events[start..], rest_s));
    found
}

/// An action's values; `None` where there is no movement to speak of.
fn action(events: &[PointerEvent], rest_s: f64) -> Option<PointerAction> {
    let (first, last) = (events.first()?, events.last()?);
    let (points, duration) = (points(events), last.t_s - first.t_s);
    if events.len() < MIN_EVENTS || points.len() < MIN_POINTS || duration <= 0.0 {
        return None;
    }
    let way = Way::of(&points);
    if way.path < MIN_PATH {
        return None;
    }
    let (across, down) = ((last.x - first.x).abs(), (last.y - first.y).abs());
    let click = Click::of(events);
    let log_s = |seconds: f64| seconds.max(MIN_S).ln();
    let values = [
        Some(duration.ln()),
        Some(way.path.ln()),
        Some(across.hypot(down) / way.path),
        Some((way.path / duration).ln()),
        Some(way.fastest.max(1.0).ln()),
        Some(way.unevenness.max(1e-3).ln()),
        Some(way.mean_turn()),
        Some(way.fastest_at / duration),
        Some(way.hardest.max(1.0).ln()),
        click.before_s.map(log_s),
        click.down_s.map(log_s),
        Some(log_s(rest_s.min(MAX_REST_S))),
        Some(f64::from(u8::from(click.any))),
        Some(across / (across + down).max(1.0)),
        click.drag.map(|drag| f64::from(u8::from(drag))),
        Some((way.turned / way.path).max(1e-3).ln()),
    ];
    #[expect(clippy::cast_possible_truncation, reason = "kept in f32")]
    let kept = |value: f64| value.is_finite().then_some(value as f32);
    Some(PointerAction(values.map(|value| value.and_then(kept))))
}

/// Places at different times.
fn points(events: &[PointerEvent]) -> Vec<PointerEvent> {
    let mut points: Vec<PointerEvent> = Vec::with_capacity(events.len());
    for event in events {
        match points.last_mut() {
            Some(last) if event.t_s - last.t_s < SAME_TIME_S => (last.x, last.y) = (event.x, event.y),
            _ => points.push(*event),
        }
    }
    points
}

/// How a movement went.
#[derive(Default)]
struct Way {
    /// Its length in pixels.
    path: f64,
    /// The highest speed, in pixels a second, and when it was reached, in seconds.
    fastest: f64,
    fastest_at: f64,
    /// The largest change of speed, in pixels a second a second.
    hardest: f64,
    /// Deviation of speed over its mean.
    unevenness: f64,
    /// Changes of direction: their sum in radians, and how many.
    turned: f64,
    turns: f64,
}

impl Way {
    fn of(points: &[PointerEvent]) -> Self {
        let mut way = Self::default();
        let (mut speeds, mut heading) = (Vec::with_capacity(points.len()), None::<f64>);
        for step in points.windows(2) {
            let (dx, dy, dt) = (step[1].x - step[0].x, step[1].y - step[0].y, step[1].t_s - step[0].t_s);
            let (length, speed) = (dx.hypot(dy), dx.hypot(dy) / dt);
            way.path += length;
            if speed > way.fastest {
                (way.fastest, way.fastest_at) = (speed, step[1].t_s - points[0].t_s);
            }
            if let Some(before) = speeds.last() {
                way.hardest = way.hardest.max(((speed - before) / dt).abs());
            }
            speeds.push(speed);
            if length > 0.0 {
                way.turn(heading, dy.atan2(dx));
                heading = Some(dy.atan2(dx));
            }
        }
        let n = speeds.len().max(1) as f64;
        let mean = speeds.iter().sum::<f64>() / n;
        let variance = speeds.iter().map(|speed| (speed - mean).powi(2)).sum::<f64>() / n;
        way.unevenness = variance.sqrt() / mean;
        way
    }

    fn turn(&mut self, from: Option<f64>, to: f64) {
        if let Some(from) = from {
            let angle = (to - from).abs();
            self.turned += angle.min(std::f64::consts::TAU - angle);
            self.turns += 1.0;
        }
    }

    fn mean_turn(&self) -> f64 {
        self.turned / self.turns.max(1.0)
    }
}

/// How the click at an action's end went.
struct Click {
    any: bool,
    /// From the last event before it, in seconds.
    before_s: Option<f64>,
    /// How long the button was down, in seconds.
    down_s: Option<f64>,
    drag: Option<bool>,
}

impl Click {
    fn of(events: &[PointerEvent]) -> Self {
        let down = events.iter().position(|event| event.pressed);
        let up = down.and_then(|down| Some(down + events[down..].iter().position(|event| !event.pressed)?));
        let before = down.filter(|down| *down > 0);
        let held = down.zip(up);
        Self {
            any: down.is_some(),
            before_s: before.map(|down| events[down].t_s - events[down - 1].t_s),
            down_s: held.map(|(down, up)| events[up].t_s - events[down].t_s),
            drag: held.map(|(down, up)| up - down > CLICK_EVENTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A straight movement to the right of 100 pixels in a second, with a click at its end.
    fn straight() -> PointerSample {
        let n = 12_u32;
        PointerSample {
            t_us: (0..n).map(|i| i * 100_000).collect(),
            x: (0..12).map(|i| 10 * i.min(10)).collect(),
            y: vec![0; 12],
            pressed: (0..n).map(|i| i == 10).collect(),
        }
    }

    fn value(action: &PointerAction, kind: usize) -> f32 {
        action.values().find(|(k, _)| *k == kind).unwrap().1
    }

    #[test]
    fn a_straight_click_is_one_action() {
        let found = actions(&straight());
        assert_eq!(found.len(), 1);
        assert!(
            (value(&found[0], 0).exp() - 1.1).abs() < 1e-4
                && (value(&found[0], 1).exp() - 100.0).abs() < 1e-3
        );
        assert!((value(&found[0], 2) - 1.0).abs() < 1e-6, "straight");
        assert!((value(&found[0], 10).exp() - 0.1).abs() < 1e-4, "held for a tenth of a second");
        assert!((value(&found[0], 12) - 1.0).abs() < 1e-6 && value(&found[0], 14).abs() < 1e-6);
    }

    #[test]
    fn a_rest_divides_and_what_hardly_moves_is_nothing() {
        let mut sample = straight();
        for t in &mut sample.t_us[6..] {
            *t += 2_000_000;
        }
        assert_eq!(actions(&sample).len(), 2);
        sample.x = vec![3; 12];
        assert!(actions(&sample).is_empty());
        assert!(actions(&PointerSample::default()).is_empty());
    }

    #[test]
    fn every_value_is_a_number_whatever_is_sent() {
        let wild = PointerSample {
            t_us: (0..600).map(|i| (i / 3) * 7).collect(),
            x: (0..600).map(|i| if i % 2 == 0 { -100_000 } else { 100_000 }).collect(),
            y: (0..600_i32).map(|i| (i * i % 1013) * 197 - 100_000).collect(),
            pressed: (0..600).map(|i| i % 5 == 0).collect(),
        };
        assert!(actions(&wild).iter().flat_map(PointerAction::values).all(|(_, value)| value.is_finite()));
    }
}
