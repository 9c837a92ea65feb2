import { type Answer as PromptAnswer, type Begun, PromptError, promptText, register, signalAccepted } from '@keyward/browser';
import { useState } from 'preact/hooks';
import { type Answer, get, post, Trouble } from '../api';
import { ask } from '../ask';
import { keepConsent } from '../consent';
import { allowed, told, useLoaded } from '../load';
import { whenOpen } from '../opened';
import { Button, Empty, Heading, Icon, Notice, Show, Tag, when, words } from '../ui';

interface Profile {
  readonly field: string;
  readonly deviceClass: string;
  readonly maturity: string;
  readonly samples?: number;
  readonly updatedAt?: string;
}

interface Passkey {
  readonly id: string;
  readonly name: string;
  readonly createdAt?: string;
  readonly lastUsedAt?: string;
  readonly hardwareBound?: boolean;
  readonly backedUp?: boolean;
}

/** Samples of a first model, and of a mature one: what the bars are drawn against. */
const MATURE = 30;

export function MyData() {
  return (
    <>
      <Heading title="My data">
        <p class="quiet">
          What is held about you here to keep your account yours: passkeys, and the rhythm of your typing. Never what you type.
        </p>
      </Heading>
      <div class="two-cards">
        <Typing />
        <Passkeys />
      </div>
    </>
  );
}

function Typing() {
  const [data, again] = useLoaded('my-data', () => get<{ profiles: Profile[]; opted_out: boolean }>('/my-data'));
  const [asking, setAsking] = useState(false);
  const [message, setMessage] = useState<{ kind: 'good' | 'bad'; text: string }>();
  const reset = async () => {
    try {
      const done = await post<{ profiles: number }>('/my-data/reset');
      setMessage({ kind: 'good', text: `Forgotten: ${done.profiles} typing profiles. Learning starts anew.` });
      again();
    } catch (error) {
      setMessage({ kind: 'bad', text: told(error).message });
    }
    setAsking(false);
  };
  const takeAlong = async () => {
    try {
      allowed(await ask('/settings/open'));
      // A file, so that the page stays.
      location.assign('/api/my-data/export');
    } catch (error) {
      setMessage({ kind: 'bad', text: told(error).message });
    }
  };
  return (
    <section class="card" aria-labelledby="typing">
      <h2 id="typing">Typing rhythm</h2>
      {message && <Notice kind={message.kind}>{message.text}</Notice>}
      <Show of={data} again={again}>
        {({ profiles, opted_out }) => (
          <>
            <Say optedOut={opted_out} again={again} tell={setMessage} />
            {profiles.length ? (
            <>
              <ul class="profiles">
                {profiles.map(profile => (
                  <ProfileRow key={profile.field + profile.deviceClass} profile={profile} />
                ))}
              </ul>
              {asking ? (
                <div class="row">
                  <Button look="danger" onClick={reset}>
                    Yes, forget it
                  </Button>
                  <Button look="plain" onClick={() => setAsking(false)}>
                    Cancel
                  </Button>
                </div>
              ) : (
                <Button onClick={() => setAsking(true)}>Forget my typing</Button>
              )}
            </>
          ) : (
            <Empty title={opted_out ? 'Nothing is held' : 'Nothing is known yet'}>
              {opted_out
                ? 'Your passkey opens everything as before. It is asked for where known typing would have spared it.'
                : 'Your typing is learned only from sign-ins that your passkey proved.'}
            </Empty>
          )}
            <Button onClick={takeAlong}>Download all that is held on me</Button>
          </>
        )}
      </Show>
    </section>
  );
}

type Told = { kind: 'good' | 'bad'; text: string };

/** The person's word on whether typing may be looked at. */
function Say({ optedOut, again, tell }: { optedOut: boolean; again: () => void; tell: (told: Told) => void }) {
  const say = async (granted: boolean) => {
    try {
      await post('/my-data/consent', { granted });
      keepConsent(granted);
      const text = granted ? 'Your typing is learned from now on.' : 'What was learned is forgotten, and nothing is recorded any more.';
      tell({ kind: 'good', text });
    } catch (error) {
      tell({ kind: 'bad', text: told(error).message });
    }
    again();
  };
  return (
    <label class="switch">
      <input type="checkbox" role="switch" checked={!optedOut} onChange={event => void say(event.currentTarget.checked)} />
      <span>Let my typing spare me prompts</span>
    </label>
  );
}

function ProfileRow({ profile }: { profile: Profile }) {
  const samples = profile.samples ?? 0;
  const kind = profile.maturity === 'MATURITY_MATURE' ? 'good' : 'quiet';
  return (
    <li>
      <div class="profile-head">
        <strong>{words(profile.field.replaceAll('-', '_'), '')}</strong>
        <small>{words(profile.deviceClass, 'DEVICE_CLASS_')}</small>
        <Tag kind={kind}>{words(profile.maturity, 'MATURITY_')}</Tag>
      </div>
      <meter min={0} max={MATURE} value={Math.min(samples, MATURE)} aria-label={`${samples} samples`} />
      <small class="quiet">
        {samples} samples{profile.updatedAt ? `, last learned ${when(Date.parse(profile.updatedAt) / 1000)}` : ''}
      </small>
    </li>
  );
}

/** What changes passkeys: keyward asks for a fresh one first, so that nobody makes a stolen password last. */
function inSettings<T>(path: string, body?: unknown): Promise<T> {
  return whenOpen('settings_closed', '/settings/open', () => post<T>(path, body));
}

function Passkeys() {
  const [passkeys, again] = useLoaded('passkeys', async () => {
    const listed = await get<{ passkeys: Passkey[]; accepted: string }>('/passkeys');
    // Passkey managers then offer no more what was removed here.
    if (listed.accepted) void signalAccepted(listed.accepted);
    return listed;
  });
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState<{ kind: 'good' | 'bad'; text: string }>();
  const run = async (act: () => Promise<Answer>, good: string) => {
    setBusy(true);
    setMessage(undefined);
    try {
      const answer = await act();
      const fine = answer.outcome === 'allow';
      setMessage({ kind: fine ? 'good' : 'bad', text: fine ? good : (answer.message ?? '') });
      again();
    } catch (error) {
      setMessage({ kind: 'bad', text: error instanceof PromptError ? promptText(error.code) : told(error).message });
      if (error instanceof Trouble && error.code === 'passkey_gone') again();
    } finally {
      setBusy(false);
    }
  };
  const add = () =>
    run(async () => {
      const { begun } = await inSettings<{ begun: Begun }>('/passkeys/begin');
      const answer: PromptAnswer = await register(begun);
      return post<Answer>('/passkeys/finish', { answer, name: 'Another passkey' });
    }, 'Your new passkey is ready.');
  return (
    <section class="card" aria-labelledby="passkeys">
      <h2 id="passkeys">Passkeys</h2>
      {message && <Notice kind={message.kind}>{message.text}</Notice>}
      <Show of={passkeys} again={again}>
        {({ passkeys }) => (
          <ul class="passkeys">
            {passkeys.map(passkey => (
              <li key={passkey.id}>
                <Icon name="key" />
                <span>
                  <strong>{passkey.name}</strong>
                  <small>
                    {passkey.hardwareBound ? 'Security key' : passkey.backedUp ? 'Synced' : 'On one device'}
                    {passkey.createdAt ? `, since ${when(Date.parse(passkey.createdAt) / 1000)}` : ''}
                  </small>
                </span>
                <Button
                  look="plain"
                  aria-label={`Remove ${passkey.name}`}
                  onClick={() => run(() => inSettings<Answer>('/passkeys/change', { id: passkey.id }), 'The passkey was removed.')}
                >
                  Remove
                </Button>
              </li>
            ))}
          </ul>
        )}
      </Show>
      <Button onClick={add} busy={busy}>
        Add a passkey
      </Button>
    </section>
  );
}
