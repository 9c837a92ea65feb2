import { collectSession } from '@keyward/browser';
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { post } from './api';
import { ask, inWords } from './ask';
import { consent } from './consent';
import { told } from './load';
import { Locked, useIdle } from './lock';
import { follow, go, usePath } from './route';
import { Button, Icon } from './ui';
import { isShared, type Person, refresh } from './visit';

/** Presses that make a checkpoint; more than keyward takes for a known text. */
const PRESSES = 100;

/** The frame around every page of a signed-in person, with the checkpoints of the running session. */
export function Shell(props: { person: Person; held: boolean; children: ComponentChildren }) {
  const { person } = props;
  const path = usePath();
  const [held, setHeld] = useState(props.held);
  const [message, setMessage] = useState('');

  const check = async (telemetry?: unknown) => {
    try {
      const answer = await ask('/checkpoint', { telemetry }, {});
      setHeld(held => held || answer.outcome !== 'allow');
      setMessage(answer.outcome === 'allow' ? '' : inWords(answer));
    } catch (error) {
      setMessage(told(error).message);
    }
  };

  useEffect(() => {
    const session = collectSession(document, {
      label: 'session',
      consent,
      presses: PRESSES,
      nonce: async () => (await post<{ nonce: string }>('/nonce')).nonce,
      onBatch: check,
    });
    return () => session.stop();
  }, [person.id]);

  const lock = useCallback(() => {
    setHeld(true);
    setMessage('');
    // Where it cannot be said to the portal, the page is locked all the same.
    post('/lock').catch(() => undefined);
  }, []);
  useIdle(lock);

  const leave = async () => {
    await post('/sign-out').catch(() => undefined);
    go('/', true);
    await refresh().catch(() => location.reload());
  };

  return (
    <div class="shell" onClick={follow}>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <nav class="nav" aria-label="Portal">
        <a class="brand" href="/" aria-label="St Mary Telehealth, today">
          <Brand />
        </a>
        <ul>
          <Item to="/" icon="today" text="Today" path={path} />
          <Item to="/activity" icon="activity" text="Activity" path={path} />
          <Item to="/my-data" icon="data" text="My data" path={path} />
          {person.officer && <Item to="/staff" icon="staff" text="Staff" path={path} />}
          {person.officer && <Item to="/console" icon="console" text="Console" path={path} />}
        </ul>
        <div class="who">
          <span class="avatar" aria-hidden="true">
            {initials(person.name)}
          </span>
          <span class="who-text">
            <strong>{person.name}</strong>
            <small>{person.title}</small>
          </span>
          <Button look="plain" onClick={lock} aria-label="Lock">
            <Icon name="lock" />
            <span class="wide">Lock</span>
          </Button>
          <Button look="plain" onClick={leave} aria-label={isShared() ? 'Switch user' : 'Sign out'}>
            <Icon name="switch" />
            <span class="wide">{isShared() ? 'Switch user' : 'Sign out'}</span>
          </Button>
        </div>
      </nav>
      <main id="main" class="page">
        {held ? (
          <Locked name={person.name} message={message} open={() => setHeld(false)} leave={leave} />
        ) : (
          props.children
        )}
      </main>
    </div>
  );
}

function Item(props: { to: string; icon: 'today' | 'activity' | 'data' | 'staff' | 'console'; text: string; path: string }) {
  const here = props.to === '/' ? props.path === '/' || props.path.startsWith('/patients') : props.path.startsWith(props.to);
  return (
    <li>
      <a href={props.to} aria-current={here ? 'page' : undefined}>
        <Icon name={props.icon} />
        {props.text}
      </a>
    </li>
  );
}

export function Brand() {
  return (
    <>
      <svg viewBox="0 0 32 32" class="mark" aria-hidden="true" focusable="false">
        <rect width="32" height="32" rx="8" />
        <path d="M13.5 7h5v6.500H25v5h-6.500V25h-5v-6.500H7v-5h6.500z" />
      </svg>
      <span>
        St Mary <b>Telehealth</b>
      </span>
    </>
  );
}

function initials(name: string): string {
  const parts = name.replace('Dr. ', '').split(' ');
  return parts.map(part => part.charAt(0)).join('').slice(0, 2);
}
