//! The canonical byte form of telemetry, and digests of it.
//!
//! Form 1, in order; integers are big endian, `n` before a column is its length as `u32`:
//!
//! ```text
//! "keyward telemetry 1\0"
//! nonce:          presence u8; n, bytes
//! keystrokes:     n; for each: field label (n, bytes);
//!                 quality u8 (bit 0 pasted, 1 autofilled, 2 composed, 3 coarse clock,
//!                 4 free text);
//!                 n; for each press: position u16, zone u8 (`zone_code`), down u32, up u32
//! pointer:        presence u8; n, n × u32 times; n, n × i32 x; n, n × i32 y; n, n × u8 pressed
//! record access:  presence u8; six × u32
//! ```
//!
//! Every variable part is preceded by its length and every optional part by its presence, so that two
//! telemetries have the same form only if they are equal.

use aws_lc_rs::digest::{Context, SHA256};
use keyward_domain::{
    KeyEvents, KeyZone, KeystrokeSample, PointerSample, RecordAccess, Telemetry, TelemetryHash,
};

/// SHA-256 of the canonical form of everything in a telemetry, its nonce included. A WebAuthn challenge is
/// bound to it.
pub fn telemetry_hash(telemetry: &Telemetry) -> TelemetryHash {
    let mut form = Form::new(b"keyward telemetry 1\0");
    form.present(telemetry.nonce.as_ref(), |form, nonce| form.text(nonce.as_str()));
    form.length(telemetry.keystrokes.len());
    for sample in &telemetry.keystrokes {
        form.keystrokes(sample);
    }
    form.present(telemetry.pointer.as_ref(), Form::pointer);
    form.present(telemetry.record_access.as_ref(), Form::record_access);
    TelemetryHash(form.finish())
}

/// The first eight bytes of a SHA-256 over the zones and times of a sample, times counted from its first
/// press. Two samples with equal digests are one recording, shifted or not. Caret positions are left out:
/// they do not take part in a score, so that changing them must not hide a replay.
///
/// People do not repeat a digest on a clock of a millisecond. With a coarse clock and fewer than eight keys
/// they may, once in a few hundred logins.
pub fn sample_digest(events: &KeyEvents) -> [u8; 8] {
    let mut form = Form::new(b"keyward sample 1\0");
    form.length(events.len());
    let start = events.down_us().first().copied().unwrap_or(0);
    for ((zone, down), up) in events.zone().iter().zip(events.down_us()).zip(events.up_us()) {
        form.bytes(&[zone_code(*zone)]);
        form.bytes(&(down - start).to_be_bytes());
        form.bytes(&(up - start).to_be_bytes());
    }
    let digest = form.finish();
    std::array::from_fn(|i| digest[i])
}

/// The byte that stands for a zone in digests and stored models. Stable: never renumbered or reused.
pub const fn zone_code(zone: KeyZone) -> u8 {
    match zone {
        KeyZone::Character => 1,
        KeyZone::LeftTop => 2,
        KeyZone::LeftHome => 3,
        KeyZone::LeftBottom => 4,
        KeyZone::RightTop => 5,
        KeyZone::RightHome => 6,
        KeyZone::RightBottom => 7,
        KeyZone::DigitLeft => 8,
        KeyZone::DigitRight => 9,
        KeyZone::Space => 10,
        KeyZone::Enter => 11,
        KeyZone::Backspace => 12,
        KeyZone::Tab => 13,
        KeyZone::Shift => 14,
        KeyZone::Control => 15,
        KeyZone::Navigation => 16,
        KeyZone::Punctuation => 17,
        KeyZone::Keypad => 18,
        KeyZone::Other => 19,
    }
}

/// The zone that a byte stands for, if it stands for one.
pub fn zone_from_code(code: u8) -> Option<KeyZone> {
    KeyZone::ALL.iter().copied().find(|zone| zone_code(*zone) == code)
}

/// A digest under way.
struct Form(Context);

impl Form {
    fn new(domain: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(domain);
        Self(context)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn length(&mut self, length: usize) {
        // No column is longer than a `u32` can count: the domain bounds them all, and memory does too.
        self.bytes(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes(text.as_bytes());
    }

    fn present<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.bytes(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn keystrokes(&mut self, sample: &KeystrokeSample) {
        self.text(sample.field.as_str());
        let q = sample.quality;
        let bits = [q.pasted, q.autofilled, q.composed, q.coarse_clock, q.free_text];
        self.bytes(&[bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))]);
        let events = &sample.events;
        self.length(events.len());
        let columns = events.position().iter().zip(events.zone()).zip(events.down_us()).zip(events.up_us());
        for (((position, zone), down), up) in columns {
            let mut press = [0; 11];
            press[..2].copy_from_slice(&position.to_be_bytes());
            press[2] = zone_code(*zone);
            press[3..7].copy_from_slice(&down.to_be_bytes());
            press[7..].copy_from_slice(&up.to_be_bytes());
            self.bytes(&press);
        }
    }

    fn pointer(&mut self, pointer: &PointerSample) {
        self.length(pointer.t_us.len());
        for t in &pointer.t_us {
            self.bytes(&t.to_be_bytes());
        }
        for column in [&pointer.x, &pointer.y] {
            self.length(column.len());
            for v in column {
                self.bytes(&v.to_be_bytes());
            }
        }
        self.length(pointer.pressed.len());
        for pressed in &pointer.pressed {
            self.bytes(&[u8::from(*pressed)]);
        }
    }

    fn record_access(&mut self, access: &RecordAccess) {
        let RecordAccess { window_s, reads, distinct_patients, searches, changes, exports } = *access;
        for count in [window_s, reads, distinct_patients, searches, changes, exports] {
            self.bytes(&count.to_be_bytes());
        }
    }

    fn finish(self) -> [u8; 32] {
        let digest = self.0.finish();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use keyward_domain::{FieldLabel, InputQuality, TelemetryNonce};

    use super::*;

    fn events(down: Vec<u32>, up: Vec<u32>) -> KeyEvents {
        KeyEvents::new((0..).take(down.len()).collect(), vec![KeyZone::Character; down.len()], down, up)
            .unwrap()
    }

    fn sample(field: &str) -> KeystrokeSample {
        KeystrokeSample {
            field: FieldLabel::parse(field).unwrap(),
            events: events(vec![0, 100, 250], vec![60, 180, 300]),
            quality: InputQuality::default(),
        }
    }

    fn telemetry() -> Telemetry {
        Telemetry {
            nonce: Some(TelemetryNonce::parse("nonce").unwrap()),
            keystrokes: vec![sample("user"), sample("password")],
            pointer: Some(PointerSample {
                t_us: vec![1, 2],
                x: vec![3, -4],
                y: vec![5, 6],
                pressed: vec![true, false],
            }),
            record_access: Some(RecordAccess { window_s: 60, reads: 1, ..RecordAccess::default() }),
        }
    }

    #[test]
    fn every_part_of_a_telemetry_changes_its_hash() {
        let changes: [fn(&mut Telemetry); 15] = [
            |_| (),
            |t| t.nonce = None,
            |t| t.nonce = Some(TelemetryNonce::parse("nonce2").unwrap()),
            |t| t.keystrokes.clear(),
            |t| t.keystrokes.swap(0, 1),
            |t| t.keystrokes[0].field = FieldLabel::parse("users").unwrap(),
            |t| t.keystrokes[0].quality.pasted = true,
            |t| t.keystrokes[0].quality.coarse_clock = true,
            |t| t.keystrokes[0].events = events(vec![0, 100, 251], vec![60, 180, 300]),
            |t| t.keystrokes[0].events = events(vec![0, 100], vec![60, 180]),
            |t| t.pointer = None,
            |t| t.pointer = Some(PointerSample::default()),
            |t| t.pointer.as_mut().unwrap().x.swap(0, 1),
            |t| t.pointer.as_mut().unwrap().pressed[1] = true,
            |t| t.record_access.as_mut().unwrap().exports = 1,
        ];
        let hashes: std::collections::HashSet<_> = changes
            .iter()
            .map(|change| {
                let mut telemetry = telemetry();
                change(&mut telemetry);
                telemetry_hash(&telemetry)
            })
            .collect();
        assert_eq!(hashes.len(), changes.len());
        assert_eq!(telemetry_hash(&telemetry()), telemetry_hash(&telemetry()));
    }

    /// Form 1 of an empty telemetry: the name, no nonce, no keystrokes, no pointer, no record access.
    #[test]
    fn the_form_is_as_documented() {
        let form = b"keyward telemetry 1\0\0\0\0\0\0\0\0";
        let expected = aws_lc_rs::digest::digest(&SHA256, form);
        assert_eq!(telemetry_hash(&Telemetry::default()).0, expected.as_ref());
    }

    #[test]
    fn a_recording_keeps_its_digest_when_it_is_shifted() {
        let original = sample_digest(&events(vec![0, 100, 250], vec![60, 180, 300]));
        assert_eq!(sample_digest(&events(vec![7, 107, 257], vec![67, 187, 307])), original);
        assert_ne!(sample_digest(&events(vec![0, 100, 250], vec![60, 180, 301])), original);
        assert_ne!(sample_digest(&events(vec![0, 100], vec![60, 180])), original);
    }

    #[test]
    fn zones_and_codes_belong_together() {
        let codes: std::collections::BTreeSet<u8> = KeyZone::ALL.iter().map(|z| zone_code(*z)).collect();
        assert_eq!(codes.len(), KeyZone::ALL.len());
        assert!(KeyZone::ALL.iter().all(|z| zone_from_code(zone_code(*z)) == Some(*z)));
        assert_eq!((zone_from_code(0), zone_from_code(255)), (None, None));
    }
}
