import type { Row } from '../types';
import { Across, Along, BOTTOM, Key, LEFT, rounds, STACK, TOP, WIDTH } from './axes';

const HEIGHT = 190;
const BINS = 20;
/** However rare, what is there is seen. */
const LEAST_PX = 2;

/** How risk scores are distributed, by outcome. */
export function Scores({ rows }: { rows: readonly Row[] }) {
  const scored = rows.filter(row => row.risk !== null);
  const counts = Array.from({ length: BINS }, () => ({ allow: 0, step_up: 0, deny: 0 }));
  for (const row of scored) {
    const bin = counts[Math.min(BINS - 1, Math.floor((row.risk ?? 0) * BINS))];
    if (bin) bin[row.outcome]++;
  }
  const most = Math.max(1, ...counts.map(bin => bin.allow + bin.step_up + bin.deny));
  const plot = HEIGHT - TOP - BOTTOM;
  const y = (value: number) => TOP + plot - (value / most) * plot;
  const width = (WIDTH - LEFT) / BINS;
  return (
    <figure class="plot">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Risk of ${scored.length} scored decisions, from 0 to 1`}>
        <Across at={rounds(most)} y={y} />
        {counts.map((bin, i) => {
          let foot = y(0);
          return STACK.map(([outcome]) => {
            if (!bin[outcome]) return null;
            const height = Math.max(LEAST_PX, (bin[outcome] / most) * plot);
            foot -= height;
            return (
              <rect key={outcome} x={LEFT + i * width + 1} y={foot} width={width - 2} height={height} class={`bar ${outcome}`}>
                <title>{`${bin[outcome]} from ${i / BINS} to ${(i + 1) / BINS}`}</title>
              </rect>
            );
          });
        })}
        <Along texts={['0', '0.25', '0.5', '0.75', '1']} height={HEIGHT} />
      </svg>
      <figcaption>
        <Key of={STACK} />
      </figcaption>
    </figure>
  );
}
