/** What the charts share. They are drawn by hand: bars, lines and dots, with a text beside them that says the same. */

export const WIDTH = 560;
/** Of a chart that has the page's width; on a phone it is as narrow as the others. */
export const wide = (): number => (matchMedia('(min-width: 901px)').matches ? 1160 : WIDTH);
export const LEFT = 38;
export const TOP = 10;
/** Room below the plot for what its ticks say. */
export const BOTTOM = 22;

/** Round numbers from 0 up to `most`, about `count` of them. */
export function rounds(most: number, count = 3): number[] {
  const rough = most / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(step => step >= rough) ?? rough;
  const ticks: number[] = [];
  for (let value = 0; value <= most * 1.0001; value += step) ticks.push(value);
  return ticks;
}

/** Lines across, each with its value to the left. */
export function Across(props: {
  at: readonly number[];
  y: (value: number) => number;
  text?: (value: number) => string;
  width?: number;
}) {
  const { at, y, text = String, width = WIDTH } = props;
  return (
    <>
      {at.map(value => (
        <g key={value}>
          <line x1={LEFT} x2={width} y1={y(value)} y2={y(value)} class={value === 0 ? 'axis' : 'grid'} />
          <text x={LEFT - 6} y={y(value) + 4} class="tick" text-anchor="end">
            {text(value)}
          </text>
        </g>
      ))}
    </>
  );
}

/** Texts along the bottom, from the left end to the right one. */
export function Along({ texts, height, width = WIDTH }: { texts: readonly string[]; height: number; width?: number }) {
  const last = texts.length - 1;
  return (
    <>
      {texts.map((text, i) => (
        <text
          key={i}
          x={LEFT + (last ? i / last : 0) * (width - LEFT)}
          y={height - 5}
          class="tick"
          text-anchor={i === 0 ? 'start' : i === last ? 'end' : 'middle'}
        >
          {text}
        </text>
      ))}
    </>
  );
}

/** The colours of a chart. */
export function Key({ of }: { of: readonly (readonly [look: string, text: string])[] }) {
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

/** Outcomes in the order in which they are stacked. */
export const STACK = [
  ['allow', 'Allowed'],
  ['step_up', 'Stepped up'],
  ['deny', 'Denied'],
] as const;

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** Times for the ends and the middle of a span, as short as they can be told apart. */
export function times(fromMs: number, toMs: number): string[] {
  const format = toMs - fromMs > 12 * 3_600_000 ? DAY : TIME;
  return [fromMs, (fromMs + toMs) / 2, toMs].map(ms => format.format(new Date(ms)));
}
