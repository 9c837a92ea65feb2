import type { CDPSession, Page } from '@playwright/test';

/** One key press: which key, what it writes, and when it goes down and up, in milliseconds since the first. */
export interface Stroke {
  readonly code: string;
  readonly key: string;
  readonly text?: string;
  readonly virtualKey: number;
  readonly downMs: number;
  readonly upMs: number;
}

const SHIFTED: Record<string, string> = { '!': '1', '@': '2', '#': '3', $: '4', '%': '5' };

/** The key of a US keyboard that writes a character. */
export function strokeOf(character: string, downMs: number, upMs: number): Stroke {
  const base = SHIFTED[character] ?? character;
  const [code, virtualKey] = /[a-z]/i.test(base)
    ? [`Key${base.toUpperCase()}`, base.toUpperCase().charCodeAt(0)]
    : /\d/.test(base)
      ? [`Digit${base}`, base.charCodeAt(0)]
      : (OTHERS[base] ?? []);
  if (!code || !virtualKey) throw new Error(`no key for ${JSON.stringify(character)}`);
  return { code, key: character, text: character, virtualKey, downMs, upMs };
}

const OTHERS: Record<string, [code: string, virtualKey: number]> = {
  '.': ['Period', 190],
  ',': ['Comma', 188],
  '-': ['Minus', 189],
  ' ': ['Space', 32],
};

/** Keys that write nothing. */
export const KEYS = {
  Enter: { code: 'Enter', key: 'Enter', text: '\r', virtualKey: 13 },
  Tab: { code: 'Tab', key: 'Tab', virtualKey: 9 },
  Backspace: { code: 'Backspace', key: 'Backspace', virtualKey: 8 },
} as const;

/** A rhythm that a person might have: every hold and every gap differs. */
export function humanly(text: string, seed = 1, startMs = 0): Stroke[] {
  const random = generator(seed);
  let now = startMs;
  return [...text].map(character => {
    const downMs = now;
    now += 110 + random() * 160;
    return strokeOf(character, downMs, downMs + 60 + random() * 60);
  });
}

/** Types with each key's own times: what the page sees as the events' stamps, whatever the machine is busy with. */
export async function type(page: Page, strokes: readonly Stroke[]): Promise<void> {
  const cdp = await sessionOf(page);
  const lengthMs = Math.max(...strokes.map(stroke => stroke.upMs));
  const firstMs = await baseTime(page, lengthMs);
  const events = strokes.flatMap(stroke => [
    { ms: stroke.downMs, type: stroke.text ? ('keyDown' as const) : ('rawKeyDown' as const), stroke },
    { ms: stroke.upMs, type: 'keyUp' as const, stroke },
  ]);
  events.sort((a, b) => a.ms - b.ms);
  for (const { ms, type, stroke } of events) await dispatch(cdp, type, stroke, (firstMs + ms) / 1000);
}

// One for each page, which stays: when any session of a page ends, the browser takes the page's authenticators away.
const sessions = new WeakMap<Page, CDPSession>();

async function sessionOf(page: Page): Promise<CDPSession> {
  const session = sessions.get(page) ?? (await page.context().newCDPSession(page));
  sessions.set(page, session);
  return session;
}

// Stamps lie in the page's past, so that nothing has to be waited for; they may not lie before the page.
async function baseTime(page: Page, lengthMs: number): Promise<number> {
  await page.waitForFunction(ms => performance.now() > ms, lengthMs + 20);
  return page.evaluate(ms => performance.timeOrigin + performance.now() - ms - 10, lengthMs);
}

async function dispatch(cdp: CDPSession, type: 'keyDown' | 'rawKeyDown' | 'keyUp', stroke: Stroke, timestamp: number) {
  const { code, key, text, virtualKey } = stroke;
  const writes = type === 'keyDown' && text !== undefined ? { text, unmodifiedText: text } : {};
  await cdp.send('Input.dispatchKeyEvent', { type, code, key, windowsVirtualKeyCode: virtualKey, timestamp, ...writes });
}

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
