// @vitest-environment node
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PromptCode } from '../../prompt/index.js';
import { LANGUAGES, languageOf, promptText } from './index.js';

// The catalogue of reasons, where keyward keeps it.
const CATALOGUE = readFileSync('../../crates/domain/src/reason.rs', 'utf8');

it('has a text in every language for every reason that has one in the catalogue', () => {
  const told = [...CATALOGUE.matchAll(/= "([A-Z_]+)" \{[^}]*?user: "([^"]+)"/gs)].map(match => match[1] ?? '');
  expect(told.length).toBeGreaterThan(10);
  for (const [language, texts] of Object.entries(LANGUAGES)) {
    if (language === 'en') continue;
    expect(
      told.filter(code => !texts.reasons[code]),
      language,
    ).toEqual([]);
  }
});

it('says every error in every language, and nothing of what was superseded', () => {
  for (const language of Object.keys(LANGUAGES)) {
    const said = Object.values(PromptCode).map(code => promptText(code, language));
    expect(
      said.filter(text => text === ''),
      language,
    ).toHaveLength(1);
  }
});

it('finds the language that fits best', () => {
  expect(['de-AT', 'AR', 'pt', undefined, 'constructor'].map(languageOf)).toEqual(['de', 'ar', 'en', 'en', 'en']);
});
