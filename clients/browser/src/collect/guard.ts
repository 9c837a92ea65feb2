import { KeyZone, LIMITS, type Telemetry } from './telemetry.js';

/** Something was about to leave the page that telemetry has no place for. The text names the place, never the value. */
export class TelemetryGuardError extends Error {
  override readonly name = 'TelemetryGuardError';
}

type Check = (value: unknown, at: string) => unknown;

const LAST_ZONE = KeyZone.OTHER;
// Visible ASCII without braces and bars, as the contract has labels and nonces.
const WORD = /^[!-z~]{1,128}$/;

/**
 * Copies telemetry property by property from a fixed list of names, and throws on anything else. Whatever a bug, a
 * plug-in or a polluted prototype may add to a sample does not get past it.
 *
 * @throws {TelemetryGuardError} naming the place that was refused.
 */
export function guarded(telemetry: unknown): Telemetry {
  return TELEMETRY(telemetry, 'telemetry') as Telemetry;
}

const word: Check = (value, at) =>
  typeof value === 'string' && WORD.test(value) ? value : refuse(at, 'must be 1 to 128 visible ASCII characters');

const flag: Check = (value, at) => (typeof value === 'boolean' ? value : refuse(at, 'must be a boolean'));

const column = (min: number, max: number, length: number): Check =>
  listOf(length, (value, at) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? value
      : refuse(at, `must be an integer from ${min} to ${max}`),
  );

function listOf(max: number, entry: Check): Check {
  return (value, at) => {
    if (!Array.isArray(value) || value.length > max) return refuse(at, `must be a list of at most ${max} entries`);
    // Entries are copied one by one: a list may carry properties and holes of its own.
    return Object.freeze(Array.from(value, (item, i) => entry(item, `${at}[${i}]`)));
  };
}

function record(names: Record<string, Check>, optional: readonly string[], columns: readonly string[]): Check {
  const allowed = new Map(Object.entries(names));
  return (value, at) => {
    if (typeof value !== 'object' || value === null) return refuse(at, 'must be an object');
    const given = value as Record<string, unknown>;
    const copy: Record<string, unknown> = {};
    for (const key of Reflect.ownKeys(given)) {
      const check = typeof key === 'string' ? allowed.get(key) : undefined;
      if (!check) return refuse(at, 'has a property that telemetry does not have');
      copy[key as string] = check(given[key as string], `${at}.${key as string}`);
    }
    for (const name of allowed.keys()) {
      if (!Object.hasOwn(copy, name) && !optional.includes(name)) return refuse(`${at}.${name}`, 'is missing');
    }
    const lengths = columns.map(name => (copy[name] as unknown[]).length);
    if (lengths.some(length => length !== lengths[0])) return refuse(at, 'has columns of different lengths');
    return Object.freeze(copy);
  };
}

const SAMPLE = record(
  {
    field: word,
    position: column(0, LIMITS.position, LIMITS.presses),
    zone: column(KeyZone.CHARACTER, LAST_ZONE, LIMITS.presses),
    downUs: column(0, LIMITS.us, LIMITS.presses),
    upUs: column(0, LIMITS.us, LIMITS.presses),
    pasted: flag,
    autofilled: flag,
    composed: flag,
    coarseClock: flag,
    freeText: flag,
  },
  ['freeText'],
  ['position', 'zone', 'downUs', 'upUs'],
);

const POINTER = record(
  {
    tUs: column(0, LIMITS.us, LIMITS.pointer),
    x: column(-LIMITS.px, LIMITS.px, LIMITS.pointer),
    y: column(-LIMITS.px, LIMITS.px, LIMITS.pointer),
    pressed: listOf(LIMITS.pointer, flag),
  },
  [],
  ['tUs', 'x', 'y', 'pressed'],
);

const TELEMETRY = record(
  { nonce: word, keystrokes: listOf(LIMITS.samples, SAMPLE), pointer: POINTER },
  ['nonce', 'pointer'],
  [],
);

function refuse(at: string, why: string): never {
  throw new TelemetryGuardError(`${at} ${why}`);
}
