import { expect, type Page, test } from '@playwright/test';
import { Authenticator } from '../src/authenticator.js';
import { authentication, registration } from '../src/ceremonies.js';
import { PageServer } from '../src/page-server.js';
import { Watch } from '../src/watch.js';

type Begun = ReturnType<typeof authentication>;

let server: PageServer;
let watch: Watch;
let authenticator: Authenticator;
test.beforeAll(async () => {
  server = await PageServer.start();
});
test.afterAll(async () => server.stop());
test.beforeEach(async ({ page }) => {
  watch = await Watch.on(page);
  authenticator = await Authenticator.add(page);
  await page.goto(server.url);
  await page.waitForFunction(() => 'keyward' in window);
});
test.afterEach(() => watch.quiet());

/** What a ceremony gave: the credential, or the code of what went wrong. */
const run = (page: Page, kind: 'register' | 'authenticate' | 'autofill', begun: Begun) =>
  page.evaluate(
    async ([kind, begun]) => {
      try {
        const answer = await window.keyward[kind](begun);
        return answer ? { ceremonyId: answer.ceremonyId, credential: JSON.parse(answer.credentialJson) } : {};
      } catch (error) {
        return { code: (error as { code?: string }).code ?? String(error) };
      }
    },
    [kind, begun] as const,
  );

test('a passkey is made and answers, in the JSON that keyward reads', async ({ page }) => {
  const begun = registration('amara');
  const made = await run(page, 'register', begun);
  expect(made).toMatchObject({ ceremonyId: 'registration-amara', credential: { type: 'public-key' } });
  expect(made.credential.response.transports).toContain('internal');
  const challenge = JSON.parse(begun.optionsJson).publicKey.challenge;
  expect(JSON.parse(Buffer.from(made.credential.response.clientDataJSON, 'base64url').toString())).toMatchObject({
    type: 'webauthn.create',
    challenge,
  });
  const shown = await run(page, 'authenticate', authentication([made.credential.id]));
  expect(shown.credential).toMatchObject({ id: made.credential.id, response: { userHandle: expect.any(String) } });
  const flags = Buffer.from(shown.credential.response.authenticatorData, 'base64url')[32] ?? 0;
  expect(flags & 0b101, 'user present and verified').toBe(0b101);
});

test('by hand it is the same as by the browser’s own parsers', async ({ page }) => {
  await page.evaluate(() => {
    const own = PublicKeyCredential as unknown as Record<string, unknown>;
    own['parseCreationOptionsFromJSON'] = undefined;
    own['parseRequestOptionsFromJSON'] = undefined;
    (PublicKeyCredential.prototype as unknown as Record<string, unknown>)['toJSON'] = undefined;
  });
  const made = await run(page, 'register', registration('amara'));
  expect(made.credential.response).toMatchObject({ attestationObject: expect.any(String), transports: ['internal'] });
  const shown = await run(page, 'authenticate', authentication([made.credential.id]));
  expect(shown.credential).toMatchObject({ id: made.credential.id, response: { signature: expect.any(String) } });
});

test('what goes wrong has a name', async ({ page }) => {
  const made = await run(page, 'register', registration('amara'));
  expect(await run(page, 'register', registration('amara', [made.credential.id]))).toEqual({ code: 'ALREADY_REGISTERED' });
  await authenticator.recognises(false);
  expect(await run(page, 'authenticate', authentication([made.credential.id])), 'not recognised').toEqual({ code: 'CANCELLED' });
  await authenticator.recognises(true);
  expect(await run(page, 'authenticate', authentication([Buffer.from('somebody else').toString('base64url')]))).toEqual({
    code: 'CANCELLED',
  });
  const elsewhere = authentication();
  elsewhere.optionsJson = elsewhere.optionsJson.replace('localhost', 'keyward.example');
  expect(await run(page, 'authenticate', elsewhere)).toEqual({ code: 'WRONG_ORIGIN' });
  expect(await run(page, 'authenticate', { ceremonyId: 'x', optionsJson: '{}' })).toEqual({ code: 'INVALID_OPTIONS' });
});

test('nobody there in time, and nobody there at all', async ({ page }) => {
  const made = await run(page, 'register', registration('amara'));
  await authenticator.touched(false);
  expect(await run(page, 'authenticate', authentication([made.credential.id], 300))).toEqual({ code: 'TIMED_OUT' });
  await authenticator.remove();
  expect(await run(page, 'authenticate', authentication([made.credential.id], 300))).toEqual({ code: 'NO_AUTHENTICATOR' });
});

test('an authenticator that cannot verify people is none', async ({ page }) => {
  await authenticator.remove();
  await Authenticator.add(page, { hasUserVerification: false, transport: 'usb' });
  expect(await run(page, 'register', registration('amara'))).toMatchObject({ code: expect.stringMatching(/NO_AUTHENTICATOR|CANCELLED/) });
});

test('a button beside conditional UI just works, and the other way round', async ({ page }) => {
  await authenticator.touched(false);
  const made = registration('amara');
  await authenticator.touched(true);
  await run(page, 'register', made);
  await authenticator.touched(false);
  await page.evaluate(begun => {
    window.asked = window.keyward.autofill(begun).then(answer => answer ?? 'superseded');
  }, authentication());
  // The field's offer asks first whether there may be one. It waits by the time that this is answered, and a touch that comes
  // later does not answer it; one that came before would.
  await page.evaluate(() => PublicKeyCredential.isConditionalMediationAvailable());
  await page.waitForTimeout(200);
  await authenticator.touched(true);
  const shown = await run(page, 'authenticate', authentication());
  expect(shown.credential).toMatchObject({ type: 'public-key' });
  expect(await page.evaluate(() => window.asked)).toBe('superseded');
  expect(await run(page, 'autofill', authentication())).toMatchObject({ credential: { type: 'public-key' } });
});

test('two modal prompts: the later one wins', async ({ page }) => {
  await run(page, 'register', registration('amara'));
  await authenticator.touched(false);
  await page.evaluate(begun => {
    window.asked = window.keyward.authenticate(begun).catch(error => error.code);
  }, authentication());
  await authenticator.touched(true);
  expect(await run(page, 'authenticate', authentication())).toMatchObject({ credential: { type: 'public-key' } });
  expect(await page.evaluate(() => window.asked)).toBe('SUPERSEDED');
});

test('signals reach the passkey manager', async ({ page }) => {
  const made = await run(page, 'register', registration('amara'));
  const userId = JSON.parse(registration('amara').optionsJson).publicKey.user.id;
  const accepted = (ids: string[]) =>
    page.evaluate(payload => window.keyward.signalAccepted(payload), { rpId: 'localhost', userId, allAcceptedCredentialIds: ids });
  test.skip(!(await page.evaluate(() => 'signalAllAcceptedCredentials' in PublicKeyCredential)), 'this Chromium has no signals');
  expect(await accepted([made.credential.id])).toBe(true);
  expect(await authenticator.credentials()).toHaveLength(1);
  expect(
    await page.evaluate(payload => window.keyward.signalUserDetails(payload), {
      rpId: 'localhost',
      userId,
      name: 'amara.n',
      displayName: 'Dr Amara N.',
    }),
  ).toBe(true);
  await expect.poll(async () => (await authenticator.credentials())[0]?.userName).toBe('amara.n');
  expect(await accepted([])).toBe(true);
  await expect.poll(async () => (await authenticator.credentials()).length).toBe(0);
});
