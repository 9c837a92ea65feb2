import { timeOf } from './field.js';
import { LIMITS, type PointerSample } from './telemetry.js';

/** At most one entry in so many milliseconds. */
const EVERY_MS = 50;
/** Places are rounded to so many CSS pixels. */
const GRID_PX = 4;

/** Records where the pointer goes: twenty times a second at most, on a coarse grid, whatever lies under it. */
export class PointerRecorder {
  #t: number[] = [];
  #x: number[] = [];
  #y: number[] = [];
  #pressed: boolean[] = [];

  move(event: PointerEvent): void {
    const ms = timeOf(event);
    const pressed = event.buttons !== 0;
    const last = this.#t.at(-1);
    const soon = last !== undefined && ms - last < EVERY_MS && pressed === this.#pressed.at(-1);
    const full = this.#t.length >= LIMITS.pointer || (ms - (this.#t[0] ?? ms)) * 1000 > LIMITS.us;
    if (soon || full) return;
    this.#t.push(Math.max(ms, last ?? ms));
    this.#x.push(coarse(event.clientX));
    this.#y.push(coarse(event.clientY));
    this.#pressed.push(pressed);
  }

  reset(): void {
    this.#t = [];
    this.#x = [];
    this.#y = [];
    this.#pressed = [];
  }

  sample(): PointerSample | undefined {
    const start = this.#t[0];
    if (start === undefined) return undefined;
    const tUs = this.#t.map(ms => Math.round((ms - start) * 1000));
    return { tUs, x: this.#x.slice(), y: this.#y.slice(), pressed: this.#pressed.slice() };
  }
}

function coarse(px: number): number {
  // Adding 0 makes a negative zero, which JSON and integers do not know, a zero.
  return Math.min(Math.max(Math.round(px / GRID_PX) * GRID_PX, -LIMITS.px), LIMITS.px) + 0;
}
