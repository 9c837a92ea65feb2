// @vitest-environment node
import { expect, it } from 'vitest';
import { KeyZone } from './telemetry.js';
import { asSecret, zoneOf } from './zone.js';

it('says coarsely where a key lies', () => {
  const zones = ['KeyQ', 'KeyG', 'KeyB', 'KeyY', 'KeyH', 'KeyM', 'Digit5', 'Digit6', 'Space', 'Numpad7'].map(zoneOf);
  expect(zones).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 18]);
  expect(zoneOf('F5')).toBe(KeyZone.OTHER);
  expect(zoneOf('NumpadEnter')).toBe(KeyZone.ENTER);
});

it('tells of a secret no more than that a character was made', () => {
  const makesCharacters = 'KeyQ KeyA KeyZ KeyP KeyL KeyN Digit1 Digit0 Space Minus Numpad7 NumpadAdd IntlRo'.split(' ');
  for (const code of makesCharacters) expect(asSecret(zoneOf(code)), code).toBe(KeyZone.CHARACTER);
  const kept = ['ShiftLeft', 'Backspace', 'Enter', 'Tab', 'ArrowLeft', 'ControlRight'].map(code =>
    asSecret(zoneOf(code)),
  );
  expect(kept).toEqual([14, 12, 11, 13, 16, 15]);
});
