import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PromptCode } from '../prompt/index.js';
import { begun, type FakeBrowser, open, asked as optionsOf, withPasskeys } from '../prompt/testing.js';
import type { Decision } from './decision.js';
import { defineStepUp, type KeywardStepUp } from './element.js';

defineStepUp();

const reason = (code: string, userText: string, metadata = {}) => ({ code: `REASON_CODE_${code}`, userText, metadata });
const stepUp = (evidence = 'EVIDENCE_PASSKEY', ...reasons: Decision['reasons'] & object): Decision => ({
  outcome: 'OUTCOME_STEP_UP',
  reasons,
  stepUp: { evidence, ...begun() },
});
const ALLOW: Decision = { outcome: 'OUTCOME_ALLOW' };
const DENY: Decision = {
  outcome: 'OUTCOME_DENY',
  reasons: [reason('POLICY_FORBIDS', 'Your role does not allow this.')],
};

let browser: FakeBrowser;
let element: KeywardStepUp;
beforeEach(() => {
  browser = withPasskeys();
  document.body.innerHTML = '<div lang="en"><keyward-step-up></keyward-step-up></div>';
  element = document.querySelector('keyward-step-up') as KeywardStepUp;
});
afterEach(() => vi.unstubAllGlobals());

const root = () => element.shadowRoot as ShadowRoot;
const texts = () => root().querySelector('dialog')?.textContent ?? '';
const alert = () => root().querySelector('[role=alert]')?.textContent ?? '';
const button = (part: string) => root().querySelector(`button[part~="${part}"]`) as HTMLButtonElement;
const parts = () => [...root().querySelectorAll('button')].map(one => one.getAttribute('part')?.split(' ').at(-1));

it('lets an ALLOW pass at once, and takes what it does not know for a DENY', async () => {
  await expect(element.ask(ALLOW, { complete: vi.fn() })).resolves.toEqual({ outcome: 'allowed', decision: ALLOW });
  void element.ask({ outcome: 'OUTCOME_MAYBE' }, { complete: vi.fn() });
  expect(parts()).toEqual(['cancel']);
});

it('says why, in the decision’s words, each once, and what to do', () => {
  const differs = reason('TYPING_DIFFERS', 'Something about this sign-in looks different.');
  const asked = reason('POLICY_NEEDS_EVIDENCE', 'Please confirm that it is you.');
  void element.ask(stepUp('EVIDENCE_PASSKEY', differs, differs, asked, reason('NETWORK_NEW', '')), {
    complete: vi.fn(),
  });
  expect([...root().querySelectorAll('li')].map(li => li.textContent)).toEqual([differs.userText]);
  expect(texts()).toContain('Confirm that it is you');
  expect(texts()).toContain('Use your passkey');
});

it('never takes a text for markup', () => {
  void element.ask(stepUp('EVIDENCE_PASSKEY', reason('NEW_CODE', '<img src=x onerror=alert(1)>')), {
    complete: vi.fn(),
  });
  expect(root().querySelector('img')).toBeNull();
  expect(texts()).toContain('<img');
});

it('carries the answer, and ends with the new decision', async () => {
  const complete = vi.fn(async () => ALLOW);
  const asked = element.ask(stepUp(), { complete });
  button('passkey').click();
  await expect(asked).resolves.toEqual({ outcome: 'allowed', decision: ALLOW });
  expect(complete).toHaveBeenCalledExactlyOnceWith({
    assertion: { ceremonyId: 'c-1', credentialJson: expect.stringContaining('BAUG') },
  });
});

it('offers what the evidence allows', () => {
  void element.ask(stepUp(), { complete: vi.fn() });
  expect(parts()).toEqual(['passkey', 'hybrid', 'security-key', 'cancel']);
  void element.ask(stepUp('EVIDENCE_HARDWARE_PASSKEY'), { complete: vi.fn() });
  expect(parts()).toEqual(['security-key', 'cancel']);
  void element.ask({ ...stepUp(), stepUp: { evidence: 'EVIDENCE_PASSKEY' } }, { complete: vi.fn() });
  expect(parts()).toEqual(['cancel']);
  expect(texts()).toContain('You have no passkey');
});

it('hints at the device that was chosen', async () => {
  const asked = element.ask(stepUp(), { complete: async () => ALLOW });
  button('hybrid').click();
  await asked;
  expect(browser.get.mock.calls[0]?.[0]).toMatchObject({ publicKey: { hints: ['hybrid'] } });
});

it('takes a second press for none while the first is under way', async () => {
  let answer: (decision: Decision) => void = () => undefined;
  const complete = vi.fn(() => new Promise<Decision>(resolve => (answer = resolve)));
  const asked = element.ask(stepUp(), { complete });
  button('passkey').click();
  button('passkey').click();
  await vi.waitFor(() => expect(complete).toHaveBeenCalled());
  button('passkey').click();
  button('cancel').click();
  answer(ALLOW);
  await expect(asked).resolves.toMatchObject({ outcome: 'allowed' });
  expect(browser.get).toHaveBeenCalledOnce();
  expect(complete).toHaveBeenCalledOnce();
});

it('tells what went wrong in the browser, and lets try again', async () => {
  browser.get.mockRejectedValueOnce(new DOMException('', 'NotAllowedError'));
  const asked = element.ask(stepUp(), { complete: async () => ALLOW });
  button('passkey').click();
  await vi.waitFor(() => expect(alert()).toContain('was closed'));
  expect(button('passkey').hasAttribute('aria-disabled')).toBe(false);
  button('passkey').click();
  await expect(asked).resolves.toMatchObject({ outcome: 'allowed' });
});

it('tells of somebody else’s passkey that keyward refused', async () => {
  const refused = stepUp('EVIDENCE_PASSKEY', reason('PASSKEY_REJECTED', 'No.', { cause: 'other_person' }));
  void element.ask(stepUp(), { complete: async () => refused });
  button('passkey').click();
  await vi.waitFor(() => expect(alert()).toContain('belongs to another account'));
  expect(root().querySelector('li')).toBeNull();
});

it('tells a DENY, and ends with it', async () => {
  const asked = element.ask(stepUp(), { complete: async () => DENY });
  button('passkey').click();
  await vi.waitFor(() => expect(texts()).toContain('Your role does not allow this.'));
  button('cancel').click();
  await expect(asked).resolves.toEqual({ outcome: 'denied', decision: DENY });
});

it('asks anew when the challenge ran out, was spent, or is not known any more', async () => {
  const late = { ...stepUp(), stepUp: { ...stepUp().stepUp, expiresAt: '2020-01-01T00:00:00Z' } };
  const fresh = { ...stepUp(), stepUp: { evidence: 'EVIDENCE_PASSKEY', ...begun(), ceremonyId: 'c-2' } };
  const renew = vi.fn(async () => fresh);
  const complete = vi.fn().mockRejectedValueOnce(Object.assign(new Error(), { code: PromptCode.CHALLENGE_EXPIRED }));
  complete.mockResolvedValue(ALLOW);
  const asked = element.ask(late, { complete, renew });
  button('passkey').click();
  await vi.waitFor(() => expect(alert()).toContain('took too long'));
  expect(complete).toHaveBeenLastCalledWith({ assertion: expect.objectContaining({ ceremonyId: 'c-2' }) });
  button('passkey').click();
  await expect(asked).resolves.toMatchObject({ outcome: 'allowed' });
  expect(renew).toHaveBeenCalledTimes(2);
});

it('says when the app’s back end cannot be reached', async () => {
  void element.ask(stepUp(), { complete: () => Promise.reject(new TypeError('fetch failed')) });
  button('passkey').click();
  await vi.waitFor(() => expect(alert()).toContain('could not check'));
});

describe('break-glass', () => {
  it('needs a justification, and keeps it over a refusal', async () => {
    const complete = vi.fn(async () => ALLOW);
    const asked = element.ask(stepUp('EVIDENCE_BREAK_GLASS'), { complete });
    const field = root().querySelector('textarea') as HTMLTextAreaElement;
    button('passkey').click();
    expect(alert()).toContain('at least 10');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(browser.get).not.toHaveBeenCalled();
    field.value = '  Patient collapsed in corridor 4  ';
    button('passkey').click();
    await asked;
    expect(complete).toHaveBeenCalledWith({
      assertion: expect.anything(),
      breakGlass: { justification: 'Patient collapsed in corridor 4' },
    });
  });
});

it('ends the prompt with the dialog', async () => {
  browser.get.mockImplementation(open);
  const asked = element.ask(stepUp(), { complete: vi.fn() });
  button('passkey').click();
  await vi.waitFor(() => expect(browser.get).toHaveBeenCalled());
  button('cancel').click();
  await expect(asked).resolves.toMatchObject({ outcome: 'cancelled' });
  expect(optionsOf<{ signal: AbortSignal }>(browser.get).signal.aborted).toBe(true);
});

it('ends the question before when another one is asked, and when it leaves the page', async () => {
  const first = element.ask(stepUp(), { complete: vi.fn() });
  const second = element.ask(stepUp(), { complete: vi.fn() });
  await expect(first).resolves.toMatchObject({ outcome: 'cancelled' });
  element.remove();
  await expect(second).resolves.toMatchObject({ outcome: 'cancelled' });
});

it('speaks the language of where it is', () => {
  (element.parentElement as HTMLElement).lang = 'ar-EG';
  void element.ask(stepUp('EVIDENCE_PASSKEY', reason('DEVICE_NEW', 'This device is new to us.')), {
    complete: vi.fn(),
  });
  const dialog = root().querySelector('dialog') as HTMLDialogElement;
  expect([dialog.dir, dialog.lang]).toEqual(['rtl', 'ar']);
  expect(texts()).toContain('هذا الجهاز جديد علينا.');
});
