import type { Row } from '../types';
import { Across, Along, BOTTOM, Key, LEFT, rounds, STACK, times, TOP, WIDTH } from './axes';
import { SHOWN } from './contributions';

const HEIGHT = 190;
const PLOT = HEIGHT - TOP - BOTTOM;

/** One person's risk, decision by decision. */
export function RiskLine({ rows }: { rows: readonly Row[] }) {
  const scored = rows.filter(row => row.risk !== null).slice(-SHOWN);
  const x = across(scored.length);
  const y = (value: number) => TOP + PLOT - value * PLOT;
  return (
    <figure class="plot">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Risk of the last ${scored.length} scored decisions`}>
        <Across at={[0, 0.5, 1]} y={y} />
        <polyline points={scored.map((row, i) => `${x(i)},${y(row.risk ?? 0)}`).join(' ')} class="line thin" />
        {scored.map((row, i) => (
          <circle key={row.index} cx={x(i)} cy={y(row.risk ?? 0)} r="3.5" class={`bar ${row.outcome}`} />
        ))}
        <Ends rows={scored} />
      </svg>
      <figcaption>
        <Key of={STACK} />
      </figcaption>
    </figure>
  );
}

/** How many samples the typing model had learned from: it grows with proven sign-ins, and falls when something was taken back. */
export function Knowledge({ rows }: { rows: readonly Row[] }) {
  const known = rows.flatMap(row => {
    const signal = row.signals.find(signal => signal.kind === 'KEYSTROKE_FIXED' && signal.profile_version > 0);
    return signal ? [{ row, samples: signal.samples }] : [];
  });
  const shown = known.slice(-SHOWN);
  const most = Math.max(10, ...shown.map(point => point.samples));
  const x = across(shown.length);
  const y = (value: number) => TOP + PLOT - (value / most) * PLOT;
  const now = shown.at(-1);
  return (
    <figure class="plot">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={now ? `Samples that the typing model learned from: ${now.samples} at the newest decision` : 'No typing model yet'}
      >
        <Across at={rounds(most)} y={y} />
        <polyline points={steps(shown.map((point, i) => [x(i), y(point.samples)]))} class="line" />
        <Ends rows={shown.map(point => point.row)} />
      </svg>
      <figcaption>{now ? `${now.samples} samples at the newest decision that typing had a part in.` : 'No decision with known typing yet.'}</figcaption>
    </figure>
  );
}

function across(count: number): (i: number) => number {
  return i => LEFT + 4 + (i * (WIDTH - LEFT - 8)) / Math.max(1, count - 1);
}

function Ends({ rows }: { rows: readonly Row[] }) {
  const [first, last] = [rows[0], rows.at(-1)];
  return first && last && rows.length > 2 ? <Along texts={times(first.at_ms, last.at_ms)} height={HEIGHT} /> : null;
}

/** A line that stays where it is until it changes. */
function steps(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => `${i ? `${x},${points[i - 1]?.[1]} ` : ''}${x},${y}`).join(' ');
}
