/** A decision as officers see it: from keyward's audit log. */
export interface Signal {
  readonly kind: string;
  readonly status: string;
  readonly contribution: number;
  readonly score: number | null;
  readonly maturity: string;
  /** Samples that the model was trained on, and the profile's version; 0 without one. */
  readonly samples: number;
  readonly profile_version: number;
}

export interface Reason {
  readonly code: string;
  readonly text: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Row {
  readonly index: number;
  readonly id: string;
  readonly at_ms: number;
  readonly subject: string;
  readonly session: string;
  readonly action: string;
  readonly sensitivity: string;
  readonly device: string;
  readonly outcome: 'allow' | 'step_up' | 'deny';
  readonly evidence: string | null;
  readonly risk: number | null;
  readonly band: string;
  readonly signals: readonly Signal[];
  readonly reasons: readonly Reason[];
  readonly policies: readonly string[];
  readonly obligations: readonly string[];
  readonly justification: string | null;
}

export interface Alert {
  readonly id: number;
  readonly title: string;
  readonly at_ms: number;
  readonly subject: string;
  /** The decision that it is about. */
  readonly decision: string;
  readonly acknowledged: { readonly by: string; readonly at_ms: number } | null;
}

export interface Overview {
  readonly rows: readonly Row[];
  readonly alerts: readonly Alert[];
  /** The share of genuine logins that typing may raise. */
  readonly budget: number;
}

/** Signals in the order and with the class that charts draw them in. */
export const SIGNALS = [
  ['KEYSTROKE_FIXED', 'Typing', 's1'],
  ['FREE_TEXT', 'Free typing', 's2'],
  ['INTEGRITY', 'Integrity', 's3'],
  ['CONTEXT', 'Place and attempts', 's4'],
  ['AUTHENTICATOR', 'Authenticator', 's5'],
  ['RECORD_ACCESS', 'Record access', 's6'],
  ['POINTER', 'Pointer', 's7'],
  ['RHYTHM', 'Hour', 's8'],
] as const;

export const OUTCOMES = { allow: 'Allowed', step_up: 'Stepped up', deny: 'Denied' } as const;
export const OUTCOME_KIND = { allow: 'good', step_up: 'warn', deny: 'bad' } as const;
