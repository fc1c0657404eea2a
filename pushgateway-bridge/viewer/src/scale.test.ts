import { expect, test } from 'vitest';
import { barSpans, ticksOf, valueRange } from './scale';
import { formatTicks } from './units';

test.each([
  ['short', ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']],
  ['percentunit', ['0%', '20%', '40%', '60%', '80%', '100%']],
  ['s', ['0 s', '200 ms', '400 ms', '600 ms', '800 ms', '1 s']],
  ['bytes', ['0.00 B', '0.25 B', '0.50 B', '0.75 B', '1.00 B']],
])('nothing but zeros in %s has an axis from 0 to 1', (unit, texts) => {
  const range = valueRange(0, 0, { unit });
  expect(range).toEqual([0, 1]);
  expect(formatTicks(ticksOf(range, 5, { unit }), unit)).toEqual(texts);
});

test('a field says where its axis ends', () => {
  expect(valueRange(0.2, 0.4, { min: 0, max: 1 })).toEqual([0, 1]);
  expect(valueRange(0, 0, { min: 0, max: 0 })).toEqual([0, 1]);
});

test('an axis reaches beyond what it shows', () => {
  const [low, high] = valueRange(0, 90, {});
  expect(low).toBe(0);
  expect(high).toBeGreaterThan(90);
});

test.each<[[number, number], number, object, number[]]>([
  [[0, 10], 5, {}, [0, 2, 4, 6, 8, 10]],
  [[-2.4, 3.3], 6, {}, [-2, -1, 0, 1, 2, 3]],
  [[0, 0.3], 3, {}, [0, 0.1, 0.2, 0.3]],
  [[0, 2], 8, { decimals: 0 }, [0, 1, 2]],
  [[0, 4096], 4, { unit: 'bytes' }, [0, 1024, 2048, 3072, 4096]],
  [[0, 3600], 4, { unit: 's' }, [0, 900, 1800, 2700, 3600]],
  [[0, 5], 0, {}, [0, 5]],
])('%j has at most %d steps between its ticks', (range, most, config, ticks) => {
  expect(ticksOf(range, most, config)).toEqual(ticks);
});

test('ticks that are close to each other can be told apart', () => {
  expect(formatTicks([0, 1e-7, 2e-7], 'short')).toEqual(['0.0000000', '0.0000001', '0.0000002']);
});

test('stacked bars begin where the one before them on their side of zero ends', () => {
  expect(barSpans([1, -2, 3], 'none')).toEqual([[0, 1], [0, -2], [0, 3]]);
  expect(barSpans([1, -2, 3, -1], 'normal')).toEqual([[0, 1], [0, -2], [1, 4], [-2, -3]]);
  expect(barSpans([1, 3], 'percent')).toEqual([[0, 0.25], [0.25, 1]]);
  expect(barSpans([0, 0], 'percent')).toEqual([[0, 0], [0, 0]]);
});
