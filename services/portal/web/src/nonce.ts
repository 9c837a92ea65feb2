import { post } from './api';

/** A nonce is good for ten minutes at keyward; a little less here. */
const GOOD_MS = 8 * 60_000;

/** Nonces for one form: fetched when somebody begins to type, used once. */
export class Nonces {
  #next: { readonly nonce: Promise<string | undefined>; readonly at: number } | undefined;

  /** Fetches one, unless a good one is there. */
  prepare(): void {
    if (this.#next && performance.now() - this.#next.at < GOOD_MS) return;
    const fetched = post<{ nonce: string }>('/nonce').then(
      answer => answer.nonce,
      // Without one keyward is stricter; the form works all the same.
      () => undefined,
    );
    this.#next = { nonce: fetched, at: performance.now() };
  }

  /** The one that was prepared; it is used up. */
  async take(): Promise<string | undefined> {
    this.prepare();
    const nonce = this.#next?.nonce;
    this.#next = undefined;
    return nonce;
  }
}
