import { Consent } from '@keyward/browser';
import { isShared } from './visit';

const KEY = 'portal-typing';

/** The person's say over recording on this device. keyward has the word that counts; this one spares the recording. */
export const consent = new Consent(localStorage.getItem(KEY) === 'denied' ? 'denied' : 'granted');

/** Takes the word that keyward has. At shared workstations the next person's may be another, so it is not kept. */
export function keepConsent(granted: boolean): void {
  if (granted) consent.grant();
  else consent.deny();
  if (granted || isShared()) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, 'denied');
}
