/**
 * What leaves the page, in the proto3 JSON form of `keyward.v1.Telemetry`. There is no field for a character, a key code
 * or a text: columns hold integers, flags hold booleans, and the only words are the label and the nonce that the app chose.
 */

/** Coarsely where on the keyboard a key lies: `keyward.v1.KeyZone`. */
export const KeyZone = {
  CHARACTER: 1,
  LEFT_TOP: 2,
  LEFT_HOME: 3,
  LEFT_BOTTOM: 4,
  RIGHT_TOP: 5,
  RIGHT_HOME: 6,
  RIGHT_BOTTOM: 7,
  DIGIT_LEFT: 8,
  DIGIT_RIGHT: 9,
  SPACE: 10,
  ENTER: 11,
  BACKSPACE: 12,
  TAB: 13,
  SHIFT: 14,
  CONTROL: 15,
  NAVIGATION: 16,
  PUNCTUATION: 17,
  KEYPAD: 18,
  OTHER: 19,
} as const;
export type KeyZone = (typeof KeyZone)[keyof typeof KeyZone];

/** The typing into one field, as columns of equal length: the i-th entries describe the i-th key press. */
export interface KeystrokeSample {
  /** The label of the field that the app chose. */
  readonly field: string;
  /** Caret position of each press, in characters; 0 throughout where the field does not tell. */
  readonly position: readonly number[];
  /** Zone of each press. */
  readonly zone: readonly KeyZone[];
  /** When each key went down, in microseconds since the first press. */
  readonly downUs: readonly number[];
  /** When each key came up, in microseconds since the first press. */
  readonly upUs: readonly number[];
  /** Text was pasted or dropped into the field. */
  readonly pasted: boolean;
  /** The browser, a password manager or a script filled the field. */
  readonly autofilled: boolean;
  /** An input method, a soft keyboard or dictation made text without key presses that mean characters. */
  readonly composed: boolean;
  /** The browser's clock is coarser than a millisecond. */
  readonly coarseClock: boolean;
  /** The person's own words, others each time: compared with habits of typing, and with no template of the field. */
  readonly freeText?: boolean;
}

/** Pointer movement, as columns of equal length, thinned out and rounded. */
export interface PointerSample {
  /** Microseconds since the first entry. */
  readonly tUs: readonly number[];
  /** Horizontal position in the window, in CSS pixels. */
  readonly x: readonly number[];
  /** Vertical position in the window, in CSS pixels. */
  readonly y: readonly number[];
  /** Whether a button or a finger is down. */
  readonly pressed: readonly boolean[];
}

/** Everything recorded for one assessment. */
export interface Telemetry {
  /** The nonce from IssueNonce under which it was recorded. */
  readonly nonce?: string;
  /** Typing, at most 8 samples with different labels. */
  readonly keystrokes: readonly KeystrokeSample[];
  /** Pointer movement, where the app asked for it. */
  readonly pointer?: PointerSample;
}

/** Limits of `keyward.v1.Telemetry`. */
export const LIMITS = {
  samples: 8,
  presses: 1024,
  position: 65_535,
  us: 600_000_000,
  pointer: 4096,
  px: 100_000,
  word: 128,
} as const;
