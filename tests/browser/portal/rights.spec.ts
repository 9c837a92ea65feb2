import { readFile } from 'node:fs/promises';
import { expect, type Page, test } from '@playwright/test';
import { Authenticator } from '../src/authenticator.js';
import { Desk, withEnter } from '../src/desk.js';
import { Clinic, PASSWORD } from '../src/portal.js';
import { humanly, type } from '../src/typing.js';
import { expectAccessible, picture } from '../src/watch.js';

// What a clinician may do about what is known of her and done in her name.
test.describe.configure({ mode: 'serial' });

let clinic: Clinic;
let desk: Desk;
test.beforeAll(async ({ browser }) => {
  clinic = await Clinic.open();
  desk = await Desk.at(clinic, browser);
  await desk.enrol('mei.tanaka');
});
test.afterAll(async () => {
  await desk.close();
  await clinic.close();
});
test.afterEach(() => desk.watch.quiet());

const typing = (page: Page) => page.getByRole('region', { name: 'Typing rhythm' });
const passkeys = (page: Page) => page.getByRole('region', { name: 'Passkeys' });
const myData = async (page: Page) => {
  await page.getByRole('link', { name: 'My data' }).click();
  await expect(typing(page).getByRole('switch')).toBeVisible();
};

// Nobody types twice alike: what is typed as it was before is taken for a recording, and teaches nothing.
let typed = 100;
const password = (at: Desk, person: string) => at.password(person, withEnter(humanly(PASSWORD, typed++)));

/** How many samples keyward holds, as the page is told. */
const samples = (page: Page) =>
  page.evaluate(async () => {
    const { profiles } = (await (await fetch('/api/my-data')).json()) as { profiles: { samples?: number }[] };
    return profiles.reduce((sum, profile) => sum + (profile.samples ?? 0), 0);
  });

test('her profile grows with what her passkey proves, and says how mature it is', async () => {
  const { page } = desk;
  expect(await samples(page)).toBe(0);
  for (let known = 1; known <= 3; known++) {
    await desk.signOut();
    await password(desk, 'mei.tanaka');
    await desk.stepUp();
    await desk.isIn();
    await expect.poll(() => samples(page)).toBe(known);
  }
  await myData(page);
  await expect(typing(page).getByRole('meter', { name: '3 samples' })).toBeVisible();
  await expect(typing(page).getByText('Learning', { exact: true })).toBeVisible();
});

test('everything that is held can be taken along', async () => {
  const { page } = desk;
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download all that is held on me' }).click(),
  ]);
  const held = JSON.parse(await readFile(await download.path(), 'utf8'));
  expect(held).toMatchObject({ subject: 'mei.tanaka' });
  expect(held.profiles).toHaveLength(1);
  expect(held.passkeys).toHaveLength(1);
});

test('opting out forgets, records nothing any more, and keeps the passkey’s way open; opting in begins anew', async () => {
  const { page } = desk;
  await typing(page).getByRole('switch', { name: 'Let my typing spare me prompts' }).click();
  await expect(page.getByText('What was learned is forgotten, and nothing is recorded any more.')).toBeVisible();
  await expect(typing(page).getByText('Nothing is held')).toBeVisible();
  await picture(page, 'portal-opted-out');
  await expectAccessible(page, 'my data after opting out');
  await desk.signOut();
  const sent = page.waitForRequest('**/api/sign-in/password');
  await password(desk, 'mei.tanaka');
  expect((await sent).postDataJSON()).not.toHaveProperty('telemetry');
  await desk.stepUp();
  await desk.isIn();
  expect(await samples(page)).toBe(0);
  await myData(page);
  await expect(typing(page).getByRole('switch')).not.toBeChecked();
  await typing(page).getByRole('switch').click();
  await expect(page.getByText('Your typing is learned from now on.')).toBeVisible();
  await desk.signOut();
  await password(desk, 'mei.tanaka');
  await desk.stepUp();
  await desk.isIn();
  await expect.poll(() => samples(page)).toBe(1);
});

test('her last passkey stays, a second one on the same device is refused, and one on a security key is added', async () => {
  const { page } = desk;
  await myData(page);
  await passkeys(page).getByRole('button', { name: /^Remove/ }).click();
  await expect(passkeys(page).getByRole('alert')).toContainText('your only passkey');
  await desk.touching(() => passkeys(page).getByRole('button', { name: 'Add a passkey' }).click());
  await expect(passkeys(page).getByRole('alert')).toContainText('has a passkey for your account already');
  const key = await Authenticator.add(page, { transport: 'usb' });
  await passkeys(page).getByRole('button', { name: 'Add a passkey' }).click();
  await expect(passkeys(page).getByText('Your new passkey is ready.')).toBeVisible();
  await expect(passkeys(page).getByRole('listitem')).toHaveCount(2);
  expect(await key.credentials()).toHaveLength(1);
  await picture(page, 'portal-passkeys');
  await key.touched(false);
});

test('a passkey that she removes opens nothing any more, and her passkey manager forgets it', async () => {
  const { page, authenticator } = desk;
  const [removed] = await authenticator.credentials();
  await passkeys(page).getByRole('button', { name: /^Remove/ }).first().click();
  await expect(passkeys(page).getByText('The passkey was removed.')).toBeVisible();
  await expect(passkeys(page).getByRole('listitem')).toHaveCount(1);
  await expect.poll(async () => (await authenticator.credentials()).length, 'by the signal of accepted credentials').toBe(0);
  await desk.signOut();
  // A copy of it turns up again, such as from a backup.
  if (removed) await authenticator.give(removed);
  await authenticator.touched(true);
  // The touch may answer the offer that waits, or only the one that the page makes anew.
  const told = page.getByRole('alert').filter({ hasText: 'was removed from its account' });
  await told.waitFor({ timeout: 2_000 }).catch(() => page.reload());
  await expect(told).toBeVisible();
  await expect.poll(async () => (await authenticator.credentials()).length, 'by the signal of an unknown credential').toBe(0);
  await authenticator.touched(false);
});

test('"this was not me" ends the sessions elsewhere', async ({ browser }) => {
  const jonas = await Desk.at(clinic, browser);
  await jonas.enrol('jonas.lindqvist');
  // Somebody has her authenticator and its PIN, on a computer elsewhere.
  const thief = await Desk.at(clinic, browser);
  for (const credential of await jonas.authenticator.credentials()) await thief.authenticator.give(credential);
  await thief.passkey();
  await thief.isIn();
  await jonas.page.getByRole('link', { name: 'Activity' }).click();
  const elsewhere = jonas.page.getByRole('listitem').filter({ hasText: 'Sign-in' }).filter({ hasNotText: 'this session' });
  await elsewhere.first().getByRole('button', { name: /^This was not me/ }).click();
  await jonas.page.getByRole('button', { name: 'Yes, report it' }).click();
  await expect(jonas.page.getByText('Your other sessions were ended: 1.')).toBeVisible();
  await expect(elsewhere.first()).toContainText('Reported');
  await thief.page.getByRole('link', { name: 'My data' }).click();
  await expect(thief.page.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  await thief.close();
  await jonas.close();
});

test('passkeys are offered in the staff ID field itself', async ({ browser }) => {
  const rosa = await Desk.at(clinic, browser);
  await rosa.enrol('rosa.delgado');
  await rosa.signOut();
  // The one whose finger is on the authenticator chooses the passkey as soon as it is offered.
  await rosa.authenticator.touched(true);
  await rosa.page.reload();
  await rosa.isIn();
  await rosa.close();
});

test('each field has a profile of its own', async ({ browser }) => {
  const femi = await Desk.at(clinic, browser);
  await femi.enrol('femi.adeyemi');
  await femi.signOut();
  await femi.page.getByLabel('Staff ID').focus();
  await type(femi.page, humanly('femi.adeyemi', 5));
  await femi.passkey();
  await femi.isIn();
  const fields = () =>
    femi.page.evaluate(async () => {
      const { profiles } = (await (await fetch('/api/my-data')).json()) as { profiles: { field: string; samples?: number }[] };
      return Object.fromEntries(profiles.map(({ field, samples }) => [field, samples ?? 0]));
    });
  await expect.poll(fields).toEqual({ 'staff-id': 1 });
  await femi.signOut();
  await password(femi, 'femi.adeyemi');
  await femi.stepUp();
  await femi.isIn();
  await expect.poll(fields).toEqual({ 'staff-id': 1, password: 1 });
  await femi.close();
});
