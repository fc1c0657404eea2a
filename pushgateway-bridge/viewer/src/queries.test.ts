import { expect, test } from 'vitest';
import { reduce, seriesName, stacked, timeAxis, toSeries } from './frames';
import { interpolate, withMacros } from './interpolate';
import { aligned, parseDuration, parseTime, presetOf, rateInterval, stepFor, windowOf } from './timerange';

const VALUES = new Map<string, readonly string[]>([
  ['job', ['node']],
  ['instance', ['a"b\\c']],
  ['many', ['x.y', 'z']],
]);

test.each([
  ['up{job="$job"}', 'up{job="node"}'],
  ['up{job="${job}"}', 'up{job="node"}'],
  ['up{job="[[job]]"}', 'up{job="node"}'],
  ['up{instance="$instance"}', 'up{instance="a\\"b\\\\c"}'],
  ['up{x=~"$many"}', 'up{x=~"(x\\\\.y|z)"}'],
  ['up{x="$unknown"}', 'up{x="$unknown"}'],
  ['rate(x[$__rate_interval])', 'rate(x[240s])'],
  ['increase(x[$__range])', 'increase(x[3600s])'],
])('%s is filled', (text, filled) => {
  expect(interpolate(text, withMacros(VALUES, 60, 240, 3600))).toBe(filled);
});

test.each([
  ['{{device}} read', 'sda read'],
  ['{{ device }} · {{missing}}', 'sda ·'],
  ['', 'node_disk{device="sda"}'],
  [undefined, 'node_disk{device="sda"}'],
])('the legend %s names a series', (legend, name) => {
  expect(seriesName({ __name__: 'node_disk', device: 'sda' }, legend)).toBe(name);
});

test('values fall on the axis and holes stay holes', () => {
  const axis = timeAxis({ from: 60, to: 240 }, 60);
  const raw = { metric: { mode: 'user' }, values: [[60, '1'], [180, '+Inf']] as [number, string][] };
  const series = toSeries(raw, { refId: 'B', legendFormat: '{{mode}}' }, axis, 60);

  expect(axis).toEqual([60, 120, 180, 240]);
  expect(series).toEqual({ name: 'user', refId: 'B', labels: { mode: 'user' }, values: [1, null, Infinity, null] });
});

test.each([
  ['lastNotNull', 2],
  ['min', 1],
  ['max', 3],
  ['mean', 2],
  ['nobody knows this', null],
])('%s of values with holes', (calculation, result) => {
  expect(reduce([null, 1, 3, null, 2, null], calculation)).toBe(result);
});

test('nothing can be computed from no values', () => {
  expect(reduce([null, null], 'max')).toBeNull();
});

test('stacked series stand on each other, holes left out', () => {
  expect(stacked([[1, 2, null], [10, null, 30]]).lines).toEqual([[1, 2, null], [11, null, 30]]);
});

test('what is stacked on a hole stands on what lies below the hole', () => {
  const { areas } = stacked([[1, 2, 3, null], [10, null, 30, null], [100, 200, null, null]]);
  expect(areas).toEqual([[1, 2, 3, null], [11, 2, 33, null], [111, 202, 33, null]]);
});

test.each([
  ['250ms', 0.25],
  ['90s', 90],
  ['1h', 3600],
  ['7d', 604800],
])('%s is a duration', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each([
  ['now', 1000],
  ['now-5m', 700],
  ['1700000000000', 1_700_000_000],
  ['1970-01-01T00:01:00Z', 60],
])('%s is a time', (text, seconds) => {
  expect(parseTime(text, 1000)).toBe(seconds);
});

test.each(['yesterday', 'now-1x', ''])('%s is no time', (text) => {
  expect(() => parseTime(text, 1000)).toThrow();
});

test('a range that ends before it starts is refused', () => {
  expect(() => windowOf({ from: 'now', to: 'now-1h' }, 5000)).toThrow(/ends before it starts/);
});

test('steps can be read off the axis, and are no shorter than the minimum', () => {
  expect(stepFor({ from: 0, to: 3600 }, 300, 1)).toBe(15);
  expect(stepFor({ from: 0, to: 3600 }, 300, 60)).toBe(60);
  expect(stepFor({ from: 0, to: 30 * 86400 }, 300, 60)).toBe(10800);
});

test('a window becomes whole steps and keeps its newest seconds', () => {
  expect(aligned({ from: 61, to: 239 }, 60)).toEqual({ from: 50, to: 230 });
  expect(aligned({ from: 0, to: 3600 }, 60)).toEqual({ from: 0, to: 3600 });
});

test('a rate looks back over four samples', () => {
  expect(rateInterval(60, 60)).toBe(240);
  expect(rateInterval(3600, 60)).toBe(3660);
});

test('only a range that ends now is a preset', () => {
  expect(presetOf({ from: 'now-6h', to: 'now' })).toBe('6h');
  expect(presetOf({ from: '1700000000000', to: '1700003600000' })).toBeNull();
});
