import { expect, test } from 'vitest';
import { merged, toTable, transformed } from './tables';
import { fieldConfig, show } from './fields';
import { sectionsOf } from './layout';

const size = toTable(
  [
    { metric: { mountpoint: '/', fstype: 'ext4' }, values: [[1, '100']] },
    { metric: { mountpoint: '/home', fstype: 'xfs' }, values: [[1, '200']] },
  ],
  'A',
  false,
);
const used = toTable([{ metric: { mountpoint: '/' }, values: [[1, '0.5']] }], 'B', false);

test('rows that agree in all shared columns become one', () => {
  expect(merged([size, used])).toEqual({
    columns: ['Time', 'fstype', 'mountpoint', 'Value #A', 'Value #B'],
    rows: [
      [1000, 'ext4', '/', 100, 0.5],
      [1000, 'xfs', '/home', 200, null],
    ],
  });
});

test('a query without an answer leaves no trace', () => {
  expect(merged([size, toTable([], 'B', false)])).toEqual(size);
});

test('rows that some queries do not know are filled from those that do', () => {
  const all = (host: string, more: Record<string, string | number>) => ({ host, ...more });
  const table = (rows: Record<string, string | number>[]) => {
    const columns = Object.keys(rows[0]!);
    return { columns, rows: rows.map((row) => columns.map((column) => row[column]!)) };
  };
  const up = table([all('a', { job: 'x', up: 1 }), all('a', { job: 'y', up: 0 }), all('b', { job: 'x', up: 1 })]);
  const names = table([all('a', { name: 'first' }), all('c', { name: 'third' })]);
  const load = table([all('a', { job: 'y', load: 7 }), all('c', { job: 'z', load: 8 }), all('c', { job: 'w', load: 9 })]);

  expect(merged([up, names, load])).toEqual({
    columns: ['host', 'job', 'up', 'name', 'load'],
    rows: [
      ['a', 'x', 1, 'first', null],
      ['a', 'y', 0, 'first', 7],
      ['b', 'x', 1, null, null],
      ['c', 'z', null, 'third', 8],
      ['c', 'w', null, null, 9],
    ],
  });
});

test('a value is not taken for the same as its text', () => {
  const tables = [{ columns: ['x', 'a'], rows: [[1, 'n']] }, { columns: ['x', 'b'], rows: [['1', 't']] }];
  expect(merged(tables).rows).toEqual([[1, 'n', null], ['1', null, 't']]);
});

test('thousands of hosts are merged from a dozen queries, each row to its own', () => {
  const [queries, hosts] = [12, 5000];
  const tables = Array.from({ length: queries }, (_, query) => ({
    columns: ['Time', 'instance', 'job', `Value #${query}`],
    rows: Array.from({ length: hosts }, (_, row) => {
      const host = (row * 7 + query) % hosts;
      return [1000, `host-${host}`, 'node', host * 100 + query];
    }),
  }));

  const { rows } = merged(tables);

  const expected = (host: number) => [1000, `host-${host}`, 'node', ...tables.map((_, query) => host * 100 + query)];
  const lines = (all: readonly unknown[][]): string => all.map((row) => row.join(' ')).join('\n');
  expect(lines(rows) === lines(Array.from({ length: hosts }, (_, row) => expected((row * 7) % hosts)))).toBe(true);
}, 60_000);

test('columns are left out, ordered and renamed', () => {
  const organize = {
    id: 'organize',
    options: {
      excludeByName: { Time: true },
      indexByName: { mountpoint: 0, fstype: 1 },
      renameByName: { mountpoint: 'Mount point' },
    },
  };
  expect(transformed([used, size], [{ id: 'merge' }, organize]).columns).toEqual([
    'Mount point',
    'fstype',
    'Value #B',
    'Value #A',
  ]);
});

test('an unknown transformation is an error, not a wrong table', () => {
  expect(() => transformed([size], [{ id: 'groupBy' }])).toThrow(/groupBy/);
});

test('overrides lie over the defaults', () => {
  const source = {
    defaults: { unit: 'short', custom: { fillOpacity: 10 } },
    overrides: [
      { matcher: { id: 'byRegexp', options: '/ sent$/' }, properties: [{ id: 'custom.transform', value: 'negative-Y' }] },
      { matcher: { id: 'byName', options: 'Used' }, properties: [{ id: 'unit', value: 'percentunit' }] },
    ],
  };

  expect(fieldConfig(source, { name: 'eth0 sent' }).custom).toEqual({ fillOpacity: 10, transform: 'negative-Y' });
  expect(fieldConfig(source, { name: 'Used' }).unit).toBe('percentunit');
  expect(fieldConfig(source, { name: 'eth0 received' })).toEqual(source.defaults);
});

test.each([
  [0.5, { text: '50%', colour: 'green' }],
  [0.8, { text: '80%', colour: 'yellow' }],
  [0.95, { text: '95%', colour: 'red' }],
])('%d takes the colour of the threshold that it has reached', (value, shown) => {
  const steps = [
    { value: null, color: 'green' },
    { value: 0.8, color: 'yellow' },
    { value: 0.9, color: 'red' },
  ];
  expect(show(value, { unit: 'percentunit', color: { mode: 'thresholds' }, thresholds: { steps } })).toEqual(shown);
});

test('a value mapping wins over number and threshold', () => {
  const mappings = [{ type: 'value', options: { '1': { text: 'up', color: 'green' } } }];
  expect(show(1, { mappings })).toEqual({ text: 'up', colour: 'green' });
});

test('rows part the panels into sections, each placed from its own top', () => {
  const at = (id: number, y: number, type = 'stat') => ({ id, type, title: `${id}`, gridPos: { x: 0, y, w: 4, h: 4 } });
  const sections = sectionsOf([at(1, 0), at(2, 4, 'row'), at(3, 5), at(4, 9)]);

  expect(sections.map(({ title, panels }) => [title, panels.map(({ id, gridPos }) => [id, gridPos.y])])).toEqual([
    ['', [[1, 0]]],
    ['2', [[3, 0], [4, 4]]],
  ]);
});
