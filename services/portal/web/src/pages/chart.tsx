import { useEffect, useState } from 'preact/hooks';
import { type Answer } from '../api';
import { ask, inWords } from '../ask';
import { allowed, told, useLoaded } from '../load';
import { Button, Empty, Heading, Icon, Notice, Show, Tag, when } from '../ui';

interface Note {
  readonly by: string;
  readonly at_s: number;
  readonly text: string;
}

interface Prescription {
  readonly drug: string;
  readonly directions: string;
  readonly quantity: number;
  readonly by: string;
  readonly at_s: number;
}

interface Chart {
  readonly patient: {
    readonly id: string;
    readonly name: string;
    readonly born: string;
    readonly mrn: string;
    readonly restricted: boolean;
    readonly allergies: readonly string[];
    readonly problems: readonly string[];
    readonly medication: readonly string[];
    readonly pressure: readonly (readonly [number, number])[];
    readonly history: readonly (readonly [string, string, string])[];
  };
  readonly in_care: boolean;
  readonly notes: readonly Note[];
  readonly prescriptions: readonly Prescription[];
  readonly formulary: readonly { readonly drug: string; readonly controlled: boolean }[];
  /** Seconds until the access ends, where it does. */
  readonly ends_in_s: number | null;
}

export function Chart({ id }: { id: string }) {
  const [chart, again, put] = useLoaded(`chart-${id}`, async () => allowed(await ask<Chart>(`/patients/${id}/open`)));
  return (
    <>
      <a class="back" href="/">
        <Icon name="back" />
        Today
      </a>
      <Show of={chart} again={again}>
        {value => <Opened chart={value} again={again} change={part => put({ ...value, ...part })} />}
      </Show>
    </>
  );
}

function Opened(props: { chart: Chart; again: () => void; change: (part: Partial<Chart>) => void }) {
  const { chart, change } = props;
  const { patient } = chart;
  const ended = useEnd(chart.ends_in_s);
  if (ended) {
    return (
      <div class="card failed">
        <Notice kind="warn">The emergency access has ended. Open the chart again if it is still needed.</Notice>
        <Button onClick={props.again}>Open again</Button>
      </div>
    );
  }
  return (
    <>
      <Heading title={patient.name}>
        <p class="quiet">
          Born {patient.born}, {patient.mrn}
          {patient.restricted && (
            <Tag kind="warn">
              <Icon name="lock" />
              Specially protected
            </Tag>
          )}
          {!chart.in_care && <Tag kind="quiet">Not in your care</Tag>}
        </p>
      </Heading>
      {chart.ends_in_s !== null && (
        <Notice kind="warn">
          Emergency access. It is recorded, will be reviewed, and ends in <Countdown seconds={chart.ends_in_s} />.
        </Notice>
      )}
      <div class="chart">
        <section class="card" aria-labelledby="allergies">
          <h2 id="allergies">Allergies</h2>
          <Items of={patient.allergies} none="No known allergies" bad />
          <h2>Problems</h2>
          <Items of={patient.problems} none="None recorded" />
          <h2>Medication</h2>
          <Items of={patient.medication} none="Takes nothing" />
        </section>
        <section class="card" aria-labelledby="pressure">
          <h2 id="pressure">Blood pressure</h2>
          <Pressure of={patient.pressure} />
        </section>
        <Prescribe chart={chart} change={change} />
        <Notes chart={chart} change={change} />
      </div>
    </>
  );
}

function Items({ of, none, bad }: { of: readonly string[]; none: string; bad?: boolean }) {
  if (!of.length) return <p class="quiet">{none}</p>;
  return (
    <ul class={bad ? 'items bad' : 'items'}>
      {of.map(item => (
        <li key={item}>{item}</li>
      ))}
    </ul>
  );
}

/** Systolic and diastolic pressure at the last visits. */
function Pressure({ of }: { of: Chart['patient']['pressure'] }) {
  const [low, high] = [60, 180];
  const x = (i: number) => 20 + (i * 260) / Math.max(of.length - 1, 1);
  const y = (value: number) => 110 - ((value - low) * 100) / (high - low);
  const line = (which: 0 | 1) => of.map((pair, i) => `${x(i)},${y(pair[which])}`).join(' ');
  const last = of.at(-1);
  return (
    <figure class="plot">
      <svg viewBox="0 0 300 120" role="img" aria-label={`Blood pressure at ${of.length} visits`}>
        {[80, 120, 160].map(value => (
          <g key={value}>
            <line x1="20" x2="290" y1={y(value)} y2={y(value)} class="grid" />
            <text x="0" y={y(value) + 3} class="tick">
              {value}
            </text>
          </g>
        ))}
        <polyline points={line(0)} class="line" />
        <polyline points={line(1)} class="line second" />
        {of.map((pair, i) => (
          <g key={i}>
            <circle cx={x(i)} cy={y(pair[0])} r="3" class="dot" />
            <circle cx={x(i)} cy={y(pair[1])} r="3" class="dot second" />
          </g>
        ))}
      </svg>
      {last && (
        <figcaption>
          Last <strong>{last[0]}</strong> over <strong>{last[1]}</strong> mmHg
        </figcaption>
      )}
    </figure>
  );
}

/** A prescription: filled in, then signed with a passkey. */
function Prescribe({ chart, change }: { chart: Chart; change: (part: Partial<Chart>) => void }) {
  const [busy, setBusy] = useState(false);
  const [told_, setTold] = useState<{ kind: 'good' | 'bad'; text: string }>();
  const sign = async (form: HTMLFormElement) => {
    if (busy) return;
    setBusy(true);
    setTold(undefined);
    const fields = new FormData(form);
    const draft = {
      patient: chart.patient.id,
      drug: String(fields.get('drug')),
      directions: String(fields.get('directions')),
      quantity: Math.trunc(Number(fields.get('quantity'))) || 0,
    };
    try {
      const answer = await ask<{ signed: Prescription; prescriptions: Prescription[] }>('/prescriptions', draft);
      if (answer.outcome === 'allow' && answer.result) {
        change({ prescriptions: answer.result.prescriptions });
        form.reset();
        setTold({ kind: 'good', text: `Signed: ${answer.result.signed.drug}.` });
      } else setTold({ kind: 'bad', text: inWords(answer) });
    } catch (error) {
      setTold({ kind: 'bad', text: told(error).message });
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="card" aria-labelledby="prescribe">
      <h2 id="prescribe">Prescribe</h2>
      {told_ && <Notice kind={told_.kind}>{told_.text}</Notice>}
      <form
        onSubmit={event => {
          event.preventDefault();
          void sign(event.currentTarget);
        }}
      >
        <label for="drug">Medicine</label>
        <select id="drug" name="drug">
          {chart.formulary.map(({ drug, controlled }) => (
            <option key={drug} value={drug}>
              {drug}
              {controlled ? ' (controlled)' : ''}
            </option>
          ))}
        </select>
        <div class="two">
          <div>
            <label for="directions">Directions</label>
            <input id="directions" name="directions" required maxLength={200} autocomplete="off" placeholder="1 tablet daily" />
          </div>
          <div>
            <label for="quantity">Quantity</label>
            <input id="quantity" name="quantity" type="number" min="1" max="1000" required value="28" />
          </div>
        </div>
        <Button type="submit" look="main" busy={busy}>
          <Icon name="pen" />
          Sign prescription
        </Button>
      </form>
      {chart.prescriptions.length > 0 && (
        <ul class="signed" aria-label="Signed prescriptions">
          {chart.prescriptions.map(p => (
            <li key={p.at_s + p.drug}>
              <Icon name="check" />
              <span>
                <strong>{p.drug}</strong>, {p.directions}, {p.quantity}
                <small>
                  Signed by {p.by}, {when(p.at_s)}
                </small>
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Notes. What is typed here is where a running session notices another person. */
function Notes({ chart, change }: { chart: Chart; change: (part: Partial<Chart>) => void }) {
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState('');
  const save = async () => {
    if (busy || !text.trim()) return;
    setBusy(true);
    setMessage('');
    try {
      const answer: Answer<{ notes: Note[] }> = await ask(`/patients/${chart.patient.id}/notes`, { text });
      if (answer.outcome === 'allow' && answer.result) {
        change({ notes: answer.result.notes });
        setText('');
      } else setMessage(inWords(answer));
    } catch (error) {
      setMessage(told(error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="card" aria-labelledby="notes">
      <h2 id="notes">Notes</h2>
      {message && <Notice kind="bad">{message}</Notice>}
      <label for="note">New note</label>
      <textarea id="note" rows={4} maxLength={2000} value={text} onInput={event => setText(event.currentTarget.value)} />
      <Button look="main" busy={busy} onClick={save}>
        Save note
      </Button>
      <ol class="notes">
        {chart.notes.map(note => (
          <li key={note.at_s}>
            <small>
              {when(note.at_s)}, {note.by}
            </small>
            <p>{note.text}</p>
          </li>
        ))}
        {chart.patient.history.map(([at, by, text]) => (
          <li key={at}>
            <small>
              {at}, {by}
            </small>
            <p>{text}</p>
          </li>
        ))}
      </ol>
      {!chart.notes.length && !chart.patient.history.length && <Empty title="No notes yet" />}
    </section>
  );
}

function useEnd(seconds: number | null): boolean {
  const [ended, setEnded] = useState(false);
  useEffect(() => {
    setEnded(false);
    if (seconds === null) return;
    const timer = setTimeout(() => setEnded(true), seconds * 1000);
    return () => clearTimeout(timer);
  }, [seconds]);
  return ended;
}

function Countdown({ seconds }: { seconds: number }) {
  const [left, setLeft] = useState(seconds);
  useEffect(() => {
    const ends = Date.now() + seconds * 1000;
    const timer = setInterval(() => setLeft(Math.max(0, Math.round((ends - Date.now()) / 1000))), 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return (
    <strong role="timer" aria-live="off">
      {Math.floor(left / 60)}:{String(left % 60).padStart(2, '0')}
    </strong>
  );
}
