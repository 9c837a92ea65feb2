/** What a person said to having their typing recorded. */
export type ConsentState = 'granted' | 'denied' | 'unasked';

/**
 * A person's say over recording. Nothing is recorded until it is granted; taking it back erases what is in memory. The app
 * asks, and keeps the answer where it keeps its own: the SDK stores nothing. Without consent no telemetry is handed out, and
 * keyward then asks for a passkey where it would have asked typing.
 */
export class Consent {
  #state: ConsentState;
  readonly #listeners = new Set<(state: ConsentState) => void>();

  constructor(state: ConsentState = 'unasked') {
    this.#state = state;
  }

  get state(): ConsentState {
    return this.#state;
  }

  get granted(): boolean {
    return this.#state === 'granted';
  }

  /** Grants recording, from now on. */
  grant(): void {
    this.#become('granted');
  }

  /** Ends recording and erases what was recorded and not yet handed out. */
  deny(): void {
    this.#become('denied');
  }

  /** Calls back at each change; the function given back ends that. */
  subscribe(listener: (state: ConsentState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #become(state: ConsentState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}
