import { authenticate, type Begun, collect, type Collector, PromptError, promptText } from '@keyward/browser';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, post } from './api';
import { inWords, prompt } from './ask';
import { consent } from './consent';
import { told } from './load';
import { Nonces } from './nonce';
import { Button, Icon, Notice } from './ui';
import { isShared } from './visit';

/** Without a key or a pointer for so long, the session is locked. */
const IDLE_MS = { shared: 2 * 60_000, own: 10 * 60_000 };

/** Calls back when nobody was there for a while. */
export function useIdle(idle: () => void): void {
  useEffect(() => {
    const after = isShared() ? IDLE_MS.shared : IDLE_MS.own;
    let timer = setTimeout(idle, after);
    const again = () => {
      clearTimeout(timer);
      timer = setTimeout(idle, after);
    };
    const events = ['keydown', 'pointerdown', 'pointermove', 'wheel'] as const;
    for (const event of events) addEventListener(event, again, { passive: true });
    return () => {
      clearTimeout(timer);
      for (const event of events) removeEventListener(event, again);
    };
  }, [idle]);
}

/** A session that is locked: what was on the screen is not shown until somebody confirms. */
export function Locked(props: { name: string; message: string; open: () => void; leave: () => void }) {
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState(props.message);
  const field = useRef<HTMLInputElement>(null);
  const form = useRef<HTMLFormElement>(null);
  const collector = useRef<Collector>();
  const nonces = useRef(new Nonces());

  useEffect(() => {
    if (!form.current) return;
    const recording = collect(form.current, { consent });
    collector.current = recording;
    field.current?.focus();
    return () => recording.stop();
  }, []);
  useEffect(() => setMessage(props.message), [props.message]);

  const run = async (act: () => Promise<Answer>) => {
    if (busy) return;
    setBusy(true);
    setMessage('');
    try {
      const answer = await act();
      if (answer.outcome === 'allow') props.open();
      else setMessage(inWords(answer));
    } catch (error) {
      setMessage(error instanceof PromptError ? promptText(error.code) : told(error).message);
    } finally {
      setBusy(false);
      if (field.current) field.current.value = '';
      collector.current?.reset();
    }
  };

  const withPassword = () =>
    run(async () => {
      const password = field.current?.value ?? '';
      const recorded = await collector.current?.finish();
      const nonce = await nonces.current.take();
      const telemetry = recorded && { ...recorded, ...(nonce && { nonce }) };
      const asked = await post<Answer>('/unlock', { password, telemetry });
      return prompt(asked, () => post<Answer>('/unlock', { password }));
    });

  const withPasskey = () =>
    run(async () => {
      const { begun } = await post<{ begun: Begun }>('/unlock/begin');
      const answer = await post<Answer>('/unlock/passkey', { assertion: await authenticate(begun) });
      return prompt(answer, async () => answer);
    });

  return (
    <section class="card held" aria-labelledby="held">
      <Icon name="lock" />
      <h1 id="held" tabIndex={-1}>
        Locked
      </h1>
      <p>{props.name} is signed in here. Enter the password to go on, or let the next person sign in.</p>
      {message && <Notice kind="warn">{message}</Notice>}
      <form
        ref={form}
        noValidate
        onFocusIn={() => nonces.current.prepare()}
        onSubmit={event => {
          event.preventDefault();
          void withPassword();
        }}
      >
        <label for="unlock">Password</label>
        <input ref={field} id="unlock" type="password" autocomplete="current-password" data-keyward="password" />
        <Button type="submit" look="main" busy={busy}>
          Unlock
        </Button>
      </form>
      <div class="row">
        <Button look="plain" onClick={withPasskey}>
          Use a passkey
        </Button>
        <Button look="plain" onClick={props.leave}>
          Switch user
        </Button>
      </div>
    </section>
  );
}
