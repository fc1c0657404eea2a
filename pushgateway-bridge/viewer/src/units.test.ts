import { describe, expect, test } from 'vitest';
import { formatTicks, formatValue } from './units';

describe('a value is written as Grafana writes it', () => {
  test.each<[string, number, number | undefined, string]>([
    ['percentunit', 0.1234, undefined, '12.3%'],
    ['percentunit', 0.5, 1, '50.0%'],
    ['percentunit', 0, undefined, '0%'],
    ['bytes', 0, undefined, '0 B'],
    ['bytes', 1023, undefined, '1023 B'],
    ['bytes', 1024, undefined, '1 KiB'],
    ['bytes', 31387 * 2 ** 20, undefined, '30.7 GiB'],
    ['bytes', -1536, undefined, '-1.50 KiB'],
    ['Bps', 1500, undefined, '1.50 kB/s'],
    ['binBps', 1536, undefined, '1.50 KiB/s'],
    ['short', 1500, undefined, '1.50 K'],
    ['short', 0.787, 2, '0.79'],
    ['short', 1000, undefined, '1 K'],
    ['short', 0.0123, undefined, '0.0123'],
    ['s', 0, undefined, '0 s'],
    ['s', 0.0015, undefined, '1.50 ms'],
    ['s', 12.34, 1, '12.3 s'],
    ['s', 90, undefined, '1.50 mins'],
    ['s', 3600, undefined, '1 hour'],
    ['s', 86400 * 3, undefined, '3 days'],
    ['celsius', 41.5, undefined, '41.5 °C'],
    ['widgets', 3, undefined, '3 widgets'],
    ['none', -0.0001, 2, '0.00'],
  ])('%s %d with %s decimals', (unit, value, decimals, text) => {
    expect(formatValue(value, unit, decimals)).toBe(text);
  });

  test.each([
    [Infinity, '∞'],
    [-Infinity, '-∞'],
    [NaN, 'NaN'],
  ])('%d has no unit', (value, text) => {
    expect(formatValue(value, 'bytes')).toBe(text);
  });
});

test.each<[string, number[], string[]]>([
  ['short', [0, 0.5, 1, 1.5], ['0.0', '0.5', '1.0', '1.5']],
  ['percentunit', [0, 0.25, 0.5], ['0%', '25%', '50%']],
  ['bytes', [0, 2 ** 30, 2 ** 31], ['0 B', '1 GiB', '2 GiB']],
  ['Bps', [-250_000, 0, 1_000_000], ['-250 kB/s', '0 B/s', '1 MB/s']],
  ['Bps', [500_000, 1_000_000, 1_500_000], ['500 kB/s', '1.0 MB/s', '1.5 MB/s']],
])('ticks in %s have no more digits than they need', (unit, values, texts) => {
  expect(formatTicks(values, unit)).toEqual(texts);
});
