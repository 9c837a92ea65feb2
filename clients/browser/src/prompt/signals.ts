import type { Answer } from './ceremony.js';

// Newer than the DOM library's types (WebAuthn Level 3 §5.1.10).
interface Signals {
  signalUnknownCredential?(options: { rpId: string; credentialId: string }): Promise<void>;
  signalAllAcceptedCredentials?(options: AcceptedCredentials): Promise<void>;
  signalCurrentUserDetails?(options: UserDetails): Promise<void>;
}

/** The passkeys that keyward knows of a person. */
export interface AcceptedCredentials {
  readonly rpId: string;
  readonly userId: string;
  readonly allAcceptedCredentialIds: readonly string[];
}

/** How a person's account is called now. */
export interface UserDetails {
  readonly rpId: string;
  readonly userId: string;
  readonly name: string;
  readonly displayName: string;
}

/** Tells the person's passkey manager that keyward does not know the passkey that answered, so that it is offered no more. */
export function signalUnknown(answer: Answer, rpId: string = location.hostname): Promise<boolean> {
  const { id } = JSON.parse(answer.credentialJson) as { id: string };
  return passedOn(signals => signals.signalUnknownCredential?.({ rpId, credentialId: id }));
}

/**
 * Tells the passkey manager which passkeys are still good, such as after one was removed: `accepted_credentials_json` of
 * ListPasskeys, as it is or parsed.
 */
export function signalAccepted(accepted: AcceptedCredentials | string): Promise<boolean> {
  return passedOn(signals => {
    const options = typeof accepted === 'string' ? (JSON.parse(accepted) as AcceptedCredentials) : accepted;
    return signals.signalAllAcceptedCredentials?.(options);
  });
}

/** Tells the passkey manager how the account is called now. */
export function signalUserDetails(details: UserDetails): Promise<boolean> {
  return passedOn(signals => signals.signalCurrentUserDetails?.(details));
}

/** Whether the browser took it. A signal is a courtesy: nothing depends on it, so no error comes out of it. */
async function passedOn(pass: (signals: Signals) => Promise<void> | undefined): Promise<boolean> {
  try {
    const passed = pass(PublicKeyCredential as unknown as Signals);
    await passed;
    return passed !== undefined;
  } catch {
    return false;
  }
}
