import { expect, type Page, type Route, test } from '@playwright/test';
import { around, diff } from '../../../services/portal/web/src/console/diff.js';
import { logins, shares } from '../../../services/portal/web/src/console/logins.js';
import type { Row } from '../../../services/portal/web/src/console/types.js';
import { Desk } from '../src/desk.js';
import { Clinic } from '../src/portal.js';
import { expectAccessible, picture, screenshot } from '../src/watch.js';

// An officer looks on while a clinician works; the log has colleagues who never were, so that the charts have something to show.
test.describe.configure({ mode: 'serial' });

let clinic: Clinic;
let officer: Desk;
let amara: Desk;
test.beforeAll(async ({ browser }) => {
  test.setTimeout(120_000);
  clinic = await Clinic.open({ rehearsed: true });
  amara = await Desk.at(clinic, browser);
  await amara.enrol('amara.osei');
  officer = await Desk.at(clinic, browser, { width: 1440, height: 900 });
  await officer.enrol('ines.hartmann');
});
test.afterAll(async () => {
  await officer.close();
  await amara.close();
  await clinic.close();
});
test.afterEach(() => {
  officer.watch.quiet();
  amara.watch.quiet();
});

const alerts = (page: Page) => page.getByRole('region', { name: 'Alerts' }).getByRole('listitem');
const feed = (page: Page) => page.getByRole('region', { name: 'Decisions, newest first' });
const board = async (page: Page) => {
  await page.getByRole('link', { name: 'Console' }).first().click();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
};
const nothingSideways = async (page: Page) =>
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 'nothing to scroll sideways').toBeLessThanOrEqual(0);

test('it opens with what there was: counts, alerts, scores, friction, rate', async () => {
  const { page } = officer;
  await board(page);
  const decisions = page.getByRole('list', { name: 'At a glance' }).getByRole('listitem').first();
  expect(Number(await decisions.locator('strong').textContent())).toBeGreaterThan(250);
  await expect(alerts(page).filter({ hasText: 'Emergency access' }).first()).toBeVisible();
  await expect(page.getByRole('img', { name: /^Risk of \d{3} scored decisions/ }).locator('rect')).not.toHaveCount(0);
  await expect(page.getByRole('img', { name: /sign-ins that typing stepped up: [\d.]+ % of the last \d+; budget 2 %/ })).toBeVisible();
  await expect(page.getByText(/[1-9]\d* more were stepped up and never proven/)).toBeVisible();
  await expect(page.getByRole('img', { name: /decisions over time/ }).locator('rect')).not.toHaveCount(0);
  await screenshot(page, 'console');
  await picture(page, 'console-whole', true);
  await expectAccessible(page, 'the console');
});

test('decisions stream in as they are made', async () => {
  const { page } = officer;
  await amara.page.getByRole('link', { name: /Margaret Whitlow/ }).first().click();
  await expect(amara.page.getByRole('heading', { name: 'Margaret Whitlow' })).toBeVisible();
  const row = feed(page).getByRole('row').nth(1);
  await expect(row).toContainText('amara.osei');
  await expect(row).toContainText('Read, clinical');
  await expect(row).toContainText('Allowed');
});

test('an emergency access raises an alert at once, which is acknowledged and stays so', async () => {
  const { page } = officer;
  await amara.open('/patients/p-1319');
  await amara.page.getByLabel('Why do you need access now?').fill('Seizure in the waiting room, Dr Tanaka is in surgery.');
  await amara.stepUp();
  await expect(amara.page.getByRole('heading', { name: 'Caleb Njoroge' })).toBeVisible();
  const alert = alerts(page).filter({ hasText: 'amara.osei' });
  await expect(alert).toContainText('Emergency access');
  await alert.getByRole('button', { name: 'Acknowledge: Emergency access, amara.osei' }).click();
  await expect(alert).toContainText('seen by Ines Hartmann');
  await page.reload();
  await expect(alert).toContainText('seen by Ines Hartmann');
  await expect(alert.getByRole('button')).toHaveCount(0);
});

test('what a person reports is an alert, too', async () => {
  await amara.page.getByRole('link', { name: 'Activity' }).click();
  await amara.page.getByRole('button', { name: /^This was not me/ }).first().click();
  await amara.page.getByRole('button', { name: 'Yes, report it' }).click();
  await expect(amara.page.getByText('Reported to the security officer.')).toBeVisible();
  await expect(alerts(officer.page).filter({ hasText: 'amara.osei' }).filter({ hasText: 'this was not me' })).toBeVisible();
});

test('a decision opens down to policies, signals, facts and a proof that the browser computes', async () => {
  const { page } = officer;
  await alerts(page).filter({ hasText: 'amara.osei' }).getByRole('link', { name: 'Emergency access' }).click();
  await expect(page.getByText('Justification: Seizure in the waiting room, Dr Tanaka is in surgery.')).toBeVisible();
  await expect(page.getByRole('region', { name: 'Why' })).toContainText('restricted.break-glass');
  await expect(page.getByRole('region', { name: 'Signals', exact: true }).getByRole('row')).not.toHaveCount(1);
  await expect(page.getByRole('region', { name: 'What the policy was asked' })).toContainText('clinician');
  await expect(page.getByText(/^Computed in this browser: record \d+ is in the log of \d+ records\.$/)).toBeVisible();
  await picture(page, 'console-decision');
  await picture(page, 'console-decision-whole', true);
  await expectAccessible(page, 'a decision');
});

test('a proof that does not hold is told', async () => {
  const { page } = officer;
  const url = page.url();
  await page.route('**/api/console/decisions/*', changed);
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('does not lead to the log');
  await page.unroute('**/api/console/decisions/*', changed);
  await page.goto(url);
  await expect(page.getByText(/^Computed in this browser/)).toBeVisible();
});

/** The same answer with one digit of the entry another. */
async function changed(route: Route) {
  const response = await route.fetch();
  const body = await response.json();
  const { entry } = body.proof;
  body.proof.entry = (entry[0] === '0' ? '1' : '0') + entry.slice(1);
  await route.fulfill({ response, json: body });
}

test('a person’s time line: what each signal contributed, risk, and what the model knew', async () => {
  const { page } = officer;
  await board(page);
  await page.getByRole('searchbox', { name: 'Find a person' }).fill('rehearsed-lena');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'rehearsed-lena' })).toBeVisible();
  const contributions = page.getByRole('img', { name: /^What each signal contributed to the last \d+ decisions$/ });
  await expect(contributions.locator('.bar.s1')).not.toHaveCount(0);
  await expect(page.getByText('Typing', { exact: true }).first()).toBeVisible();
  await expect(page.getByRole('img', { name: /^Risk of the last \d+ scored decisions$/ }).locator('circle')).not.toHaveCount(0);
  await expect(page.getByRole('img', { name: /^Samples that the typing model learned from: [1-9]\d* at/ })).toBeVisible();
  await screenshot(page, 'time-line');
  await picture(page, 'console-person-whole', true);
  await expectAccessible(page, 'a time line');
  // A bar opens its decision.
  await contributions.locator('.opens').last().click();
  await expect(page.getByRole('heading', { name: 'Why' })).toBeVisible();
});

test('what if: last week under an edited policy, as a diff, and nothing is changed by it', async () => {
  const { page } = officer;
  await board(page);
  await page.getByRole('link', { name: 'What if the policy changed?' }).click();
  const text = page.getByRole('textbox', { name: 'Policy text' });
  const policy = await text.inputValue();
  await page.getByRole('button', { name: 'Ask last week again' }).click();
  await expect(page.getByRole('heading', { name: /^0 of \d{3} decisions would differ$/ })).toBeVisible();
  await text.fill(`${policy}\n@id("no-notes-tonight")\n@description("Nobody opens a chart.")\nforbid (principal, action == Action::"read", resource == Sensitivity::"clinical");\n`);
  await page.getByRole('button', { name: 'Ask last week again' }).click();
  await expect(page.getByRole('heading', { name: /^[1-9]\d* of \d{3} decisions would differ$/ })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Lines that were removed and added' })).toContainText('+ @id("no-notes-tonight")');
  const allowed = page.getByRole('region', { name: 'Outcomes before and after' }).getByRole('row', { name: /^Allowed/ });
  expect(Number(await allowed.getByRole('cell').last().textContent()), 'allowed before, denied then').toBeGreaterThan(0);
  await expect(page.getByRole('region', { name: 'Changed decisions' })).toContainText('no-notes-tonight');
  await picture(page, 'console-what-if');
  await picture(page, 'console-what-if-whole', true);
  await expectAccessible(page, 'what if');
  await text.fill('permit (');
  await page.getByRole('button', { name: 'Ask last week again' }).click();
  await expect(page.getByRole('alert')).toContainText('policy');
  await page.getByRole('button', { name: 'Undo all edits' }).click();
  await expect(text).toHaveValue(policy);
  await amara.open('/patients/p-1042');
  await expect(amara.page.getByRole('heading', { name: 'Margaret Whitlow' })).toBeVisible();
});

test('on a phone, nothing has to be scrolled sideways', async () => {
  const { page } = officer;
  await page.setViewportSize({ width: 390, height: 844 });
  await officer.open('/console');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await nothingSideways(page);
  await picture(page, 'console-phone-whole', true);
  await expectAccessible(page, 'the console on a phone');
  await alerts(page).first().getByRole('link').click();
  await expect(page.getByRole('heading', { name: 'Why' })).toBeVisible();
  await picture(page, 'console-phone-decision-whole', true);
  await nothingSideways(page);
  await officer.open('/console/people/rehearsed-omar');
  await expect(page.getByRole('heading', { name: 'rehearsed-omar' })).toBeVisible();
  await nothingSideways(page);
  await officer.open('/console/what-if');
  await expect(page.getByRole('textbox', { name: 'Policy text' })).toBeVisible();
  await nothingSideways(page);
});

test('clinicians have no console', async () => {
  await amara.open('/console');
  await expect(amara.page.getByText('There is no such page')).toBeVisible();
  await amara.page.getByRole('button', { name: 'Back to today' }).click();
  await amara.isIn();
});

test('friction counts each sign-in once, and only people’s own', () => {
  const signal = { kind: 'KEYSTROKE_FIXED', status: 'SCORED', contribution: 1, score: 1, maturity: 'MATURE', samples: 30, profile_version: 1 };
  const row = (session: string, outcome: Row['outcome'], alarm = false, more: Partial<Row> = {}): Row =>
    ({ action: 'LOGIN', session, outcome, signals: [signal], reasons: alarm ? [{ code: 'TYPING_DIFFERS', text: '', metadata: {} }] : [], ...more }) as Row;
  const learning = { signals: [{ ...signal, maturity: 'LEARNING' }] };
  const seen = logins([
    row('fine', 'allow'),
    row('raised', 'step_up', true),
    row('raised', 'allow', true),
    row('attack', 'step_up', true),
    row('new device', 'step_up'),
    row('new device', 'allow'),
    row('learning', 'step_up', false, learning),
    row('chart', 'step_up', true, { action: 'READ' }),
  ]);
  expect(seen).toEqual([
    { raised: false, genuine: true },
    { raised: true, genuine: true },
    { raised: true, genuine: false },
    { raised: false, genuine: true },
  ]);
  expect(shares(seen, 2, 2)).toEqual([0.5, 1, 0.5]);
});

test('an edit is told line by line', () => {
  const before = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].join('\n');
  const after = ['a', 'b', 'c', 'x', 'e', 'f', 'g', 'h'].join('\n');
  const told = diff(before, after);
  expect(told.filter(line => line.kind !== 'same')).toEqual([
    { kind: 'removed', text: 'd' },
    { kind: 'added', text: 'x' },
    { kind: 'added', text: 'h' },
  ]);
  expect(told.filter(line => line.kind !== 'added').map(line => line.text).join('\n')).toBe(before);
  expect(told.filter(line => line.kind !== 'removed').map(line => line.text).join('\n')).toBe(after);
  expect(around(diff(before, before))).toEqual([]);
  expect(around(told, 1).map(line => line?.text)).toEqual(['c', 'd', 'x', 'e', undefined, 'g', 'h']);
});
