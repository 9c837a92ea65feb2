import { open } from './api';
import type { Alert, Row } from './types';

export interface Listener {
  live(live: boolean): void;
  row(row: Row): void;
  alert(alert: Alert): void;
}

/** Waits before a stream that ended is opened anew, in milliseconds. */
const PAUSE_MS = 3_000;

/** Follows decisions as they are made. A stream ends with the console's time, which is then asked for anew. */
export function follow(listener: Listener): () => void {
  let stream: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let gone = false;
  const begin = () => {
    if (gone) return;
    const source = new EventSource('/api/console/stream');
    stream = source;
    source.onopen = () => listener.live(true);
    source.onerror = () => {
      listener.live(false);
      // The browser tries again by itself, unless it was refused.
      if (source.readyState !== EventSource.CLOSED || gone) return;
      timer = setTimeout(() => {
        // Where it is not allowed any more, the page says so at its next request.
        open().then(begin, () => undefined);
      }, PAUSE_MS);
    };
    source.addEventListener('row', event => listener.row(JSON.parse(event.data) as Row));
    source.addEventListener('alert', event => listener.alert(JSON.parse(event.data) as Alert));
  };
  begin();
  return () => {
    gone = true;
    clearTimeout(timer);
    stream?.close();
  };
}
