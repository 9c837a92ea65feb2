import type { PromptCode } from '../../prompt/index.js';
import type { Evidence } from '../decision.js';

/** Everything that the prompt says, in one language. */
export interface Texts {
  readonly dir: 'ltr' | 'rtl';
  readonly title: Readonly<Record<Evidence | 'DENIED', string>>;
  /** What to do. */
  readonly todo: Readonly<Record<Evidence | 'NO_PASSKEY', string>>;
  readonly why: string;
  readonly justification: string;
  readonly justificationHint: string;
  readonly justificationShort: string;
  readonly usePasskey: string;
  readonly usePhone: string;
  readonly useSecurityKey: string;
  readonly openEmergency: string;
  readonly again: string;
  readonly cancel: string;
  readonly close: string;
  readonly waiting: string;
  readonly checking: string;
  readonly unreachable: string;
  /** Reasons that have a text for the person, by code. */
  readonly reasons: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<Exclude<PromptCode, 'SUPERSEDED'>, string>>;
}
