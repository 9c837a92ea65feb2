import { get, post, Trouble } from '../api';
import { ask } from '../ask';
import { allowed } from '../load';

/** Opens the console where its time is up, and asks again. */
async function opened<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof Trouble) || error.code !== 'console_closed') throw error;
    await open();
    return call();
  }
}

/** Asks for the console. */
export async function open(): Promise<void> {
  allowed(await ask('/console/open'));
}

export function officerGet<T>(path: string): Promise<T> {
  return opened(() => get<T>(`/console${path}`));
}

export function officerPost<T>(path: string, body: unknown): Promise<T> {
  return opened(() => post<T>(`/console${path}`, body));
}
