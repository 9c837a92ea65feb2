import { authenticate, endCeremony, type Hint, PromptCode, PromptError } from '../prompt/index.js';
import { challengeOf, type Decision, evidenceOf, outcomeOf, type StepUpAnswer } from './decision.js';
import { rejection } from './reasons.js';
import { styles } from './styles.js';
import { languageOf, promptText, type Texts, textsFor } from './texts/index.js';
import { type Press, type View, view } from './view.js';

/** What `ask` is given to carry its answers. */
export interface StepUpHandlers {
  /** Takes the answer to CompleteStepUp, by way of the app's back end, and gives the new decision as JSON. */
  complete(answer: StepUpAnswer): Promise<Decision>;
  /** Asks the question anew (Assess) and gives its decision: for a challenge that ran out or was spent. */
  renew?(): Promise<Decision>;
}

/** How a step-up ended. */
export interface StepUpResult {
  readonly outcome: 'allowed' | 'denied' | 'cancelled';
  /** The last decision. */
  readonly decision: Decision;
}

/** The least that a justification must have, as the contract says. */
const LEAST_JUSTIFICATION = 10;

/** After these the challenge is of no use any more, or may not be. */
const OVER: ReadonlySet<PromptCode> = new Set([
  PromptCode.CHALLENGE_EXPIRED,
  PromptCode.TIMED_OUT,
  PromptCode.NO_AUTHENTICATOR,
]);

// Where there is no DOM, as on a server, the class can still be named.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** A modal dialog that asks for what a decision asks for. One at a time; `ask` again ends the one before. */
export class KeywardStepUp extends Base {
  readonly #dialog: HTMLDialogElement;
  #view: View | undefined;
  #decision: Decision = {};
  #handlers: StepUpHandlers | undefined;
  #resolve: ((result: StepUpResult) => void) | undefined;
  #busy: 'no' | 'prompt' | 'server' = 'no';
  // Whether the challenge at hand may have been used up.
  #spent = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styles()];
    this.#dialog = document.createElement('dialog');
    this.#dialog.setAttribute('part', 'dialog');
    this.#dialog.setAttribute('aria-labelledby', 'title');
    this.#dialog.setAttribute('aria-describedby', 'about');
    this.#dialog.addEventListener('cancel', event => this.#escape(event));
    this.#dialog.addEventListener('close', () => this.#closed());
    root.append(this.#dialog);
  }

  disconnectedCallback(): void {
    this.#end('cancelled');
  }

  /** Asks for what the decision asks for, until it is allowed, denied or cancelled. */
  ask(decision: Decision, handlers: StepUpHandlers): Promise<StepUpResult> {
    this.#end('cancelled');
    if (outcomeOf(decision) === 'ALLOW') return Promise.resolve({ outcome: 'allowed', decision });
    this.#handlers = handlers;
    this.#spent = false;
    return new Promise(resolve => {
      this.#resolve = resolve;
      this.#draw(decision);
      this.#dialog.showModal();
      this.#focus();
    });
  }

  get #texts(): Texts {
    return textsFor(this.#language);
  }

  get #language(): string {
    const inherited = this.closest('[lang]')?.getAttribute('lang');
    return languageOf(inherited || navigator.language);
  }

  #draw(decision: Decision): void {
    const justification = this.#view?.justification?.value;
    this.#decision = decision;
    this.#view = view(decision, this.#texts, what => void this.#pressed(what));
    this.#dialog.replaceChildren(this.#view.content);
    this.#dialog.lang = this.#language;
    this.#dialog.dir = this.#texts.dir;
    const field = this.#view.justification;
    if (field && justification) field.value = justification;
    field?.addEventListener('input', () => this.#tell(''));
  }

  #focus(): void {
    (this.#view?.justification ?? this.#view?.buttons[0])?.focus();
  }

  async #pressed(what: Press): Promise<void> {
    if (what === 'cancel') return this.#busy === 'server' ? undefined : this.#end(this.#declined());
    // A second press while the first one is under way is none.
    if (this.#busy !== 'no') return;
    const justification = this.#view?.justification?.value.trim();
    if (justification !== undefined && [...justification].length < LEAST_JUSTIFICATION) {
      this.#view?.justification?.focus();
      return this.#tell(this.#texts.justificationShort, true);
    }
    this.#tell('');
    try {
      await this.#answer(what === 'hybrid' || what === 'security-key' ? what : undefined, justification);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#wait('no');
    }
  }

  async #answer(hint: Hint | undefined, justification: string | undefined): Promise<void> {
    const handlers = this.#handlers;
    if (this.#stale && handlers?.renew) {
      this.#wait('server');
      const fresh = await handlers.renew();
      this.#spent = false;
      if (!this.#take(handlers, fresh)) return;
      // The new decision may ask for something else, which the person should read first.
      if (!this.#dialog.open || !challengeOf(fresh)) return;
    }
    const challenge = challengeOf(this.#decision);
    if (!handlers || !challenge) return;
    this.#wait('prompt');
    const assertion = await authenticate(challenge, undefined, hint);
    this.#wait('server');
    this.#spent = true;
    const breakGlass = justification === undefined ? {} : { breakGlass: { justification } };
    this.#take(handlers, await handlers.complete({ assertion, ...breakGlass }));
  }

  /** Goes on with a new decision; whether it asks for the same as before. */
  #take(handlers: StepUpHandlers, decision: Decision): boolean {
    // Another question may have been asked meanwhile.
    if (this.#handlers !== handlers) return false;
    const asked = evidenceOf(this.#decision);
    const outcome = outcomeOf(decision);
    if (outcome === 'ALLOW') {
      this.#decision = decision;
      this.#end('allowed');
      return false;
    }
    this.#spent = false;
    this.#draw(decision);
    this.#focus();
    const code = rejection(decision);
    if (outcome === 'STEP_UP' && code) this.#tell(promptText(code, this.#language), true);
    return outcome === 'STEP_UP' && evidenceOf(decision) === asked;
  }

  /** Whether the challenge at hand is of no use any more. */
  get #stale(): boolean {
    const expires = Date.parse(this.#decision.stepUp?.expiresAt ?? '');
    return this.#spent || expires < Date.now();
  }

  #failed(error: unknown): void {
    if (!this.#resolve) return;
    // An error of the app's may carry a code of ours, such as CHALLENGE_EXPIRED.
    const code = error instanceof PromptError ? error.code : codeIn(error);
    if (code && OVER.has(code)) this.#spent = true;
    this.#tell(code ? promptText(code, this.#language) : this.#texts.unreachable, code !== PromptCode.SUPERSEDED);
  }

  #tell(text: string, isError = false): void {
    if (!this.#view) return;
    this.#view.alert.textContent = text;
    const field = this.#view.justification;
    if (isError && field) field.setAttribute('aria-invalid', String(field.value.trim().length < LEAST_JUSTIFICATION));
    else field?.removeAttribute('aria-invalid');
  }

  #wait(busy: 'no' | 'prompt' | 'server'): void {
    this.#busy = busy;
    if (!this.#view) return;
    const { waiting, checking } = this.#texts;
    this.#view.status.textContent = busy === 'prompt' ? waiting : busy === 'server' ? checking : '';
    for (const button of this.#view.buttons) {
      const frozen = busy === 'server' || (busy === 'prompt' && button !== this.#view.buttons.at(-1));
      // Not `disabled`, which would throw the focus away.
      if (frozen) button.setAttribute('aria-disabled', 'true');
      else button.removeAttribute('aria-disabled');
    }
  }

  // While keyward is asked the answer is on its way, and may be an ALLOW.
  #escape(event: Event): void {
    if (this.#busy === 'server') event.preventDefault();
  }

  #closed(): void {
    this.#end(this.#declined());
  }

  #declined(): 'denied' | 'cancelled' {
    return outcomeOf(this.#decision) === 'DENY' ? 'denied' : 'cancelled';
  }

  #end(outcome: StepUpResult['outcome']): void {
    const resolve = this.#resolve;
    if (!resolve) return;
    this.#resolve = undefined;
    this.#handlers = undefined;
    if (this.#busy === 'prompt') endCeremony();
    // The dialog gives the focus back to where it was.
    if (this.#dialog.open) this.#dialog.close();
    this.#view = undefined;
    this.#dialog.replaceChildren();
    resolve({ outcome, decision: this.#decision });
  }
}

function codeIn(error: unknown): PromptCode | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && Object.hasOwn(PromptCode, code) ? (code as PromptCode) : undefined;
}

/** Makes `<keyward-step-up>` known to the page. */
export function defineStepUp(name = 'keyward-step-up'): void {
  if (!customElements.get(name)) customElements.define(name, KeywardStepUp);
}

declare global {
  interface HTMLElementTagNameMap {
    'keyward-step-up': KeywardStepUp;
  }
}
