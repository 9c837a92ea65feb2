//! What the client recorded. The hot path of conversion: columns are moved, not copied, where the types allow.

use std::collections::HashSet;

use keyward_domain::{
    FieldLabel, InputQuality, KeyEvents, KeystrokeSample, MAX_KEY_EVENTS, MAX_KEYSTROKE_SAMPLES,
    MAX_POINTER_EVENTS, MAX_SAMPLE_US, PointerSample, RecordAccess, Telemetry,
};

use super::{Checked, Path, Violations, WireEnum, collect, enums, text};
use crate::v1;

/// How far from the origin a pointer may be, in CSS pixels.
const MAX_POINTER_PX: i32 = 100_000;
/// The longest window of record access: a day.
const MAX_WINDOW_S: u32 = 86_400;
/// The largest count of record access.
const MAX_COUNT: u32 = 1_000_000;

/// Telemetry that stands alone.
pub fn telemetry(message: v1::Telemetry) -> Result<Telemetry, Violations> {
    collect(|found| field(message, Path::Request, found))
}

/// Telemetry as a client sends it.
pub fn telemetry_to_wire(telemetry: &Telemetry) -> v1::Telemetry {
    v1::Telemetry {
        nonce: telemetry.nonce.as_ref().map(ToString::to_string).unwrap_or_default(),
        keystrokes: telemetry.keystrokes.iter().map(keystrokes_to_wire).collect(),
        pointer: telemetry.pointer.as_ref().map(|pointer| v1::PointerSample {
            t_us: pointer.t_us.clone(),
            x: pointer.x.clone(),
            y: pointer.y.clone(),
            pressed: pointer.pressed.clone(),
        }),
        record_access: telemetry.record_access.as_ref().map(|access| v1::RecordAccess {
            window_s: access.window_s,
            reads: access.reads,
            distinct_patients: access.distinct_patients,
            searches: access.searches,
            changes: access.changes,
            exports: access.exports,
        }),
    }
}

/// The typing into one field as a client sends it.
pub fn keystrokes_to_wire(sample: &KeystrokeSample) -> v1::KeystrokeSample {
    v1::KeystrokeSample {
        field: sample.field.to_string(),
        position: sample.events.position().iter().map(|position| u32::from(*position)).collect(),
        zone: sample.events.zone().iter().map(|zone| zone.number()).collect(),
        down_us: sample.events.down_us().to_vec(),
        up_us: sample.events.up_us().to_vec(),
        pasted: sample.quality.pasted,
        autofilled: sample.quality.autofilled,
        composed: sample.quality.composed,
        coarse_clock: sample.quality.coarse_clock,
        free_text: sample.quality.free_text,
    }
}

/// Telemetry within a request. Its limit of 256 KiB needs no check of its own: the limits on counts imply it.
pub(super) fn field(message: v1::Telemetry, at: Path<'_>, found: &mut Violations) -> Checked<Telemetry> {
    let nonce = text::optional_id(message.nonce, at.field("nonce"), found);
    let keystrokes = samples(message.keystrokes, at.field("keystrokes"), found);
    let pointer =
        message.pointer.map(|pointer| self::pointer(pointer, at.field("pointer"), found)).transpose();
    let access = message
        .record_access
        .map(|access| record_access(&access, at.field("record_access"), found))
        .transpose();
    Ok(Telemetry { nonce: nonce?, keystrokes: keystrokes?, pointer: pointer?, record_access: access? })
}

fn samples(
    messages: Vec<v1::KeystrokeSample>,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<Vec<KeystrokeSample>> {
    if messages.len() > MAX_KEYSTROKE_SAMPLES {
        return Err(found.add(at, format_args!("must be at most {MAX_KEYSTROKE_SAMPLES} samples")));
    }
    let samples = each(messages, at, found, keystrokes)?;
    let mut labels = HashSet::with_capacity(samples.len());
    match samples.iter().position(|sample| !labels.insert(&sample.field)) {
        Some(index) => {
            Err(found.add(at.entry(index).field("field"), "must not repeat the label of an earlier sample"))
        }
        None => Ok(samples),
    }
}

/// Converts every entry, also after one was refused.
pub(super) fn each<M, T>(
    messages: Vec<M>,
    at: Path<'_>,
    found: &mut Violations,
    convert: impl Fn(M, Path<'_>, &mut Violations) -> Checked<T>,
) -> Checked<Vec<T>> {
    let mut values = Ok(Vec::with_capacity(messages.len()));
    for (index, message) in messages.into_iter().enumerate() {
        match (convert(message, at.entry(index), found), &mut values) {
            (Ok(value), Ok(values)) => values.push(value),
            (Ok(_), Err(_)) => {}
            (Err(refused), values) => *values = Err(refused),
        }
    }
    values
}

/// The typing into one field.
pub(super) fn keystrokes(
    message: v1::KeystrokeSample,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<KeystrokeSample> {
    let quality = InputQuality {
        pasted: message.pasted,
        autofilled: message.autofilled,
        composed: message.composed,
        coarse_clock: message.coarse_clock,
        free_text: message.free_text,
    };
    let v1::KeystrokeSample { field, position, zone, down_us, up_us, .. } = message;
    let label = text::id::<FieldLabel>(field, at.field("field"), found);
    let events = events(&position, &zone, down_us, up_us, at, found);
    Ok(KeystrokeSample { field: label?, events: events?, quality })
}

fn events(
    position: &[u32],
    zone: &[i32],
    down_us: Vec<u32>,
    up_us: Vec<u32>,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<KeyEvents> {
    let columns = [("zone", zone.len()), ("down_us", down_us.len()), ("up_us", up_us.len())];
    lengths(("position", position.len()), &columns, MAX_KEY_EVENTS, at, found)?;
    let positions = column(position, at.field("position"), found, |position, at, found| {
        u16::try_from(position).map_err(|_| found.add(at, "must be at most 65535"))
    });
    let zones = column(zone, at.field("zone"), found, enums::value);
    let down = rising(&down_us, at.field("down_us"), found);
    let up = released(&down_us, &up_us, at.field("up_us"), found);
    let (positions, zones) = (positions?, zones?);
    down.and(up)?;
    // The domain has the last word; what it could refuse was refused above, with the column's name.
    KeyEvents::new(positions, zones, down_us, up_us).map_err(|error| found.add(at, error))
}

/// Whether columns are as long as the first one, and that one not too long.
fn lengths(
    (first, n): (&'static str, usize),
    others: &[(&'static str, usize)],
    max: usize,
    at: Path<'_>,
    found: &mut Violations,
) -> Checked<()> {
    let mut checked = Ok(());
    if n > max {
        checked = Err(found.add(at.field(first), format_args!("must be at most {max} entries")));
    }
    for (name, _) in others.iter().filter(|(_, length)| *length != n) {
        checked = Err(found.add(at.field(name), format_args!("must have as many entries as {first}")));
    }
    checked
}

/// Converts a column up to the first entry that is refused.
fn column<M: Copy, T>(
    entries: &[M],
    at: Path<'_>,
    found: &mut Violations,
    convert: impl Fn(M, Path<'_>, &mut Violations) -> Checked<T>,
) -> Checked<Vec<T>> {
    let mut values = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        values.push(convert(*entry, at.entry(index), found)?);
    }
    Ok(values)
}

/// Whether times do not decrease and stay within a sample's length.
fn rising(times_us: &[u32], at: Path<'_>, found: &mut Violations) -> Checked<()> {
    if let Some(index) = times_us.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(found.add(at.entry(index + 1), "must not be before the entry that precedes it"));
    }
    // They rise, so the last is the latest.
    match times_us.last() {
        Some(last) if *last > MAX_SAMPLE_US => Err(too_late(times_us.len() - 1, at, found)),
        _ => Ok(()),
    }
}

/// Whether keys came up after they went down and within a sample's length.
fn released(down_us: &[u32], up_us: &[u32], at: Path<'_>, found: &mut Violations) -> Checked<()> {
    if let Some(index) = down_us.iter().zip(up_us).position(|(down, up)| up < down) {
        return Err(found.add(at.entry(index), "must not be before its key went down"));
    }
    match up_us.iter().position(|up| *up > MAX_SAMPLE_US) {
        Some(index) => Err(too_late(index, at, found)),
        None => Ok(()),
    }
}

#[cold]
fn too_late(index: usize, at: Path<'_>, found: &mut Violations) -> super::violations::Refused {
    found.add(at.entry(index), format_args!("must be at most {MAX_SAMPLE_US} microseconds"))
}

fn pointer(message: v1::PointerSample, at: Path<'_>, found: &mut Violations) -> Checked<PointerSample> {
    let v1::PointerSample { t_us, x, y, pressed } = message;
    let columns = [("x", x.len()), ("y", y.len()), ("pressed", pressed.len())];
    lengths(("t_us", t_us.len()), &columns, MAX_POINTER_EVENTS, at, found)?;
    let times = rising(&t_us, at.field("t_us"), found);
    let across = pixels(&x, at.field("x"), found);
    let down = pixels(&y, at.field("y"), found);
    times.and(across).and(down)?;
    Ok(PointerSample { t_us, x, y, pressed })
}

fn pixels(column: &[i32], at: Path<'_>, found: &mut Violations) -> Checked<()> {
    let range = -MAX_POINTER_PX..=MAX_POINTER_PX;
    match column.iter().position(|px| !range.contains(px)) {
        Some(index) => {
            Err(found.add(at.entry(index), format_args!("must be within plus or minus {MAX_POINTER_PX}")))
        }
        None => Ok(()),
    }
}

fn record_access(message: &v1::RecordAccess, at: Path<'_>, found: &mut Violations) -> Checked<RecordAccess> {
    let &v1::RecordAccess { window_s, reads, distinct_patients, searches, changes, exports } = message;
    let mut checked = Ok(());
    if !(1..=MAX_WINDOW_S).contains(&window_s) {
        checked = Err(found.add(at.field("window_s"), format_args!("must be 1 to {MAX_WINDOW_S}")));
    }
    let counts = [
        ("reads", reads),
        ("distinct_patients", distinct_patients),
        ("searches", searches),
        ("changes", changes),
        ("exports", exports),
    ];
    for (name, _) in counts.iter().filter(|(_, count)| *count > MAX_COUNT) {
        checked = Err(found.add(at.field(name), format_args!("must be at most {MAX_COUNT}")));
    }
    checked.map(|()| RecordAccess { window_s, reads, distinct_patients, searches, changes, exports })
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn typed(field: &str, n: u32) -> v1::KeystrokeSample {
        v1::KeystrokeSample {
            field: field.into(),
            position: (0..n).collect(),
            zone: vec![v1::KeyZone::Character.into(); n as usize],
            down_us: (0..n).map(|i| i * 100_000).collect(),
            up_us: (0..n).map(|i| i * 100_000 + 80_000).collect(),
            ..Default::default()
        }
    }

    fn refused(message: v1::Telemetry) -> Vec<String> {
        telemetry(message).unwrap_err().into_named().into_iter().map(|violation| violation.field).collect()
    }

    fn refused_sample(spoil: impl FnOnce(&mut v1::KeystrokeSample)) -> Vec<String> {
        let mut sample = typed("password", 4);
        spoil(&mut sample);
        refused(v1::Telemetry { keystrokes: vec![typed("user", 4), sample], ..Default::default() })
    }

    #[test]
    fn telemetry_survives_the_way_there_and_back() {
        let sent = v1::Telemetry {
            nonce: "n1".into(),
            keystrokes: vec![typed("user", 0), v1::KeystrokeSample { pasted: true, ..typed("password", 9) }],
            pointer: Some(v1::PointerSample {
                t_us: vec![0, 5],
                x: vec![-100_000, 3],
                y: vec![0, 100_000],
                pressed: vec![false, true],
            }),
            record_access: Some(v1::RecordAccess { window_s: 60, reads: 1_000_000, ..Default::default() }),
        };
        let domain = telemetry(sent.clone()).unwrap();
        assert_eq!(domain.keystrokes[1].events.down_us()[8], 800_000);
        assert_eq!(telemetry_to_wire(&domain), sent);
        assert_eq!(telemetry(v1::Telemetry::default()), Ok(Telemetry::default()));
    }

    #[test]
    fn each_fault_is_named_where_it_is() {
        assert_eq!(refused_sample(|s| s.field.clear()), ["keystrokes[1].field"]);
        assert_eq!(refused_sample(|s| s.position[2] = 65_536), ["keystrokes[1].position[2]"]);
        assert_eq!(refused_sample(|s| s.zone[3] = 0), ["keystrokes[1].zone[3]"]);
        assert_eq!(refused_sample(|s| s.zone[0] = 20), ["keystrokes[1].zone[0]"]);
        assert_eq!(refused_sample(|s| s.down_us[2] = 99_999), ["keystrokes[1].down_us[2]"]);
        assert_eq!(refused_sample(|s| s.up_us[1] = 99_999), ["keystrokes[1].up_us[1]"]);
        assert_eq!(refused_sample(|s| s.up_us[0] = 600_000_001), ["keystrokes[1].up_us[0]"]);
        assert_eq!(refused_sample(|s| s.field = "user".into()), ["keystrokes[1].field"]);
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let fields = refused_sample(|s| {
            s.field = "a|b".into();
            s.position[0] = u32::MAX;
            s.zone[1] = -1;
            s.down_us[3] = u32::MAX;
        });
        let expected = ["field", "position[0]", "zone[1]", "down_us[3]", "up_us[3]"];
        assert_eq!(fields, expected.map(|field| format!("keystrokes[1].{field}")));
        let fields = refused_sample(|s| {
            s.zone.clear();
            s.up_us.push(0);
        });
        assert_eq!(fields, ["keystrokes[1].zone", "keystrokes[1].up_us"]);
    }

    #[test]
    fn counts_are_bounded() {
        let nine = (0..9).map(|i| typed(&i.to_string(), 1)).collect();
        assert_eq!(refused(v1::Telemetry { keystrokes: nine, ..Default::default() }), ["keystrokes"]);
        assert_eq!(
            refused(v1::Telemetry { keystrokes: vec![typed("f", 1025)], ..Default::default() }),
            ["keystrokes[0].position"]
        );
        let access =
            v1::RecordAccess { window_s: 0, reads: 1_000_001, exports: u32::MAX, ..Default::default() };
        let fields = refused(v1::Telemetry { record_access: Some(access), ..Default::default() });
        assert_eq!(fields, ["record_access.window_s", "record_access.reads", "record_access.exports"]);
        let n = 4097;
        let pointer =
            v1::PointerSample { t_us: vec![0; n], x: vec![0; n], y: vec![0; n], pressed: vec![true; n] };
        assert_eq!(refused(v1::Telemetry { pointer: Some(pointer), ..Default::default() }), ["pointer.t_us"]);
        let pointer = v1::PointerSample {
            t_us: vec![2, 1],
            x: vec![i32::MIN, 0],
            y: vec![0, 100_001],
            pressed: vec![true; 2],
        };
        let fields = refused(v1::Telemetry { pointer: Some(pointer), ..Default::default() });
        assert_eq!(fields, ["pointer.t_us[1]", "pointer.x[0]", "pointer.y[1]"]);
    }

    #[test]
    fn the_largest_telemetry_stays_below_its_limit_in_bytes() {
        let id = |last: char| "x".repeat(127) + &last.to_string();
        let sample = |last| v1::KeystrokeSample {
            field: id(last),
            position: vec![65_535; MAX_KEY_EVENTS],
            zone: vec![19; MAX_KEY_EVENTS],
            down_us: vec![MAX_SAMPLE_US; MAX_KEY_EVENTS],
            up_us: vec![MAX_SAMPLE_US; MAX_KEY_EVENTS],
            pasted: true,
            autofilled: true,
            composed: true,
            coarse_clock: true,
            free_text: true,
        };
        let largest = v1::Telemetry {
            nonce: id('n'),
            keystrokes: ('a'..).take(MAX_KEYSTROKE_SAMPLES).map(sample).collect(),
            pointer: Some(v1::PointerSample {
                t_us: vec![MAX_SAMPLE_US; MAX_POINTER_EVENTS],
                x: vec![-MAX_POINTER_PX; MAX_POINTER_EVENTS],
                y: vec![-MAX_POINTER_PX; MAX_POINTER_EVENTS],
                pressed: vec![true; MAX_POINTER_EVENTS],
            }),
            record_access: Some(v1::RecordAccess {
                window_s: MAX_WINDOW_S,
                reads: MAX_COUNT,
                distinct_patients: MAX_COUNT,
                searches: MAX_COUNT,
                changes: MAX_COUNT,
                exports: MAX_COUNT,
            }),
        };
        assert!(largest.encoded_len() <= 256 * 1024, "{}", largest.encoded_len());
        assert!(telemetry(largest).is_ok());
    }
}
