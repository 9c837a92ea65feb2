//! What a score means: constants measured on the 34 development subjects of the CMU benchmark by the stream
//! of the README (learning every proven sample, impostors = the first five samples of everybody else).

/// The most that typing of one field can say, in nats, either way.
pub const MAX_TYPING_LLR: f32 = 4.0;
/// A typing whose times lie this close to a stored sample's on average, in milliseconds, was not typed anew.
///
/// Replays with normal jitter of 2 ms on every press and release lie at 3.4 ms or less in 99 % of cases, and
/// genuine samples of 11 keys at 6.9 ms or more in 99.9 %.
pub const REPLAY_NEAREST_MS: f32 = 4.0;
/// Replays are told from typing from this many keys on: with fewer, people come as close.
const REPLAY_KEYS: usize = 6;
/// How much of the population's surprise is taken off a person's own. The kernel is so narrow that a score is about an eighth
/// of a log density.
pub(super) const POPULATION_SHARE: f32 = 0.1;
/// Beyond this a robust z says nothing more.
pub(super) const MAX_Z: f32 = 100.0;
/// The z at which typing becomes more likely someone else's than the person's.
const EVEN_Z: f32 = 2.4;
/// Nats for each unit of z. Log ratios of the histograms of genuine and impostor z are straight from z = 1 to
/// 6.
const NATS_PER_Z: f32 = 1.35;
/// The share of the newer samples of a mature model that may look unusual (band MEDIUM) under its older ones.
pub(super) const MATURE_MAX_UNUSUAL: f64 = 0.3;
/// A model that is estimated to give more than this share of strangers the band LOW is not mature …
pub(super) const MATURE_MAX_STRANGERS: f32 = 0.1;
/// … and beyond this it is learning, and has no say. `tests/selectivity.rs` measures what both cost.
pub(super) const MAX_STRANGERS: f32 = 0.15;

/// ln p(z | someone else) / p(z | the person), as a straight line with bounds.
pub(super) fn llr(z: f32) -> f32 {
    (NATS_PER_Z * (z - EVEN_Z)).clamp(-MAX_TYPING_LLR, MAX_TYPING_LLR)
}

/// Whether a typing is too close to a stored one.
pub(crate) fn is_replay(nearest_ms: f32, keys: usize) -> bool {
    keys >= REPLAY_KEYS && nearest_ms < REPLAY_NEAREST_MS
}
