// @vitest-environment node
import { describe, expect, expectTypeOf, it } from 'vitest';
import { guarded, TelemetryGuardError } from './guard.js';
import type { KeystrokeSample, Telemetry } from './telemetry.js';

const sample = (): Record<string, unknown> => ({
  field: 'password',
  position: [0, 1],
  zone: [1, 1],
  downUs: [0, 180_000],
  upUs: [90_000, 260_000],
  pasted: false,
  autofilled: false,
  composed: false,
  coarseClock: false,
});
const telemetry = (more: Record<string, unknown> = {}) => ({ nonce: 'n-1', keystrokes: [{ ...sample(), ...more }] });

describe('what leaves the page', () => {
  it('is copied and frozen', () => {
    const given = telemetry();
    const out = guarded(given);
    expect(out).toEqual(given);
    expect(out.keystrokes[0]).not.toBe(given.keystrokes[0]);
    expect(Object.isFrozen(out) && Object.isFrozen(out.keystrokes) && Object.isFrozen(out.keystrokes[0]?.zone)).toBe(
      true,
    );
  });

  it('has no place for a text, by its type', () => {
    type Words<T> = { [K in keyof T]: T[K] extends string | undefined ? K : never }[keyof T];
    expectTypeOf<Words<Required<KeystrokeSample>>>().toEqualTypeOf<'field'>();
    expectTypeOf<Words<Required<Telemetry>>>().toEqualTypeOf<'nonce'>();
    expectTypeOf<KeystrokeSample['position'][number]>().toEqualTypeOf<number>();
    expectTypeOf<KeystrokeSample['downUs'][number]>().toEqualTypeOf<number>();
  });

  it.each<[string, unknown]>([
    ['a property of its own', telemetry({ key: ['h', 'u'] })],
    ['a property at the top', { ...telemetry(), text: 'hunter2' }],
    ['a symbol', { ...telemetry(), [Symbol('hunter2')]: 1 }],
    ['text in a column', telemetry({ zone: ['h', 'u'] })],
    ['a number that is text', telemetry({ position: ['0', '1'] })],
    ['a code point hidden in a zone', telemetry({ zone: [104, 117] })],
    ['a fraction', telemetry({ downUs: [0.5, 2] })],
    ['a negative time', telemetry({ downUs: [-1, 2] })],
    ['a time beyond ten minutes', telemetry({ upUs: [1, 600_000_001] })],
    ['a position beyond the contract', telemetry({ position: [0, 65_536] })],
    ['columns of different lengths', telemetry({ zone: [1] })],
    ['a hole in a column', telemetry({ zone: new Array(2) })],
    ['text for a flag', telemetry({ pasted: 'hunter2' })],
    ['a label with a space', telemetry({ field: 'my secret' })],
    ['a label that is long', telemetry({ field: 'x'.repeat(129) })],
    ['a missing column', telemetry({ zone: undefined })],
    ['nine samples', { keystrokes: Array.from({ length: 9 }, sample) }],
    ['something else', 'hunter2'],
    ['nothing', null],
  ])('is refused with %s, and the error does not repeat it', (_, value) => {
    expect(() => guarded(value)).toThrow(TelemetryGuardError);
    try {
      guarded(value);
    } catch (error) {
      expect(String(error)).not.toContain('hunter2');
    }
  });

  it('does not take names from a prototype', () => {
    const polluted = Object.assign(Object.create({ text: 'hunter2' }), telemetry());
    expect(JSON.stringify(guarded(polluted))).not.toContain('hunter2');
    expect(() => guarded({ ...telemetry(), constructor: 'hunter2' })).toThrow(TelemetryGuardError);
  });

  it('leaves properties of a list behind', () => {
    const zone = Object.assign([1, 1], { text: 'hunter2' });
    expect(guarded(telemetry({ zone })).keystrokes[0]?.zone).not.toHaveProperty('text');
  });
});
