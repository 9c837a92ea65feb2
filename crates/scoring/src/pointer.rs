//! A person's model of how they move a pointer, on one class of device.
//!
//! For each kind of value of an action (`keyward_features::pointer`) the model keeps mean and variance over the person's
//! actions, and the variance of whole sessions' means around it, since days and tasks differ by more than chance. A window
//! of actions is compared kind by kind: the difference of means in units of its standard error, clipped, and averaged. It is
//! scaled Manhattan over means, as `free_text` is.
//!
//! It is a weak signal: some minutes of movement say less of who it is than one password's typing. [`llr`] bounds it so.

use keyward_features::{POINTER_FEATURES, PointerAction};
use serde::{Deserialize, Serialize};

/// The fewest actions that are judged.
pub const MIN_ACTIONS: usize = 20;
/// The fewest actions that a model is trained on, and in how many sessions.
pub const MIN_TRAINING_ACTIONS: u32 = 300;
/// See [`MIN_TRAINING_ACTIONS`].
pub const MIN_SESSIONS: usize = 3;
/// The newest sessions that are kept.
pub const KEPT_SESSIONS: usize = 20;
/// The most that pointer movement says against a person, in nats: MEDIUM, never HIGH.
pub const MAX_POINTER_LLR: f32 = 1.0;
/// The most that it says for a person.
const MIN_POINTER_LLR: f32 = -0.5;
/// A kind is compared when a window has it so often …
const MIN_SEEN: f64 = 3.0;
/// … and the model so often.
const MIN_KNOWN: f64 = 10.0;
/// Variance between sessions is at least this share of the variance between actions.
const BETWEEN_SHARE: f64 = 0.1;
/// The least variance of a kind.
const MIN_VARIANCE: f64 = 1e-6;
/// Differences are cut off at this many standard errors.
const CLIP: f64 = 3.0;
/// The score at which movement speaks against a person. Log ratios of the histograms of windows of 50 actions on the Balabit
/// set cross zero at 0.75 and rise by 6 a unit; but a fifth of a person's own windows lie above that. So the line is lower:
/// one genuine window in fifty reaches MEDIUM by pointer movement alone.
const EVEN: f32 = 1.0;
/// Nats for each unit of score.
const NATS: f32 = 2.5;

/// What could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Fewer than [`MIN_ACTIONS`].
    #[error("fewer than {MIN_ACTIONS} actions to judge")]
    TooFew,
    /// The model has fewer than [`MIN_TRAINING_ACTIONS`] in [`MIN_SESSIONS`].
    #[error("the model has seen too little")]
    Learning,
}

/// A person's model. Holds behaviour: seal it before it is stored.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PointerModel {
    /// Oldest first.
    sessions: Vec<Moments>,
}

impl PointerModel {
    /// The model of these sessions.
    pub fn of<'a>(sessions: impl IntoIterator<Item = &'a [PointerAction]>) -> Self {
        let mut model = Self::default();
        for session in sessions {
            model.learn(session);
        }
        model
    }

    /// Learns one more session; the oldest one makes room.
    pub fn learn(&mut self, session: &[PointerAction]) {
        if session.is_empty() {
            return;
        }
        if self.sessions.len() >= KEPT_SESSIONS {
            self.sessions.remove(0);
        }
        self.sessions.push(Moments::of(session));
    }

    /// How many actions it knows.
    pub fn actions(&self) -> u32 {
        self.sessions.iter().map(|session| session.actions).sum()
    }

    /// Whether it knows enough to judge.
    pub fn is_ready(&self) -> bool {
        self.sessions.len() >= MIN_SESSIONS && self.actions() >= MIN_TRAINING_ACTIONS
    }

    /// How unusual a window of actions is, in standard errors, from 0 to 3.
    ///
    /// # Errors
    /// [`PointerError`].
    pub fn score(&self, window: &[PointerAction]) -> Result<f32, PointerError> {
        if window.len() < MIN_ACTIONS {
            return Err(PointerError::TooFew);
        }
        if !self.is_ready() {
            return Err(PointerError::Learning);
        }
        let (known, seen) = (Moments::sum(&self.sessions), Moments::of(window));
        let mut differences = Vec::with_capacity(POINTER_FEATURES);
        for kind in 0..POINTER_FEATURES {
            let (known, seen) = (&known.kinds[kind], &seen.kinds[kind]);
            if known.n >= MIN_KNOWN && seen.n >= MIN_SEEN {
                let variance = known.variance();
                let between = self.between(kind, known).max(BETWEEN_SHARE * variance);
                let error = (variance / seen.n + between).sqrt();
                differences.push(((seen.mean() - known.mean()).abs() / error).min(CLIP));
            }
        }
        let n = differences.len();
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 3")]
        let mean = (differences.iter().sum::<f64>() / n.max(1) as f64) as f32;
        if n == 0 { Err(PointerError::TooFew) } else { Ok(mean) }
    }

    /// The variance of sessions' means, beyond what their numbers of actions explain.
    fn between(&self, kind: usize, known: &Kind) -> f64 {
        let sessions = self.sessions.iter().map(|session| &session.kinds[kind]);
        let excess: Vec<f64> = sessions
            .filter(|session| session.n >= MIN_KNOWN)
            .map(|session| (session.mean() - known.mean()).powi(2) - known.variance() / session.n)
            .collect();
        (excess.iter().sum::<f64>() / excess.len().max(1) as f64).max(0.0)
    }
}

/// What a score says, as a bounded and cautious natural-log likelihood ratio of "someone else" over "the person".
pub fn llr(score: f32) -> f32 {
    if score.is_nan() {
        return MAX_POINTER_LLR;
    }
    (NATS * (score - EVEN)).clamp(MIN_POINTER_LLR, MAX_POINTER_LLR)
}

impl std::fmt::Debug for PointerModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PointerModel").field("actions", &self.actions()).finish_non_exhaustive()
    }
}

/// Sums over actions.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    actions: u32,
    kinds: [Kind; POINTER_FEATURES],
}

/// Count, sum and sum of squares of one kind of value.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Kind {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn of(actions: &[PointerAction]) -> Self {
        let mut moments =
            Self { actions: u32::try_from(actions.len()).unwrap_or(u32::MAX), ..Self::default() };
        for (kind, value) in actions.iter().flat_map(PointerAction::values) {
            let (kind, value) = (&mut moments.kinds[kind], f64::from(value));
            (kind.n, kind.sum, kind.squares) = (kind.n + 1.0, kind.sum + value, kind.squares + value * value);
        }
        moments
    }

    fn sum(all: &[Self]) -> Self {
        let mut total = Self::default();
        for moments in all {
            total.actions = total.actions.saturating_add(moments.actions);
            for (total, kind) in total.kinds.iter_mut().zip(&moments.kinds) {
                total.n += kind.n;
                total.sum += kind.sum;
                total.squares += kind.squares;
            }
        }
        total
    }
}

impl Kind {
    fn mean(&self) -> f64 {
        self.sum / self.n
    }

    fn variance(&self) -> f64 {
        (self.squares / self.n - self.mean().powi(2)).max(MIN_VARIANCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_features::{PointerEvent, actions_of};

    /// Clicks of a hand of this pace, varied without chance.
    fn session(pace: f64, nth: u32) -> Vec<PointerAction> {
        let (mut events, mut t_s) = (Vec::new(), 0.0);
        for click in 0..120_u32 {
            let vary = f64::from((click * 37 + nth * 11) % 101) / 100.0;
            let (length, bend) = (200.0 + 300.0 * vary, 10.0 + 20.0 * vary);
            for step in 0..12_u32 {
                let part = f64::from(step) / 11.0;
                let y = bend * (std::f64::consts::PI * part).sin();
                events.push(PointerEvent { t_s, x: length * part, y, pressed: step == 10 });
                t_s += (0.03 + 0.01 * vary) / pace;
            }
            t_s += 1.5 + vary;
        }
        actions_of(&events)
    }

    #[test]
    fn own_windows_are_usual_and_another_hand_is_not() {
        let sessions: Vec<_> = (0..5).map(|seed| session(1.0, seed)).collect();
        let model = PointerModel::of(sessions.iter().map(Vec::as_slice));
        assert!(model.is_ready());
        let (own, other) =
            (model.score(&session(1.0, 9)[..50]).unwrap(), model.score(&session(1.8, 9)[..50]).unwrap());
        assert!(own < 1.0 && other > own + 0.3 && other <= 3.0, "{own} {other}");
    }

    #[test]
    fn too_little_is_said_so_and_the_say_is_bounded() {
        let one = session(1.0, 1);
        let model = PointerModel::of([one.as_slice()]);
        assert_eq!(model.score(&one[..50]), Err(PointerError::Learning), "one session is no habit");
        assert_eq!(model.score(&one[..19]), Err(PointerError::TooFew));
        for score in [0.0, 3.0, f32::INFINITY, f32::NAN] {
            assert!(llr(score).abs() <= MAX_POINTER_LLR);
        }
        assert!(llr(f32::NAN) > 0.0 && llr(0.2) < 0.0);
    }

    #[test]
    fn the_oldest_session_makes_room() {
        let mut model = PointerModel::default();
        for nth in 0..23 {
            model.learn(&session(1.0, nth));
        }
        model.learn(&[]);
        assert_eq!(model.sessions.len(), KEPT_SESSIONS);
    }
}
