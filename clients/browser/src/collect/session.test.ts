import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { key } from '../testing.js';
import { Consent } from './consent.js';
import { collectSession, type SessionCollector } from './session.js';
import type { Telemetry } from './telemetry.js';

let notes: HTMLTextAreaElement;
let session: SessionCollector | undefined;
const sent: Telemetry[] = [];
let now = 0;

beforeEach(() => {
  document.body.innerHTML = `<textarea></textarea><input type="password"><div data-keyward-ignore><input type="text"></div>`;
  notes = document.querySelector('textarea') as HTMLTextAreaElement;
  sent.length = 0;
  now = 1;
});

afterEach(() => {
  session?.stop();
  hide(false);
});

function type(presses: number, field: Element = notes, gapMs = 1) {
  for (let i = 0; i < presses; i++) {
    field.dispatchEvent(key('keydown', 'KeyA', now));
    field.dispatchEvent(key('keyup', 'KeyA', now + gapMs / 2));
    now += gapMs;
  }
}

function hide(hidden: boolean) {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}

const take = async (telemetry: Telemetry) => void sent.push(telemetry);

it('hands out batches of open typing, without places', async () => {
  session = collectSession(document, {
    label: 'notes',
    onBatch: take,
    presses: 30,
    nonce: async () => `n-${sent.length}`,
  });
  type(65);
  await vi.waitFor(() => expect(sent).toHaveLength(2));
  expect(sent.map(batch => batch.nonce)).toEqual(['n-0', 'n-1']);
  expect(sent[0]?.keystrokes[0]).toMatchObject({
    field: 'notes',
    zone: Array(30).fill(3),
    position: Array(30).fill(0),
    freeText: true,
  });
  session.flush();
  expect(session.report(), 'five presses are not worth a batch').toMatchObject({ sent: 2, waiting: 0 });
});

it('never records secrets, nor what the app excludes', async () => {
  session = collectSession(document, { label: 'notes', onBatch: take, presses: 20 });
  for (const field of document.querySelectorAll('input')) type(50, field);
  session.flush();
  await Promise.resolve();
  expect(sent).toEqual([]);
});

it('holds back: one on its way, some waiting, the oldest dropped', async () => {
  const held: (() => void)[] = [];
  const onBatch = (telemetry: Telemetry) => {
    sent.push(telemetry);
    return new Promise<void>(resolve => held.push(resolve));
  };
  session = collectSession(document, { label: 'notes', onBatch, presses: 20, waiting: 2 });
  type(20 * 6);
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  expect(session.report()).toEqual({ sent: 0, failed: 0, dropped: 3, waiting: 2 });
  for (let i = 0; i < 3; i++) {
    await vi.waitFor(() => expect(held).toHaveLength(i + 1));
    held[i]?.();
  }
  await vi.waitFor(() => expect(session?.report()).toEqual({ sent: 3, failed: 0, dropped: 3, waiting: 0 }));
});

it('goes on after a batch that could not be sent', async () => {
  const onBatch = vi.fn().mockRejectedValueOnce(new Error('offline')).mockResolvedValue(undefined);
  session = collectSession(document, { label: 'notes', onBatch, presses: 20 });
  type(40);
  await vi.waitFor(() => expect(session?.report()).toMatchObject({ sent: 1, failed: 1 }));
});

it('hands out what there is when the page is hidden, and records nothing while it is', async () => {
  session = collectSession(document, { label: 'notes', onBatch: take, presses: 100 });
  type(25);
  hide(true);
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  type(50);
  hide(false);
  session.flush();
  await Promise.resolve();
  expect(sent).toHaveLength(1);
});

it('erases what was recorded and what waits when consent is taken back', async () => {
  const consent = new Consent('granted');
  session = collectSession(document, { label: 'notes', onBatch: take, presses: 100, consent });
  type(50);
  consent.deny();
  session.flush();
  consent.grant();
  session.flush();
  await Promise.resolve();
  expect(sent).toEqual([]);
});
