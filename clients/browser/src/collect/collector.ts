import { coarseClock } from './clock.js';
import type { Consent } from './consent.js';
import { FieldRecorder, type FieldReport, type TextField } from './field.js';
import { guarded } from './guard.js';
import { PointerRecorder } from './pointer.js';
import { type KeystrokeSample, LIMITS, type Telemetry } from './telemetry.js';

/** How long `finish` waits for keys that are still held, in milliseconds: rolled-over keys come up within it. */
const RELEASE_MS = 250;

export interface CollectOptions {
  /** The label of the one field; in a form each field has its own in `data-keyward`. */
  label?: string;
  /** The nonce from IssueNonce under which the recording is made. */
  nonce?: string;
  /** The person's say; without it the app answers for having asked. */
  consent?: Consent;
  /** Whether to record the pointer too. No decision depends on it yet, so it is off unless asked for. */
  pointer?: boolean;
  /** The name of a hidden input of the form, for a form that the browser itself sends: it carries the telemetry as JSON. */
  output?: string;
}

export interface Collector {
  /** What was recorded, once keys that are still held came up. Nothing where there is no consent. */
  finish(): Promise<Telemetry | undefined>;
  /** The same at once, without the keys that are still held. */
  read(): Telemetry | undefined;
  /** Begins anew, under a new nonce if one is given: for another attempt. */
  reset(nonce?: string): void;
  /** What the page may tell a person about the recording; it is in no telemetry. */
  report(): FieldReport[];
  /** Ends recording and erases what was recorded. */
  stop(): void;
}

/**
 * Records typing into a field, or into each field of a form that has a `data-keyward` label. What is recorded is in
 * {@link Telemetry}; nothing is sent or stored.
 */
export function collect(target: HTMLFormElement | TextField, options: CollectOptions = {}): Collector {
  return new FormCollector(target, options);
}

class FormCollector implements Collector {
  readonly #recorders = new Map<string, FieldRecorder>();
  readonly #pointer: PointerRecorder | undefined;
  readonly #end = new AbortController();
  #nonce: string | undefined;

  constructor(
    readonly target: HTMLFormElement | TextField,
    readonly options: CollectOptions,
  ) {
    this.#nonce = options.nonce;
    this.#pointer = options.pointer ? new PointerRecorder() : undefined;
    // Measured now rather than between a click and its answer.
    coarseClock();
    this.#listen();
  }

  async finish(): Promise<Telemetry | undefined> {
    await this.#released();
    return this.read();
  }

  read(): Telemetry | undefined {
    if (!this.#consented) return undefined;
    this.#findFilled();
    const keystrokes = [...this.#recorders.values()].map(recorder => recorder.sample()).filter(isSample);
    const pointer = this.#pointer?.sample();
    return guarded({ ...(this.#nonce && { nonce: this.#nonce }), keystrokes, ...(pointer && { pointer }) });
  }

  reset(nonce?: string): void {
    if (nonce !== undefined) this.#nonce = nonce;
    for (const recorder of this.#recorders.values()) recorder.reset();
    this.#pointer?.reset();
  }

  report(): FieldReport[] {
    return [...this.#recorders.values()].map(recorder => recorder.report());
  }

  stop(): void {
    this.#end.abort();
    this.#recorders.clear();
    this.#pointer?.reset();
  }

  get #consented(): boolean {
    return this.options.consent?.granted ?? true;
  }

  get #waiting(): boolean {
    return [...this.#recorders.values()].some(recorder => recorder.waiting);
  }

  #listen(): void {
    const { target } = this;
    const signal = this.#end.signal;
    // Capture: the app may stop events on their way up.
    const on = { capture: true, passive: true, signal };
    const field = (act: (recorder: FieldRecorder, event: Event) => void) => (event: Event) => {
      const recorder = this.#consented ? this.#recorderOf(event.target) : undefined;
      if (recorder) act(recorder, event);
    };
    target.addEventListener(
      'keydown',
      field((r, e) => r.keydown(e as KeyboardEvent)),
      on,
    );
    target.addEventListener(
      'input',
      field((r, e) => r.input(e)),
      on,
    );
    target.addEventListener(
      'compositionstart',
      field(r => r.composition()),
      on,
    );
    // A key may come up anywhere: Tab and Enter move the focus while they are held.
    window.addEventListener('keyup', e => this.#each(r => r.keyup(e)), on);
    window.addEventListener('blur', e => e.target instanceof Node || this.#each(r => r.left()), on);
    document.addEventListener('visibilitychange', () => document.hidden && this.#each(r => r.left()), on);
    const unsubscribe = this.options.consent?.subscribe(() => this.#consented || this.reset());
    if (unsubscribe) signal.addEventListener('abort', unsubscribe);
    if (this.#pointer) this.#listenToPointer(this.#pointer, on);
    if (this.options.output)
      target.addEventListener('submit', e => this.#submit(e as SubmitEvent), { capture: true, signal });
  }

  #listenToPointer(pointer: PointerRecorder, on: AddEventListenerOptions): void {
    for (const kind of ['pointermove', 'pointerdown', 'pointerup'] as const) {
      window.addEventListener(kind, event => this.#consented && pointer.move(event), on);
    }
  }

  #each(act: (recorder: FieldRecorder) => void): void {
    for (const recorder of this.#recorders.values()) act(recorder);
  }

  // Fields are found as they are typed into, so that a form may be drawn anew at any time.
  #recorderOf(target: EventTarget | null): FieldRecorder | undefined {
    const label = isTextField(target) ? this.#labelOf(target) : undefined;
    if (!label) return undefined;
    const known = this.#recorders.get(label);
    if (known?.field === target) return known;
    if (!known && this.#recorders.size >= LIMITS.samples) return undefined;
    const recorder = new FieldRecorder(label, target as TextField);
    this.#recorders.set(label, recorder);
    return recorder;
  }

  #labelOf(field: TextField): string | undefined {
    const own = field === this.target ? this.options.label : undefined;
    return own ?? field.dataset.keyward;
  }

  // A field that was filled without any event is told of as well.
  #findFilled(): void {
    const { target } = this;
    const fields = target instanceof HTMLFormElement ? target.querySelectorAll('[data-keyward]') : [target];
    for (const field of fields) this.#recorderOf(field);
  }

  #released(): Promise<void> {
    if (!this.#waiting) return Promise.resolve();
    return new Promise(resolve => {
      const done = new AbortController();
      const finish = () => {
        done.abort();
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(finish, RELEASE_MS);
      // Registered later than the recorders' own listeners, so these come after them.
      const on = { capture: true, signal: done.signal };
      window.addEventListener('keyup', () => this.#waiting || finish(), on);
      window.addEventListener('blur', () => this.#waiting || finish(), on);
    });
  }

  #submit(event: SubmitEvent): void {
    const form = event.target as HTMLFormElement;
    const output = form.elements.namedItem(this.options.output ?? '') as HTMLInputElement | null;
    if (!output) return;
    if (!this.#waiting) {
      const telemetry = this.read();
      output.value = telemetry ? JSON.stringify(telemetry) : '';
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    void this.#released().then(() => {
      this.#each(recorder => recorder.left());
      form.requestSubmit(submitter);
    });
  }
}

function isTextField(target: EventTarget | null): target is TextField {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

function isSample(sample: KeystrokeSample | undefined): sample is KeystrokeSample {
  return sample !== undefined;
}
