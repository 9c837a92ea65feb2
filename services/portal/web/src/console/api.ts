import { get, post } from '../api';
import { ask } from '../ask';
import { allowed } from '../load';
import { whenOpen } from '../opened';

/** Asks for the console. */
export async function open(): Promise<void> {
  allowed(await ask('/console/open'));
}

export function officerGet<T>(path: string): Promise<T> {
  return whenOpen('console_closed', '/console/open', () => get<T>(`/console${path}`));
}

export function officerPost<T>(path: string, body: unknown): Promise<T> {
  return whenOpen('console_closed', '/console/open', () => post<T>(`/console${path}`, body));
}
