import { coarseClock } from './clock.js';
import { PressLog } from './press-log.js';
import { type KeystrokeSample, KeyZone } from './telemetry.js';
import { asSecret, zoneOf } from './zone.js';

/** A field that text is typed into. */
export type TextField = HTMLInputElement | HTMLTextAreaElement;

/** What the app may know about a recording, to help a person. It stays in the page. */
export interface FieldReport {
  readonly label: string;
  /** Key presses that were recorded. */
  readonly presses: number;
  /** Presses whose release was never seen, such as when the window was left; they are not in the sample. */
  readonly lost: number;
  readonly pasted: boolean;
  readonly autofilled: boolean;
  readonly composed: boolean;
}

const MODIFIERS: ReadonlySet<KeyZone> = new Set([KeyZone.SHIFT, KeyZone.CONTROL]);

/** Records the typing into one field. It is handed events and attaches to nothing itself. */
export class FieldRecorder {
  readonly #log = new PressLog();
  #secret = false;
  #pasted = false;
  #autofilled = false;
  #composed = false;
  // Whether a key press that can make text came since the last text.
  #keyed = false;

  constructor(
    readonly label: string,
    readonly field: TextField,
  ) {
    this.#secret = isSecret(field);
  }

  keydown(event: KeyboardEvent): void {
    if (event.repeat) {
      this.#keyed = true;
      return;
    }
    // Soft keyboards, dictation and password managers give events without a physical key.
    if (!event.code || event.code === 'Unidentified') return;
    // A field that shows its password for a moment stays secret.
    this.#secret ||= isSecret(this.field);
    const zone = zoneOf(event.code);
    if (!MODIFIERS.has(zone)) {
      // What was pressed before and wrote nothing into an empty field, such as a Backspace too many, is no part of the text.
      const barren = this.#keyed && this.field.value === '';
      if (barren || (!event.ctrlKey && !event.metaKey && allSelected(this.field))) this.#begin();
      this.#keyed = true;
    }
    // A secret's zones are reduced before they are kept.
    this.#log.down(event.code, this.#secret ? asSecret(zone) : zone, caret(this.field), timeOf(event));
  }

  keyup(event: KeyboardEvent): void {
    // macOS gives no keyup for keys that were held together with Meta.
    if (event.key === 'Meta') this.#log.loseHeld();
    this.#log.up(event.code, timeOf(event));
  }

  input(event: Event): void {
    // An emptied field begins a new sample: what is compared is the text that will be sent.
    if (this.field.value === '') {
      this.#begin();
      return;
    }
    const kind = (event as InputEvent).inputType ?? '';
    if (kind === '' || kind === 'insertReplacementText') this.#autofilled = true;
    else if (kind === 'insertFromPaste' || kind === 'insertFromDrop' || kind === 'insertFromYank') this.#pasted = true;
    else if (kind.startsWith('insert')) {
      if (!this.#keyed || kind.includes('omposition')) this.#composed = true;
      this.#keyed = false;
    }
  }

  composition(): void {
    this.#composed = true;
  }

  /** The window went away: releases will not be seen. */
  left(): void {
    this.#log.loseHeld();
  }

  reset(): void {
    this.#begin();
  }

  /** Whether a key is held whose release the sample still needs. */
  get waiting(): boolean {
    return this.#log.waiting;
  }

  report(): FieldReport {
    const { label } = this;
    const autofilled = this.#filled();
    const { length: presses, lost } = this.#log;
    return { label, presses, lost, pasted: this.#pasted, autofilled, composed: this.#composed };
  }

  /** The sample, or nothing where nothing happened. */
  sample(): KeystrokeSample | undefined {
    const singleLine = this.field.tagName === 'INPUT';
    const columns = this.#log.columns(this.#secret || isSecret(this.field), singleLine);
    const quality = { pasted: this.#pasted, autofilled: this.#filled(), composed: this.#composed };
    const nothing = columns.zone.length === 0 && !quality.pasted && !quality.autofilled && !quality.composed;
    return nothing ? undefined : { field: this.label, ...columns, ...quality, coarseClock: coarseClock() };
  }

  #begin(): void {
    this.#log.clear();
    this.#pasted = false;
    this.#autofilled = false;
    this.#composed = false;
    this.#keyed = false;
  }

  // Some fills give no event at all: there is text that no key, paste or input method accounts for.
  #filled(): boolean {
    const unaccounted = this.#log.length === 0 && !this.#pasted && !this.#composed && this.field.value !== '';
    return this.#autofilled || unaccounted || looksFilled(this.field);
  }
}

/** Whether what is typed into a field is a secret, by its type or by what the app says it is for. */
export function isSecret(field: TextField): boolean {
  const purpose = field.getAttribute('autocomplete') ?? '';
  return (
    field.type === 'password' || /password|one-time-code|cc-/.test(purpose) || field.hasAttribute('data-keyward-secret')
  );
}

/** When an event happened on the page's clock, in milliseconds: the browser's own stamp, which waits for no other code. */
export function timeOf(event: Event): number {
  const now = performance.now();
  // Old browsers stamp with the time of day.
  return event.timeStamp > 0 && event.timeStamp <= now + 1000 ? event.timeStamp : now;
}

// Email and number fields do not tell where the caret is.
function caret(field: TextField): number {
  try {
    return field.selectionStart ?? 0;
  } catch {
    return 0;
  }
}

function allSelected(field: TextField): boolean {
  try {
    const { selectionStart: start, selectionEnd: end } = field;
    return start === 0 && end !== null && end > 0 && end === field.value.length;
  } catch {
    return false;
  }
}

function looksFilled(field: TextField): boolean {
  try {
    return field.matches(':autofill');
  } catch {
    return false;
  }
}
