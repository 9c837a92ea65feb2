import { Trouble } from './api';
import { ask } from './ask';
import { allowed } from './load';

/**
 * Does what needs something open for a while: the console, or one's own settings. Where it is closed, keyward is asked at
 * `path`, the person confirms where it asks for that, and it is done again.
 */
export async function whenOpen<T>(closed: string, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Trouble) || error.code !== closed) throw error;
    allowed(await ask(path));
    return act();
  }
}
