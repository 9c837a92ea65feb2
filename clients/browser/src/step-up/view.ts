import { challengeOf, type Decision, type Evidence, evidenceOf, outcomeOf } from './decision.js';
import { reasonTexts } from './reasons.js';
import type { Texts } from './texts/index.js';

/** What pressing a button means. */
export type Press = 'passkey' | 'hybrid' | 'security-key' | 'again' | 'cancel';

type Child = Node | string;

/** The parts of the dialog that change while it is open. */
export interface View {
  readonly content: DocumentFragment;
  readonly alert: HTMLElement;
  readonly status: HTMLElement;
  readonly buttons: readonly HTMLButtonElement[];
  readonly justification: HTMLTextAreaElement | undefined;
}

/** Draws what a decision asks for. Texts are set as text, never as markup. */
export function view(decision: Decision, texts: Texts, press: (what: Press) => void): View {
  const asks = outcomeOf(decision) === 'STEP_UP';
  const evidence = evidenceOf(decision);
  const answerable = asks && challengeOf(decision) !== undefined;
  const justification = answerable && evidence === 'BREAK_GLASS' ? textarea() : undefined;
  const alert = el('div', { role: 'alert', part: 'error', id: 'error' });
  const status = el('p', { role: 'status', part: 'status' });
  const buttons = actions(asks, answerable, evidence, texts).map(([what, text, look]) => {
    const button = el('button', { type: 'button', class: look, part: `button ${look} ${what}` }, text);
    button.addEventListener('click', () => press(what));
    return button;
  });
  const content = document.createDocumentFragment();
  content.append(
    el('h2', { id: 'title', part: 'title' }, asks ? texts.title[evidence] : texts.title.DENIED),
    el('div', { id: 'about', part: 'about' }, ...about(decision, asks, answerable, evidence, texts)),
    ...(justification ? labelled(justification, texts) : []),
    alert,
    el(
      'div',
      { class: 'actions', part: 'actions' },
      ...buttons.slice(0, -1),
      el('slot', { name: 'more' }),
      ...buttons.slice(-1),
    ),
    status,
  );
  return { content, alert, status, buttons, justification };
}

function about(decision: Decision, asks: boolean, answerable: boolean, evidence: Evidence, texts: Texts): Child[] {
  const reasons = reasonTexts(decision, texts);
  const todo = asks ? [el('p', { part: 'todo' }, texts.todo[answerable ? evidence : 'NO_PASSKEY'])] : [];
  if (reasons.length === 0) return todo;
  const list = el('ul', { part: 'reasons' }, ...reasons.map(text => el('li', {}, text)));
  return asks ? [...todo, el('h3', {}, texts.why), list] : [list];
}

function actions(asks: boolean, answerable: boolean, evidence: Evidence, texts: Texts): [Press, string, string][] {
  if (!asks) return [['cancel', texts.close, 'main']];
  if (!answerable) return [['cancel', texts.close, 'main']];
  const cancel: [Press, string, string] = ['cancel', texts.cancel, 'plain'];
  if (evidence === 'HARDWARE_PASSKEY') return [['security-key', texts.useSecurityKey, 'main'], cancel];
  const main: [Press, string, string] =
    evidence === 'BREAK_GLASS' ? ['passkey', texts.openEmergency, 'main'] : ['passkey', texts.usePasskey, 'main'];
  return [main, ['hybrid', texts.usePhone, 'other'], ['security-key', texts.useSecurityKey, 'other'], cancel];
}

function textarea(): HTMLTextAreaElement {
  const attributes = { id: 'justification', part: 'justification', maxlength: '500', required: '' };
  return el('textarea', { ...attributes, 'aria-describedby': 'hint error', 'data-keyward-ignore': '' });
}

function labelled(field: HTMLTextAreaElement, texts: Texts): Child[] {
  const label = el('label', { for: 'justification', part: 'label' }, texts.justification);
  return [label, el('p', { id: 'hint', class: 'hint', part: 'hint' }, texts.justificationHint), field];
}

function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string>,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
