//! Times to a tenth of a millisecond, in two bytes: how a model keeps its rows.
//!
//! Keyboards and browsers are coarser than this. Pauses beyond three seconds are all alike: a model clips them long before.

/// Ticks in a second.
const PER_SECOND: f32 = 10_000.0;
/// The longest time that is kept, in seconds.
pub(super) const MAX_S: f32 = i16::MAX as f32 / PER_SECOND;

/// The nearest tick of a time in seconds, or the outermost.
pub(super) fn from_seconds(time_s: f32) -> i16 {
    let bound = f32::from(i16::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "clamped, and what is no number becomes 0")]
    let tick = (time_s * PER_SECOND).round().clamp(-bound, bound) as i16;
    tick
}

/// A tick in seconds.
pub(super) fn to_seconds(tick: i16) -> f32 {
    f32::from(tick) / PER_SECOND
}

/// A time as a model keeps it, in seconds.
pub(super) fn kept(time_s: f32) -> f32 {
    to_seconds(from_seconds(time_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_to_a_tenth_of_a_millisecond_and_stay_so() {
        for time_s in [0.0, 0.104_2, -0.083_96, 3.276_7] {
            assert!((kept(time_s) - time_s).abs() <= 0.000_051, "{time_s}");
            assert_eq!(kept(kept(time_s)).to_bits(), kept(time_s).to_bits());
        }
        assert!((kept(600.0) - 3.276_7).abs() < 1e-6 && (kept(-600.0) + 3.276_7).abs() < 1e-6);
        assert_eq!(from_seconds(f32::NAN), 0);
    }
}
