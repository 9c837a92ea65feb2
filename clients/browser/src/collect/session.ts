import { coarseClock } from './clock.js';
import type { Consent } from './consent.js';
import { isSecret, type TextField, timeOf } from './field.js';
import { guarded } from './guard.js';
import { PressLog } from './press-log.js';
import type { Telemetry } from './telemetry.js';
import { zoneOf } from './zone.js';

export interface SessionOptions {
  /** The label of the samples, the same in every session of the app. */
  label: string;
  /** Takes a batch to the app's back end. The next one waits until this is done. */
  onBatch: (telemetry: Telemetry) => Promise<unknown> | unknown;
  /** The person's say; without it the app answers for having asked. */
  consent?: Consent;
  /** A nonce for each batch, from IssueNonce by way of the app's back end. */
  nonce?: () => Promise<string> | string;
  /** How many presses make a batch; 200 unless told, at most 1024. */
  presses?: number;
  /** How many batches may wait; 4 unless told. The oldest is dropped for a newer one. */
  waiting?: number;
}

export interface SessionReport {
  /** Batches that `onBatch` took. */
  readonly sent: number;
  /** Batches that `onBatch` refused. */
  readonly failed: number;
  /** Batches that were dropped, because too many waited. */
  readonly dropped: number;
  /** Batches that wait now. */
  readonly waiting: number;
}

export interface SessionCollector {
  report(): SessionReport;
  /** Hands out what there is as a batch of its own. */
  flush(): void;
  /** Ends recording and erases what was not handed out. */
  stop(): void;
}

/** The least presses that a batch is worth sending with. */
const LEAST = 20;
/** A pause after which a batch ends, in milliseconds: what comes later is another piece of work. */
const PAUSE_MS = 30_000;

/**
 * Records free typing in a running session: keys in any text field below `root`, but never in a secret one or below
 * `data-keyward-ignore`. Places are not told, so that batches show no text's structure. Recording stops while the page is
 * hidden.
 */
export function collectSession(root: Document | HTMLElement, options: SessionOptions): SessionCollector {
  return new Batches(root, options);
}

class Batches implements SessionCollector {
  readonly #log = new PressLog();
  readonly #queue: Telemetry[] = [];
  readonly #end = new AbortController();
  readonly #presses: number;
  #busy = false;
  #lastMs = 0;
  #composed = false;
  #sent = 0;
  #failed = 0;
  #dropped = 0;

  constructor(
    readonly root: Document | HTMLElement,
    readonly options: SessionOptions,
  ) {
    this.#presses = Math.min(options.presses ?? 200, 1024);
    const on = { capture: true, passive: true, signal: this.#end.signal };
    root.addEventListener('keydown', event => this.#keydown(event as KeyboardEvent), on);
    root.addEventListener('compositionstart', () => this.#composing(), on);
    window.addEventListener('keyup', event => this.#keyup(event), on);
    window.addEventListener('blur', event => event.target instanceof Node || this.#log.loseHeld(), on);
    document.addEventListener('visibilitychange', () => document.hidden && this.#hidden(), on);
    const unsubscribe = options.consent?.subscribe(() => this.#consented || this.#erase());
    if (unsubscribe) this.#end.signal.addEventListener('abort', unsubscribe);
  }

  report(): SessionReport {
    return { sent: this.#sent, failed: this.#failed, dropped: this.#dropped, waiting: this.#queue.length };
  }

  flush(): void {
    const columns = this.#log.columns(false, false);
    const position = columns.zone.map(() => 0);
    // Paste and autofill put text between the keys that are recorded, and take nothing from them.
    const quality = { pasted: false, autofilled: false, composed: this.#composed, coarseClock: coarseClock() };
    const sample = { field: this.options.label, ...columns, position, ...quality, freeText: true };
    this.#clear();
    if (sample.zone.length >= LEAST && this.#consented) this.#enqueue(guarded({ keystrokes: [sample] }));
  }

  stop(): void {
    this.#end.abort();
    this.#erase();
  }

  get #consented(): boolean {
    return this.options.consent?.granted ?? true;
  }

  #keydown(event: KeyboardEvent): void {
    if (event.repeat || document.hidden || !this.#consented || !event.code || event.code === 'Unidentified') return;
    // The first of the path is the field itself, also within a shadow tree.
    if (!isOpenText(event.composedPath()[0])) return;
    const ms = timeOf(event);
    if (this.#log.length > 0 && ms - this.#lastMs > PAUSE_MS) this.flush();
    this.#lastMs = ms;
    this.#log.down(event.code, zoneOf(event.code), 0, ms);
  }

  #keyup(event: KeyboardEvent): void {
    if (event.key === 'Meta') this.#log.loseHeld();
    this.#log.up(event.code, timeOf(event));
    // Between presses, so that no hold is cut in two; a fast typist always holds something, and is cut then.
    const full = this.#log.length >= this.#presses;
    if (full && (!this.#log.waiting || this.#log.length >= Math.min(this.#presses + 20, 1024))) this.flush();
  }

  #composing(): void {
    this.#composed = true;
  }

  #hidden(): void {
    this.#log.loseHeld();
    this.flush();
  }

  #clear(): void {
    this.#log.clear();
    this.#composed = false;
  }

  #erase(): void {
    this.#clear();
    this.#queue.length = 0;
  }

  #enqueue(telemetry: Telemetry): void {
    this.#queue.push(telemetry);
    if (this.#queue.length > (this.options.waiting ?? 4)) {
      this.#queue.shift();
      this.#dropped++;
    }
    if (!this.#busy) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      try {
        const nonce = await this.options.nonce?.();
        await this.options.onBatch(nonce === undefined ? next : guarded({ nonce, ...next }));
        this.#sent++;
      } catch {
        // What could not be sent is not kept: behaviour is a signal, and its absence only asks for more.
        this.#failed++;
      }
    }
    this.#busy = false;
  }
}

/** Whether somebody types text there that is no secret and that the app did not exclude. */
function isOpenText(target: EventTarget | undefined): boolean {
  if (!(target instanceof HTMLElement) || target.closest('[data-keyward-ignore]')) return false;
  if (target.isContentEditable) return true;
  const isField = target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && isTextual(target));
  return isField && !isSecret(target as TextField);
}

function isTextual(input: HTMLInputElement): boolean {
  return ['text', 'search', 'email', 'url', 'tel'].includes(input.type);
}
