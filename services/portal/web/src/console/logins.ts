import type { Row } from './types';

/** A sign-in whose typing was known well enough to have a say. */
export interface Login {
  /** Whether typing had keyward ask for more. */
  readonly raised: boolean;
  /** Whether it was the person herself: let in at once, or after showing her passkey. */
  readonly genuine: boolean;
}

const ALARMS = new Set(['TYPING_UNUSUAL', 'TYPING_DIFFERS']);

/** Sign-ins, one a session, oldest first. A step-up and its answer are one sign-in. */
export function logins(rows: readonly Row[]): Login[] {
  const sessions = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.action !== 'LOGIN' || !typingHasSay(row)) continue;
    const of = sessions.get(row.session);
    if (of) of.push(row);
    else sessions.set(row.session, [row]);
  }
  return [...sessions.values()].map(asked => ({
    raised: asked.some(row => row.outcome === 'step_up' && row.reasons.some(reason => ALARMS.has(reason.code))),
    genuine: asked.some(row => row.outcome === 'allow'),
  }));
}

function typingHasSay(row: Row): boolean {
  return row.signals.some(signal => signal.kind === 'KEYSTROKE_FIXED' && signal.status === 'SCORED' && signal.maturity !== 'LEARNING');
}

/** The share of the last sign-ins that typing raised, after each one; a share of a handful says nothing, so it begins later. */
export function shares(of: readonly Login[], window: number, least: number): number[] {
  return of.slice(least - 1).map((_, i) => {
    const last = of.slice(Math.max(0, i + least - window), i + least);
    return last.filter(login => login.raised).length / last.length;
  });
}
