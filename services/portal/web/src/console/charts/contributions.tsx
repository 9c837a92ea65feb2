import { go } from '../../route';
import { when, words } from '../../ui';
import { type Row, SIGNALS } from '../types';
import { Along, Key, LEFT, times, TOP, wide } from './axes';

const HEIGHT = 250;
const BELOW = 44;
/** Decisions that are drawn; the table below has all. */
export const SHOWN = 60;

/** One person's decisions in order: what each signal added to the risk (up) or took from it (down), and how it came out. */
export function Contributions({ rows }: { rows: readonly Row[] }) {
  const shown = rows.slice(-SHOWN);
  const sums = shown.map(row => {
    const scored = row.signals.filter(signal => signal.status === 'SCORED');
    const up = scored.reduce((sum, signal) => sum + Math.max(0, signal.contribution), 0);
    const down = scored.reduce((sum, signal) => sum + Math.min(0, signal.contribution), 0);
    return { up, down };
  });
  const top = Math.max(1, ...sums.map(sum => sum.up));
  const low = Math.min(-1, ...sums.map(sum => sum.down));
  const y = (value: number) => TOP + ((top - value) / (top - low)) * (HEIGHT - TOP - BELOW);
  const full = wide();
  const width = (full - LEFT) / Math.max(shown.length, 12);
  const [first, last] = [shown[0], shown.at(-1)];
  const seen = SIGNALS.filter(([kind]) => shown.some(row => contribution(row, kind) !== 0));
  return (
    <figure class="plot">
      <svg viewBox={`0 0 ${full} ${HEIGHT}`} role="img" aria-label={`What each signal contributed to the last ${shown.length} decisions`}>
        {[top, 0, low].map(value => (
          <g key={value}>
            <line x1={LEFT} x2={full} y1={y(value)} y2={y(value)} class={value ? 'grid' : 'axis'} />
            <text x={LEFT - 6} y={y(value) + 4} class="tick" text-anchor="end">
              {value > 0 ? '+' : ''}
              {value.toFixed(1)}
            </text>
          </g>
        ))}
        {shown.map((row, i) => (
          <Decision key={row.index} row={row} x={LEFT + i * width} width={width} y={y} />
        ))}
        {first && last && shown.length >= 12 && <Along texts={times(first.at_ms, last.at_ms)} height={HEIGHT} width={full} />}
      </svg>
      <figcaption>
        <Key of={[...seen.map(([, text, look]) => [look, text] as const), ['allow', 'Allowed'], ['step_up', 'Stepped up'], ['deny', 'Denied']]} />
      </figcaption>
    </figure>
  );
}

/** One decision's bars, which open it. The table below has the same as links. */
function Decision({ row, x, width, y }: { row: Row; x: number; width: number; y: (value: number) => number }) {
  let [above, below] = [0, 0];
  return (
    <g class="opens" onClick={() => go(`/console/decisions/${row.index}`)}>
      <title>{`${when(row.at_ms / 1000)}: ${words(row.action, '')}, ${words(row.outcome.toUpperCase(), '').toLowerCase()}`}</title>
      <rect x={x} y={TOP} width={width} height={HEIGHT - TOP} class="reach" />
      {SIGNALS.map(([kind, , look]) => {
        const value = contribution(row, kind);
        if (!value) return null;
        const from = value > 0 ? above : below;
        if (value > 0) above += value;
        else below += value;
        const [a, b] = [y(Math.max(from, from + value)), y(Math.min(from, from + value))];
        return <rect key={kind} x={x + 1} width={Math.max(2, width - 2)} y={a} height={Math.max(0.5, b - a)} class={`bar ${look}`} />;
      })}
      <circle cx={x + width / 2} cy={HEIGHT - 30} r={Math.min(4, width / 2)} class={`bar ${row.outcome}`} />
    </g>
  );
}

function contribution(row: Row, kind: string): number {
  const signal = row.signals.find(signal => signal.kind === kind && signal.status === 'SCORED');
  return signal?.contribution ?? 0;
}

/** A signal's contribution as a bar to either side. */
export function Bar({ value, most }: { value: number; most: number }) {
  const half = 60;
  const width = Math.min(half, (Math.abs(value) / Math.max(most, 0.1)) * half);
  return (
    <svg viewBox="0 0 120 12" class="mini" aria-hidden="true" focusable="false">
      <line x1="60" x2="60" y1="0" y2="12" class="axis" />
      <rect x={value < 0 ? half - width : half} y="2" width={width} height="8" class={value > 0 ? 'bar deny' : 'bar allow'} />
    </svg>
  );
}
