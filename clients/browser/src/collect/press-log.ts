import { KeyZone, LIMITS } from './telemetry.js';
import { asSecret } from './zone.js';

interface Press {
  readonly zone: KeyZone;
  readonly position: number;
  readonly downMs: number;
  upMs: number | undefined;
}

/** The columns of a sample. */
export interface Columns {
  readonly position: number[];
  readonly zone: KeyZone[];
  readonly downUs: number[];
  readonly upUs: number[];
}

// Keys that add nothing to the text when nothing follows them: they leave the field or send the form.
const LEAVING: ReadonlySet<KeyZone> = new Set([KeyZone.TAB, KeyZone.ENTER, KeyZone.SHIFT, KeyZone.CONTROL]);

/**
 * Key presses in the order in which they went down. A key's code is kept while the key is held, to know its release, and
 * forgotten then. Presses whose release was never seen are lost: a guessed hold would be a false time.
 */
export class PressLog {
  #presses: Press[] = [];
  readonly #held = new Map<string, Press>();
  #last = 0;
  #lost = 0;

  /** A key went down, at a time of the page's clock. Beyond the contract's limits nothing more is recorded. */
  down(code: string, zone: KeyZone, position: number, ms: number): void {
    this.#forget(code);
    const first = this.#presses[0]?.downMs ?? ms;
    if (this.#presses.length >= LIMITS.presses || (ms - first) * 1000 > LIMITS.us) return;
    const press: Press = { zone, position: clamp(position), downMs: Math.max(ms, this.#last), upMs: undefined };
    this.#last = press.downMs;
    this.#presses.push(press);
    this.#held.set(code, press);
  }

  /** A key came up; other fields' keys are none of ours. */
  up(code: string, ms: number): void {
    const press = this.#held.get(code);
    if (press) press.upMs = Math.max(ms, press.downMs);
    this.#held.delete(code);
  }

  /** Releases will not be seen any more: the window lost the keyboard. */
  loseHeld(): void {
    for (const code of [...this.#held.keys()]) this.#forget(code);
  }

  /** Begins anew. Releases of keys that are held now are of no interest any more. */
  clear(): void {
    this.#presses = [];
    this.#held.clear();
    this.#last = 0;
    this.#lost = 0;
  }

  /** Whether a key is held whose release the sample still needs. */
  get waiting(): boolean {
    return [...this.#held.values()].some(press => !LEAVING.has(press.zone));
  }

  /** How many presses. */
  get length(): number {
    return this.#presses.length;
  }

  /** How many presses had no release that was seen. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * The presses that were released. In a secret their zones tell no more than a secret may. With `untilText` the keys at
   * the end that left the field are left out, so that a text has one shape whether Enter, Tab or a click ended it.
   */
  columns(secret: boolean, untilText: boolean): Columns {
    const released = this.#presses.filter(press => press.upMs !== undefined);
    if (untilText) {
      while (LEAVING.has(released.at(-1)?.zone ?? KeyZone.CHARACTER)) released.pop();
    }
    const start = released[0]?.downMs ?? 0;
    const us = (ms: number) => Math.min(Math.round((ms - start) * 1000), LIMITS.us);
    return {
      position: released.map(press => press.position),
      zone: released.map(press => (secret ? asSecret(press.zone) : press.zone)),
      downUs: released.map(press => us(press.downMs)),
      upUs: released.map(press => us(press.upMs ?? press.downMs)),
    };
  }

  /** A key that is held and will give no release. */
  #forget(code: string): void {
    const press = this.#held.get(code);
    if (!press) return;
    this.#held.delete(code);
    this.#presses.splice(this.#presses.indexOf(press), 1);
    this.#lost++;
  }
}

function clamp(position: number): number {
  return Math.min(Math.max(position, 0), LIMITS.position);
}
