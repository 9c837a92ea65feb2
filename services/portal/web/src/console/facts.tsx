import { words } from '../ui';

/** Any JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Everything that the policy was asked, as the record has it. What was not known, and what is as usual, is left out there. */
export function Facts({ facts }: { facts: Json }) {
  return (
    <section class="card wide-card" aria-labelledby="facts">
      <h2 id="facts">What the policy was asked</h2>
      <dl class="facts columns">
        {flat(facts).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** Names and values in one list: `passkey, age` rather than a tree. */
function flat(json: Json, path: readonly string[] = []): [name: string, value: string][] {
  if (Array.isArray(json)) return [[named(path), json.map(said).join(', ') || 'None']];
  if (typeof json === 'object' && json !== null) {
    return Object.entries(json).flatMap(([name, value]) => flat(value as Json, [...path, name]));
  }
  return [[named(path), said(json)]];
}

function named(path: readonly string[]): string {
  const parts = path.map(name => words(name, '').replace(/ s$/, ' in seconds'));
  return parts.map((part, i) => (i ? part.toLowerCase() : part)).join(', ');
}

function said(json: Json): string {
  if (json === null) return 'Not known';
  if (typeof json === 'boolean') return json ? 'Yes' : 'No';
  return typeof json === 'object' ? JSON.stringify(json) : String(json);
}
