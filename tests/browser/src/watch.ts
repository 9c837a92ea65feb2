import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, type Page } from '@playwright/test';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Everything that left a page, or that it kept, as text. */
export class Watch {
  readonly left: { where: string; text: string }[] = [];
  readonly errors: string[] = [];

  /** Watches a page from now on: before it goes anywhere. */
  static async on(page: Page): Promise<Watch> {
    const watch = new Watch();
    page.on('request', request => {
      watch.left.push({ where: 'request line', text: `${request.method()} ${request.url()}` });
      watch.left.push({ where: 'request headers', text: JSON.stringify(request.headers()) });
      const body = request.postDataBuffer();
      if (body) watch.left.push({ where: `body of ${new URL(request.url()).pathname}`, text: body.toString('latin1') });
    });
    page.on('websocket', socket =>
      socket.on('framesent', ({ payload }) => watch.left.push({ where: 'WebSocket', text: payload.toString() })),
    );
    page.on('console', message => {
      watch.left.push({ where: 'console', text: message.text() });
      // Refused logins are told by status; the browser logs each as an error of loading.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) watch.errors.push(message.text());
    });
    page.on('pageerror', error => watch.errors.push(String(error)));
    await page.exposeFunction('keywardTestsTold', (what: string) => void watch.errors.push(what));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', event => {
        const told = `CSP: ${event.violatedDirective} refused ${event.blockedURI} in ${event.sourceFile}:${event.lineNumber}`;
        (window as unknown as { keywardTestsTold(what: string): void }).keywardTestsTold(told);
      });
    });
    return watch;
  }

  /** Adds what the page keeps: storage, cookies, history, caches, databases. */
  async kept(page: Page): Promise<void> {
    const storage = await page.evaluate(async () => ({
      local: { ...localStorage },
      session: { ...sessionStorage },
      history: history.state as unknown,
      url: location.href,
      title: document.title,
      caches: 'caches' in window ? await caches.keys() : [],
      databases: await indexedDB.databases(),
    }));
    // What is in them is not searched, so there may be none.
    expect([...storage.caches, ...storage.databases], 'caches and databases').toEqual([]);
    this.left.push({ where: 'storage', text: JSON.stringify(storage) });
    this.left.push({ where: 'cookies', text: JSON.stringify(await page.context().cookies()) });
  }

  /** JavaScript errors and CSP violations are at zero. */
  quiet(): void {
    expect(this.errors, 'JavaScript errors and CSP violations').toEqual([]);
  }

  /** Nothing of a secret is in anything that left, under any spelling that a collector's mistake would have. */
  expectNothingOf(secret: string, except: (text: string, where: string) => string = text => text): void {
    expect(this.left.length).toBeGreaterThan(0);
    const spellings = spellingsOf(secret);
    for (const { where, text } of this.left) {
      const searched = except(text, where);
      const found = spellings.find(([, spelling]) => searched.includes(spelling));
      expect(found?.[0], `${where} has a piece of the secret ${found?.[0]}`).toBeUndefined();
    }
  }
}

/** Pieces of a secret as they are, and as they would look encoded. Four characters are rare enough not to come by chance. */
function spellingsOf(secret: string): [how: string, spelling: string][] {
  const pieces = Array.from({ length: secret.length - 3 }, (_, i) => secret.slice(i, i + 4));
  return pieces.flatMap((piece): [string, string][] => [
    ['as it is', piece],
    ['in URL form', encodeURIComponent(piece)],
    ['in hexadecimal', Buffer.from(piece).toString('hex')],
    ['as codes', [...piece].map(character => character.charCodeAt(0)).join(',')],
    ['as keys', [...piece].map(character => `"Key${character.toUpperCase()}"`).join(',')],
    ['in base64', Buffer.from(secret).toString('base64').slice(0, 8)],
  ]);
}

/** The page, shadow trees included, has no violation that axe knows of WCAG 2.2 A and AA and of best practice. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const axe = (window as unknown as { axe: typeof import('axe-core') }).axe;
    const { violations } = await axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map(node => `${node.target.join(' ')}: ${node.failureSummary}`) }));
  });
  expect(violations, `axe on ${what}`).toEqual([]);
}

/** A picture for people to look at, in a folder that is not kept. `whole` has what lies below the screen, too. */
export async function picture(page: Page, name: string, whole = false): Promise<void> {
  await page.screenshot({ path: `out/pictures/${name}.png`, fullPage: whole });
}

/** Where the README's pictures are, when they are to be made anew: `tests/browser/run screenshots`. */
const SCREENSHOTS = process.env['KEYWARD_SCREENSHOTS'];

/** A picture that the README shows. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await picture(page, name);
  if (!SCREENSHOTS) return;
  // The session stays: when one of a page ends, the browser takes the page's authenticators away.
  const cdp = await page.context().newCDPSession(page);
  const { data } = await cdp.send('Page.captureScreenshot', { format: 'webp', quality: 85 });
  writeFileSync(join(SCREENSHOTS, `${name}.webp`), Buffer.from(data, 'base64'));
}
