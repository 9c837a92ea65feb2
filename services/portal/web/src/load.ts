import { useCallback, useEffect, useState } from 'preact/hooks';
import { type Answer, Trouble } from './api';
import { inWords } from './ask';
import { refresh } from './visit';

/** Something that is fetched: it is on its way, there, or it is said what went wrong. */
export type Loaded<T> =
  | { readonly state: 'loading' }
  | { readonly state: 'ready'; readonly value: T }
  | { readonly state: 'failed'; readonly message: string; readonly code: string };

/** Fetches when the component appears or `key` changes, and again when asked to. */
export function useLoaded<T>(key: string, load: () => Promise<T>): [Loaded<T>, () => void, (value: T) => void] {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: 'loading' });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let gone = false;
    setLoaded({ state: 'loading' });
    load().then(
      value => gone || setLoaded({ state: 'ready', value }),
      error => gone || setLoaded({ state: 'failed', ...told(error) }),
    );
    return () => {
      gone = true;
    };
  }, [key, round]);
  const again = useCallback(() => setRound(n => n + 1), []);
  const put = useCallback((value: T) => setLoaded({ state: 'ready', value }), []);
  return [loaded, again, put];
}

/** The result of an allowed answer; everything else becomes trouble that the page shows. */
export function allowed<T>(answer: Answer<T>): T {
  if (answer.outcome === 'allow') return answer.result as T;
  throw new Trouble(answer.outcome, inWords(answer));
}

/** What to show of an error. A session that ended meanwhile leads to the sign-in. */
export function told(error: unknown): { message: string; code: string } {
  if (error instanceof Trouble) {
    if (error.code === 'signed_out' || error.code === 'held' || error.code === 'forged') void refresh().catch(() => undefined);
    return { message: error.message, code: error.code };
  }
  return { message: 'Something went wrong in this page. Please reload it.', code: 'page' };
}
