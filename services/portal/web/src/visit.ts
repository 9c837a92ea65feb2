import { get, renewBy, setCsrf } from './api';
import { signal } from './signal';

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly officer: boolean;
}

/** The demonstration's people, for its sign-in page. */
export interface Demo {
  readonly password: string;
  readonly people: readonly {
    readonly id: string;
    readonly name: string;
    readonly title: string;
    readonly badge: string;
    readonly code: string | null;
  }[];
}

export interface Visit {
  readonly csrf: string;
  readonly person: Person | null;
  readonly held: boolean;
  readonly clinic: string;
  readonly demo?: Demo;
}

/** Who is here; undefined until it is known. */
export const visit = signal<Visit | undefined>(undefined);

/** Asks the back end who is here. */
export async function refresh(): Promise<Visit> {
  const now = await get<Visit>('/visit');
  setCsrf(now.csrf);
  visit.set(now);
  return now;
}

renewBy(async () => {
  const before = visit.get()?.person?.id;
  const now = await refresh().catch(() => undefined);
  return now !== undefined && now.person?.id === before;
});

export type Device = 'personal' | 'shared_workstation' | 'phone';

const SHARED = 'portal-shared-workstation';

/** Whether this computer was said to be a shared workstation. It is the computer's property, so it stays in its storage. */
export function isShared(): boolean {
  return localStorage.getItem(SHARED) === 'yes';
}

export function setShared(shared: boolean): void {
  if (shared) localStorage.setItem(SHARED, 'yes');
  else localStorage.removeItem(SHARED);
}

/** The kind of device, as well as a page can tell. */
export function device(): Device {
  if (isShared()) return 'shared_workstation';
  return matchMedia('(pointer: coarse) and (hover: none)').matches ? 'phone' : 'personal';
}
