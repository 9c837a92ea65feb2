/** What tests share: events with times of their own. Not part of what is published. */

/** An event that happened at a time of the page's clock, in milliseconds. */
export function at<E extends Event>(event: E, ms: number): E {
  Object.defineProperty(event, 'timeStamp', { value: ms });
  return event;
}

/** A key event that bubbles, as browsers give them. */
export function key(type: 'keydown' | 'keyup', code: string, ms: number, more: KeyboardEventInit = {}): KeyboardEvent {
  return at(new KeyboardEvent(type, { code, bubbles: true, composed: true, cancelable: true, ...more }), ms);
}

/** Types one character into a field as a browser does: key down, text, key up. */
export function press(
  field: HTMLInputElement | HTMLTextAreaElement,
  code: string,
  text: string,
  downMs: number,
  upMs: number,
) {
  field.dispatchEvent(key('keydown', code, downMs, { key: text }));
  insert(field, text);
  field.dispatchEvent(key('keyup', code, upMs, { key: text }));
}

/** Text comes into a field where the caret is. */
export function insert(
  field: HTMLInputElement | HTMLTextAreaElement,
  text: string,
  inputType: string | undefined = 'insertText',
) {
  field.value += text;
  field.setSelectionRange(field.value.length, field.value.length);
  const event = inputType
    ? new InputEvent('input', { inputType, data: text, bubbles: true })
    : new Event('input', { bubbles: true });
  field.dispatchEvent(event);
}

/** The physical key of a letter, a digit or a point. */
export function codeOf(character: string): string {
  if (/[a-z]/i.test(character)) return `Key${character.toUpperCase()}`;
  return /\d/.test(character) ? `Digit${character}` : 'Period';
}
