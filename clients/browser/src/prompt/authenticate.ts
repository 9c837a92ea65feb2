import { type Answer, type Begun, ceremony, supported } from './ceremony.js';
import { requestOptions } from './options.js';

/** Where the person wants to be asked; the browser may offer others too. */
export type Hint = 'client-device' | 'hybrid' | 'security-key';

/**
 * Asks for a passkey: at sign-in with BeginAuthenticationResponse, at a step-up with the decision's `stepUp`. The answer is
 * the `assertion` of Assess, FinishAuthentication or CompleteStepUp.
 *
 * @throws {PromptError}
 */
export async function authenticate(begun: Begun, signal?: AbortSignal, hint?: Hint): Promise<Answer> {
  supported();
  const publicKey = { ...requestOptions(begun.optionsJson), ...(hint && { hints: [hint] }) };
  const ask = (signal: AbortSignal) => navigator.credentials.get({ publicKey, signal });
  return ceremony({ kind: 'get', begun, timeoutMs: publicKey.timeout, ask, signal });
}
