//! Moments and spans.

use std::time::Duration;

use keyward_domain::Timestamp;

use super::{Checked, Path, Violations};

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: the range of google.protobuf.Timestamp, in seconds.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// How far a claim may lie ahead of the clock, for clocks that differ.
const AHEAD: Duration = Duration::from_mins(1);

/// A moment of the past, or at most a minute ahead of `now`.
pub(super) fn past(
    moment: Option<prost_types::Timestamp>,
    now: Timestamp,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<Timestamp> {
    let Some(moment) = moment else {
        return Err(found.add(at, "must be set"));
    };
    let moment = any(moment, at, found)?;
    if moment > now.plus(AHEAD) {
        return Err(found.add(at, "must not lie more than a minute ahead"));
    }
    Ok(moment)
}

/// Any moment.
pub(super) fn any(
    moment: prost_types::Timestamp,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<Timestamp> {
    if !SECONDS.contains(&moment.seconds) || !(0..1_000_000_000).contains(&moment.nanos) {
        return Err(found.add(at, "must be a valid google.protobuf.Timestamp"));
    }
    // In range, so the product stays below 2^58.
    Ok(Timestamp { micros: moment.seconds * 1_000_000 + i64::from(moment.nanos) / 1_000 })
}

/// A moment as the contract writes it.
pub(crate) fn timestamp_to_wire(moment: Timestamp) -> prost_types::Timestamp {
    let nanos = moment.micros.rem_euclid(1_000_000) * 1_000;
    prost_types::Timestamp {
        seconds: moment.secs(),
        nanos: i32::try_from(nanos).expect("a remainder below a second fits"),
    }
}

/// A span as the contract writes it; the longest that it can write when it is longer still.
pub(super) fn duration_to_wire(span: Duration) -> prost_types::Duration {
    let longest = prost_types::Duration { seconds: 315_576_000_000, nanos: 0 };
    prost_types::Duration::try_from(span).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, nanos: i32, now: i64) -> Option<Timestamp> {
        let moment = Some(prost_types::Timestamp { seconds, nanos });
        super::super::collect(|found| past(moment, Timestamp::from_secs(now), Path::Request, found)).ok()
    }

    #[test]
    fn moments_are_checked_at_their_edges() {
        assert_eq!(check(160, 0, 100), Some(Timestamp::from_secs(160)));
        assert_eq!(check(160, 1_000, 100), None, "a minute and a microsecond ahead");
        assert_eq!(check(-1, 999_999_999, 100), Some(Timestamp { micros: -1 }));
        for (seconds, nanos) in
            [(i64::MIN, 0), (i64::MAX, 0), (253_402_300_800, 0), (0, -1), (0, 1_000_000_000)]
        {
            assert_eq!(check(seconds, nanos, i64::MAX), None, "{seconds} {nanos}");
        }
    }

    #[test]
    fn moments_survive_the_way_there_and_back() {
        for micros in [-62_135_596_800_000_000, -1, 0, 1, 1_764_000_000_123_456, 253_402_300_799_999_999] {
            let wire = timestamp_to_wire(Timestamp { micros });
            assert_eq!(check(wire.seconds, wire.nanos, i64::MAX), Some(Timestamp { micros }));
        }
        assert_eq!(duration_to_wire(Duration::MAX).seconds, 315_576_000_000);
        assert_eq!(duration_to_wire(Duration::from_millis(1_500)).nanos, 500_000_000);
    }
}
