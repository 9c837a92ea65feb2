/** A browser with passkeys for tests: what `navigator.credentials` is asked, and answers of the tests' choosing. */
import { vi } from 'vitest';

export const REQUEST = JSON.stringify({
  publicKey: {
    challenge: 'AQID-_8',
    timeout: 60_000,
    rpId: 'localhost',
    userVerification: 'required',
    allowCredentials: [{ type: 'public-key', id: 'BAUG', transports: ['internal'] }],
  },
});

export const CREATION = JSON.stringify({
  publicKey: {
    challenge: 'AQID-_8',
    timeout: 60_000,
    rp: { id: 'localhost', name: 'keyward' },
    user: { id: 'Bwg', name: 'amara', displayName: 'Dr Amara' },
    pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
    excludeCredentials: [{ type: 'public-key', id: 'CQ' }],
  },
});

export const begun = (optionsJson = REQUEST) => ({ ceremonyId: 'c-1', optionsJson });

/** An assertion as browsers without toJSON give it. */
export function assertion(id = 'BAUG') {
  const bytes = (...values: number[]) => new Uint8Array(values).buffer;
  return {
    id,
    rawId: bytes(4, 5, 6),
    type: 'public-key',
    authenticatorAttachment: 'platform',
    getClientExtensionResults: () => ({}),
    response: {
      clientDataJSON: bytes(1),
      authenticatorData: bytes(2),
      signature: bytes(251, 255),
      userHandle: bytes(7, 8),
    },
  };
}

export interface FakeBrowser {
  readonly get: ReturnType<typeof vi.fn>;
  readonly create: ReturnType<typeof vi.fn>;
}

/** Puts passkeys into the test's browser. `known` are further static methods of PublicKeyCredential. */
export function withPasskeys(known: object = {}): FakeBrowser {
  const get = vi.fn(async (_: CredentialRequestOptions): Promise<unknown> => assertion());
  const create = vi.fn(async (_: CredentialCreationOptions): Promise<unknown> => assertion());
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('PublicKeyCredential', known);
  Object.defineProperty(navigator, 'credentials', { value: { get, create }, configurable: true });
  return { get, create };
}

/** A prompt that stays open until it is aborted, as browsers do it: they let go a little later. */
export function open({ signal }: { signal?: AbortSignal | null }): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => setTimeout(() => reject(new DOMException('', 'AbortError')), 5));
  });
}

/** What the browser was asked first. */
export function asked<T>(method: FakeBrowser['get']): T {
  return method.mock.calls[0]?.[0] as T;
}
