import { logins, shares } from '../logins';
import type { Row } from '../types';
import { Across, BOTTOM, Key, LEFT, rounds, TOP, WIDTH } from './axes';

const HEIGHT = 190;
const WINDOW = 50;
const LEAST = 20;

/**
 * What typing costs people: of the sign-ins that were theirs, how many it stepped up, against what is budgeted. Sign-ins that
 * nobody ever proved are no friction; they are counted apart.
 */
export function Friction({ rows, budget }: { rows: readonly Row[]; budget: number }) {
  const all = logins(rows);
  const genuine = all.filter(login => login.genuine);
  const unproven = all.filter(login => login.raised && !login.genuine).length;
  const points = shares(genuine, WINDOW, LEAST);
  const most = Math.max(budget * 2, 0.1, ...points);
  const plot = HEIGHT - TOP - BOTTOM;
  const x = (i: number) => LEFT + (i * (WIDTH - LEFT)) / Math.max(1, points.length - 1);
  const y = (value: number) => TOP + plot - (value / most) * plot;
  const now = points.at(-1);
  const said = now === undefined ? 'not known yet' : `${percent(now)} of the last ${Math.min(WINDOW, genuine.length)}`;
  return (
    <figure class="plot">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Share of people’s own sign-ins that typing stepped up: ${said}; budget ${percent(budget)}`}
      >
        <Across at={rounds(most)} y={y} text={percent} />
        <line x1={LEFT} x2={WIDTH} y1={y(budget)} y2={y(budget)} class="budget" />
        <text x={WIDTH} y={y(budget) - 5} class="tick" text-anchor="end">
          budget {percent(budget)}
        </text>
        {points.length > 1 && <polyline points={points.map((value, i) => `${x(i)},${y(value)}`).join(' ')} class="line" />}
        {now !== undefined && <circle cx={x(points.length - 1)} cy={y(now)} r="4" class="dot" />}
      </svg>
      <figcaption>
        <Key of={[['share', 'Stepped up by typing, of people’s own sign-ins']]} />
        <p>
          {now === undefined
            ? `Drawn from ${LEAST} sign-ins with known typing on; there are ${genuine.length}.`
            : `${percent(now)} of the last ${Math.min(WINDOW, genuine.length)}.`}{' '}
          {unproven} more were stepped up and never proven: attacks, or people who gave up.
        </p>
      </figcaption>
    </figure>
  );
}

function percent(value: number): string {
  return `${Math.round(value * 1000) / 10} %`;
}
