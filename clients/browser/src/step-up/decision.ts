import type { Answer, Begun } from '../prompt/index.js';

/** An enum in proto3 JSON: its name, or the number that only old writers give. */
type EnumJson = string | number;

/** `keyward.v1.Reason` as JSON, as far as the prompt looks at it. */
export interface Reason {
  readonly code: EnumJson;
  readonly userText?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** `keyward.v1.StepUp` as JSON. */
export interface StepUp extends Partial<Begun> {
  readonly evidence?: EnumJson;
  readonly expiresAt?: string;
}

/** `keyward.v1.Decision` as JSON, as far as the prompt looks at it. Administrators' texts need not reach the browser. */
export interface Decision {
  readonly outcome?: EnumJson;
  readonly reasons?: readonly Reason[];
  readonly stepUp?: StepUp | null;
}

/** What CompleteStepUpRequest takes beside tenant, person and session. */
export interface StepUpAnswer {
  readonly assertion: Answer;
  readonly breakGlass?: { readonly justification: string };
}

export type Outcome = 'ALLOW' | 'STEP_UP' | 'DENY';
export type Evidence = 'PASSKEY' | 'HARDWARE_PASSKEY' | 'BREAK_GLASS';

const OUTCOMES: readonly Outcome[] = ['ALLOW', 'STEP_UP', 'DENY'];
const EVIDENCE: readonly Evidence[] = ['PASSKEY', 'HARDWARE_PASSKEY', 'BREAK_GLASS'];

/** The outcome; whatever is unknown is a DENY, as the contract asks of clients. */
export function outcomeOf(decision: Decision): Outcome {
  return named(OUTCOMES, 'OUTCOME_', decision.outcome) ?? 'DENY';
}

/** The evidence that a STEP_UP asks for. */
export function evidenceOf(decision: Decision): Evidence {
  return named(EVIDENCE, 'EVIDENCE_', decision.stepUp?.evidence) ?? 'PASSKEY';
}

/** A reason's code without its prefix; empty for a number, which has no text here. */
export function codeOf(reason: Reason): string {
  return typeof reason.code === 'string' ? reason.code.replace(/^REASON_CODE_/, '') : '';
}

/** The challenge that is ready to be answered, if the person has a passkey that could. */
export function challengeOf(decision: Decision): Begun | undefined {
  const { ceremonyId, optionsJson } = decision.stepUp ?? {};
  return ceremonyId && optionsJson ? { ceremonyId, optionsJson } : undefined;
}

function named<T extends string>(names: readonly T[], prefix: string, value: EnumJson | undefined): T | undefined {
  if (typeof value === 'number') return names[value - 1];
  return names.find(name => value === name || value === prefix + name);
}
