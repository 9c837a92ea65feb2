import { KeyZone } from './telemetry.js';

const ZONES: readonly [KeyZone, string][] = [
  [KeyZone.LEFT_TOP, 'KeyQ KeyW KeyE KeyR KeyT'],
  [KeyZone.LEFT_HOME, 'KeyA KeyS KeyD KeyF KeyG'],
  [KeyZone.LEFT_BOTTOM, 'KeyZ KeyX KeyC KeyV KeyB'],
  [KeyZone.RIGHT_TOP, 'KeyY KeyU KeyI KeyO KeyP'],
  [KeyZone.RIGHT_HOME, 'KeyH KeyJ KeyK KeyL'],
  [KeyZone.RIGHT_BOTTOM, 'KeyN KeyM'],
  [KeyZone.DIGIT_LEFT, 'Digit1 Digit2 Digit3 Digit4 Digit5'],
  [KeyZone.DIGIT_RIGHT, 'Digit6 Digit7 Digit8 Digit9 Digit0'],
  [KeyZone.SPACE, 'Space'],
  [KeyZone.ENTER, 'Enter NumpadEnter'],
  [KeyZone.BACKSPACE, 'Backspace Delete'],
  [KeyZone.TAB, 'Tab'],
  [KeyZone.SHIFT, 'ShiftLeft ShiftRight'],
  [KeyZone.CONTROL, 'ControlLeft ControlRight AltLeft AltRight MetaLeft MetaRight OSLeft OSRight'],
  [KeyZone.NAVIGATION, 'ArrowLeft ArrowRight ArrowUp ArrowDown Home End PageUp PageDown'],
  [
    KeyZone.PUNCTUATION,
    'Comma Period Slash Semicolon Quote BracketLeft BracketRight Backslash IntlBackslash IntlRo IntlYen Minus Equal Backquote',
  ],
];

const ZONE_OF = new Map(ZONES.flatMap(([zone, codes]) => codes.split(' ').map(code => [code, zone] as const)));

// Keys that make no character, and so tell nothing of a secret's.
const TOLD_IN_SECRETS = new Set<KeyZone>([
  KeyZone.ENTER,
  KeyZone.BACKSPACE,
  KeyZone.TAB,
  KeyZone.SHIFT,
  KeyZone.CONTROL,
  KeyZone.NAVIGATION,
  KeyZone.OTHER,
]);

/** The zone of a physical key. The code is looked at here, and is in no sample. */
export function zoneOf(code: string): KeyZone {
  return ZONE_OF.get(code) ?? (code.startsWith('Numpad') ? KeyZone.KEYPAD : KeyZone.OTHER);
}

/** What a secret tells of a key's zone: `CHARACTER` for every key that may make a character. */
export function asSecret(zone: KeyZone): KeyZone {
  return TOLD_IN_SECRETS.has(zone) ? zone : KeyZone.CHARACTER;
}
