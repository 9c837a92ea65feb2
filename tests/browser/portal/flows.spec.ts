import { expect, test } from '@playwright/test';
import { Desk } from '../src/desk.js';
import { Clinic, PASSWORD } from '../src/portal.js';
import { humanly, type } from '../src/typing.js';
import { expectAccessible, picture, screenshot, Watch } from '../src/watch.js';

// One clinic for all, and one day in it: the tests are in order, as the day is.
test.describe.configure({ mode: 'serial' });

let clinic: Clinic;
let amara: Desk;
test.beforeAll(async ({ browser }) => {
  clinic = await Clinic.open();
  amara = await Desk.at(clinic, browser);
});
test.afterAll(async () => {
  await amara.close();
  await clinic.close();
});
test.afterEach(() => amara.watch.quiet());

test('first sign-in: password, code, passkey', async () => {
  const { page } = amara;
  await screenshot(page, 'sign-in');
  await expectAccessible(page, 'sign-in');
  await amara.password('amara.osei');
  await expect(page.getByRole('heading', { name: 'Make your passkey' })).toBeVisible();
  await expectAccessible(page, 'the first passkey');
  await page.getByLabel('Enrolment code').fill('WRONG-CODE');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  await expect(page.getByRole('alert')).toContainText('not right');
  await picture(page, 'portal-enrol');
  await page.getByLabel('Enrolment code').fill(await clinic.code('amara.osei'));
  await amara.touching(() => page.getByRole('button', { name: 'Make a passkey' }).click());
  await amara.stepUp();
  await amara.isIn();
  expect(await amara.authenticator.credentials()).toHaveLength(1);
  await picture(page, 'portal-today');
  await expectAccessible(page, 'today');
});

test('daily sign-in by passkey, with typing learned in passing', async () => {
  await amara.signOut();
  await amara.passkey();
  await amara.isIn();
  await amara.signOut();
  // Staff id and password typed, then the passkey: proven typing.
  await amara.page.getByLabel('Staff ID').focus();
  await type(amara.page, humanly('amara.osei', 5));
  await amara.passkey();
  await amara.isIn();
});

test('password and typing that is not known yet ask for the passkey', async () => {
  const { page } = amara;
  await amara.signOut();
  await amara.password('amara.osei');
  await expect(amara.dialog).toBeVisible();
  await picture(page, 'portal-step-up');
  await expectAccessible(page, 'the step-up');
  await amara.stepUp();
  await amara.isIn();
});

test('a wrong password says no more than that', async () => {
  const { page } = amara;
  await amara.signOut();
  await page.getByLabel('Staff ID').fill('amara.osei');
  await page.getByLabel('Password').fill('not her password');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(amara.dialog).toBeHidden();
  await amara.passkey();
  await amara.isIn();
});

test('a chart and a note', async () => {
  const { page } = amara;
  await page.getByRole('link', { name: /Margaret Whitlow/ }).first().click();
  await expect(page.getByRole('heading', { name: 'Margaret Whitlow' })).toBeVisible();
  await picture(page, 'portal-chart');
  await expectAccessible(page, 'a chart');
  await page.getByLabel('New note').fill('Doing well on the lower dose.');
  await page.getByRole('button', { name: 'Save note' }).click();
  await expect(page.getByText('Doing well on the lower dose.')).toBeVisible();
});

test('breaking the glass: words, a passkey, a time limit', async () => {
  const { page } = amara;
  await amara.open('/patients/p-1319');
  await expect(amara.dialog).toBeVisible();
  await expectAccessible(page, 'break-glass');
  await page.getByLabel('Why do you need access now?').fill('Seizure in the waiting room, Dr Tanaka is in surgery.');
  await screenshot(page, 'step-up');
  await amara.stepUp();
  await expect(page.getByRole('heading', { name: 'Caleb Njoroge' })).toBeVisible();
  await expect(page.getByRole('timer')).toBeVisible();
  await picture(page, 'portal-broken-glass');
  await expectAccessible(page, 'an emergency access');
});

test('my data: what is held, passkeys, forgetting', async () => {
  const { page } = amara;
  await page.getByRole('link', { name: 'My data' }).click();
  await expect(page.getByRole('heading', { name: 'Typing rhythm' })).toBeVisible();
  await expect(page.getByText(/samples/).first()).toBeVisible();
  await picture(page, 'portal-my-data');
  await expectAccessible(page, 'my data');
  await page.getByRole('button', { name: 'Forget my typing' }).click();
  await page.getByRole('button', { name: 'Yes, forget it' }).click();
  await expect(page.getByText(/^Forgotten: [1-9]/)).toBeVisible();
});

test('the screen is locked, and opens for her passkey', async () => {
  const { page } = amara;
  await page.getByRole('button', { name: 'Lock' }).click();
  await expect(page.getByRole('heading', { name: 'Locked' })).toBeVisible();
  await expect(page.getByText('Typing rhythm')).toBeHidden();
  await picture(page, 'portal-locked');
  await expectAccessible(page, 'the lock');
  await amara.passkey();
  await expect(page.getByRole('heading', { name: 'My data' })).toBeVisible();
});

test('this was not me', async () => {
  const { page } = amara;
  await page.getByRole('link', { name: 'Activity' }).click();
  await expect(page.getByRole('heading', { name: 'Activity' })).toBeVisible();
  await picture(page, 'portal-activity');
  await expectAccessible(page, 'activity');
  await page.getByRole('button', { name: /^This was not me/ }).first().click();
  await page.getByRole('button', { name: 'Yes, report it' }).click();
  await expect(page.getByText('Reported to the security officer.')).toBeVisible();
});

test('a shared workstation: two nurses take turns by badge', async ({ browser }) => {
  const ward = await Desk.at(clinic, browser);
  const { page } = ward;
  for (const nurse of ['rosa.delgado', 'samuel.brandt']) {
    await ward.enrol(nurse);
    await ward.signOut();
  }
  await page.getByRole('switch', { name: 'This is a shared workstation' }).click();
  await picture(page, 'portal-shared-workstation');
  await expectAccessible(page, 'a shared workstation');
  const badges: [string, string][] = [
    ['40218340', 'Rosa Delgado'],
    ['40218355', 'Samuel Brandt'],
  ];
  for (const [badge, name] of badges) {
    await page.getByLabel('Hold your badge to the reader').fill(badge);
    await page.keyboard.press('Enter');
    await expect(page.getByText(name).first()).toBeVisible();
    await ward.isIn();
    // A badge is one factor: a chart asks each of them for a passkey of her own, whoever showed one before.
    await page.getByRole('link', { name: /Margaret Whitlow/ }).first().click();
    await ward.stepUp();
    await expect(page.getByRole('heading', { name: 'Margaret Whitlow' })).toBeVisible();
    await ward.signOut();
    await expect(page.getByText('Margaret Whitlow')).toHaveCount(0);
  }
  await page.getByLabel('Hold your badge to the reader').fill('40210000');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('This badge is not known here');
  await ward.close();
});

test('the administrator hands out a code', async ({ browser }) => {
  const desk = await Desk.at(clinic, browser);
  const { page } = desk;
  await desk.enrol('ines.hartmann');
  await page.getByRole('link', { name: 'Staff' }).click();
  await expect(page.getByRole('region', { name: 'Staff list' })).toBeVisible();
  await picture(page, 'portal-staff');
  await expectAccessible(page, 'the staff list');
  await page.getByRole('button', { name: 'New code for Femi Adeyemi' }).click();
  await expect(page.getByText(/^Code for Femi Adeyemi: /)).toBeVisible();
  await desk.close();
});

test('on a phone', async ({ browser }) => {
  const phone = await Desk.at(clinic, browser, { width: 390, height: 844 });
  await picture(phone.page, 'portal-phone-sign-in');
  await phone.enrol('jonas.lindqvist');
  await picture(phone.page, 'portal-phone-today');
  await expectAccessible(phone.page, 'today on a phone');
  const wide = await phone.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wide, 'nothing to scroll sideways').toBeLessThanOrEqual(0);
  await phone.page.getByRole('link', { name: /Ingrid Solheim/ }).first().click();
  await expect(phone.page.getByRole('heading', { name: 'Ingrid Solheim' })).toBeVisible();
  await picture(phone.page, 'portal-phone-chart');
  await phone.close();
});

test('a prescription is signed by itself', async () => {
  const { page } = amara;
  await amara.open('/patients/p-1042');
  await expect(page.getByRole('heading', { name: 'Margaret Whitlow' })).toBeVisible();
  await page.getByLabel('Directions').fill('1 tablet in the morning');
  test.setTimeout(60_000);
  await amara.passkeyIsOld();
  await page.getByRole('button', { name: 'Sign prescription' }).dblclick();
  await expect(amara.dialog).toBeVisible();
  await picture(page, 'portal-prescription');
  await amara.stepUp();
  await expect(page.getByText(/^Signed: /)).toBeVisible();
  await expect(page.getByRole('list', { name: 'Signed prescriptions' }).getByRole('listitem'), 'pressed twice, signed once').toHaveCount(1);
});

test('a controlled substance needs a key that she does not have, and the prompt says so', async () => {
  const { page } = amara;
  const controlled = await page.locator('#drug option', { hasText: '(controlled)' }).first().getAttribute('value');
  await page.locator('#drug').selectOption(controlled);
  await page.getByLabel('Directions').fill('1 tablet at night');
  await page.getByRole('button', { name: 'Sign prescription' }).click();
  await expect(amara.dialog).toContainText(/security key|no passkey/);
  await picture(page, 'portal-controlled');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('alert')).toContainText('nothing was opened or signed');
});

test('nothing of the password is in what left the browser, but the one place where it belongs, nor in any log', async () => {
  await amara.watch.kept(amara.page);
  const sent = amara.watch.left.filter(({ where }) => where.includes('/sign-in/password'));
  expect(sent.length).toBeGreaterThan(0);
  amara.watch.expectNothingOf(PASSWORD, (text, where) =>
    where.includes('/sign-in/password') ? text.replace(`"password":"${PASSWORD}"`, '') : text,
  );
  expect(clinic.logs.length, 'both programs log at debug level').toBeGreaterThan(10_000);
  const logged = new Watch();
  logged.left.push({ where: 'logs', text: clinic.logs });
  logged.expectNothingOf(PASSWORD);
});
