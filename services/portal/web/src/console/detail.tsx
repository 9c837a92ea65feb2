import { useEffect, useState } from 'preact/hooks';
import { useLoaded } from '../load';
import { Heading, Icon, Notice, Show, Tag, when, words } from '../ui';
import { officerGet } from './api';
import { Bar } from './charts/contributions';
import { Facts, type Json } from './facts';
import { type Proof, verify } from './proof';
import { OUTCOME_KIND, OUTCOMES, type Row, SIGNALS } from './types';

interface Opened {
  readonly row: Row;
  /** What the policy was asked; none where the record cannot be read. */
  readonly facts: Json | null;
  /** None while the log's next checkpoint has not come. */
  readonly proof: Proof | null;
}

/** How often it is asked whether the log's next checkpoint has come; there is one about every second. */
const CHECKPOINT_MS = 1_000;

/** A decision, opened: why, by which policies, from which signals, and its place in the log. */
export function Detail({ name }: { name: string }) {
  const load = () => officerGet<Opened>(`/decisions/${name}`);
  const [opened, again, put] = useLoaded(`decision-${name}`, load);
  const waits = opened.state === 'ready' && !opened.value.proof;
  useEffect(() => {
    if (!waits) return;
    const timer = setInterval(() => load().then(put, () => undefined), CHECKPOINT_MS);
    return () => clearInterval(timer);
  }, [waits]);
  return (
    <>
      <a class="back" href="/console">
        <Icon name="back" />
        Console
      </a>
      <Show of={opened} again={again}>
        {({ row, facts, proof }) => (
          <>
            <Heading title={`${words(row.action, '')}, ${row.sensitivity.toLowerCase()}`}>
              <p class="quiet">
                <Tag kind={OUTCOME_KIND[row.outcome]}>{OUTCOMES[row.outcome]}</Tag>
                <a href={`/console/people/${encodeURIComponent(row.subject)}`}>{row.subject}</a>
                {when(row.at_ms / 1000)}, {words(row.device, '')}
              </p>
            </Heading>
            <div class="two-cards">
              <Why row={row} />
              <Signals row={row} />
              {facts !== null && <Facts facts={facts} />}
              <Log row={row} proof={proof} />
            </div>
          </>
        )}
      </Show>
    </>
  );
}

function Why({ row }: { row: Row }) {
  return (
    <section class="card" aria-labelledby="why">
      <h2 id="why">Why</h2>
      <ul class="reasons">
        {row.reasons.map(reason => (
          <li key={reason.code + JSON.stringify(reason.metadata)}>
            <strong>{words(reason.code, '')}</strong>
            <small>
              {reason.text}{' '}
              {Object.entries(reason.metadata)
                .map(([key, value]) => `${key}: ${value}`)
                .join(', ')}
            </small>
          </li>
        ))}
      </ul>
      {row.evidence && (
        <p>
          Asked for: <strong>{words(row.evidence, '')}</strong>
        </p>
      )}
      {row.justification && (
        <Notice kind="warn">
          Justification: {row.justification}
        </Notice>
      )}
      <h2>Policies that decided</h2>
      <ul class="ids">
        {row.policies.map(policy => (
          <li key={policy}>
            <code>{policy}</code>
          </li>
        ))}
      </ul>
      {row.obligations.length > 0 && (
        <>
          <h2>Obligations</h2>
          <p>{row.obligations.map(name => words(name, '')).join(', ')}</p>
        </>
      )}
    </section>
  );
}

function Signals({ row }: { row: Row }) {
  const most = Math.max(1, ...row.signals.map(signal => Math.abs(signal.contribution)));
  return (
    <section class="card" aria-labelledby="signals">
      <h2 id="signals">Signals</h2>
      <p class="quiet">
        Risk {row.risk === null ? 'was not scored' : `${row.risk.toFixed(3)}, ${row.band.toLowerCase()}`}. Contributions are
        natural-log likelihood ratios of somebody else over the person; scores are in units of the person's own spread.
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Signals of this decision">
        <table>
          <thead>
            <tr>
              <th scope="col">Signal</th>
              <th scope="col">Contribution</th>
              <th scope="col">
                <span class="hidden">Bar</span>
              </th>
              <th scope="col">Score</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {row.signals.map(signal => (
              <tr key={signal.kind}>
                <th scope="row">{SIGNALS.find(([kind]) => kind === signal.kind)?.[1] ?? words(signal.kind, '')}</th>
                <td class="number">{signal.status === 'SCORED' ? signed(signal.contribution) : ''}</td>
                <td>{signal.status === 'SCORED' && <Bar value={signal.contribution} most={most} />}</td>
                <td class="number">{signal.score === null ? '' : signed(signal.score)}</td>
                <td>
                  {signal.status === 'SCORED' && signal.maturity ? words(signal.maturity, '') : words(signal.status, '')}
                  {signal.samples > 0 && (
                    <small>
                      {signal.samples} samples, profile {signal.profile_version}
                    </small>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Log({ row, proof }: { row: Row; proof: Proof | null }) {
  const [verdict, setVerdict] = useState<'none' | 'holds' | 'fails'>('none');
  useEffect(() => {
    if (!proof) return;
    verify(proof).then(
      holds => setVerdict(holds ? 'holds' : 'fails'),
      () => setVerdict('fails'),
    );
  }, [proof]);
  return (
    <section class="card wide-card" aria-labelledby="log">
      <h2 id="log">Its place in the log</h2>
      {!proof && <Notice kind="info">This record is newer than the log's last checkpoint. The proof comes with the next one.</Notice>}
      {proof && verdict === 'holds' && (
        <Notice kind="good">
          Computed in this browser: record {proof.index} is in the log of {proof.tree_size} records.
        </Notice>
      )}
      {verdict === 'fails' && <Notice kind="bad">The proof does not lead to the log's root. Tell the operator.</Notice>}
      <dl class="facts">
        <dt>Decision</dt>
        <dd>
          <code>{row.id}</code>
        </dd>
        {proof && (
          <>
            <dt>Entry</dt>
            <dd>
              <code>{proof.entry}</code>
            </dd>
            <dt>Root</dt>
            <dd>
              <code>{proof.root_hash}</code>
            </dd>
            <dt>Path</dt>
            <dd>
              {proof.path.map(hash => (
                <code key={hash}>{hash}</code>
              ))}
              {!proof.path.length && 'The log has this record alone.'}
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}

function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${value.toFixed(2)}`;
}
