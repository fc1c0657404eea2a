import { expect, test } from 'vitest';
import { bucketsOf } from './buckets';
import { displayName, show } from './fields';
import { marksAt, runsOf, together } from './marks';
import { summaryOfLines } from './summaries';
import { inOrder, transformed } from './tables';
import { moved, windowOf } from './timerange';
import { formatValue, tickIncrements } from './units';
import { ALL, chosenValues } from './variables';

const bucket = (le: string, values: (number | null)[]) => ({ name: le, refId: 'A', labels: { le }, values });

test('cumulative buckets become counts between their bounds, lowest first', () => {
  expect(bucketsOf([bucket('+Inf', [9, 4]), bucket('0.5', [2, null]), bucket('10', [7, 4])])).toEqual({
    bounds: [0.5, 10, Infinity],
    counts: [[2, null], [5, 4], [2, 0]],
    highest: 5,
  });
});

test('series without bounds are rows as they are', () => {
  const series = [{ name: 'a', refId: 'A', labels: {}, values: [1] }, { name: 'b', refId: 'A', labels: {}, values: [3] }];
  expect(bucketsOf(series)).toEqual({ bounds: ['a', 'b'], counts: [[1], [3]], highest: 3 });
});

test('a mark lasts as long as values follow each other', () => {
  const values: [number, string][] = [[0, '1'], [60, '1'], [300, '1'], [360, '0'], [420, '1']];
  expect(runsOf(values, 60)).toEqual([{ from: 0, to: 60 }, { from: 300, to: 300 }, { from: 420, to: 420 }]);
});

test('a mark is found beside its edges', () => {
  const mark = { from: 100, to: 200, title: 'x', text: '', colour: 'red' };
  expect(marksAt([mark], 95, 10)).toEqual([mark]);
  expect(marksAt([mark], 80, 10)).toEqual([]);
});

test('marks that overlap cover one stretch', () => {
  const mark = (from: number, to: number) => ({ from, to, title: 'x', text: '', colour: 'red' });
  expect(together([mark(0, 10), mark(5, 8), mark(9, 20), mark(30, 31)])).toEqual([
    { from: 0, to: 20 },
    { from: 30, to: 31 },
  ]);
});

test.each([
  [5, 'many', 'red'],
  [1, 'one', 'green'],
  [NaN, 'not counted', 'gray'],
  ['Error 7', 'seven', 'orange'],
  [null, 'missing', 'blue'],
  [0.5, '0.500', null],
])('%s is mapped to %s', (value, text, colour) => {
  const mappings = [
    { type: 'value', options: { '1': { text: 'one', color: 'green' } } },
    { type: 'range', options: { from: 2, to: null, result: { text: 'many', color: 'red' } } },
    { type: 'special', options: { match: 'nan', result: { text: 'not counted', color: 'gray' } } },
    { type: 'special', options: { match: 'null', result: { text: 'missing', color: 'blue' } } },
    { type: 'regex', options: { pattern: '^Error 7$', result: { text: 'seven', color: 'orange' } } },
  ];
  expect(show(value, { mappings })).toEqual({ text, colour });
});

test('a mapping without a text keeps the number and gives its colour', () => {
  const mappings = [{ type: 'value', options: { '2': { color: 'red' } } }];
  expect(show(2, { mappings, unit: 's' })).toEqual({ text: '2 s', colour: 'red' });
});

test('thresholds in percent count from the least to the greatest value', () => {
  const steps = [{ value: null, color: 'green' }, { value: 80, color: 'red' }];
  const config = { min: 0, max: 50, thresholds: { mode: 'percentage', steps } };
  expect(show(39, config).colour).toBe('green');
  expect(show(40, config).colour).toBe('red');
});

test('a display name takes labels', () => {
  const field = { name: 'x', labels: { device: 'sda' } };
  expect(displayName({ displayName: 'disk ${__field.labels.device}' }, field)).toBe('disk sda');
  expect(displayName({}, field)).toBe('x');
});

test('a chart is told in words', () => {
  const lines = [{ name: 'user', series: { values: [0.1, 0.3, null, 0.2] }, config: { unit: 'percentunit' } }];
  expect(summaryOfLines('CPU', [0, 60, 120, 180], lines)).toMatch(
    /^CPU: 1 series, .+ to .+\. user: last 20%, lowest 10%, highest 30%\.$/,
  );
});

test('rows without a value come last whichever way they are sorted', () => {
  const table = { columns: ['a'], rows: [[null], [2], [1]] };
  expect(inOrder(table, 'a', false)).toEqual([[1], [2], [null]]);
  expect(inOrder(table, 'a', true)).toEqual([[2], [1], [null]]);
});

test('transformations are carried out one after the other', () => {
  const table = { columns: ['Time', 'app', 'Value'], rows: [[1, 'a', 3], [1, 'b', 9], [1, 'c', 5]] };
  const steps = [
    { id: 'organize', options: { excludeByName: { Time: true }, renameByName: { app: 'App' } } },
    { id: 'sortBy', options: { sort: [{ field: 'Value', desc: true }] } },
    { id: 'limit', options: { limitField: 2 } },
  ];
  expect(transformed([table], steps)).toEqual({
    columns: ['App', 'Value'],
    names: ['app', 'Value'],
    rows: [['b', 9], ['c', 5]],
  });
});

test('all of a variable is what the dashboard says, else every option', () => {
  const variable = (allValue?: string) => ({
    definition: { name: 'job', type: 'query', multi: true, includeAll: true, ...(allValue ? { allValue } : {}) },
    options: ['a', 'b'],
    chosen: [ALL],
  });
  expect(chosenValues([variable('.*')]).get('job')).toEqual({ several: ['a', 'b'], chosen: [ALL], all: '.*' });
  expect(chosenValues([variable()]).get('job')).toEqual({ several: ['a', 'b'], chosen: [ALL] });
});

test('a range moves by its own length and stretches around its middle', () => {
  expect(moved({ from: 100, to: 200 }, -0.5)).toEqual({ from: '50000', to: '150000' });
  expect(moved({ from: 100, to: 200 }, 0, 2)).toEqual({ from: '50000', to: '250000' });
});

test('a day begins and ends at midnight', () => {
  const noon = new Date(2026, 4, 7, 12).getTime() / 1000;
  const { from, to } = windowOf({ from: 'now-1d/d', to: 'now-1d/d' }, noon);
  expect([new Date(from * 1000), new Date(to * 1000)]).toEqual([new Date(2026, 4, 6), new Date(2026, 4, 7)]);
});

test.each<[string, number, string]>([
  ['dthms', 3725, '01:02:05'],
  ['suffix: beds', 3, '3 beds'],
  ['prefix:~', 3, '~3'],
  ['locale', 1234567, '1,234,567'],
  ['m', 90, '1.50 hours'],
  ['eps', 1500, '1.50K evt/s'],
  ['mbytes', 2048, '2 GiB'],
  ['bool', 0, 'False'],
  ['constructor', 3, '3 constructor'],
])('%s %d is written %s', (unit, value, text) => {
  expect(formatValue(value, unit)).toBe(text);
});

test('ticks of durations lie where clocks have them', () => {
  expect(tickIncrements('s')).toContain(900);
  expect(tickIncrements('ms')).toContain(900_000);
  expect(tickIncrements('short')).toBeUndefined();
});
