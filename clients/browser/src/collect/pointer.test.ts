import { expect, it } from 'vitest';
import { at } from '../testing.js';
import { PointerRecorder } from './pointer.js';

const move = (ms: number, x: number, y: number, buttons = 0) =>
  at(Object.assign(new Event('pointermove'), { clientX: x, clientY: y, buttons }), ms) as unknown as PointerEvent;

it('is thinned out and coarse, and keeps presses', () => {
  const pointer = new PointerRecorder();
  expect(pointer.sample()).toBeUndefined();
  for (let i = 0; i < 100; i++) pointer.move(move(1 + i * 4, 10.4 + i, -1.2));
  const { tUs, x, y } = pointer.sample() ?? { tUs: [], x: [], y: [] };
  expect(tUs.length).toBeLessThanOrEqual(9);
  expect([...x, ...y].every(px => px % 4 === 0 && !Object.is(px, -0))).toBe(true);
  pointer.move(move(398, 110, 0, 1));
  expect(pointer.sample()?.pressed.at(-1)).toBe(true);
});

it('keeps within the limits of the contract', () => {
  const pointer = new PointerRecorder();
  for (let i = 0; i < 5_000; i++) pointer.move(move(1 + i * 0.01, 1e9, -1e9, i % 2));
  expect(pointer.sample()).toMatchObject({ tUs: { length: 4096 } });
  expect(Math.max(...(pointer.sample()?.x ?? []))).toBe(100_000);
});
