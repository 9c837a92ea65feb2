// @vitest-environment node
import { expect, it } from 'vitest';
import { measure } from './clock.js';

const ticking = (stepMs: number, readsATick: number) => {
  let reads = 0;
  return () => Math.floor(reads++ / readsATick) * stepMs;
};

it('knows coarse clocks from fine ones', () => {
  expect(measure(ticking(0.1, 3))).toBe(false);
  expect(measure(ticking(1, 5_000))).toBe(false);
  expect(measure(ticking(16.667, 1_000))).toBe(true);
  expect(measure(ticking(100, 1_000_000)), 'it does not tick while it is watched').toBe(true);
});

it('is not misled by one pause', () => {
  const times = [0, 40, 40.1];
  let read = 0;
  expect(measure(() => times[Math.min(read++, 2)] ?? 0)).toBe(false);
});
