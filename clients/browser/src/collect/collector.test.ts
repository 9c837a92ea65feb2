import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeOf, insert, key, press } from '../testing.js';
import { type Collector, collect } from './collector.js';
import { Consent } from './consent.js';
import { KeyZone } from './telemetry.js';

const SECRET = 'tie5Roanl.zq';

let form: HTMLFormElement;
let user: HTMLInputElement;
let password: HTMLInputElement;
let collector: Collector;

beforeEach(() => {
  document.body.innerHTML = `
    <form><input name="user" data-keyward="user"><input name="password" type="password" data-keyward="password">
    <input name="telemetry" type="hidden"><button>Sign in</button></form>`;
  form = document.querySelector('form') as HTMLFormElement;
  [user, password] = form.querySelectorAll('input') as unknown as [HTMLInputElement, HTMLInputElement];
  collector = collect(form, { nonce: 'n-1' });
});

afterEach(() => collector.stop());

function typePassword(text = SECRET, field = password) {
  [...text].forEach((character, i) => {
    press(field, codeOf(character), character, 100 + i * 150, 180 + i * 150);
  });
}

const passwordSample = () => collector.read()?.keystrokes.find(sample => sample.field === 'password');

describe('a secret', () => {
  it('is nowhere in what is handed out, under any spelling', () => {
    typePassword();
    const json = JSON.stringify({ telemetry: collector.read(), report: collector.report() });
    for (let from = 0; from + 2 <= SECRET.length; from++) {
      const piece = SECRET.slice(from, from + 2);
      for (const form of [piece, btoa(piece).slice(0, 2), encodeURIComponent(piece)]) {
        expect(json.replaceAll(/"[a-zA-Z]+":/g, '').replaceAll(/"(user|password|n-1)"/g, '')).not.toContain(form);
      }
    }
    expect(json).not.toMatch(/Key[A-Z]|Digit\d/);
    expect(passwordSample()?.zone).toEqual(Array.from(SECRET, () => KeyZone.CHARACTER));
  });

  it('stays secret while it is shown, and is one by its purpose', () => {
    password.type = 'text';
    typePassword('ab1');
    expect(passwordSample()?.zone).toEqual([KeyZone.LEFT_HOME, KeyZone.LEFT_BOTTOM, KeyZone.DIGIT_LEFT]);
    password.type = 'password';
    expect(passwordSample()?.zone, 'what was recorded before tells no more').toEqual([1, 1, 1]);
    press(password, 'KeyC', 'c', 900, 950);
    password.type = 'text';
    press(password, 'KeyD', 'd', 1000, 1050);
    expect(passwordSample()?.zone).toEqual([1, 1, 1, 1, 1]);
  });
});

it('records positions and times of the browser’s own stamps', () => {
  typePassword('abc');
  expect(passwordSample()).toEqual({
    field: 'password',
    position: [0, 1, 2],
    zone: [1, 1, 1],
    downUs: [0, 150_000, 300_000],
    upUs: [80_000, 230_000, 380_000],
    pasted: false,
    autofilled: false,
    composed: false,
    coarseClock: expect.any(Boolean),
  });
});

it('tells zones of open text', () => {
  press(user, 'KeyA', 'a', 0.5, 50);
  press(user, 'Digit7', '7', 100, 150);
  expect(collector.read()?.keystrokes[0]?.zone).toEqual([KeyZone.LEFT_HOME, KeyZone.DIGIT_RIGHT]);
});

it('takes a key that repeats for one press', () => {
  password.dispatchEvent(key('keydown', 'KeyA', 100));
  password.dispatchEvent(key('keydown', 'KeyA', 600, { repeat: true }));
  password.dispatchEvent(key('keyup', 'KeyA', 900));
  expect(passwordSample()).toMatchObject({ downUs: [0], upUs: [800_000] });
});

it('sees a key come up after the focus moved, and loses it when the window was left', async () => {
  password.dispatchEvent(key('keydown', 'KeyA', 100));
  insert(password, 'a');
  user.dispatchEvent(key('keyup', 'KeyA', 190));
  password.dispatchEvent(key('keydown', 'KeyB', 300));
  window.dispatchEvent(new Event('blur'));
  window.dispatchEvent(key('keyup', 'KeyB', 9_000));
  expect(passwordSample()).toMatchObject({ downUs: [0], upUs: [90_000] });
  expect(collector.report().find(field => field.label === 'password')).toMatchObject({ lost: 1 });
});

describe('how the text came in', () => {
  it.each([
    ['insertFromPaste', { pasted: true, autofilled: false, composed: false }],
    ['insertFromDrop', { pasted: true, autofilled: false, composed: false }],
    ['insertReplacementText', { pasted: false, autofilled: true, composed: false }],
    ['insertCompositionText', { pasted: false, autofilled: false, composed: true }],
    ['insertText', { pasted: false, autofilled: false, composed: true }],
    ['', { pasted: false, autofilled: true, composed: false }],
  ])('by %j without a key', (inputType, quality) => {
    insert(password, SECRET, inputType);
    expect(passwordSample()).toMatchObject(quality);
  });

  it('is autofill when no event tells how', () => {
    password.value = SECRET;
    expect(passwordSample()).toMatchObject({ autofilled: true, zone: [] });
  });

  it('is a soft keyboard when keys have no code', () => {
    password.dispatchEvent(key('keydown', '', 100, { key: 'Unidentified' }));
    insert(password, 'a');
    password.dispatchEvent(key('keyup', '', 101));
    expect(passwordSample()).toMatchObject({ composed: true, zone: [] });
  });

  it('is an input method when one composes', () => {
    password.dispatchEvent(new Event('compositionstart', { bubbles: true }));
    expect(passwordSample()).toMatchObject({ composed: true });
  });

  it('is plain typing when keys make the text', () => {
    typePassword();
    expect(passwordSample()).toMatchObject({ pasted: false, autofilled: false, composed: false });
  });
});

describe('a new sample begins', () => {
  it('when the field was emptied', () => {
    insert(password, 'wrong', 'insertFromPaste');
    password.value = '';
    password.dispatchEvent(new InputEvent('input', { inputType: 'deleteContentBackward', bubbles: true }));
    typePassword();
    expect(passwordSample()).toMatchObject({ pasted: false, zone: { length: SECRET.length } });
  });

  it('when everything is selected and typed over, but not when it is copied', () => {
    typePassword('wrong');
    password.setSelectionRange(0, 5);
    password.dispatchEvent(key('keydown', 'KeyC', 2_000, { ctrlKey: true }));
    password.dispatchEvent(key('keyup', 'KeyC', 2_050, { ctrlKey: true }));
    expect(passwordSample()?.zone).toHaveLength(6);
    password.dispatchEvent(key('keydown', 'KeyA', 3_000));
    password.value = '';
    insert(password, 'a');
    password.dispatchEvent(key('keyup', 'KeyA', 3_050));
    expect(passwordSample()).toMatchObject({ downUs: [0], position: [0] });
  });

  it('after keys that wrote nothing into the empty field, but not after Shift', () => {
    password.dispatchEvent(key('keydown', 'Backspace', 10));
    password.dispatchEvent(key('keyup', 'Backspace', 60));
    typePassword('abcd');
    expect(passwordSample()?.zone).toEqual([1, 1, 1, 1]);
    collector.reset();
    password.value = '';
    password.dispatchEvent(key('keydown', 'ShiftLeft', 50));
    typePassword('Ab');
    password.dispatchEvent(key('keyup', 'ShiftLeft', 400));
    expect(passwordSample()?.zone).toEqual([KeyZone.SHIFT, 1, 1]);
  });

  it('when it is told to, under another nonce', () => {
    typePassword();
    password.value = '';
    collector.reset('n-2');
    expect(collector.read()).toEqual({ nonce: 'n-2', keystrokes: [] });
  });
});

it('records fields that come later, and one that is drawn anew as a new one', () => {
  typePassword();
  const again = password.cloneNode() as HTMLInputElement;
  again.value = '';
  password.replaceWith(again);
  typePassword('ab', again);
  expect(passwordSample()?.zone).toHaveLength(2);
});

it('keeps to eight fields', () => {
  for (let i = 0; i < 10; i++) {
    const field = document.createElement('input');
    field.dataset.keyward = `f-${i}`;
    form.append(field);
    press(field, 'KeyA', 'a', 100, 150);
  }
  expect(collector.read()?.keystrokes.length).toBeLessThanOrEqual(8);
});

it('records one field under a label', () => {
  const one = collect(password, { label: 'pin' });
  typePassword('12');
  expect(one.read()?.keystrokes.map(sample => sample.field)).toEqual(['pin']);
  one.stop();
});

describe('finish', () => {
  it('waits for keys that are held', async () => {
    password.dispatchEvent(key('keydown', 'KeyA', 100));
    insert(password, 'a');
    const finished = collector.finish();
    password.dispatchEvent(key('keyup', 'KeyA', 190));
    expect((await finished)?.keystrokes.find(sample => sample.field === 'password')).toMatchObject({ upUs: [90_000] });
  });

  it('does not wait for ever', async () => {
    vi.useFakeTimers();
    password.dispatchEvent(key('keydown', 'KeyA', 100));
    insert(password, 'a');
    const finished = collector.finish();
    await vi.advanceTimersByTimeAsync(250);
    expect((await finished)?.keystrokes).toEqual([]);
    vi.useRealTimers();
  });

  it('is not needed for Enter, which is left out', async () => {
    typePassword('ab');
    password.dispatchEvent(key('keydown', 'Enter', 900));
    expect((await collector.finish())?.keystrokes.find(sample => sample.field === 'password')?.zone).toEqual([1, 1]);
  });
});

describe('consent', () => {
  it('is asked before anything is recorded, and taking it back erases', () => {
    const consent = new Consent();
    const asked = collect(form, { consent });
    typePassword('ab');
    expect(asked.read()).toBeUndefined();
    consent.grant();
    password.value = '';
    typePassword('cd');
    expect(asked.read()?.keystrokes.find(sample => sample.field === 'password')?.zone).toHaveLength(2);
    consent.deny();
    expect(asked.read()).toBeUndefined();
    consent.grant();
    expect(asked.read()?.keystrokes.find(sample => sample.field === 'password')?.zone ?? []).toEqual([]);
    asked.stop();
  });
});

describe('a form that the browser sends', () => {
  it('carries the telemetry as JSON', () => {
    const carrying = collect(form, { nonce: 'n-9', output: 'telemetry' });
    typePassword();
    form.dispatchEvent(new Event('submit', { cancelable: true }));
    const output = form.elements.namedItem('telemetry') as HTMLInputElement;
    expect(JSON.parse(output.value)).toMatchObject({ nonce: 'n-9', keystrokes: [{ field: 'password' }] });
    expect(output.value).not.toContain(SECRET.slice(0, 3));
    carrying.stop();
  });

  it('is held back for a moment while a key is held', async () => {
    const carrying = collect(form, { output: 'telemetry' });
    const sent = vi.spyOn(form, 'requestSubmit').mockImplementation(() => undefined);
    password.dispatchEvent(key('keydown', 'KeyA', 100));
    insert(password, 'a');
    const event = new Event('submit', { cancelable: true });
    form.dispatchEvent(event);
    expect(event.defaultPrevented).toBe(true);
    password.dispatchEvent(key('keyup', 'KeyA', 190));
    await vi.waitFor(() => expect(sent).toHaveBeenCalledOnce());
    carrying.stop();
  });
});

it('leaves no listener behind', () => {
  typePassword('ab');
  collector.stop();
  typePassword('cd');
  expect(collector.report().every(field => field.presses === 0)).toBe(true);
});
