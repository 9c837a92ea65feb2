import { type PromptCode, refusalCode } from '../prompt/index.js';
import { codeOf, type Decision, type Reason } from './decision.js';
import type { Texts } from './texts/index.js';

const REJECTED = new Set(['PASSKEY_REJECTED', 'PASSKEY_TELEMETRY_MISMATCH']);
const ASKED = 'POLICY_NEEDS_EVIDENCE';

/** Why a decision asks, for the person: each text once. That it asks is said by the title, unless nothing else is. */
export function reasonTexts(decision: Decision, texts: Texts): string[] {
  const told = (decision.reasons ?? []).filter(reason => reason.userText && !REJECTED.has(codeOf(reason)));
  const telling = told.filter(reason => codeOf(reason) !== ASKED);
  return [...new Set(telling.map(reason => textOf(reason, texts)))];
}

/** What was wrong with the answer that a decision refused, if one was. */
export function rejection(decision: Decision): PromptCode | undefined {
  const reason = (decision.reasons ?? []).find(reason => REJECTED.has(codeOf(reason)));
  return reason && refusalCode(reason.metadata?.cause);
}

// The decision's own text is English; other languages have a text for each code, and a new code falls back to English.
function textOf(reason: Reason, texts: Texts): string {
  return texts.reasons[codeOf(reason)] ?? reason.userText ?? '';
}
