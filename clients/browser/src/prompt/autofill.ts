import { type Answer, type Begun, ceremony, supported } from './ceremony.js';
import { PromptCode, PromptError } from './error.js';
import { requestOptions } from './options.js';

/** Whether the browser offers passkeys among what it fills in. */
export async function autofillAvailable(): Promise<boolean> {
  if (typeof PublicKeyCredential === 'undefined' || !globalThis.isSecureContext) return false;
  return (await PublicKeyCredential.isConditionalMediationAvailable?.()) ?? false;
}

/**
 * Offers passkeys where the person would type the user name (`autocomplete="username webauthn"`), until one is chosen. Gives
 * nothing when a modal prompt takes its place, when the app ends it, or when the browser cannot do it: the page then goes on
 * without.
 *
 * @throws {PromptError}
 */
export async function autofill(begun: Begun, signal?: AbortSignal): Promise<Answer | undefined> {
  if (!(await autofillAvailable())) return undefined;
  supported();
  const publicKey = requestOptions(begun.optionsJson);
  const ask = (signal: AbortSignal) => navigator.credentials.get({ publicKey, signal, mediation: 'conditional' });
  try {
    return await ceremony({ kind: 'get', begun, timeoutMs: undefined, ask, signal });
  } catch (error) {
    if (error instanceof PromptError && error.code === PromptCode.SUPERSEDED) return undefined;
    throw error;
  }
}
