import { signal, useSignal } from './signal';

const path = signal(location.pathname);
addEventListener('popstate', () => path.set(location.pathname));

/** The address within the portal. */
export function usePath(): string {
  return useSignal(path);
}

export function go(to: string, replace = false): void {
  if (to === location.pathname) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  path.set(to);
  scrollTo(0, 0);
}

/** Lets links within the portal change the page without loading it anew. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.origin !== location.origin || link.target || link.hasAttribute('download')) return;
  event.preventDefault();
  go(link.pathname);
}
