import { useState } from 'preact/hooks';
import { told, useLoaded } from '../load';
import { Button, Empty, Heading, Icon, Notice, Show, Tag, when, words } from '../ui';
import { officerGet, officerPost } from './api';
import { around, diff } from './diff';
import { OUTCOME_KIND, OUTCOMES, type Row } from './types';

type Outcome = Row['outcome'];

interface Change {
  readonly index: number;
  readonly subject: string;
  readonly at_ms: number;
  readonly before: Outcome;
  readonly before_evidence: string | null;
  readonly after: Outcome;
  readonly after_evidence: string | null;
  readonly policies: readonly string[];
}

/** How many decisions went from one outcome to another, or stayed. */
interface Went {
  readonly before: Outcome;
  readonly after: Outcome;
  readonly decisions: number;
}

interface Result {
  readonly considered: number;
  readonly changed: number;
  readonly changes: readonly Change[];
  readonly outcomes: readonly Went[];
  /** Whether all of last week was asked. */
  readonly complete: boolean;
}

/** Last week's decisions, asked again under an edited policy. Nothing is changed by it. */
export function WhatIf() {
  const [policy, again] = useLoaded('policy', () => officerGet<{ text: string }>('/policy'));
  return (
    <>
      <a class="back" href="/console">
        <Icon name="back" />
        Console
      </a>
      <Heading title="What if?">
        <p class="quiet">
          Edit the policy, and see which of the last week's decisions would have come out otherwise. Nothing is changed by it.
        </p>
      </Heading>
      <Show of={policy} again={again}>
        {({ text }) => <Editor text={text} />}
      </Show>
    </>
  );
}

function Editor({ text }: { text: string }) {
  const [edited, setEdited] = useState(text);
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState('');
  const [result, setResult] = useState<{ asked: string; came: Result }>();
  const run = async () => {
    if (busy) return;
    setBusy(true);
    setMessage('');
    try {
      const asked = edited;
      setResult({ asked, came: await officerPost<Result>('/what-if', { policy: asked }) });
    } catch (error) {
      setMessage(told(error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="stack">
      <section class="card" aria-labelledby="policy">
        <h2 id="policy">Policy</h2>
        <textarea
          class="policy"
          rows={18}
          spellcheck={false}
          aria-label="Policy text"
          data-keyward-ignore=""
          value={edited}
          onInput={event => setEdited(event.currentTarget.value)}
        />
        {message && <Notice kind="bad">{message}</Notice>}
        <div class="row">
          <Button look="main" busy={busy} onClick={run}>
            Ask last week again
          </Button>
          <Button look="plain" onClick={() => setEdited(text)}>
            Undo all edits
          </Button>
        </div>
      </section>
      {result && <Edit before={text} after={result.asked} />}
      {result && <Diff result={result.came} />}
    </div>
  );
}

/** What was edited. */
function Edit({ before, after }: { before: string; after: string }) {
  const lines = around(diff(before, after));
  if (!lines.length) return null;
  return (
    <section class="card" aria-labelledby="edit">
      <h2 id="edit">Your edit</h2>
      <pre class="edit scroll" tabIndex={0} role="region" aria-label="Lines that were removed and added">
        {lines.map((line, i) =>
          line ? (
            <span key={i} class={line.kind}>
              {{ same: '  ', added: '+ ', removed: '- ' }[line.kind]}
              {line.text}
              {'\n'}
            </span>
          ) : (
            <span key={i} class="gap">
              {'  ...\n'}
            </span>
          ),
        )}
      </pre>
    </section>
  );
}

/** From which outcome to which: what stays is on the diagonal. */
function Matrix({ of }: { of: readonly Went[] }) {
  const all = ['allow', 'step_up', 'deny'] as const;
  const count = (before: Outcome, after: Outcome) =>
    of.filter(went => went.before === before && went.after === after).reduce((sum, went) => sum + went.decisions, 0);
  const most = Math.max(1, ...of.filter(went => went.before !== went.after).map(went => went.decisions));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Outcomes before and after">
      <table class="matrix">
        <thead>
          <tr>
            <th scope="col">Was</th>
            {all.map(after => (
              <th key={after} scope="col">
                Would be {OUTCOMES[after].toLowerCase()}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {all.map(before => (
            <tr key={before}>
              <th scope="row">{OUTCOMES[before]}</th>
              {all.map(after => {
                const decisions = count(before, after);
                return (
                  <td key={after} class={before === after ? 'stays' : ''}>
                    {decisions}
                    {before !== after && decisions > 0 && (
                      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                        <rect width="100" height="6" rx="3" class="track" />
                        <rect width={(decisions / most) * 100} height="6" rx="3" class={`bar ${after}`} />
                      </svg>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Changed decisions that are listed. */
const LISTED = 50;

function Diff({ result }: { result: Result }) {
  return (
    <section class="card" aria-labelledby="diff">
      <h2 id="diff">
        {result.changed} of {result.considered} decisions would differ
      </h2>
      {!result.complete && <Notice kind="info">The newest of them; the week had more.</Notice>}
      <Matrix of={result.outcomes} />
      {result.changes.length ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Changed decisions">
          <table>
            <thead>
              <tr>
                <th scope="col">Who</th>
                <th scope="col">When</th>
                <th scope="col">Was</th>
                <th scope="col">Would be</th>
                <th scope="col">By</th>
              </tr>
            </thead>
            <tbody>
              {result.changes.slice(0, LISTED).map(change => (
                <tr key={change.index}>
                  <td>
                    <a href={`/console/decisions/${change.index}`}>{change.subject}</a>
                  </td>
                  <td>{when(change.at_ms / 1000)}</td>
                  <td>
                    <Outcome_ of={change.before} evidence={change.before_evidence} />
                  </td>
                  <td>
                    <Outcome_ of={change.after} evidence={change.after_evidence} />
                  </td>
                  <td>
                    {change.policies.map(policy => (
                      <code key={policy}>{policy} </code>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <Empty title="Nothing would have come out otherwise" />
      )}
      {result.changes.length > LISTED && <p class="quiet">The newest {LISTED} of them.</p>}
    </section>
  );
}

function Outcome_({ of, evidence }: { of: Outcome; evidence: string | null }) {
  return (
    <Tag kind={OUTCOME_KIND[of]}>
      {OUTCOMES[of]}
      {evidence ? `: ${words(evidence, '').toLowerCase()}` : ''}
    </Tag>
  );
}
