import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { authenticate } from './authenticate.js';
import { autofill } from './autofill.js';
import { endCeremony } from './ceremony.js';
import { PromptCode } from './error.js';
import { asked, begun, type FakeBrowser, open, withPasskeys } from './testing.js';

let browser: FakeBrowser;
beforeEach(() => {
  browser = withPasskeys({ isConditionalMediationAvailable: async () => true });
});
afterEach(() => vi.unstubAllGlobals());

it('gives what keyward takes', async () => {
  const answer = await authenticate(begun());
  expect(answer.ceremonyId).toBe('c-1');
  expect(JSON.parse(answer.credentialJson)).toEqual({
    id: 'BAUG',
    rawId: 'BAUG',
    type: 'public-key',
    authenticatorAttachment: 'platform',
    clientExtensionResults: {},
    response: { clientDataJSON: 'AQ', authenticatorData: 'Ag', signature: '-_8', userHandle: 'Bwg' },
  });
});

it('asks by hand where the browser does not parse JSON', async () => {
  await authenticate(begun(), undefined, 'hybrid');
  const { publicKey } = asked<{ publicKey: PublicKeyCredentialRequestOptions }>(browser.get);
  expect(new Uint8Array(publicKey.challenge as ArrayBuffer)).toEqual(new Uint8Array([1, 2, 3, 251, 255]));
  expect(publicKey.allowCredentials?.[0]?.transports).toEqual(['internal']);
  expect(publicKey).toMatchObject({ rpId: 'localhost', hints: ['hybrid'], userVerification: 'required' });
});

it('lets the browser parse where it can, and takes its JSON', async () => {
  const parse = vi.fn((json: object) => ({ ...json, parsed: true }));
  browser = withPasskeys({ parseRequestOptionsFromJSON: parse });
  browser.get.mockResolvedValue({ toJSON: () => ({ id: 'native' }) });
  expect((await authenticate(begun())).credentialJson).toBe('{"id":"native"}');
  expect(browser.get.mock.calls[0]?.[0]).toMatchObject({ publicKey: { parsed: true } });
});

it('puts the credential together itself where toJSON throws', async () => {
  const { assertion } = await import('./testing.js');
  const broken = () => {
    throw new TypeError('Illegal invocation');
  };
  browser.get.mockResolvedValue({ ...assertion(), toJSON: broken });
  expect(JSON.parse((await authenticate(begun())).credentialJson)).toMatchObject({ id: 'BAUG' });
});

describe('what goes wrong has a name', () => {
  it.each([
    ['no JSON', '{'],
    ['no options', '{}'],
    ['a challenge that is no base64url', '{"publicKey":{"challenge":"€"}}'],
  ])('%s', async (_, optionsJson) => {
    await expect(authenticate(begun(optionsJson))).rejects.toMatchObject({ code: PromptCode.INVALID_OPTIONS });
  });

  it('a page without HTTPS, a browser without passkeys', async () => {
    vi.stubGlobal('isSecureContext', false);
    await expect(authenticate(begun())).rejects.toMatchObject({ code: PromptCode.INSECURE_CONTEXT });
    vi.stubGlobal('isSecureContext', true);
    vi.stubGlobal('PublicKeyCredential', undefined);
    await expect(authenticate(begun())).rejects.toMatchObject({ code: PromptCode.UNSUPPORTED });
    expect(browser.get).not.toHaveBeenCalled();
  });

  it('a device that could not have answered, where the browser says no more than that nobody did', async () => {
    const able = {
      isUserVerifyingPlatformAuthenticatorAvailable: vi.fn().mockResolvedValueOnce(true).mockResolvedValue(false),
    };
    browser = withPasskeys(able);
    browser.get.mockRejectedValue(new DOMException('', 'NotAllowedError'));
    await expect(authenticate(begun())).rejects.toMatchObject({ code: PromptCode.CANCELLED });
    await expect(authenticate(begun())).rejects.toMatchObject({ code: PromptCode.NO_AUTHENTICATOR });
  });

  it('nothing at all', async () => {
    browser.get.mockResolvedValue(null);
    await expect(authenticate(begun())).rejects.toMatchObject({ code: PromptCode.FAILED });
  });
});

describe('one ceremony at a time', () => {
  it('ends conditional UI for a modal prompt, and waits until the browser let go', async () => {
    let released = false;
    browser.get.mockImplementationOnce(options =>
      open(options).finally(() => {
        released = true;
      }),
    );
    const filled = autofill(begun());
    await vi.waitFor(() => expect(browser.get).toHaveBeenCalledOnce());
    browser.get.mockImplementationOnce(async () => {
      expect(released, 'the browser would say that a request is pending').toBe(true);
      return { toJSON: () => ({ id: 'modal' }) };
    });
    await expect(authenticate(begun())).resolves.toMatchObject({ credentialJson: '{"id":"modal"}' });
    await expect(filled).resolves.toBeUndefined();
  });

  it('keeps the last of three', async () => {
    browser.get.mockImplementation(open);
    const first = authenticate(begun());
    const second = authenticate(begun());
    const third = authenticate(begun());
    await expect(first).rejects.toMatchObject({ code: PromptCode.SUPERSEDED });
    await expect(second).rejects.toMatchObject({ code: PromptCode.SUPERSEDED });
    endCeremony();
    await expect(third).rejects.toMatchObject({ code: PromptCode.SUPERSEDED });
  });

  it('ends with the app’s own signal', async () => {
    browser.get.mockImplementation(open);
    const ours = new AbortController();
    const asked = authenticate(begun(), ours.signal);
    await vi.waitFor(() => expect(browser.get).toHaveBeenCalled());
    ours.abort();
    await expect(asked).rejects.toMatchObject({ code: PromptCode.SUPERSEDED });
  });
});

describe('autofill', () => {
  it('is conditional, and nothing where the browser cannot', async () => {
    await autofill(begun());
    expect(browser.get.mock.calls[0]?.[0]).toMatchObject({ mediation: 'conditional' });
    withPasskeys({ isConditionalMediationAvailable: async () => false });
    await expect(autofill(begun())).resolves.toBeUndefined();
    withPasskeys();
    await expect(autofill(begun())).resolves.toBeUndefined();
  });

  it('says what went wrong otherwise', async () => {
    browser.get.mockRejectedValue(new DOMException('', 'SecurityError'));
    await expect(autofill(begun())).rejects.toMatchObject({ code: PromptCode.WRONG_ORIGIN });
  });
});
