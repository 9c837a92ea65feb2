import { type Row, SIGNALS } from './types';

/** Charts, drawn by hand: bars and lines with a text that says the same. */

const W = 560;
const H = 180;
const LEFT = 36;
const BOTTOM = 22;
const PLOT_H = H - BOTTOM - 8;

/** How risk scores are distributed, by outcome. */
export function Scores({ rows }: { rows: readonly Row[] }) {
  const bins = 20;
  const counts = Array.from({ length: bins }, () => ({ allow: 0, step_up: 0, deny: 0 }));
  let scored = 0;
  for (const row of rows) {
    if (row.risk === null) continue;
    scored++;
    const bin = counts[Math.min(bins - 1, Math.floor(row.risk * bins))];
    if (bin) bin[row.outcome]++;
  }
  const most = Math.max(1, ...counts.map(bin => bin.allow + bin.step_up + bin.deny));
  const width = (W - LEFT) / bins;
  return (
    <figure class="plot">
      <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={`Risk of ${scored} scored decisions, from 0 to 1`}>
        <Grid most={most} />
        {counts.map((bin, i) => {
          let y = 8 + PLOT_H;
          return (['allow', 'step_up', 'deny'] as const).map(outcome => {
            const height = (bin[outcome] / most) * PLOT_H;
            y -= height;
            return <rect key={outcome} x={LEFT + i * width + 1} y={y} width={width - 2} height={height} class={`bar ${outcome}`} />;
          });
        })}
        {[0, 0.25, 0.5, 0.75, 1].map(value => (
          <text key={value} x={LEFT + value * (W - LEFT)} y={H - 4} class="tick" text-anchor={value === 1 ? 'end' : value ? 'middle' : 'start'}>
            {value}
          </text>
        ))}
      </svg>
      <figcaption>
        <Key of={[['allow', 'Allowed'], ['step_up', 'Stepped up'], ['deny', 'Denied']]} />
      </figcaption>
    </figure>
  );
}

function Grid({ most }: { most: number }) {
  const step = Math.max(1, Math.ceil(most / 3));
  const lines = [0, 1, 2, 3].map(n => n * step).filter(n => n <= most);
  return (
    <>
      {lines.map(value => {
        const y = 8 + PLOT_H - (value / most) * PLOT_H;
        return (
          <g key={value}>
            <line x1={LEFT} x2={W} y1={y} y2={y} class="grid" />
            <text x={LEFT - 6} y={y + 4} class="tick" text-anchor="end">
              {value}
            </text>
          </g>
        );
      })}
    </>
  );
}

/** The colours of a chart. */
export function Key({ of }: { of: readonly (readonly [string, string])[] }) {
  return (
    <span class="key">
      {of.map(([look, text]) => (
        <span key={look}>
          <i class={`swatch ${look}`} aria-hidden="true" />
          {text}
        </span>
      ))}
    </span>
  );
}

/** Sign-ins that typing stepped up, over the last ones, against what is budgeted for genuine people. */
export function Friction({ rows, budget }: { rows: readonly Row[]; budget: number }) {
  const logins = rows.filter(row => row.action === 'LOGIN' && typingScored(row));
  const window = 50;
  const least = 20;
  // A share of a handful says nothing, so the line begins later.
  const points = logins.slice(least - 1).map((_, i) => {
    const last = logins.slice(Math.max(0, i + least - window), i + least);
    return last.filter(raised).length / last.length;
  });
  const most = Math.max(budget * 2, 0.1, ...points);
  const x = (i: number) => LEFT + (i * (W - LEFT)) / Math.max(1, points.length - 1);
  const y = (value: number) => 8 + PLOT_H - (value / most) * PLOT_H;
  const now = points.at(-1);
  const percent = (value: number) => `${Math.round(value * 1000) / 10} %`;
  return (
    <figure class="plot">
      <svg
        viewBox={`0 0 ${W} ${H}`}
        role="img"
        aria-label={`Share of sign-ins that typing stepped up: ${now === undefined ? 'none yet' : percent(now)} of the last ${window}; budget ${percent(budget)}`}
      >
        {[0, most / 2, most].map(value => (
          <g key={value}>
            <line x1={LEFT} x2={W} y1={y(value)} y2={y(value)} class="grid" />
            <text x={LEFT - 6} y={y(value) + 4} class="tick" text-anchor="end">
              {Math.round(value * 100)}%
            </text>
          </g>
        ))}
        <line x1={LEFT} x2={W} y1={y(budget)} y2={y(budget)} class="budget" />
        <text x={W} y={y(budget) - 5} class="tick" text-anchor="end">
          budget {percent(budget)}
        </text>
        {points.length > 1 && <polyline points={points.map((value, i) => `${x(i)},${y(value)}`).join(' ')} class="line" />}
      </svg>
      <figcaption>
        {now === undefined
          ? `Drawn from ${least} sign-ins with known typing on; there are ${logins.length}.`
          : `${percent(now)} of the last ${Math.min(window, logins.length)} sign-ins with known typing, attacks among them.`}
      </figcaption>
    </figure>
  );
}

function typingScored(row: Row): boolean {
  return row.signals.some(signal => signal.kind === 'KEYSTROKE_FIXED' && signal.status === 'SCORED' && signal.maturity !== 'LEARNING');
}

function raised(row: Row): boolean {
  return row.reasons.some(reason => reason.code === 'TYPING_UNUSUAL' || reason.code === 'TYPING_DIFFERS');
}

/** One person's decisions in order: what each signal added to the risk (up) or took from it (down). */
export function Contributions({ rows }: { rows: readonly Row[] }) {
  const shown = rows.slice(-60);
  const sums = shown.map(row => {
    const scored = row.signals.filter(signal => signal.status === 'SCORED');
    const up = scored.reduce((sum, signal) => sum + Math.max(0, signal.contribution), 0);
    const down = scored.reduce((sum, signal) => sum + Math.min(0, signal.contribution), 0);
    return { up, down };
  });
  const top = Math.max(1, ...sums.map(sum => sum.up));
  const low = Math.min(-1, ...sums.map(sum => sum.down));
  const height = 220;
  const plot = height - 30;
  const y = (value: number) => 8 + ((top - value) / (top - low)) * plot;
  const width = (W - LEFT) / Math.max(shown.length, 12);
  return (
    <figure class="plot">
      <svg viewBox={`0 0 ${W} ${height}`} role="img" aria-label={`What each signal contributed to the last ${shown.length} decisions`}>
        {[top, 0, low].map(value => (
          <g key={value}>
            <line x1={LEFT} x2={W} y1={y(value)} y2={y(value)} class={value ? 'grid' : 'axis'} />
            <text x={LEFT - 6} y={y(value) + 4} class="tick" text-anchor="end">
              {value > 0 ? '+' : ''}
              {value.toFixed(1)}
            </text>
          </g>
        ))}
        {shown.map((row, i) => {
          let [above, below] = [0, 0];
          const x = LEFT + i * width + 1;
          return (
            <g key={row.index}>
              {SIGNALS.map(([kind, , look]) => {
                const signal = row.signals.find(signal => signal.kind === kind && signal.status === 'SCORED');
                const value = signal?.contribution ?? 0;
                if (!value) return null;
                const from = value > 0 ? above : below;
                if (value > 0) above += value;
                else below += value;
                const [a, b] = [y(Math.max(from, from + value)), y(Math.min(from, from + value))];
                return <rect key={kind} x={x} width={Math.max(2, width - 2)} y={a} height={Math.max(0.5, b - a)} class={`bar ${look}`} />;
              })}
              <circle cx={x + width / 2 - 1} cy={height - 8} r={Math.min(4, width / 2)} class={`bar ${row.outcome}`} />
            </g>
          );
        })}
      </svg>
      <figcaption>
        <Key of={SIGNALS.filter(([kind]) => shown.some(row => row.signals.some(s => s.kind === kind && s.status === 'SCORED'))).map(([, text, look]) => [look, text] as const)} />
      </figcaption>
    </figure>
  );
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
