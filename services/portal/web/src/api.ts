/** The way to the portal's own back end. Nothing here talks to anybody else. */

/** Something that gave no answer; `message` is for the person. */
export class Trouble extends Error {
  override readonly name = 'Trouble';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** A decision as the portal hands it on: proto3 JSON of keyward.v1.Decision, without what is for services and officers. */
export interface Decision {
  readonly id: string;
  readonly outcome: string;
  readonly reasons?: readonly { readonly code: string; readonly userText?: string }[];
  readonly stepUp?: { readonly evidence?: string; readonly ceremonyId?: string; readonly optionsJson?: string };
  readonly obligations?: readonly string[];
}

/** Every question ends in one of these. */
export interface Answer<T = unknown> {
  readonly outcome: 'allow' | 'step_up' | 'deny' | 'refused' | 'cancelled';
  readonly decision?: Decision;
  readonly result?: T;
  /** The portal's own refusal. */
  readonly code?: string;
  readonly message?: string;
}

let csrf = '';

/** Takes the secret of the visit, which changes at sign-in. */
export function setCsrf(secret: string): void {
  csrf = secret;
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return send<T>(path, signal ? { signal } : {});
}

/**
 * Sends something. Another tab may have begun another visit since this page was loaded, such as when two tabs were opened at
 * once: then nothing was done, and where the same person is here as before it is sent again under the visit that counts.
 */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  const once = () =>
    send<T>(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-portal-csrf': csrf },
      body: JSON.stringify(body),
    });
  try {
    return await once();
  } catch (error) {
    const stale = error instanceof Trouble && (error.code === 'forged' || error.code === 'signed_out');
    if (!stale || !(await renew())) throw error;
    return once();
  }
}

let renew = async () => false;

/** Takes what asks anew whose visit this is, and tells whether it is the same person's. */
export function renewBy(act: () => Promise<boolean>): void {
  renew = act;
}

async function send<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api${path}`, { credentials: 'same-origin', ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Trouble('offline', 'The portal cannot be reached. Check the network and try again. Nothing was lost.');
  }
  const body = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body as T;
  throw new Trouble(body?.code ?? 'fault', body?.message ?? 'Something went wrong on our side. Please try again.');
}
