import { useState } from 'preact/hooks';
import { told, useLoaded } from '../load';
import { Button, Empty, Heading, Icon, Notice, Show, Tag, when, words } from '../ui';
import { officerGet, officerPost } from './api';
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

interface Result {
  readonly considered: number;
  readonly changed: number;
  readonly changes: readonly Change[];
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
  const [result, setResult] = useState<Result>();
  const run = async () => {
    if (busy) return;
    setBusy(true);
    setMessage('');
    try {
      setResult(await officerPost<Result>('/what-if', { policy: edited }));
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
      {result && <Diff result={result} />}
    </div>
  );
}

function Diff({ result }: { result: Result }) {
  const kinds = new Map<string, number>();
  for (const change of result.changes) {
    const kind = `${OUTCOMES[change.before]} to ${OUTCOMES[change.after].toLowerCase()}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return (
    <section class="card" aria-labelledby="diff">
      <h2 id="diff">
        {result.changed} of {result.considered} decisions would differ
      </h2>
      {!result.complete && <Notice kind="info">The newest of them; the week had more.</Notice>}
      {kinds.size > 0 && (
        <ul class="kinds">
          {[...kinds].map(([kind, count]) => (
            <li key={kind}>
              <strong>{count}</strong> {kind}
              <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                <rect width="100" height="6" rx="3" class="track" />
                <rect width={(count / Math.max(1, result.changes.length)) * 100} height="6" rx="3" class="bar s1" />
              </svg>
            </li>
          ))}
        </ul>
      )}
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
              {result.changes.slice(0, 200).map(change => (
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
