import { PromptCode } from './error.js';

const CODES: Readonly<Record<string, PromptCode>> = {
  user_mismatch: PromptCode.WRONG_ACCOUNT,
  other_person: PromptCode.WRONG_ACCOUNT,
  unknown_credential: PromptCode.WRONG_ACCOUNT,
  already_registered: PromptCode.ALREADY_REGISTERED,
  not_hardware_bound: PromptCode.NO_AUTHENTICATOR,
  attestation_untrusted: PromptCode.NO_AUTHENTICATOR,
  user_verification_missing: PromptCode.NO_AUTHENTICATOR,
  origin_mismatch: PromptCode.WRONG_ORIGIN,
  relying_party_mismatch: PromptCode.WRONG_ORIGIN,
  challenge_mismatch: PromptCode.CHALLENGE_EXPIRED,
  ceremony_unknown: PromptCode.CHALLENGE_EXPIRED,
  CEREMONY_UNKNOWN: PromptCode.CHALLENGE_EXPIRED,
  PASSKEY_EXISTS: PromptCode.ALREADY_REGISTERED,
  NOT_FOUND: PromptCode.NO_PASSKEY,
  PASSKEY_NOT_FOUND: PromptCode.NO_PASSKEY,
};

/**
 * The code for an answer that keyward refused: from the `cause` of a PASSKEY_REJECTED reason or of an error's metadata, or
 * from the error's own reason, such as CEREMONY_UNKNOWN.
 */
export function refusalCode(causeOrReason: string | undefined): PromptCode {
  const code = Object.hasOwn(CODES, causeOrReason ?? '') ? CODES[causeOrReason ?? ''] : undefined;
  return code ?? PromptCode.FAILED;
}
