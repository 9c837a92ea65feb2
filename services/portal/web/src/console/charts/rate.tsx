import type { Row } from '../types';
import { Across, Along, BOTTOM, Key, LEFT, rounds, STACK, times, TOP, wide } from './axes';

const HEIGHT = 150;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** How wide a bar may be, in time; the narrowest is taken that leaves few enough. */
const WIDTHS = [SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR];
const MOST_BARS = 60;

/** Decisions over time, by outcome. */
export function Rate({ rows }: { rows: readonly Row[] }) {
  const first = rows[0];
  const last = rows.at(-1);
  if (!first || !last) return null;
  const span = last.at_ms - first.at_ms;
  const step = WIDTHS.find(width => span / width < MOST_BARS) ?? span / MOST_BARS;
  const from = Math.floor(first.at_ms / step) * step;
  const bars = Array.from({ length: Math.floor((last.at_ms - from) / step) + 1 }, () => ({ allow: 0, step_up: 0, deny: 0 }));
  for (const row of rows) {
    const bar = bars[Math.floor((row.at_ms - from) / step)];
    if (bar) bar[row.outcome]++;
  }
  const most = Math.max(1, ...bars.map(bar => bar.allow + bar.step_up + bar.deny));
  const plot = HEIGHT - TOP - BOTTOM;
  const y = (value: number) => TOP + plot - (value / most) * plot;
  const full = wide();
  const width = (full - LEFT) / Math.max(bars.length, 12);
  return (
    <figure class="plot">
      <svg viewBox={`0 0 ${full} ${HEIGHT}`} role="img" aria-label={`${rows.length} decisions over time, ${inWords(step)} a bar`}>
        <Across at={rounds(most)} y={y} width={full} />
        {bars.map((bar, i) => {
          let foot = y(0);
          return STACK.map(([outcome]) => {
            const height = (bar[outcome] / most) * plot;
            foot -= height;
            return height > 0 && <rect key={outcome} x={LEFT + i * width + 0.5} y={foot} width={Math.max(1, width - 1)} height={height} class={`bar ${outcome}`} />;
          });
        })}
        {bars.length >= 12 && <Along texts={times(from, from + bars.length * step)} height={HEIGHT} width={full} />}
      </svg>
      <figcaption class="apart">
        <Key of={STACK} />
        <span>{inWords(step)} a bar</span>
      </figcaption>
    </figure>
  );
}

function inWords(ms: number): string {
  const [unit, name] = ms >= HOUR ? [HOUR, 'hour'] : ms >= MINUTE ? [MINUTE, 'minute'] : [SECOND, 'second'];
  const count = Math.round(ms / unit);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
