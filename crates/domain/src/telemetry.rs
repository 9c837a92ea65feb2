//! What the client recorded. Positions, key zones and times; never a character, a key code or a text.
//!
//! INVARIANT: no field of these types can carry what was typed. `KeyZone` is the finest thing known of a key, and
//! secrets are to be sent with [`KeyZone::Character`] alone, so that not even the zones of a password are told.

use serde::{Deserialize, Serialize};

use crate::context::named;
use crate::{FieldLabel, TelemetryNonce};

/// The most key events in one sample.
pub const MAX_KEY_EVENTS: usize = 1024;
/// The most keystroke samples in one assessment.
pub const MAX_KEYSTROKE_SAMPLES: usize = 8;
/// The most pointer events in one assessment.
pub const MAX_POINTER_EVENTS: usize = 4096;
/// The longest sample: ten minutes, in microseconds.
pub const MAX_SAMPLE_US: u32 = 600_000_000;

named! {
    /// Where on the keyboard a key lies, coarsely.
    KeyZone {
        /// Some character key; which zone is not told. To be used for secrets.
        Character = "character",
        /// Left hand, top row (qwert).
        LeftTop = "left_top",
        /// Left hand, home row (asdfg).
        LeftHome = "left_home",
        /// Left hand, bottom row (zxcvb).
        LeftBottom = "left_bottom",
        /// Right hand, top row (yuiop).
        RightTop = "right_top",
        /// Right hand, home row (hjkl).
        RightHome = "right_home",
        /// Right hand, bottom row (nm).
        RightBottom = "right_bottom",
        /// Digits 1 to 5.
        DigitLeft = "digit_left",
        /// Digits 6 to 0.
        DigitRight = "digit_right",
        /// Space bar.
        Space = "space",
        /// Enter.
        Enter = "enter",
        /// Backspace or delete.
        Backspace = "backspace",
        /// Tab.
        Tab = "tab",
        /// Shift.
        Shift = "shift",
        /// Control, Alt, Meta.
        Control = "control",
        /// Arrows, home, end, page keys.
        Navigation = "navigation",
        /// Punctuation.
        Punctuation = "punctuation",
        /// Numeric keypad.
        Keypad = "keypad",
        /// Anything else.
        Other = "other",
    }
}

/// Key events as columns: the i-th entries of all four describe one key press.
///
/// INVARIANT (checked by [`KeyEvents::new`]): equal lengths of at most [`MAX_KEY_EVENTS`]; down times do not
/// decrease; no key is released before it was pressed; nothing lies beyond [`MAX_SAMPLE_US`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Columns")]
pub struct KeyEvents {
    position: Vec<u16>,
    zone: Vec<KeyZone>,
    down_us: Vec<u32>,
    up_us: Vec<u32>,
}

/// Key events as they are stored, not yet checked.
#[derive(Deserialize)]
struct Columns {
    position: Vec<u16>,
    zone: Vec<KeyZone>,
    down_us: Vec<u32>,
    up_us: Vec<u32>,
}

impl TryFrom<Columns> for KeyEvents {
    type Error = KeyEventsError;
    fn try_from(columns: Columns) -> Result<Self, KeyEventsError> {
        Self::new(columns.position, columns.zone, columns.down_us, columns.up_us)
    }
}

impl std::fmt::Debug for KeyEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyEvents({} presses, redacted)", self.len())
    }
}

/// Why columns were refused as key events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyEventsError {
    /// The columns differ in length.
    #[error("columns must have equal lengths")]
    Lengths,
    /// More than [`MAX_KEY_EVENTS`].
    #[error("at most {MAX_KEY_EVENTS} key events are accepted in a sample")]
    TooMany,
    /// A key pressed before the one that precedes it in the columns.
    #[error("down times must not decrease")]
    OutOfOrder,
    /// A key released before it was pressed.
    #[error("a key must not be released before it was pressed")]
    Negative,
    /// A time beyond [`MAX_SAMPLE_US`].
    #[error("times must be at most {MAX_SAMPLE_US} microseconds")]
    TooLate,
}

impl KeyEvents {
    /// Checks columns and makes them key events. Times are microseconds since the sample began.
    ///
    /// # Errors
    /// [`KeyEventsError`] when the invariant of this type does not hold.
    pub fn new(
        position: Vec<u16>,
        zone: Vec<KeyZone>,
        down_us: Vec<u32>,
        up_us: Vec<u32>,
    ) -> Result<Self, KeyEventsError> {
        let n = position.len();
        if zone.len() != n || down_us.len() != n || up_us.len() != n {
            return Err(KeyEventsError::Lengths);
        }
        if n > MAX_KEY_EVENTS {
            return Err(KeyEventsError::TooMany);
        }
        if down_us.windows(2).any(|w| w[1] < w[0]) {
            return Err(KeyEventsError::OutOfOrder);
        }
        if down_us.iter().zip(&up_us).any(|(down, up)| up < down) {
            return Err(KeyEventsError::Negative);
        }
        if up_us.iter().any(|up| *up > MAX_SAMPLE_US) {
            return Err(KeyEventsError::TooLate);
        }
        Ok(Self { position, zone, down_us, up_us })
    }

    /// How many key presses.
    pub fn len(&self) -> usize {
        self.position.len()
    }

    /// Whether there is no key press.
    pub fn is_empty(&self) -> bool {
        self.position.is_empty()
    }

    /// Caret position of each press within its field, in characters.
    pub fn position(&self) -> &[u16] {
        &self.position
    }

    /// Zone of each press.
    pub fn zone(&self) -> &[KeyZone] {
        &self.zone
    }

    /// When each key went down, in microseconds since the sample began.
    pub fn down_us(&self) -> &[u32] {
        &self.down_us
    }

    /// When each key came up, in microseconds since the sample began.
    pub fn up_us(&self) -> &[u32] {
        &self.up_us
    }
}

/// How the text came into the field, as the client saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "five independent observations, each a fact of its own")]
pub struct InputQuality {
    /// Text was pasted.
    pub pasted: bool,
    /// A password manager or the browser filled the field.
    pub autofilled: bool,
    /// An input method composed text; key events do not map to characters.
    pub composed: bool,
    /// The client's clock is coarser than a millisecond.
    pub coarse_clock: bool,
    /// The text is the person's own words, and another one each time: there is no template to compare it with.
    pub free_text: bool,
}

/// The typing into one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeystrokeSample {
    /// Which field.
    pub field: FieldLabel,
    /// The key events.
    pub events: KeyEvents,
    /// How the text came into the field.
    pub quality: InputQuality,
}

/// Pointer movement as columns of equal length (at most [`MAX_POINTER_EVENTS`]), times not decreasing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointerSample {
    /// Microseconds since the sample began.
    pub t_us: Vec<u32>,
    /// Horizontal position in CSS pixels.
    pub x: Vec<i32>,
    /// Vertical position in CSS pixels.
    pub y: Vec<i32>,
    /// Whether a button is down.
    pub pressed: Vec<bool>,
}

impl std::fmt::Debug for PointerSample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PointerSample({} moves, redacted)", self.t_us.len())
    }
}

/// What was done with records since the last checkpoint: counts by class, never patient data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordAccess {
    /// Length of the window in seconds.
    pub window_s: u32,
    /// Records read.
    pub reads: u32,
    /// Different patients among them.
    pub distinct_patients: u32,
    /// Searches.
    pub searches: u32,
    /// Records changed.
    pub changes: u32,
    /// Records exported or printed.
    pub exports: u32,
}

/// Everything the client recorded for one assessment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// The nonce under which it was recorded.
    pub nonce: Option<TelemetryNonce>,
    /// Typing, at most [`MAX_KEYSTROKE_SAMPLES`], each field once.
    pub keystrokes: Vec<KeystrokeSample>,
    /// Pointer movement.
    pub pointer: Option<PointerSample>,
    /// Record access.
    pub record_access: Option<RecordAccess>,
}

impl Telemetry {
    /// Takes out what shows how somebody behaves, for people who opted out of that. The nonce stays, because a replay is
    /// seen by it whoever it is; record access stays, because what was opened in a chart is the provider's to watch.
    pub fn withhold_behaviour(&mut self) {
        // Named one by one, so that a field that is added must be judged here.
        let Self { nonce: _, keystrokes, pointer, record_access: _ } = self;
        keystrokes.clear();
        *pointer = None;
    }
}

/// SHA-256 of the canonical form of a [`Telemetry`] (see `keyward-features`): what a challenge is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TelemetryHash(pub [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    fn events(down: &[u32], up: &[u32]) -> Result<KeyEvents, KeyEventsError> {
        KeyEvents::new(vec![0; down.len()], vec![KeyZone::Character; down.len()], down.into(), up.into())
    }

    #[test]
    fn columns_that_cannot_have_happened_are_refused() {
        assert!(events(&[0, 10, 10], &[15, 30, 12]).is_ok(), "overlap and equal down times do happen");
        assert_eq!(events(&[10, 0], &[15, 30]), Err(KeyEventsError::OutOfOrder));
        assert_eq!(events(&[10], &[9]), Err(KeyEventsError::Negative));
        assert_eq!(events(&[10], &[MAX_SAMPLE_US + 1]), Err(KeyEventsError::TooLate));
        assert_eq!(events(&[0; 1025], &[0; 1025]), Err(KeyEventsError::TooMany));
        assert_eq!(KeyEvents::new(vec![0], vec![], vec![0], vec![0]), Err(KeyEventsError::Lengths));
    }
}
