import { credentialJson } from './credential.js';
import { PromptCode, PromptError } from './error.js';
import { nameError } from './name-error.js';

/** A ceremony that keyward began: BeginRegistrationResponse, BeginAuthenticationResponse or a decision's StepUp as JSON. */
export interface Begun {
  readonly ceremonyId: string;
  readonly optionsJson: string;
}

/** What the browser answered: `keyward.v1.PasskeyAssertion`, and the same two fields of FinishRegistrationRequest. */
export interface Answer {
  readonly ceremonyId: string;
  readonly credentialJson: string;
}

// A browser knows one ceremony at a time. A new one ends the one before, and waits until the browser let go of it: else a
// modal prompt and conditional UI fail with "a request is already pending".
let current: { readonly abort: AbortController; readonly done: Promise<unknown> } | undefined;

/** One prompt. */
interface Prompt {
  readonly kind: 'create' | 'get';
  readonly begun: Begun;
  readonly timeoutMs: number | undefined;
  readonly ask: (signal: AbortSignal) => Promise<Credential | null>;
  readonly signal: AbortSignal | undefined;
}

/** Runs one ceremony in the place of any other, and names what goes wrong. */
export async function ceremony(prompt: Prompt): Promise<Answer> {
  const abort = new AbortController();
  const signal = prompt.signal ? AbortSignal.any([abort.signal, prompt.signal]) : abort.signal;
  const done = after(current, () => run(prompt, signal));
  current = { abort, done };
  const credential = await done;
  return { ceremonyId: prompt.begun.ceremonyId, credentialJson: credentialJson(credential) };
}

/** Ends the ceremony that runs, if one does. */
export function endCeremony(): void {
  current?.abort.abort();
}

async function after<T>(before: typeof current, next: () => Promise<T>): Promise<T> {
  before?.abort.abort();
  await before?.done.catch(() => undefined);
  return next();
}

async function run({ kind, timeoutMs, ask }: Prompt, signal: AbortSignal): Promise<PublicKeyCredential> {
  const opened = performance.now();
  try {
    signal.throwIfAborted();
    const credential = await ask(signal);
    if (!credential) throw new PromptError(PromptCode.FAILED);
    return credential as PublicKeyCredential;
  } catch (error) {
    const named = nameError(error, { kind, openMs: performance.now() - opened, timeoutMs, aborted: signal.aborted });
    throw await explained(named);
  }
}

// Browsers do not say that there was nothing that could have answered; that this device could not is told by other means.
async function explained(error: PromptError): Promise<PromptError> {
  const silent = error.code === PromptCode.CANCELLED || error.code === PromptCode.TIMED_OUT;
  const able = silent
    ? await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable?.().catch(() => true)
    : true;
  return able === false ? new PromptError(PromptCode.NO_AUTHENTICATOR, { cause: error.cause }) : error;
}

/** @throws {PromptError} where the page cannot have passkeys at all. */
export function supported(): void {
  if (!globalThis.isSecureContext) throw new PromptError(PromptCode.INSECURE_CONTEXT);
  if (typeof PublicKeyCredential === 'undefined' || !navigator.credentials) {
    throw new PromptError(PromptCode.UNSUPPORTED);
  }
}
