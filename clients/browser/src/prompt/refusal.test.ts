// @vitest-environment node
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PromptCode } from './error.js';
import { refusalCode } from './refusal.js';

it.each<[string | undefined, PromptCode]>([
  ['other_person', PromptCode.WRONG_ACCOUNT],
  ['not_hardware_bound', PromptCode.NO_AUTHENTICATOR],
  ['CEREMONY_UNKNOWN', PromptCode.CHALLENGE_EXPIRED],
  ['PASSKEY_EXISTS', PromptCode.ALREADY_REGISTERED],
  ['PASSKEY_NOT_FOUND', PromptCode.NO_PASSKEY],
  ['NOT_FOUND', PromptCode.NO_PASSKEY],
  ['signature_invalid', PromptCode.FAILED],
  [undefined, PromptCode.FAILED],
  ['constructor', PromptCode.FAILED],
])('%s is %s', (refused, code) => expect(refusalCode(refused)).toBe(code));

it('has a code for whatever the contract says of passkeys', () => {
  const contract = readFileSync('../../proto/keyward/v1/error_reason.proto', 'utf8');
  const names = [...contract.matchAll(/ERROR_REASON_((?:PASSKEY|CEREMONY)_\w+) =/g)].map(found => found[1] ?? '');
  expect(names.length).toBeGreaterThanOrEqual(4);
  // What a rejected passkey means is told by its cause.
  for (const name of names.filter(name => name !== 'PASSKEY_REJECTED')) {
    expect(refusalCode(name), name).not.toBe(PromptCode.FAILED);
  }
});
