/** Clocks at least this coarse are told of, in milliseconds. Browsers round to 0.005, 0.1 or 1 ms, or to 16.7 and more. */
const COARSE_MS = 1.5;
/** How often the clock is read at most: some milliseconds' worth. */
const READS = 60_000;

let known: boolean | undefined;

/** Whether the page's clock is coarser than a millisecond. Measured once, by watching it tick. */
export function coarseClock(): boolean {
  known ??= measure(() => performance.now());
  return known;
}

/** Whether a clock is coarser than a millisecond: it ticks in coarse steps, or not at all while it is watched. */
export function measure(now: () => number): boolean {
  let last = now();
  for (let reads = 0; reads < READS; reads++) {
    const time = now();
    if (time > last && time - last <= COARSE_MS) return false;
    last = time;
  }
  return true;
}
