// @vitest-environment node
import { expect, it } from 'vitest';
import { PromptCode, PromptError } from './error.js';
import { type Circumstances, nameError } from './name-error.js';

const seen: Circumstances = { kind: 'get', openMs: 2_000, timeoutMs: 60_000, aborted: false };
const thrown = (name: string, message = '') => new DOMException(message, name);

it.each<[string, Partial<Circumstances>, PromptCode]>([
  ['NotAllowedError', {}, PromptCode.CANCELLED],
  ['NotAllowedError', { openMs: 60_001 }, PromptCode.TIMED_OUT],
  ['NotAllowedError', { openMs: 60_001, timeoutMs: undefined }, PromptCode.CANCELLED],
  ['NotAllowedError', { aborted: true }, PromptCode.SUPERSEDED],
  ['AbortError', {}, PromptCode.SUPERSEDED],
  ['InvalidStateError', { kind: 'create' }, PromptCode.ALREADY_REGISTERED],
  ['InvalidStateError', {}, PromptCode.FAILED],
  ['ConstraintError', { kind: 'create' }, PromptCode.NO_AUTHENTICATOR],
  ['NotSupportedError', {}, PromptCode.NO_AUTHENTICATOR],
  ['SecurityError', {}, PromptCode.WRONG_ORIGIN],
  ['DataError', {}, PromptCode.INVALID_OPTIONS],
  ['UnknownError', {}, PromptCode.FAILED],
])('%s with %j is %s', (name, more, code) => {
  const error = thrown(name);
  expect(nameError(error, { ...seen, ...more })).toMatchObject({ code, cause: error });
});

it('knows a page that may not prompt from a person who will not', () => {
  const policy =
    "The 'publickey-credentials-get' feature is not enabled in this document. Permissions Policy may be used";
  expect(nameError(thrown('NotAllowedError', policy), seen).code).toBe(PromptCode.NOT_ALLOWED_HERE);
  expect(nameError(thrown('NotAllowedError', 'The document is not focused.'), seen).code).toBe(
    PromptCode.NOT_ALLOWED_HERE,
  );
  const cancelled =
    'The operation either timed out or was not allowed. See: https://www.w3.org/TR/webauthn-2/#sctn-privacy';
  expect(nameError(thrown('NotAllowedError', cancelled), seen).code).toBe(PromptCode.CANCELLED);
});

it('leaves its own errors as they are, and names what is no exception at all', () => {
  const own = new PromptError(PromptCode.NO_PASSKEY);
  expect(nameError(own, seen)).toBe(own);
  expect(nameError('oops', seen).code).toBe(PromptCode.FAILED);
});
