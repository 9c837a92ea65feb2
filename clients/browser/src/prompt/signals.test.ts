import { afterEach, expect, it, vi } from 'vitest';
import { signalAccepted, signalUnknown, signalUserDetails } from './signals.js';
import { withPasskeys } from './testing.js';

afterEach(() => vi.unstubAllGlobals());

const accepted = { rpId: 'localhost', userId: 'Bwg', allAcceptedCredentialIds: ['BAUG'] };
const details = { rpId: 'localhost', userId: 'Bwg', name: 'amara', displayName: 'Dr Amara' };
const answer = { ceremonyId: 'c', credentialJson: '{"id":"BAUG"}' };

it('passes on what keyward knows', async () => {
  const browser = {
    signalUnknownCredential: vi.fn(async () => undefined),
    signalAllAcceptedCredentials: vi.fn(async () => undefined),
    signalCurrentUserDetails: vi.fn(async () => undefined),
  };
  withPasskeys(browser);
  expect([
    await signalUnknown(answer, 'localhost'),
    await signalAccepted(accepted),
    await signalUserDetails(details),
  ]).toEqual([true, true, true]);
  expect(browser.signalUnknownCredential).toHaveBeenCalledWith({ rpId: 'localhost', credentialId: 'BAUG' });
  expect(browser.signalAllAcceptedCredentials).toHaveBeenCalledWith(accepted);
  expect(browser.signalCurrentUserDetails).toHaveBeenCalledWith(details);
});

it('is a courtesy: where the browser cannot or will not, nothing is thrown', async () => {
  withPasskeys();
  expect(await signalAccepted(accepted)).toBe(false);
  withPasskeys({ signalAllAcceptedCredentials: async () => Promise.reject(new DOMException('', 'SecurityError')) });
  expect(await signalAccepted(accepted)).toBe(false);
  expect(await signalAccepted('no JSON')).toBe(false);
  vi.stubGlobal('PublicKeyCredential', undefined);
  expect(await signalAccepted(accepted)).toBe(false);
});
