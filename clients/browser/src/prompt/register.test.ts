import { afterEach, expect, it, vi } from 'vitest';
import { PromptCode } from './error.js';
import { register } from './register.js';
import { asked, begun, CREATION, withPasskeys } from './testing.js';

afterEach(() => vi.unstubAllGlobals());

it('makes a passkey, and gives what FinishRegistration takes', async () => {
  const browser = withPasskeys();
  const bytes = new Uint8Array([1, 2]).buffer;
  browser.create.mockResolvedValue({
    id: 'AQI',
    rawId: bytes,
    type: 'public-key',
    getClientExtensionResults: () => ({ credProps: { rk: true } }),
    response: { clientDataJSON: bytes, attestationObject: bytes, getTransports: () => ['internal', 'hybrid'] },
  });
  const answer = await register(begun(CREATION));
  expect(JSON.parse(answer.credentialJson)).toEqual({
    id: 'AQI',
    rawId: 'AQI',
    type: 'public-key',
    clientExtensionResults: { credProps: { rk: true } },
    response: { clientDataJSON: 'AQI', attestationObject: 'AQI', transports: ['internal', 'hybrid'] },
  });
  const { publicKey } = asked<{ publicKey: PublicKeyCredentialCreationOptions }>(browser.create);
  expect(new Uint8Array(publicKey.user.id as ArrayBuffer)).toEqual(new Uint8Array([7, 8]));
  expect(publicKey.excludeCredentials).toHaveLength(1);
});

it('says when the authenticator has one already', async () => {
  withPasskeys().create.mockRejectedValue(new DOMException('', 'InvalidStateError'));
  await expect(register(begun(CREATION))).rejects.toMatchObject({ code: PromptCode.ALREADY_REGISTERED });
});
