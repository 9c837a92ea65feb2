import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEYS, type Stroke, strokeOf } from './typing.js';

const FOLDER = process.env['KEYWARD_DATA'] ?? '../../../shared/data';
const FILE = join(FOLDER, 'cmu/DSL-StrongPasswordData.csv');

/** The text that everybody typed: .tie5Roanl and Enter. */
const TEXT = '.tie5Roanl';

/**
 * Recordings of people who typed the same password (Killourhy and Maxion 2009), by subject, in the order in which they were
 * made. Nothing where the data is not at hand.
 */
export function recordings(): Map<string, Stroke[][]> | undefined {
  if (!existsSync(FILE)) return undefined;
  const [, ...lines] = readFileSync(FILE, 'utf8').trim().split('\n');
  const people = new Map<string, Stroke[][]>();
  for (const line of lines) {
    const [subject = '', , , ...times] = line.trim().split(',');
    const typed = people.get(subject) ?? [];
    typed.push(strokes(times.map(Number)));
    people.set(subject, typed);
  }
  return people;
}

/** H DD UD for each key but the last, which has H alone; in seconds. */
function strokes(times: number[]): Stroke[] {
  let downMs = 0;
  return [...TEXT, ''].map((character, i) => {
    const upMs = downMs + (times[3 * i] ?? 0) * 1000;
    const stroke = character ? strokeOf(character, downMs, upMs) : { ...KEYS.Enter, downMs, upMs };
    downMs += (times[3 * i + 1] ?? 0) * 1000;
    return stroke;
  });
}
