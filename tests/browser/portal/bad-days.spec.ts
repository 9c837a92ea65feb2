import { expect, type Route, test } from '@playwright/test';
import { Authenticator } from '../src/authenticator.js';
import { Desk } from '../src/desk.js';
import { Clinic } from '../src/portal.js';
import { picture } from '../src/watch.js';

// Each day begins with a clinician at her desk who has a passkey, and ends in a clear message and a way on.
let clinic: Clinic;
let desk: Desk;
let enrolled = 0;
const CLINICIANS = ['amara.osei', 'jonas.lindqvist', 'mei.tanaka'];
const PATIENT = { 'amara.osei': 'Margaret Whitlow', 'jonas.lindqvist': 'Robert Aldana', 'mei.tanaka': 'Yuki Marchetti' } as Record<string, string>;
let who = '';

test.beforeAll(async ({ browser }) => {
  clinic = await Clinic.open();
  who = CLINICIANS[enrolled++] ?? '';
  desk = await Desk.at(clinic, browser);
  await desk.enrol(who);
});
test.afterAll(async () => {
  await desk.close();
  await clinic.close();
});
test.beforeEach(async () => {
  await desk.open();
  if (await desk.page.getByRole('heading', { name: 'Sign in', exact: true }).isVisible()) await signIn();
});
test.afterEach(() => desk.watch.quiet());

async function signIn() {
  await desk.passkey();
  await desk.isIn();
}

/** Signs out, types the password, and is asked for the passkey: typing is not known yet. */
async function asked() {
  await desk.signOut();
  await desk.password(who);
  await expect(desk.dialog).toBeVisible();
}

const use = () => desk.page.getByRole('button', { name: 'Use passkey' });
const alert = () => desk.dialog.getByRole('alert');

test('the passkey prompt is cancelled', async () => {
  await asked();
  await desk.authenticator.recognises(false);
  await desk.touching(() => use().click());
  await expect(alert()).toContainText('prompt was closed');
  await picture(desk.page, 'bad-cancelled');
  await desk.authenticator.recognises(true);
  await desk.stepUp();
  await desk.isIn();
});

test('the dialog itself is closed', async () => {
  await asked();
  await desk.page.keyboard.press('Escape');
  await expect(desk.page.getByRole('alert')).toContainText('You did not confirm');
  await signIn();
});

test('nobody answers in time', async () => {
  await desk.page.route('**/api/**', hurried);
  await asked();
  await use().click();
  await expect(alert()).toContainText('Nobody answered in time');
  await desk.page.unroute('**/api/**', hurried);
  await desk.stepUp();
  await desk.isIn();
});

/** The same answer with a challenge that lasts a quarter of a second. */
async function hurried(route: Route) {
  const response = await route.fetch();
  const body = (await response.text()).replaceAll(/\\"timeout\\":\d+/g, '\\"timeout\\":250');
  await route.fulfill({ response, body });
}

test('somebody else’s passkey, and no passkey at all', async () => {
  await asked();
  const [credential] = await desk.authenticator.credentials();
  await desk.authenticator.forget();
  await desk.touching(() => use().click());
  await expect(alert()).toContainText('no passkey on this device fits');
  await picture(desk.page, 'bad-no-passkey');
  await expect(desk.page.getByRole('button', { name: 'Use a phone or tablet' })).toBeVisible();
  if (credential) await desk.authenticator.give(credential);
  await desk.stepUp();
  await desk.isIn();
});

test('a colleague’s passkey is shown for her step-up, and keyward notices', async ({ browser }) => {
  const colleague = await Desk.at(clinic, browser);
  await colleague.enrol(CLINICIANS[enrolled++] ?? '');
  const [theirs] = await colleague.authenticator.credentials();
  await colleague.close();
  if (!theirs) throw new Error('the colleague has no passkey');

  // The page is made to offer every passkey there is: only then can the wrong one be chosen at all.
  await desk.page.route('**/api/sign-in/password', anyPasskey);
  await asked();
  const [own] = await desk.authenticator.credentials();
  await desk.authenticator.forget();
  await desk.authenticator.give(theirs);
  await desk.touching(() => use().click());
  await expect(alert()).toContainText('belongs to another account');
  await picture(desk.page, 'bad-wrong-account');
  await desk.page.unroute('**/api/sign-in/password', anyPasskey);
  await desk.authenticator.forget();
  if (own) await desk.authenticator.give(own);
  await desk.stepUp();
  await desk.isIn();
});

async function anyPasskey(route: Route) {
  const response = await route.fetch();
  const body = (await response.text()).replaceAll(/\\"allowCredentials\\":\[\{.*?\}\]/g, '\\"allowCredentials\\":[]');
  await route.fulfill({ response, body });
}

test('no authenticator', async () => {
  await desk.page.route('**/api/**', hurried);
  await asked();
  const credentials = await desk.authenticator.credentials();
  await desk.authenticator.remove();
  await use().click();
  await expect(alert()).toContainText('This device cannot confirm');
  await picture(desk.page, 'bad-no-authenticator');
  await desk.page.unroute('**/api/**', hurried);
  // A security key is plugged in.
  Object.assign(desk, { authenticator: await Authenticator.add(desk.page) });
  for (const credential of credentials) await desk.authenticator.give(credential);
  await desk.stepUp();
  await desk.isIn();
});

test('keyward is down: nothing is opened, and it is said; afterwards it goes on', async () => {
  const { page } = desk;
  await clinic.killKeyward();
  await page.getByRole('link', { name: new RegExp(PATIENT[who] ?? '') }).first().click();
  await expect(page.getByRole('alert')).toContainText('cannot check who you are right now');
  await picture(page, 'bad-keyward-down');
  await clinic.reviveKeyward();
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(desk.dialog.or(page.getByRole('heading', { name: PATIENT[who] ?? '' }))).toBeVisible({ timeout: 10_000 });
  if (await desk.dialog.isVisible()) await desk.stepUp();
  await expect(page.getByRole('heading', { name: PATIENT[who] ?? '' })).toBeVisible();
});

test('keyward is down at sign-in', async () => {
  await desk.signOut();
  await clinic.killKeyward();
  await desk.password(who);
  await expect(desk.page.getByRole('alert')).toContainText('cannot check who you are right now');
  await clinic.reviveKeyward();
  await desk.password(who);
  await desk.stepUp();
  await desk.isIn();
});

test('the network is slow: it is seen that something happens, and one press is one question', async () => {
  const { page } = desk;
  await asked();
  await page.keyboard.press('Escape');
  const sent: string[] = [];
  page.on('request', request => sent.push(new URL(request.url()).pathname));
  await page.route('**/api/sign-in/password', async route => {
    await new Promise(resolve => setTimeout(resolve, 800));
    await route.continue();
  });
  await page.getByLabel('Password').fill('.tie5Roanl');
  const button = page.getByRole('button', { name: 'Sign in', exact: true });
  await button.click();
  await expect(button).toHaveAttribute('aria-busy', 'true');
  await button.click({ force: true });
  await page.keyboard.press('Enter');
  await expect(desk.dialog).toBeVisible();
  expect(sent.filter(path => path === '/api/sign-in/password')).toHaveLength(1);
  await page.unroute('**/api/sign-in/password');
  await desk.touching(() => use().dblclick());
  await desk.isIn();
  expect(sent.filter(path => path === '/api/step-up')).toHaveLength(1);
});

test('the network is gone for a moment', async () => {
  const { page, context } = desk;
  await context.setOffline(true);
  await page.getByRole('link', { name: 'My data' }).click();
  await expect(page.getByRole('alert').first()).toContainText('cannot be reached');
  await context.setOffline(false);
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(page.getByRole('heading', { name: 'Typing rhythm' })).toBeVisible();
});

test('the challenge was answered already, or expired', async () => {
  const { page } = desk;
  await asked();
  // Something else was answered to the same challenge first, which spends it.
  let first = true;
  await page.route('**/api/step-up', async route => {
    if (first) await route.fetch({ postData: (route.request().postData() ?? '').replace(/signature\\":\\"..../, 'signature\\":\\"AAAA') });
    first = false;
    await route.continue();
  });
  await desk.touching(() => use().click());
  await expect(alert()).toContainText(/took too long|answered already/);
  await picture(page, 'bad-expired');
  await desk.stepUp();
  await desk.isIn();
});

test('the page is reloaded in the middle of a step-up', async () => {
  const { page } = desk;
  await asked();
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await desk.password(who);
  await desk.stepUp();
  await desk.isIn();
});

test('back leads to the page before; after signing out it shows nothing', async () => {
  const { page } = desk;
  await page.getByRole('link', { name: 'My data' }).click();
  await expect(page.getByRole('heading', { name: 'My data' })).toBeVisible();
  await page.goBack();
  await desk.isIn();
  await page.goForward();
  await expect(page.getByRole('heading', { name: 'My data' })).toBeVisible();
  await desk.signOut();
  await page.goBack();
  await expect(page.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await expect(page.getByText(PATIENT[who] ?? '')).toHaveCount(0);
});

test('two tabs: signed out in one, the other says so and leads to the sign-in', async () => {
  const { context } = desk;
  const second = await context.newPage();
  await second.goto(clinic.url);
  await expect(second.getByRole('heading', { name: 'Today', exact: true })).toBeVisible();
  await desk.signOut();
  await second.getByRole('link', { name: 'My data' }).click();
  await expect(second.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await second.close();
  await signIn();
});

test('two tabs: a step-up in one does not get in the way of the other', async () => {
  const { page, context } = desk;
  await asked();
  const second = await context.newPage();
  await second.goto(clinic.url);
  await expect(second.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await second.close();
  await page.bringToFront();
  await desk.stepUp();
  await desk.isIn();
});

test('two tabs opened at once, before there is any visit: both can be used', async ({ browser }) => {
  const fresh = await Desk.at(clinic, browser);
  const { page, context } = fresh;
  // As when both tabs asked who is here before either had an answer: the browser keeps the visit that came last.
  await context.clearCookies();
  const second = await context.newPage();
  await second.goto(clinic.url);
  await expect(second.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await page.bringToFront();
  await fresh.password('amara.osei');
  await expect(fresh.dialog.or(page.getByRole('heading', { name: 'Make your passkey' }))).toBeVisible();
  await expect(page.getByText('out of date')).toHaveCount(0);
  await fresh.close();
});

test('signed in in one tab, the sign-in of the other leads in', async () => {
  const { page, context } = desk;
  await desk.signOut();
  const second = await context.newPage();
  await second.goto(clinic.url);
  await expect(second.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await page.bringToFront();
  await signIn();
  await second.bringToFront();
  // The first thing that it asks for tells it who is here.
  await second.getByLabel('Staff ID').focus();
  await expect(second.getByRole('heading', { name: 'Today', exact: true })).toBeVisible();
  await second.close();
});

test('the sign-in page was open too long: what the field offered is expired, which is said, and the button works', async () => {
  const { page } = desk;
  await Promise.all([page.waitForResponse('**/api/sign-in/passkey/begin'), desk.signOut()]);
  // The finger is on the authenticator from the offer on, and until its answer is on the way.
  await page.route('**/api/sign-in/passkey/begin', touched, { times: 1 });
  await page.route('**/api/sign-in/passkey/finish', tooLate, { times: 1 });
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('expired or was answered already');
  await picture(page, 'bad-expired-offer');
  await signIn();
});

async function touched(route: Route) {
  await desk.authenticator.touched(true);
  await route.continue();
}

/** Spends the challenge first. */
async function tooLate(route: Route) {
  await desk.authenticator.touched(false);
  await route.fetch({ postData: (route.request().postData() ?? '').replace(/signature\\":\\"..../, 'signature\\":\\"AAAA') });
  await route.continue();
}

test('keyward goes down while the prompt is open: it is said, and works again afterwards', async () => {
  await asked();
  await clinic.killKeyward();
  await desk.touching(() => use().click());
  await expect(alert()).toContainText('could not check');
  await picture(desk.page, 'bad-down-at-step-up');
  await clinic.reviveKeyward();
  // "In a moment", it said: the first press may come too early.
  for (let i = 0; i < 3 && (await desk.dialog.isVisible()); i++) await desk.stepUp().catch(() => undefined);
  await desk.isIn();
});

test('the first passkey: the prompt is cancelled, then the page reloaded in the middle; nothing is lost', async ({ browser }) => {
  const femi = await Desk.at(clinic, browser);
  const { page } = femi;
  const make = page.getByRole('button', { name: 'Make a passkey' });
  await femi.password('femi.adeyemi');
  await page.getByLabel('Enrolment code').fill(await clinic.code('femi.adeyemi'));
  await femi.authenticator.recognises(false);
  await femi.touching(() => make.click());
  await expect(page.getByRole('alert')).toContainText('prompt was closed');
  await femi.authenticator.recognises(true);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await femi.enrol('femi.adeyemi');
  expect(await femi.authenticator.credentials()).toHaveLength(1);
  await femi.close();
});

test('somebody else’s passkey at the lock: it stays locked, and her own opens it', async () => {
  const { page } = desk;
  await page.getByRole('button', { name: 'Lock' }).click();
  await expect(page.getByRole('heading', { name: 'Locked' })).toBeVisible();
  const [own] = await desk.authenticator.credentials();
  await desk.authenticator.forget();
  await desk.passkey();
  await expect(page.getByText('no passkey on this device fits')).toBeVisible();
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Locked' }), 'a reload does not open it').toBeVisible();
  if (own) await desk.authenticator.give(own);
  await desk.passkey();
  await desk.isIn();
});
