import { useEffect, useState } from 'preact/hooks';
import { ask } from '../ask';
import { allowed, told, useLoaded } from '../load';
import { go, usePath } from '../route';
import { Button, Empty, Heading, Icon, Notice, Show, Tag, when, words } from '../ui';
import { officerGet, officerPost } from './api';
import { Contributions } from './charts/contributions';
import { Friction } from './charts/friction';
import { Rate } from './charts/rate';
import { Knowledge, RiskLine } from './charts/risk';
import { Scores } from './charts/scores';
import { Detail } from './detail';
import { follow } from './live';
import { type Alert, OUTCOME_KIND, OUTCOMES, type Overview, type Row } from './types';
import { WhatIf } from './what-if';

/** The security console. It opens with keyward's word, like everything else. */
export function Console() {
  const path = usePath();
  const [opened, again] = useLoaded('console', async () => allowed(await ask('/console/open')));
  const decision = /^\/console\/decisions\/([\w-]+)$/.exec(path)?.[1];
  const subject = /^\/console\/people\/([^/]+)$/.exec(path)?.[1];
  return (
    <Show of={opened} again={again}>
      {() => {
        if (decision) return <Detail key={decision} name={decision} />;
        if (subject) return <Person key={subject} subject={decodeURIComponent(subject)} />;
        if (path === '/console/what-if') return <WhatIf />;
        return <Live />;
      }}
    </Show>
  );
}

/** Rows kept on the screen. */
const KEPT = 500;

function Live() {
  const [overview, again] = useLoaded('overview', () => officerGet<Overview>('/overview'));
  return (
    <>
      <Heading title="Security console">
        <p class="quiet">Every decision, as keyward records it.</p>
        <div class="row heading-row">
          <Find />
          <a class="button" href="/console/what-if">
            What if the policy changed?
          </a>
        </div>
      </Heading>
      <Show of={overview} again={again}>
        {overview => <Board overview={overview} />}
      </Show>
    </>
  );
}

/** The way to a person's time line, for those who know whom they look for. */
function Find() {
  return (
    <form
      class="find"
      role="search"
      onSubmit={event => {
        event.preventDefault();
        const subject = String(new FormData(event.currentTarget).get('subject')).trim();
        if (subject) go(`/console/people/${encodeURIComponent(subject)}`);
      }}
    >
      <label for="find" class="hidden">
        Find a person
      </label>
      <input id="find" name="subject" type="search" placeholder="Staff ID" autocomplete="off" spellcheck={false} data-keyward-ignore="" />
      <Button type="submit">Find</Button>
    </form>
  );
}

function Board({ overview }: { overview: Overview }) {
  const [rows, setRows] = useState(overview.rows);
  const [alerts, setAlerts] = useState(overview.alerts);
  const [live, setLive] = useState(false);
  useEffect(() => {
    return follow({
      live: setLive,
      row: row => setRows(rows => (rows.some(known => known.index === row.index) ? rows : [...rows, row].slice(-KEPT))),
      alert: alert => setAlerts(alerts => [alert, ...alerts.filter(known => known.id !== alert.id)]),
    });
  }, []);
  const count = (outcome: Row['outcome']) => rows.filter(row => row.outcome === outcome).length;
  const open = alerts.filter(alert => !alert.acknowledged).length;
  return (
    <>
      <ul class="tiles" aria-label="At a glance">
        <Tile label={rows.length < KEPT ? 'Decisions' : 'Newest decisions'} value={rows.length} />
        <Tile label="Stepped up" value={count('step_up')} kind="warn" />
        <Tile label="Denied" value={count('deny')} kind={count('deny') ? 'bad' : undefined} />
        <Tile label="Open alerts" value={open} kind={open ? 'bad' : 'good'} />
      </ul>
      <div class="board">
        <section class="card" aria-labelledby="alerts">
          <h2 id="alerts">Alerts</h2>
          <Alerts alerts={alerts} put={alert => setAlerts(all => all.map(one => (one.id === alert.id ? alert : one)))} />
        </section>
        <section class="card" aria-labelledby="scores">
          <h2 id="scores">Risk scores</h2>
          <Scores rows={rows} />
        </section>
        <section class="card" aria-labelledby="friction">
          <h2 id="friction">Step-ups by typing, against the budget</h2>
          <Friction rows={rows} budget={overview.budget} />
        </section>
        <section class="card wide-card" aria-labelledby="rate">
          <h2 id="rate">Decisions over time</h2>
          <Rate rows={rows} />
        </section>
        <section class="card wide-card" aria-labelledby="feed">
          <div class="feed-head">
            <h2 id="feed">Decisions</h2>
            <Tag kind={live ? 'good' : 'quiet'}>{live ? 'Live' : 'Connecting'}</Tag>
          </div>
          <Feed rows={[...rows].reverse()} />
        </section>
      </div>
    </>
  );
}

function Tile({ label, value, kind }: { label: string; value: number; kind?: 'warn' | 'bad' | 'good' | undefined }) {
  return (
    <li class={`tile ${kind ?? ''}`}>
      <strong>{value}</strong>
      <span>{label}</span>
    </li>
  );
}

function Alerts({ alerts, put }: { alerts: readonly Alert[]; put: (alert: Alert) => void }) {
  const [trouble, setTrouble] = useState('');
  const acknowledge = async (alert: Alert) => {
    try {
      const seen = await officerPost<Pick<Alert, 'acknowledged'>>('/acknowledge', { id: alert.id });
      put({ ...alert, ...seen });
      setTrouble('');
    } catch (error) {
      setTrouble(told(error).message);
    }
  };
  const sorted = [...alerts].sort((a, b) => Number(!!a.acknowledged) - Number(!!b.acknowledged) || b.at_ms - a.at_ms);
  if (!sorted.length) return <Empty title="No alerts">Emergency access, replays and reported attacks appear here.</Empty>;
  return (
    <>
      {trouble && <Notice kind="bad">{trouble}</Notice>}
      <ul class="alerts">
        {sorted.slice(0, 30).map(alert => (
          <li key={alert.id} class={alert.acknowledged ? 'done' : ''}>
            <Icon name={alert.acknowledged ? 'check' : 'alert'} />
            <span>
              <a href={`/console/decisions/${alert.decision}`}>{alert.title}</a>
              <small>
                {alert.subject}, {when(alert.at_ms / 1000)}
                {alert.acknowledged && `, seen by ${alert.acknowledged.by}`}
              </small>
            </span>
            {!alert.acknowledged && (
              <Button look="plain" onClick={() => acknowledge(alert)} aria-label={`Acknowledge: ${alert.title}, ${alert.subject}`}>
                Acknowledge
              </Button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Decisions that a list shows; older ones are found by their person. */
const LISTED = 60;

function Feed({ rows }: { rows: readonly Row[] }) {
  if (!rows.length) return <Empty title="No decisions yet">They appear here as they are made.</Empty>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Decisions, newest first">
      <table class="feed">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">Outcome</th>
            <th scope="col">Risk</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, LISTED).map(row => (
            <tr key={row.index}>
              <td>
                <a href={`/console/decisions/${row.index}`}>{clock(row.at_ms)}</a>
              </td>
              <td>
                <a href={`/console/people/${encodeURIComponent(row.subject)}`}>{row.subject}</a>
              </td>
              <td>
                {words(row.action, '')}, {row.sensitivity.toLowerCase()}
              </td>
              <td>
                <Tag kind={OUTCOME_KIND[row.outcome]}>{OUTCOMES[row.outcome]}</Tag>
              </td>
              <td>{row.risk === null ? '' : row.risk.toFixed(2)}</td>
              <td class="why">{why(row)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

function clock(ms: number): string {
  return CLOCK.format(new Date(ms));
}

/** The most telling reason that is not the outcome again. */
function why(row: Row): string {
  const said = ['POLICY_PERMITS', 'POLICY_NEEDS_EVIDENCE', 'POLICY_FORBIDS'];
  const reason = row.reasons.find(reason => !said.includes(reason.code)) ?? row.reasons[0];
  return reason ? words(reason.code, '') : '';
}

function Person({ subject }: { subject: string }) {
  const [rows, again] = useLoaded(subject, () => officerGet<{ rows: Row[] }>(`/people/${encodeURIComponent(subject)}`));
  return (
    <>
      <a class="back" href="/console">
        <Icon name="back" />
        Console
      </a>
      <Heading title={subject}>
        <p class="quiet">What each signal said at each decision, oldest to the left. Up is risk.</p>
      </Heading>
      <Show of={rows} again={again}>
        {({ rows }) => (
          <div class="stack">
            <section class="card" aria-labelledby="contributions">
              <h2 id="contributions">Contributions</h2>
              {rows.length ? <Contributions rows={rows} /> : <Empty title="No decisions about this person" />}
            </section>
            {rows.length > 0 && (
              <div class="two-cards">
                <section class="card" aria-labelledby="risk">
                  <h2 id="risk">Risk</h2>
                  <RiskLine rows={rows} />
                </section>
                <section class="card" aria-labelledby="knowledge">
                  <h2 id="knowledge">What the typing model knew</h2>
                  <Knowledge rows={rows} />
                </section>
              </div>
            )}
            <section class="card" aria-labelledby="their">
              <h2 id="their">Decisions</h2>
              <Feed rows={[...rows].reverse()} />
            </section>
          </div>
        )}
      </Show>
    </>
  );
}
