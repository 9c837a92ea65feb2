import { defineStepUp, type StepUpAnswer } from '@keyward/browser';
import { type Answer, post } from './api';

/**
 * Asks the back end for something that keyward must allow. Where keyward asks for more, the prompt is shown, and the answer
 * here is the one after it.
 */
export async function ask<T>(path: string, body?: unknown, again: unknown = body): Promise<Answer<T>> {
  return prompt(await post<Answer<T>>(path, body), () => post<Answer<T>>(path, again));
}

/** Shows the prompt for an answer that is a STEP_UP. `renew` asks the same question anew. */
export async function prompt<T>(answer: Answer<T>, renew: () => Promise<Answer<T>>): Promise<Answer<T>> {
  if (answer.outcome !== 'step_up' || !answer.decision) return answer;
  let last = answer;
  const take = (next: Answer<T>) => {
    last = next;
    return next.decision ?? { outcome: 'OUTCOME_DENY' };
  };
  const ended = await element().ask(answer.decision, {
    complete: async (response: StepUpAnswer) => take(await post<Answer<T>>('/step-up', response)),
    renew: async () => take(await renew()),
  });
  if (ended.outcome === 'allowed') return last;
  return { ...last, outcome: ended.outcome === 'denied' ? 'deny' : 'cancelled' };
}

function element() {
  defineStepUp();
  const shown = document.querySelector('keyward-step-up');
  if (shown) return shown;
  const made = document.createElement('keyward-step-up');
  document.body.append(made);
  return made;
}

/** What to tell the person about an answer that did not allow. */
export function inWords(answer: Answer): string {
  if (answer.message) return answer.message;
  const reason = answer.decision?.reasons?.find(reason => reason.userText)?.userText;
  if (answer.outcome === 'cancelled') return 'You did not confirm, so nothing was opened or signed. You can try again.';
  return reason ?? 'This is not allowed.';
}
