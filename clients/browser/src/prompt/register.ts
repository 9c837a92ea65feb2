import { type Answer, type Begun, ceremony, supported } from './ceremony.js';
import { creationOptions } from './options.js';

/**
 * Asks the person to make a passkey. The answer goes to FinishRegistration.
 *
 * @throws {PromptError}
 */
export async function register(begun: Begun, signal?: AbortSignal): Promise<Answer> {
  supported();
  const publicKey = creationOptions(begun.optionsJson);
  const ask = (signal: AbortSignal) => navigator.credentials.create({ publicKey, signal });
  return ceremony({ kind: 'create', begun, timeoutMs: publicKey.timeout, ask, signal });
}
