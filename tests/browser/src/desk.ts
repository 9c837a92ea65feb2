import { type Browser, type BrowserContext, expect, type Page } from '@playwright/test';
import { Authenticator } from './authenticator.js';
import { type Clinic, PASSWORD } from './portal.js';
import { humanly, KEYS, type Stroke, type } from './typing.js';
import { Watch } from './watch.js';

/** A browser at the clinic, with somebody in front of it and an authenticator in reach. */
export class Desk {
  private shownAt = 0;

  private constructor(
    readonly clinic: Clinic,
    readonly context: BrowserContext,
    readonly page: Page,
    readonly watch: Watch,
    readonly authenticator: Authenticator,
  ) {}

  static async at(clinic: Clinic, browser: Browser, viewport = { width: 1280, height: 800 }): Promise<Desk> {
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    const watch = await Watch.on(page);
    // The portal's pages are isolated, and so in another process than the empty page: authenticators are added to the one.
    await page.goto(clinic.url);
    const authenticator = await Authenticator.add(page);
    // Passkeys are also offered in the field itself, which an authenticator that is always touched would answer at once.
    await authenticator.touched(false);
    const desk = new Desk(clinic, context, page, watch, authenticator);
    await desk.open();
    return desk;
  }

  async open(path = '/'): Promise<void> {
    await this.page.goto(this.clinic.url + path);
    await expect(this.page.locator('main')).not.toBeEmpty();
  }

  async close(): Promise<void> {
    this.watch.quiet();
    await this.context.close();
  }

  /** The first sign-in: password, code, passkey. */
  async enrol(person: string): Promise<void> {
    const { page } = this;
    await this.password(person);
    await expect(page.getByRole('heading', { name: 'Make your passkey' })).toBeVisible();
    await page.getByLabel('Enrolment code').fill(await this.clinic.code(person));
    await this.touching(() => page.getByRole('button', { name: 'Make a passkey' }).click());
    // The new passkey is shown at once: a registration proves nothing by itself.
    await this.stepUp();
    await this.isIn();
  }

  /** Types the password, each key at its time, and sends it with Enter. What follows is up to keyward. */
  async password(person: string, strokes: readonly Stroke[] = withEnter(humanly(PASSWORD, 11))): Promise<void> {
    await this.page.getByLabel('Staff ID').fill(person);
    // Emptied without a key, which would be stamped later than what is typed next.
    await this.page.getByLabel('Password').evaluate((field: HTMLInputElement) => {
      field.value = '';
      field.dispatchEvent(new Event('input', { bubbles: true }));
    });
    await this.page.getByLabel('Password').focus();
    await type(this.page, strokes);
  }

  /** Signs in with the passkey, whoever's it is. */
  async passkey(): Promise<void> {
    const button = this.page.getByRole('button', { name: 'Use a passkey' }).first();
    await expect(button).toBeVisible();
    // The finger may also answer the field's own offer, and the button be gone before it is pressed: then nothing is.
    await this.touching(() => button.evaluateAll(([there]) => (there as HTMLButtonElement | undefined)?.click()));
  }

  /** Answers the step-up dialog with the passkey. */
  async stepUp(): Promise<void> {
    const { page } = this;
    await expect(this.dialog).toBeVisible();
    await this.touching(() => page.getByRole('button', { name: /^(Use passkey|Open in an emergency)$/ }).click());
    await expect(this.dialog).toBeHidden();
  }

  get dialog() {
    return this.page.getByRole('dialog');
  }

  async isIn(): Promise<void> {
    await expect(this.page.getByRole('heading', { name: 'Today', exact: true })).toBeVisible();
  }

  async signOut(): Promise<void> {
    await this.page.getByRole('button', { name: /^(Sign out|Switch user)$/ }).first().click();
    await expect(this.page.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible();
  }

  /** Waits until the passkey that was shown last is no fresh one any more, where a signature needs one of the last half minute. */
  async passkeyIsOld(): Promise<void> {
    await this.page.waitForTimeout(Math.max(0, this.shownAt + 31_000 - Date.now()));
  }

  /** Does something while somebody's finger is on the authenticator. */
  async touching(act: () => Promise<unknown>): Promise<void> {
    await this.authenticator.touched(true);
    await act();
    // Until the browser's prompt was answered: the page and its dialog wait for nothing, or for the next answer.
    await this.page.waitForTimeout(100);
    await expect
      .poll(() =>
        this.page.evaluate(() => {
          const dialog = document.querySelector('keyward-step-up')?.shadowRoot?.querySelector('dialog[open]');
          const waits = dialog ? dialog.querySelector('[role=status]')?.textContent !== '' : !!document.querySelector('[aria-busy=true]');
          return waits;
        }),
      )
      .toBe(false);
    await this.authenticator.touched(false);
    this.shownAt = Date.now();
  }
}

/** Typing that Enter ends, a little after the last key. */
export function withEnter(strokes: readonly Stroke[]): Stroke[] {
  const last = Math.max(...strokes.map(stroke => stroke.downMs));
  return [...strokes, { ...KEYS.Enter, downMs: last + 180, upMs: last + 260 }];
}
