import { PromptCode } from '../../prompt/index.js';
import { ar } from './ar.js';
import { de } from './de.js';
import { en } from './en.js';
import { es } from './es.js';
import { fr } from './fr.js';
import type { Texts } from './texts.js';

export type { Texts } from './texts.js';

export const LANGUAGES: Readonly<Record<string, Texts>> = { en, es, de, fr, ar };

/** The language among ours that fits best, such as `de` for `de-AT`; English where none does. */
export function languageOf(tag: string | undefined): string {
  const language = (tag ?? '').toLowerCase().split('-')[0] ?? '';
  return Object.hasOwn(LANGUAGES, language) ? language : 'en';
}

/** The texts in the language that fits best. */
export function textsFor(tag: string | undefined): Texts {
  return LANGUAGES[languageOf(tag)] ?? en;
}

/** What to tell a person whose prompt ended so; empty where there is nothing to tell. */
export function promptText(code: PromptCode, language?: string): string {
  return code === PromptCode.SUPERSEDED ? '' : textsFor(language).errors[code];
}
