/** Why a passkey prompt gave nothing, as something that a page can act on. */
export const PromptCode = {
  /** The person closed the prompt, or no passkey here fits it: browsers do not tell the two apart. Offer it again. */
  CANCELLED: 'CANCELLED',
  /** Nobody answered in time. Begin again: the challenge has run out too. */
  TIMED_OUT: 'TIMED_OUT',
  /** Nothing on this device can verify the person, and nothing else answered. Offer a phone or a security key. */
  NO_AUTHENTICATOR: 'NO_AUTHENTICATOR',
  /** The person has no passkey that could answer. Register one. */
  NO_PASSKEY: 'NO_PASSKEY',
  /** The passkey belongs to somebody else. Sign out and in again, or choose another passkey. */
  WRONG_ACCOUNT: 'WRONG_ACCOUNT',
  /** The authenticator holds a passkey of this account already. Sign in with it. */
  ALREADY_REGISTERED: 'ALREADY_REGISTERED',
  /** Passkeys need HTTPS (or localhost). */
  INSECURE_CONTEXT: 'INSECURE_CONTEXT',
  /** The page's domain is not the one that passkeys are registered for. */
  WRONG_ORIGIN: 'WRONG_ORIGIN',
  /** The page may not prompt: it is in a frame without permission, or in the background. */
  NOT_ALLOWED_HERE: 'NOT_ALLOWED_HERE',
  /** The browser knows no passkeys. */
  UNSUPPORTED: 'UNSUPPORTED',
  /** Another prompt took the place of this one, or the app ended it. Do nothing. */
  SUPERSEDED: 'SUPERSEDED',
  /** The challenge is not known any more: used, expired or of another session. Begin again. */
  CHALLENGE_EXPIRED: 'CHALLENGE_EXPIRED',
  /** What keyward gave is not what the browser takes; or the other way round. */
  INVALID_OPTIONS: 'INVALID_OPTIONS',
  /** The authenticator failed for a reason that the browser does not tell. */
  FAILED: 'FAILED',
} as const;
export type PromptCode = (typeof PromptCode)[keyof typeof PromptCode];

/** A prompt that gave nothing. `cause` is the browser's own error, for logs. */
export class PromptError extends Error {
  override readonly name = 'PromptError';

  constructor(
    readonly code: PromptCode,
    options?: ErrorOptions,
  ) {
    super(code, options);
  }
}
