//! Typing of a known text as a vector of times.

use keyward_domain::{KeyZone, KeystrokeSample};
use serde::{Deserialize, Serialize};

/// The fewest keys that are compared: below, there are too few times to tell people apart.
pub const MIN_KEYS: usize = 4;
/// The most keys that are compared.
pub const MAX_KEYS: usize = 64;
/// The most times in a [`FixedText`]: three a key, but for the last.
pub const MAX_FEATURES: usize = 3 * MAX_KEYS - 2;
/// No time of a sample is longer than this, in seconds (ten minutes).
const MAX_TIME_S: f32 = 600.0;

/// Makes a typed sample a vector of times.
///
/// # Errors
/// [`NotComparable`] when the sample is no plain typing of a text from beginning to end. That is no sign of
/// an attack.
pub fn fixed_text(sample: &KeystrokeSample) -> Result<FixedText, NotComparable> {
    comparable(sample)?;
    let events = &sample.events;
    let (down, up) = (events.down_us(), events.up_us());
    let mut times_s = Vec::with_capacity(3 * events.len() - 2);
    for i in 0..events.len() {
        times_s.push(seconds(down[i], up[i]));
        if i + 1 < events.len() {
            times_s.push(seconds(down[i], down[i + 1]));
            times_s.push(seconds(up[i], down[i + 1]));
        }
    }
    Ok(FixedText { shape: Shape(events.zone().into()), times_s })
}

fn comparable(sample: &KeystrokeSample) -> Result<(), NotComparable> {
    let (events, quality) = (&sample.events, sample.quality);
    let correcting = |zone: &KeyZone| matches!(zone, KeyZone::Backspace | KeyZone::Navigation);
    if quality.free_text {
        Err(NotComparable::FreeText)
    } else if quality.pasted {
        Err(NotComparable::Pasted)
    } else if quality.autofilled {
        Err(NotComparable::Autofilled)
    } else if quality.composed {
        Err(NotComparable::Composed)
    } else if events.zone().iter().any(correcting) || events.position().windows(2).any(|w| w[1] < w[0]) {
        Err(NotComparable::Corrected)
    } else if events.len() < MIN_KEYS {
        Err(NotComparable::TooShort)
    } else if events.len() > MAX_KEYS {
        Err(NotComparable::TooLong)
    } else {
        Ok(())
    }
}

/// From one moment to another, in seconds; negative when `to` comes first.
#[expect(clippy::cast_possible_truncation, reason = "an f32 of at most 600 s is exact to 0.03 ms")]
fn seconds(from_us: u32, to_us: u32) -> f32 {
    ((f64::from(to_us) - f64::from(from_us)) / 1e6) as f32
}

/// Why typing cannot be compared with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotComparable {
    /// The text is another one each time.
    #[error("the text is the person's own words")]
    FreeText,
    /// Text was pasted.
    #[error("text was pasted")]
    Pasted,
    /// A password manager or the browser filled the field.
    #[error("the field was filled automatically")]
    Autofilled,
    /// An input method composed the text.
    #[error("an input method composed the text")]
    Composed,
    /// The text was corrected, or the caret moved back.
    #[error("the text was corrected while it was typed")]
    Corrected,
    /// Fewer than [`MIN_KEYS`] keys.
    #[error("fewer than {MIN_KEYS} keys were pressed")]
    TooShort,
    /// More than [`MAX_KEYS`] keys.
    #[error("more than {MAX_KEYS} keys were pressed")]
    TooLong,
}

impl NotComparable {
    /// The stable name, as reasons carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FreeText => "free_text",
            Self::Pasted => "pasted",
            Self::Autofilled => "autofilled",
            Self::Composed => "composed",
            Self::Corrected => "corrected",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
        }
    }
}

/// The zones of the keys of a text in the order they were pressed. Typing is comparable if its shapes are
/// equal.
///
/// INVARIANT: [`MIN_KEYS`] to [`MAX_KEYS`] keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<KeyZone>", into = "Vec<KeyZone>")]
pub struct Shape(Box<[KeyZone]>);

impl Shape {
    /// A shape of these zones.
    ///
    /// # Errors
    /// [`InvalidFixedText`] unless there are [`MIN_KEYS`] to [`MAX_KEYS`].
    pub fn new(zones: Vec<KeyZone>) -> Result<Self, InvalidFixedText> {
        if (MIN_KEYS..=MAX_KEYS).contains(&zones.len()) {
            Ok(Self(zones.into()))
        } else {
            Err(InvalidFixedText)
        }
    }

    /// The zones, in the order of presses.
    pub fn zones(&self) -> &[KeyZone] {
        &self.0
    }

    /// How many keys.
    pub fn keys(&self) -> usize {
        self.0.len()
    }

    /// How many times a sample of this shape has: 3 × keys − 2.
    pub fn features(&self) -> usize {
        3 * self.0.len() - 2
    }
}

impl TryFrom<Vec<KeyZone>> for Shape {
    type Error = InvalidFixedText;
    fn try_from(zones: Vec<KeyZone>) -> Result<Self, InvalidFixedText> {
        Self::new(zones)
    }
}

impl From<Shape> for Vec<KeyZone> {
    fn from(shape: Shape) -> Self {
        shape.0.into()
    }
}

/// One typing of a text: its shape, and for each key its hold time H, then the times to the next key from
/// press to press (DD) and from release to press (UD, negative when keys overlap), in seconds: `H1 DD12 UD12
/// H2 DD23 UD23 … Hn`, the order of the published benchmark data (Killourhy and Maxion 2009).
///
/// INVARIANT: `3 × keys − 2` finite times of at most ten minutes. `Debug` shows none of them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct FixedText {
    shape: Shape,
    times_s: Vec<f32>,
}

impl FixedText {
    /// A typing from its parts.
    ///
    /// # Errors
    /// [`InvalidFixedText`] when the invariant of this type does not hold.
    pub fn new(shape: Shape, times_s: Vec<f32>) -> Result<Self, InvalidFixedText> {
        let sound = |t: &f32| t.is_finite() && t.abs() <= MAX_TIME_S;
        if times_s.len() == shape.features() && times_s.iter().all(sound) {
            Ok(Self { shape, times_s })
        } else {
            Err(InvalidFixedText)
        }
    }

    /// The keys' zones.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The times, in seconds.
    pub fn times_s(&self) -> &[f32] {
        &self.times_s
    }
}

impl std::fmt::Debug for FixedText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FixedText").field("keys", &self.shape.keys()).finish_non_exhaustive()
    }
}

/// Parts that are no [`FixedText`] or no [`Shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a typed text has {MIN_KEYS} to {MAX_KEYS} keys and three finite times a key but for the last")]
pub struct InvalidFixedText;

#[derive(Serialize, Deserialize)]
struct Parts {
    shape: Shape,
    times_s: Vec<f32>,
}

impl TryFrom<Parts> for FixedText {
    type Error = InvalidFixedText;
    fn try_from(parts: Parts) -> Result<Self, InvalidFixedText> {
        Self::new(parts.shape, parts.times_s)
    }
}

impl From<FixedText> for Parts {
    fn from(text: FixedText) -> Self {
        Self { shape: text.shape, times_s: text.times_s }
    }
}

#[cfg(test)]
mod tests {
    use keyward_domain::{FieldLabel, InputQuality, KeyEvents};
    use proptest::prelude::*;

    use super::*;

    fn sample(zones: Vec<KeyZone>, down: &[u32], up: &[u32]) -> KeystrokeSample {
        let position = (0..).take(zones.len()).collect();
        KeystrokeSample {
            field: FieldLabel::parse("password").unwrap(),
            events: KeyEvents::new(position, zones, down.into(), up.into()).unwrap(),
            quality: InputQuality::default(),
        }
    }

    fn typed(keys: u32) -> KeystrokeSample {
        let down: Vec<u32> = (0..keys).map(|k| k * 200_000).collect();
        let up: Vec<u32> = down.iter().map(|d| d + 90_000).collect();
        sample(vec![KeyZone::Character; keys as usize], &down, &up)
    }

    #[test]
    fn times_come_in_the_order_of_the_benchmark_and_overlap_is_negative() {
        let zones = vec![KeyZone::Character, KeyZone::Character, KeyZone::Character, KeyZone::Enter];
        let text = fixed_text(&sample(
            zones.clone(),
            &[5_000, 205_000, 255_000, 455_000],
            &[105_000, 355_000, 335_000, 505_000],
        ));
        let text = text.unwrap();
        let expected = [0.1, 0.2, 0.1, 0.15, 0.05, -0.1, 0.08, 0.2, 0.12, 0.05];
        assert_eq!(text.times_s().len(), text.shape().features());
        assert!(
            text.times_s().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
            "{:?}",
            text.times_s()
        );
        assert_eq!(text.shape().zones(), zones);
    }

    #[test]
    fn what_is_no_plain_typing_is_not_compared() {
        let with = |change: fn(&mut InputQuality)| {
            let mut sample = typed(8);
            change(&mut sample.quality);
            fixed_text(&sample).map_err(NotComparable::name)
        };
        assert!(with(|_| ()).is_ok());
        assert_eq!(with(|q| q.pasted = true), Err("pasted"));
        assert_eq!(with(|q| q.autofilled = true), Err("autofilled"));
        assert_eq!(with(|q| q.composed = true), Err("composed"));
        assert!(with(|q| q.coarse_clock = true).is_ok());
        for zone in [KeyZone::Backspace, KeyZone::Navigation] {
            let mut zones = vec![KeyZone::Character; 5];
            zones[2] = zone;
            let corrected = sample(zones, &[0, 1, 2, 3, 4], &[9; 5]);
            assert_eq!(fixed_text(&corrected), Err(NotComparable::Corrected));
        }
        assert_eq!(fixed_text(&typed(3)), Err(NotComparable::TooShort));
        assert_eq!(fixed_text(&typed(65)), Err(NotComparable::TooLong));
        assert!(fixed_text(&typed(4)).is_ok() && fixed_text(&typed(64)).is_ok());
    }

    #[test]
    fn a_caret_that_moved_back_is_a_correction() {
        let mut moved = typed(5);
        let events = &moved.events;
        let position = vec![0, 1, 2, 1, 2];
        moved.events =
            KeyEvents::new(position, events.zone().into(), events.down_us().into(), events.up_us().into())
                .unwrap();
        assert_eq!(fixed_text(&moved), Err(NotComparable::Corrected));
    }

    #[test]
    fn debug_shows_no_times() {
        assert_eq!(format!("{:?}", fixed_text(&typed(4)).unwrap()), "FixedText { keys: 4, .. }");
    }

    proptest! {
        #[test]
        fn parts_that_break_the_invariant_are_refused(keys in 4_usize..65, times in prop::collection::vec(any::<f32>(), 0..200)) {
            let shape = Shape::new(vec![KeyZone::Character; keys]).unwrap();
            let sound = times.len() == 3 * keys - 2 && times.iter().all(|t| t.abs() <= 600.0);
            prop_assert_eq!(FixedText::new(shape, times).is_ok(), sound);
        }
    }
}
