import { expect, test } from '@playwright/test';
import { Desk } from '../src/desk.js';
import { Clinic } from '../src/portal.js';
import { recordings } from '../src/recordings.js';
import { type Stroke, type } from '../src/typing.js';
import { picture } from '../src/watch.js';

// One person of the benchmark, and ten others with the same password: this shows the way from key to decision, not error rates,
// which crates/scoring measures over everybody.
const HERSELF = process.env['KEYWARD_TYPIST'] ?? 's002';
/** Sign-ins that her passkey proves, until there is a first model. */
const PROVEN = 10;
const TRIES = 8;

test('the right clinician is let in by her typing; others with her password meet the step-up', async ({ browser }) => {
  const people = recordings();
  test.skip(!people, 'skipped: no data');
  test.setTimeout(120_000);
  const clinic = await Clinic.open();
  const desk = await Desk.at(clinic, browser);
  await desk.enrol('amara.osei');
  await desk.signOut();

  // Practised typing, as it is after weeks of the same password.
  const hers = people?.get(HERSELF)?.slice(250) ?? [];
  const others = [...(people ?? [])].filter(([subject]) => subject !== HERSELF).map(([, typed]) => typed);
  const signIn = async (strokes: Stroke[]): Promise<'allowed' | 'asked'> => {
    await desk.password('amara.osei', strokes);
    const inside = desk.page.getByRole('heading', { name: 'Today', exact: true });
    await expect(desk.dialog.or(inside)).toBeVisible();
    return (await desk.dialog.isVisible()) ? 'asked' : 'allowed';
  };

  for (let i = 0; i < PROVEN; i++) {
    expect(await signIn(hers[i] ?? []), 'typing that is being learned lets nobody in').toBe('asked');
    await desk.stepUp();
    await desk.isIn();
    await desk.signOut();
  }
  await desk.password('amara.osei', hers[PROVEN] ?? []);

  const inside = desk.page.getByRole('heading', { name: 'Today', exact: true });
  await expect(desk.dialog.or(inside)).toBeVisible();
  if (await desk.dialog.isVisible()) await desk.stepUp();
  await desk.isIn();
  await desk.signOut();

  const count = { herself: 0, others: 0 };
  // Every tenth login that typing spared in a row is to be proven: fewer than that.
  const tries = TRIES;
  for (let i = 0; i < tries; i++) {
    if ((await signIn(hers[20 + i] ?? [])) === 'allowed') count.herself++;
    else await desk.stepUp();
    await desk.isIn();
    await desk.signOut();
  }
  await otherHands(desk, hers.slice(40), others.map(typed => typed[300] ?? []));

  for (let i = 0; i < tries; i++) {
    const impostor = others[(3 * i) % others.length]?.[300 + i] ?? [];
    if ((await signIn(impostor)) === 'asked') {
      if (i === 0) await picture(desk.page, 'portal-impostor');
      count.others++;
      await desk.page.keyboard.press('Escape');
      await expect(desk.page.getByRole('alert')).toBeVisible();
    } else await desk.signOut();
  }
  console.log(`after ${PROVEN} proven sign-ins: ${count.herself} of ${tries} of hers let in, ${count.others} of ${tries} of others asked`);
  expect(count.herself).toBeGreaterThanOrEqual(5);
  expect(count.others).toBeGreaterThanOrEqual(5);
  await desk.close();
  await clinic.close();
});

/**
 * Identity drift in the running session: she was let in by her typing, the screen was locked meanwhile, and somebody else types
 * her password at it.
 */
async function otherHands(desk: Desk, hers: readonly Stroke[][], others: readonly Stroke[][]) {
  const { page, dialog } = desk;
  const inside = page.getByRole('heading', { name: 'Today', exact: true });
  const locked = page.getByRole('heading', { name: 'Locked' });
  const typed = hers[Symbol.iterator]();
  const next = (): Stroke[] => typed.next().value ?? [];
  const asked = async (): Promise<boolean> => {
    await expect(dialog.or(inside)).toBeVisible();
    return dialog.isVisible();
  };
  const unlock = async (strokes: readonly Stroke[]): Promise<boolean> => {
    await page.getByRole('button', { name: 'Lock' }).click();
    await expect(locked).toBeVisible();
    await page.getByLabel('Password').focus();
    await type(page, strokes);
    return asked();
  };
  // A passkey speaks for its session for five minutes, whoever types: here are sessions that typing opened, and opened again.
  let prompted = true;
  for (let i = 0; i < TRIES && prompted; i++) {
    await desk.password('amara.osei', next());
    prompted = (await asked()) || (await unlock(next()));
    if (!prompted) break;
    await desk.stepUp();
    await desk.isIn();
    await desk.signOut();
  }
  expect(prompted, 'her own hands open her session, and open it again').toBe(false);
  await noPasskeyOfTheirs(desk);

  let tries = 0;
  while (tries < TRIES && !prompted) prompted = await unlock(others[(5 * tries++) % others.length] ?? []);
  console.log(`in a session that her typing opened, pair ${tries} of other hands at the lock was asked`);
  expect(prompted, 'other hands are asked for her passkey').toBe(true);
  await picture(page, 'portal-other-hands');
  await page.keyboard.press('Escape');
  await expect(locked, 'nothing of hers is shown').toBeVisible();
  await desk.passkey();
  await desk.isIn();
  await desk.signOut();
}

/** A session that typing opened makes no passkey: who has her password and a lucky hand cannot make it last. */
async function noPasskeyOfTheirs(desk: Desk) {
  const { page, dialog } = desk;
  await page.getByRole('link', { name: 'My data' }).click();
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await expect(dialog).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByText('You did not confirm').first()).toBeVisible();
  await page.getByRole('link', { name: 'Today' }).first().click();
  await desk.isIn();
}
