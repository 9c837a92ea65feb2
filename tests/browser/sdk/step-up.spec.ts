import { expect, type Page, test } from '@playwright/test';
import { Authenticator } from '../src/authenticator.js';
import { authentication, registration, stepUp } from '../src/ceremonies.js';
import { PageServer } from '../src/page-server.js';
import { expectAccessible, picture, Watch } from '../src/watch.js';

let server: PageServer;
let watch: Watch;
let authenticator: Authenticator;
let credentialId = '';
test.beforeAll(async () => {
  server = await PageServer.start();
});
test.afterAll(async () => server.stop());
test.beforeEach(async ({ page }) => {
  watch = await Watch.on(page);
  authenticator = await Authenticator.add(page);
  await page.goto(server.url);
  await page.waitForFunction(() => 'keyward' in window);
  credentialId = await page.evaluate(async begun => JSON.parse((await window.keyward.register(begun)).credentialJson).id, registration('amara'));
});
test.afterEach(() => watch.quiet());

const WHY: [string, string] = ['TYPING_DIFFERS', 'Something about this sign-in looks different.'];
const ask = (page: Page, decision: object, then: object = { outcome: 'OUTCOME_ALLOW' }) =>
  page.evaluate(
    ([decision, then]) => {
      window.sent = [];
      const complete = async (answer: unknown) => {
        window.sent.push(answer);
        return then;
      };
      window.asked = document.querySelector('keyward-step-up')?.ask(decision, { complete }) ?? Promise.reject();
    },
    [decision, then] as const,
  );
const outcome = (page: Page) => page.evaluate(async () => ((await window.asked) as { outcome: string }).outcome);
const usual = (...reasons: [string, string, object?][]) => stepUp('PASSKEY', authentication([credentialId]), ...reasons);

test('asks, is answered with a passkey, and gives the focus back', async ({ page }) => {
  await page.getByRole('button', { name: 'Sign in' }).focus();
  await ask(page, usual(WHY));
  const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' });
  await expect(dialog).toBeVisible();
  await expect(dialog).toHaveAccessibleDescription(/Use your passkey.*looks different/s);
  await expect(page.getByRole('button', { name: 'Use passkey' })).toBeFocused();
  await page.keyboard.press('Enter');
  expect(await outcome(page)).toBe('allowed');
  expect(await page.evaluate(() => window.sent)).toMatchObject([{ assertion: { ceremonyId: 'authentication' } }]);
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeFocused();
});

test('keeps the focus inside, and Escape closes it', async ({ page }) => {
  await page.getByRole('button', { name: 'Sign in' }).focus();
  await ask(page, usual(WHY));
  const inside = () => page.evaluate(() => document.activeElement?.tagName === 'KEYWARD-STEP-UP' || document.activeElement === document.body);
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press(i % 3 ? 'Tab' : 'Shift+Tab');
    expect(await inside()).toBe(true);
  }
  await page.keyboard.press('Escape');
  expect(await outcome(page)).toBe('cancelled');
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeFocused();
});

test('says what went wrong so that it is heard, and lets try again', async ({ page }) => {
  await authenticator.recognises(false);
  await ask(page, usual(WHY));
  await page.getByRole('button', { name: 'Use passkey' }).click();
  await expect(page.getByRole('alert')).toContainText('The passkey prompt was closed');
  await expectAccessible(page, 'an error');
  await picture(page, 'sdk-step-up-error');
  await authenticator.recognises(true);
  await page.getByRole('button', { name: 'Use passkey' }).click();
  expect(await outcome(page)).toBe('allowed');
});

test('break-glass needs words and a passkey', async ({ page }) => {
  await ask(page, stepUp('BREAK_GLASS', authentication([credentialId])));
  await expect(page.getByLabel('Why do you need access now?')).toBeFocused();
  await page.getByRole('button', { name: 'Open in an emergency' }).click();
  await expect(page.getByRole('alert')).toContainText('at least 10');
  await expectAccessible(page, 'break-glass with an error');
  await page.getByLabel('Why do you need access now?').fill('Patient collapsed, her doctor is away');
  await expect(page.getByRole('alert'), 'what was mended is not complained about any more').toBeEmpty();
  await picture(page, 'sdk-break-glass');
  await page.getByRole('button', { name: 'Open in an emergency' }).click();
  expect(await outcome(page)).toBe('allowed');
  expect(await page.evaluate(() => window.sent)).toMatchObject([
    { breakGlass: { justification: 'Patient collapsed, her doctor is away' } },
  ]);
});

test('a denial is told', async ({ page }) => {
  const denied = { outcome: 'OUTCOME_DENY', reasons: [{ code: 'REASON_CODE_POLICY_FORBIDS', userText: 'Your role does not allow this.' }] };
  await ask(page, usual(WHY), denied);
  await page.getByRole('button', { name: 'Use passkey' }).click();
  await expect(page.getByRole('dialog')).toContainText('Your role does not allow this.');
  await expectAccessible(page, 'a denial');
  await page.getByRole('button', { name: 'Close' }).click();
  expect(await outcome(page)).toBe('denied');
});

for (const [language, title] of [
  ['en', 'Confirm that it is you'],
  ['es', 'Confirme que es usted'],
  ['de', 'Bestätigen Sie, dass Sie es sind'],
  ['fr', 'Confirmez que c’est bien vous'],
  ['ar', 'أكِّد أنك أنت'],
] as const) {
  test(`speaks ${language}, on a laptop and on a phone`, async ({ page }) => {
    await page.evaluate(language => {
      document.documentElement.lang = language;
      document.documentElement.dir = language === 'ar' ? 'rtl' : 'ltr';
    }, language);
    await ask(page, usual(WHY, ['DEVICE_NEW', 'This device is new to us.']));
    await expect(page.getByRole('dialog', { name: title })).toBeVisible();
    await expectAccessible(page, `the dialog in ${language}`);
    await picture(page, `sdk-step-up-${language}`);
    // WCAG 2.2 1.4.10: 320 CSS pixels wide, nothing to scroll sideways.
    await page.setViewportSize({ width: 320, height: 640 });
    const wide = await page.evaluate(() => {
      const dialog = document.querySelector('keyward-step-up')?.shadowRoot?.querySelector('dialog');
      return (dialog?.scrollWidth ?? 999) - (dialog?.clientWidth ?? 0);
    });
    expect(wide).toBeLessThanOrEqual(0);
    await picture(page, `sdk-step-up-${language}-phone`);
  });
}

test('is themed from outside', async ({ page }) => {
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('keyward-step-up { --keyward-accent: rgb(120, 20, 90) } keyward-step-up::part(title) { letter-spacing: 3px }');
    document.adoptedStyleSheets.push(sheet);
  });
  await ask(page, usual(WHY));
  await expect(page.getByRole('button', { name: 'Use passkey' })).toHaveCSS('background-color', 'rgb(120, 20, 90)');
  await expect(page.getByRole('heading', { name: 'Confirm' })).toHaveCSS('letter-spacing', '3px');
});
