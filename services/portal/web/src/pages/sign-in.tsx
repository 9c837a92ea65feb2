import {
  authenticate,
  autofill,
  type Begun,
  collect,
  type Collector,
  type Answer as PasskeyAnswer,
  PromptError,
  promptText,
  register,
  signalUnknown,
} from '@keyward/browser';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, post, Trouble } from '../api';
import { inWords, prompt } from '../ask';
import { consent } from '../consent';
import { told } from '../load';
import { Nonces } from '../nonce';
import { go } from '../route';
import { Brand } from '../shell';
import { Button, Icon, Notice } from '../ui';
import { device, isShared, refresh, setShared, type Visit } from '../visit';

type Step = 'sign-in' | 'enrol';

/** The first page: daily sign-in by passkey, or password and typing; the badge at shared workstations; the first passkey. */
export function SignIn({ visit }: { visit: Visit }) {
  const [step, setStep] = useState<Step>('sign-in');
  return (
    <div class="entrance">
      <aside class="entrance-side" aria-hidden="true">
        <div class="brand">
          <Brand />
        </div>
        <p class="entrance-line">Care, wherever your patients are.</p>
        <ul>
          <li>Sign in with your face, finger or PIN.</li>
          <li>Your typing rhythm spares you prompts. Never what you type.</li>
          <li>In an emergency, care comes first.</li>
        </ul>
      </aside>
      <main class="entrance-main">
        <div class="brand narrow">
          <Brand />
        </div>
        {step === 'sign-in' ? (
          <Form onEnrol={() => setStep('enrol')} />
        ) : (
          <Enrol onBack={() => setStep('sign-in')} />
        )}
        {visit.demo && <Demonstration visit={visit} />}
      </main>
    </div>
  );
}

function Form({ onEnrol }: { onEnrol: () => void }) {
  const [shared, setSharedHere] = useState(isShared());
  const [busy, setBusy] = useState<'' | 'password' | 'passkey' | 'badge'>('');
  const [message, setMessage] = useState('');
  const form = useRef<HTMLFormElement>(null);
  const collector = useRef<Collector>();
  const nonces = useRef(new Nonces());

  // Typing is recorded from the first key on: zones and times, never what was typed.
  useEffect(() => {
    if (!form.current) return;
    const recording = collect(form.current, { consent });
    collector.current = recording;
    return () => recording.stop();
  }, []);
  const offer = useAutofill(answer => finish(answer, setMessage), setMessage);

  const record = async () => {
    const recorded = await collector.current?.finish();
    const nonce = await nonces.current.take();
    return recorded && { ...recorded, ...(nonce && { nonce }) };
  };

  const run = async (what: typeof busy, act: () => Promise<Answer | undefined>) => {
    if (busy) return;
    setBusy(what);
    setMessage('');
    try {
      const answer = await act();
      if (answer?.code === 'enrol') onEnrol();
      else if (answer) await finish(answer, setMessage);
    } catch (error) {
      setMessage(error instanceof PromptError ? promptText(error.code) : told(error).message);
    } finally {
      setBusy('');
      collector.current?.reset();
    }
  };

  const withPassword = () =>
    run('password', async () => {
      const staff_id = value(form.current, 'staff-id');
      const password = value(form.current, 'password');
      if (!staff_id || !password) {
        setMessage('Enter your staff ID and your password, or use your passkey.');
        return undefined;
      }
      const telemetry = await record();
      const body = { staff_id, password, device: device() };
      const again = () => post<Answer>('/sign-in/password', body);
      return prompt(await post<Answer>('/sign-in/password', { ...body, telemetry }), again);
    }).then(offer);

  const withPasskey = () =>
    run('passkey', async () => {
      const staff_id = value(form.current, 'staff-id');
      const telemetry = staff_id ? await record() : undefined;
      const { begun } = await post<{ begun: Begun }>('/sign-in/passkey/begin', { staff_id: staff_id || null, telemetry });
      return withAssertion(await authenticate(begun), telemetry);
    }).then(offer);

  return (
    <section class="card sign-in" aria-labelledby="sign-in">
      <h1 id="sign-in">Sign in</h1>
      {message && <Notice kind="bad">{message}</Notice>}
      {shared && <Badge busy={busy === 'badge'} run={act => run('badge', act)} />}
      <form
        ref={form}
        noValidate
        onFocusIn={() => nonces.current.prepare()}
        onSubmit={event => {
          event.preventDefault();
          void withPassword();
        }}
      >
        <label for="staff-id">Staff ID</label>
        <input
          id="staff-id"
          name="staff-id"
          type="text"
          autocomplete="username webauthn"
          autocapitalize="none"
          spellcheck={false}
          data-keyward="staff-id"
        />
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" data-keyward="password" />
        <Button type="submit" look="main" busy={busy === 'password'}>
          Sign in
        </Button>
        <p class="or">
          <span>or</span>
        </p>
        <Button onClick={withPasskey} busy={busy === 'passkey'}>
          <Icon name="key" />
          Use a passkey
        </Button>
      </form>
      <label class="switch">
        <input
          type="checkbox"
          role="switch"
          checked={shared}
          onChange={event => {
            setShared(event.currentTarget.checked);
            setSharedHere(event.currentTarget.checked);
          }}
        />
        <span>This is a shared workstation</span>
      </label>
    </section>
  );
}

/** The badge reader of a shared workstation types the badge's number and Enter. */
function Badge({ busy, run }: { busy: boolean; run: (act: () => Promise<Answer>) => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = () => {
    const badge = field.current?.value ?? '';
    if (field.current) field.current.value = '';
    const ask = () => post<Answer>('/sign-in/badge', { badge });
    run(async () => prompt(await ask(), ask));
  };
  return (
    <form
      class="badge"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        submit();
      }}
    >
      <label for="badge">Hold your badge to the reader</label>
      <div class="row">
        <input ref={field} id="badge" type="password" inputMode="numeric" autocomplete="off" data-keyward-ignore="" />
        <Button type="submit" busy={busy}>
          Go
        </Button>
      </div>
    </form>
  );
}

/** The first passkey: a code from the administrator, then the browser's own prompt. */
function Enrol({ onBack }: { onBack: () => void }) {
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  const make = async () => {
    if (busy) return;
    setBusy(true);
    setMessage('');
    try {
      const begun = await post<Answer & { begun?: Begun }>('/enrol/begin', { code: field.current?.value ?? '' });
      if (!begun.begun) return setMessage(inWords(begun));
      const answer = await register(begun.begun);
      const asked = await post<Answer>('/enrol/finish', { answer, name: deviceName() });
      await finish(await prompt(asked, async () => asked), setMessage);
    } catch (error) {
      setMessage(error instanceof PromptError ? promptText(error.code) : told(error).message);
    } finally {
      setBusy(false);
    }
  };

  return (
    <section class="card sign-in" aria-labelledby="enrol">
      <h1 id="enrol">Make your passkey</h1>
      <p>
        Welcome. Your password is right; now this device learns to know you by face, finger or PIN. Enter the code that your
        administrator handed you.
      </p>
      {message && <Notice kind="bad">{message}</Notice>}
      <form
        noValidate
        onSubmit={event => {
          event.preventDefault();
          void make();
        }}
      >
        <label for="code">Enrolment code</label>
        <input ref={field} id="code" class="code" autocomplete="one-time-code" autocapitalize="characters" spellcheck={false} />
        <Button type="submit" look="main" busy={busy}>
          <Icon name="key" />
          Make a passkey
        </Button>
        <Button look="plain" onClick={onBack}>
          Back to sign-in
        </Button>
      </form>
    </section>
  );
}

/**
 * Offers passkeys in the staff ID field itself, until one is chosen or another prompt takes over. Gives what makes the offer
 * anew.
 */
function useAutofill(done: (answer: Answer) => Promise<void>, tell: (message: string) => void): () => void {
  const end = useRef(new AbortController());
  const choose = async () => {
    const { begun } = await post<{ begun: Begun }>('/sign-in/passkey/begin', {});
    return autofill(begun, end.current.signal);
  };
  const offer = async (): Promise<void> => {
    if (end.current.signal.aborted) return;
    // It is an offer: where it fails, the buttons are there.
    const assertion = await choose().catch(() => undefined);
    if (!assertion) return;
    tell('');
    try {
      await done(await withAssertion(assertion));
    } catch (error) {
      tell(told(error).message);
    }
    // Whoever is still here chose one that is spent, or came too late.
    void offer();
  };
  useEffect(() => {
    void offer();
    return () => end.current.abort();
  }, []);
  return () => void offer();
}

/** Signs in with what the authenticator answered. */
async function withAssertion(assertion: PasskeyAnswer, telemetry?: unknown): Promise<Answer> {
  try {
    const answer = await post<Answer>('/sign-in/passkey/finish', { assertion, device: device(), telemetry });
    return await prompt(answer, async () => answer);
  } catch (error) {
    // The passkey manager then offers no more what was removed here.
    if (error instanceof Trouble && error.code === 'passkey_unknown') void signalUnknown(assertion);
    throw error;
  }
}

async function finish(answer: Answer, tell: (message: string) => void): Promise<void> {
  if (answer.outcome !== 'allow') return tell(inWords(answer));
  go('/', true);
  await refresh();
}

function value(form: HTMLFormElement | null, name: string): string {
  const field = form?.elements.namedItem(name);
  return field instanceof HTMLInputElement ? (name === 'password' ? field.value : field.value.trim()) : '';
}

function deviceName(): string {
  const platform = /Windows|Macintosh|iPhone|iPad|Android|Linux/.exec(navigator.userAgent)?.[0] ?? 'This device';
  return platform === 'Macintosh' ? 'Mac' : platform;
}

/** Who can be played here. A real portal shows nothing of the kind. */
function Demonstration({ visit }: { visit: Visit }) {
  const demo = visit.demo;
  if (!demo) return null;
  return (
    <details class="demo">
      <summary>Demonstration: who you can be</summary>
      <p>
        Everybody here is fictional. The password is <code>{demo.password}</code>. The first sign-in asks for the enrolment
        code.
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Demonstration people">
        <table>
          <thead>
            <tr>
              <th scope="col">Staff ID</th>
              <th scope="col">Who</th>
              <th scope="col">Code</th>
              <th scope="col">Badge</th>
            </tr>
          </thead>
          <tbody>
            {demo.people.map(person => (
              <tr key={person.id}>
                <th scope="row">
                  <code>{person.id}</code>
                </th>
                <td>{person.title}</td>
                <td>{person.code ? <code>{person.code}</code> : 'used'}</td>
                <td>
                  <code>{person.badge}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
