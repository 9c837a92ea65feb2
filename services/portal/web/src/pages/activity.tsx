import { useState } from 'preact/hooks';
import { get, post } from '../api';
import { told, useLoaded } from '../load';
import { Button, Empty, Heading, Notice, Show, Tag, when } from '../ui';

interface Entry {
  readonly decision: string;
  readonly at_s: number;
  readonly what: string;
  readonly outcome: 'allow' | 'step_up' | 'deny';
  readonly device: string;
  readonly here: boolean;
  readonly reported: boolean;
}

const OUTCOMES = {
  allow: ['good', 'Allowed'],
  step_up: ['warn', 'Asked for more'],
  deny: ['bad', 'Denied'],
} as const;

export function Activity() {
  const [entries, again] = useLoaded('activity', () => get<{ entries: Entry[] }>('/activity'));
  const [reported, setReported] = useState('');
  const [trouble, setTrouble] = useState('');
  const report = async (entry: Entry) => {
    setTrouble('');
    try {
      const done = await post<{ retracted_samples: number; ended_sessions: number }>('/activity/not-me', {
        decision: entry.decision,
      });
      const learned = done.retracted_samples ? `${done.retracted_samples} typing sample was forgotten. ` : '';
      setReported(`Reported to the security officer. ${learned}Your other sessions were ended: ${done.ended_sessions}.`);
      again();
    } catch (error) {
      setTrouble(told(error).message);
    }
  };
  return (
    <>
      <Heading title="Activity">
        <p class="quiet">What was done in your name. If it was not you, say so.</p>
      </Heading>
      {reported && <Notice kind="good">{reported}</Notice>}
      {trouble && <Notice kind="bad">{trouble}</Notice>}
      <Show of={entries} again={again}>
        {({ entries }) =>
          entries.length ? (
            <ol class="entries">
              {entries.map(entry => (
                <Row key={entry.decision} entry={entry} report={() => report(entry)} />
              ))}
            </ol>
          ) : (
            <Empty title="Nothing yet" />
          )
        }
      </Show>
    </>
  );
}

function Row({ entry, report }: { entry: Entry; report: () => Promise<void> }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [kind, text] = OUTCOMES[entry.outcome];
  const send = async () => {
    setBusy(true);
    await report();
    setBusy(false);
    setAsking(false);
  };
  return (
    <li class="entry">
      <span class="entry-what">
        <strong>{entry.what}</strong>
        <small>
          {when(entry.at_s)}, {entry.device}
          {entry.here ? ', this session' : ''}
        </small>
      </span>
      <Tag kind={kind}>{text}</Tag>
      {entry.reported ? (
        <Tag kind="bad">Reported</Tag>
      ) : asking ? (
        <span class="row">
          <Button look="danger" busy={busy} onClick={send}>
            Yes, report it
          </Button>
          <Button look="plain" onClick={() => setAsking(false)}>
            Cancel
          </Button>
        </span>
      ) : (
        <Button look="plain" onClick={() => setAsking(true)} aria-label={`This was not me: ${entry.what}`}>
          This was not me
        </Button>
      )}
    </li>
  );
}
