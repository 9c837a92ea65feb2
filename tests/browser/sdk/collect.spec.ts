import { expect, test } from '@playwright/test';
import { PageServer } from '../src/page-server.js';
import { humanly, KEYS, strokeOf, type, type Stroke } from '../src/typing.js';
import { expectAccessible, Watch } from '../src/watch.js';

const SECRET = 'vK9xwQp7mZ';

let server: PageServer;
let watch: Watch;
test.beforeAll(async () => {
  server = await PageServer.start();
});
test.afterAll(async () => server.stop());
test.beforeEach(async ({ page }) => {
  watch = await Watch.on(page);
  await page.goto(server.url);
  await page.waitForFunction(() => 'keyward' in window);
});
test.afterEach(() => watch.quiet());

const collect = (page: import('@playwright/test').Page) =>
  page.evaluate(() => {
    window.collector = window.keyward.collect(document.querySelector('form') as HTMLFormElement, { nonce: 'n-1' });
  });
const finish = (page: import('@playwright/test').Page) =>
  page.evaluate(async () => {
    const telemetry = await window.collector.finish();
    return telemetry?.keystrokes.find(sample => sample.field === 'password');
  });
const password = (page: import('@playwright/test').Page) => page.locator('[name=password]');

test('recorded rhythms arrive to a tenth of a millisecond, overlaps too', async ({ page }) => {
  await collect(page);
  await password(page).focus();
  const strokes: Stroke[] = [strokeOf('a', 0, 91.3), strokeOf('b', 80.1, 200.4), strokeOf('c', 250.7, 311.2), strokeOf('d', 300, 420.9)];
  await type(page, strokes);
  const sample = await finish(page);
  expect(sample).toMatchObject({ position: [0, 1, 2, 3], zone: [1, 1, 1, 1], pasted: false, autofilled: false, composed: false });
  const error = (us: readonly number[] | undefined, ms: number[]) => Math.max(...ms.map((t, i) => Math.abs((us?.[i] ?? NaN) / 1000 - t)));
  expect(error(sample?.downUs, strokes.map(stroke => stroke.downMs))).toBeLessThanOrEqual(0.2);
  expect(error(sample?.upUs, strokes.map(stroke => stroke.upMs))).toBeLessThanOrEqual(0.2);
});

test('a secret is nowhere in what leaves the page, nor in what the page keeps', async ({ page }) => {
  await page.evaluate(() => {
    const form = document.querySelector('form') as HTMLFormElement;
    window.collector = window.keyward.collect(form, { nonce: 'n-1', output: 'telemetry', pointer: true });
    window.keyward.collectSession(document, {
      label: 'notes',
      presses: 20,
      onBatch: telemetry => fetch('/batch', { method: 'POST', body: JSON.stringify(telemetry) }),
    });
  });
  await password(page).focus();
  await type(page, humanly(SECRET));
  await page.locator('[name=notes]').focus();
  await type(page, humanly(`${SECRET} and so on and on`, 7));
  await page.evaluate(async () => {
    // The page itself prints and sends all that the SDK gives it.
    const telemetry = await window.collector.finish();
    console.log(JSON.stringify(telemetry), JSON.stringify(window.collector.report()));
    localStorage.setItem('telemetry', JSON.stringify(telemetry));
    await fetch('/telemetry', { method: 'POST', body: JSON.stringify(telemetry) });
    const socket = new WebSocket(`ws://${location.host}/socket`);
    await new Promise(resolve => socket.addEventListener('open', resolve));
    socket.send(JSON.stringify(telemetry));
  });
  await expect.poll(() => server.posted.length).toBeGreaterThanOrEqual(2);
  await watch.kept(page);
  expect(watch.left.filter(({ where }) => where === 'body of /batch')).toHaveLength(1);
  await expect.poll(() => watch.left.some(({ where }) => where === 'WebSocket')).toBe(true);
  for (const where of ['body of /telemetry', 'WebSocket', 'storage', 'console']) {
    expect(watch.left.some(left => left.where === where && left.text.includes('downUs')), `${where} was looked at`).toBe(true);
  }
  watch.expectNothingOf(SECRET);
});

test('the search would find it', () => {
  const leaky = new Watch();
  for (const text of ['xwQp7m', 'a=%76', '{"k":["KeyV","KeyK"]}']) leaky.left.push({ where: 'body', text });
  expect(() => leaky.expectNothingOf(SECRET)).toThrow(/piece of the secret as it is/);
  const encoded = new Watch();
  encoded.left.push({ where: 'body', text: Buffer.from(SECRET).toString('base64') });
  expect(() => encoded.expectNothingOf(SECRET)).toThrow(/base64/);
});

test('a plain form carries the telemetry by itself, Enter left out', async ({ page }) => {
  await page.evaluate(() => {
    window.keyward.collect(document.querySelector('form') as HTMLFormElement, { nonce: 'n-1', output: 'telemetry' });
  });
  await password(page).focus();
  const strokes = humanly('abcde');
  const last = strokes.at(-1)?.upMs ?? 0;
  // The last letter is still held when Enter goes down.
  await type(page, [...strokes, { ...KEYS.Enter, downMs: last - 20, upMs: last + 60 }]);
  await expect(page.getByRole('heading', { name: 'Sent' })).toBeVisible();
  const telemetry = JSON.parse(new URLSearchParams(server.posted.at(-1)).get('telemetry') ?? '');
  expect(telemetry.nonce).toBe('n-1');
  expect(telemetry.keystrokes[0]).toMatchObject({ field: 'password', zone: [1, 1, 1, 1, 1] });
  expect(telemetry.keystrokes[0].upUs[4] / 1000).toBeCloseTo(last, 0);
});

test('paste is welcome and said so', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await collect(page);
  await page.evaluate(text => navigator.clipboard.writeText(text), SECRET);
  await password(page).focus();
  await page.keyboard.press('Control+V');
  await expect(password(page)).toHaveValue(SECRET);
  expect(await finish(page)).toMatchObject({ pasted: true, autofilled: false });
});

test('what fills a field without keys is seen, with events and without', async ({ page }) => {
  await collect(page);
  // As password managers do it.
  await password(page).evaluate((field: HTMLInputElement, value) => {
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }, SECRET);
  expect(await finish(page)).toMatchObject({ autofilled: true, zone: [] });
  await page.evaluate(() => window.collector.reset());
  await password(page).evaluate((field: HTMLInputElement) => {
    field.value = 'set before anybody looked';
  });
  expect(await finish(page)).toMatchObject({ autofilled: true });
});

test('an input method is seen', async ({ page }) => {
  await page.evaluate(() => {
    window.collector = window.keyward.collect(document.querySelector('textarea') as HTMLTextAreaElement, { label: 'notes' });
  });
  await page.locator('[name=notes]').focus();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Input.imeSetComposition', { text: 'に', selectionStart: 1, selectionEnd: 1 });
  await cdp.send('Input.imeSetComposition', { text: 'にほ', selectionStart: 2, selectionEnd: 2 });
  await cdp.send('Input.insertText', { text: '日本' });
  await expect(page.locator('[name=notes]')).toHaveValue('日本');
  const telemetry = await page.evaluate(() => window.collector.finish());
  expect(telemetry?.keystrokes).toMatchObject([{ field: 'notes', composed: true, zone: [] }]);
});

test('dictation and soft keyboards, which press no key, are seen', async ({ page }) => {
  await collect(page);
  await password(page).focus();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Input.insertText', { text: 'a' });
  await cdp.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'Unidentified', windowsVirtualKeyCode: 229 });
  await cdp.send('Input.insertText', { text: 'b' });
  expect(await finish(page)).toMatchObject({ composed: true, zone: [] });
});

test('Tab leaves the field and is no part of it; its release is nobody’s', async ({ page }) => {
  await collect(page);
  await password(page).focus();
  await type(page, [...humanly('abcd'), { ...KEYS.Tab, downMs: 900, upMs: 980 }]);
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeFocused();
  expect(await finish(page)).toMatchObject({ zone: [1, 1, 1, 1] });
});

test('a correction is recorded as it was; a new beginning is one', async ({ page }) => {
  await collect(page);
  await password(page).focus();
  await type(page, [strokeOf('a', 0, 80), strokeOf('x', 200, 280), { ...KEYS.Backspace, downMs: 400, upMs: 470 }, strokeOf('b', 600, 690)]);
  expect(await finish(page)).toMatchObject({ zone: [1, 1, 12, 1], position: [0, 1, 2, 1] });
  await page.keyboard.press('Control+A');
  await type(page, humanly('wxyz'));
  await expect(password(page)).toHaveValue('wxyz');
  expect(await finish(page)).toMatchObject({ zone: [1, 1, 1, 1], position: [0, 1, 2, 3] });
});

test('shown for a moment, a password stays secret', async ({ page }) => {
  await collect(page);
  await password(page).focus();
  await type(page, humanly('ab'));
  await password(page).evaluate((field: HTMLInputElement) => {
    field.type = 'text';
  });
  await type(page, humanly('cd', 3));
  expect(await finish(page)).toMatchObject({ zone: [1, 1, 1, 1] });
});

test('this browser’s clock is fine enough', async ({ page }) => {
  await collect(page);
  await password(page).focus();
  await type(page, humanly('abcd'));
  expect(await finish(page)).toMatchObject({ coarseClock: false });
});

test('the page is accessible', async ({ page }) => {
  await expectAccessible(page, 'the page');
});
