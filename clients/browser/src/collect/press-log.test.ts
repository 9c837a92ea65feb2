// @vitest-environment node
import { expect, it } from 'vitest';
import { PressLog } from './press-log.js';
import { KeyZone } from './telemetry.js';

const C = KeyZone.CHARACTER;

function typed(...presses: [code: string, zone: KeyZone, downMs: number, upMs?: number][]): PressLog {
  const log = new PressLog();
  const events = presses.flatMap(([code, zone, down, up], i) => [
    { ms: down, act: () => log.down(code, zone, i, down) },
    ...(up === undefined ? [] : [{ ms: up, act: () => log.up(code, up) }]),
  ]);
  for (const event of events.sort((a, b) => a.ms - b.ms)) event.act();
  return log;
}

it('gives columns in the order of presses, in microseconds since the first, overlaps and all', () => {
  const log = typed(['a', C, 1000.1, 1090.3], ['b', C, 1080.2, 1150.25]);
  expect(log.columns(false, true)).toEqual({
    position: [0, 1],
    zone: [C, C],
    downUs: [0, 80_100],
    upUs: [90_200, 150_150],
  });
});

it('leaves out the keys that leave the field, and only at the end', () => {
  const log = typed(
    ['s', KeyZone.SHIFT, 0, 120],
    ['a', C, 50, 130],
    ['tab', KeyZone.TAB, 200, 250],
    ['b', C, 300, 350],
  );
  expect(log.columns(false, true).zone).toEqual([KeyZone.SHIFT, C, KeyZone.TAB, C]);
  const left = typed(['a', C, 0, 80], ['s', KeyZone.SHIFT, 200, 320], ['tab', KeyZone.TAB, 250, 300]);
  expect(left.columns(false, true).zone).toEqual([C]);
  expect(left.columns(false, false).zone).toEqual([C, KeyZone.SHIFT, KeyZone.TAB]);
});

it('waits for keys that are held, but not for Enter', () => {
  expect(typed(['a', C, 0]).waiting).toBe(true);
  expect(typed(['a', C, 0, 80], ['enter', KeyZone.ENTER, 100]).waiting).toBe(false);
});

it('loses presses whose release was not seen, rather than guess', () => {
  const log = typed(['a', C, 0, 80], ['b', C, 100]);
  log.loseHeld();
  expect(log.lost).toBe(1);
  expect(log.columns(false, true).zone).toHaveLength(1);
  log.up('b', 9_999);
  expect(log.columns(false, true).upUs).toEqual([80_000]);
});

it('takes a key that goes down again without having come up as one whose release was missed', () => {
  const log = typed(['a', C, 0], ['a', C, 500, 580]);
  expect(log.lost).toBe(1);
  expect(log.columns(false, true)).toMatchObject({ downUs: [0], upUs: [80_000] });
});

it('keeps within the limits of the contract', () => {
  const log = new PressLog();
  for (let i = 0; i < 1100; i++) {
    log.down('a', C, i * 100, i * 10);
    log.up('a', i * 10 + 5);
  }
  const { zone, position } = log.columns(false, true);
  expect(zone).toHaveLength(1024);
  expect(Math.max(...position)).toBe(65_535);
  expect(typed(['a', C, 0, 80], ['b', C, 600_001, 600_080]).columns(false, true).zone).toHaveLength(1);
  expect(typed(['a', C, 0, 700_000]).columns(false, true).upUs).toEqual([600_000_000]);
});

it('never gives times that go back', () => {
  const log = new PressLog();
  log.down('a', C, 0, 100);
  log.down('b', C, 1, 90);
  log.up('a', 80);
  log.up('b', 120);
  const { downUs, upUs } = log.columns(false, true);
  expect(downUs).toEqual([0, 0]);
  expect(upUs).toEqual([0, 20_000]);
});
