/** Instant answers as tables, and the transformations that dashboards use. Pure. */

import type { RawSeries } from './api';
import { parseValue } from './frames';
import type { Transformation } from './model';

export type Cell = string | number | null;

export interface Table {
  columns: string[];
  rows: Cell[][];
  /** What the columns were called before they got their headings. */
  names?: string[];
}

/** One row per series: its time, its labels, and its value under `Value #A` (`Value` if there is only one query). */
export function toTable(series: readonly RawSeries[], refId: string, onlyQuery: boolean): Table {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const columns = ['Time', ...labels, onlyQuery ? 'Value' : `Value #${refId}`];
  const rows = series.map(({ metric, values }): Cell[] => {
    const [time, text] = values[values.length - 1]!;
    return [time * 1000, ...labels.map((label) => metric[label] ?? null), parseValue(text)];
  });
  return { columns, rows };
}

export function transformed(tables: readonly Table[], transformations: readonly Transformation[]): Table {
  let current = [...tables];
  for (const { id, disabled, options = {} } of transformations) {
    if (disabled) continue;
    const change = TRANSFORMATIONS[id];
    if (!change) throw new Error(`the transformation ${id} is not known here`);
    current = change(current, options);
  }
  return current[0] ?? { columns: [], rows: [] };
}

type Options = Record<string, unknown>;

const TRANSFORMATIONS: Record<string, (tables: Table[], options: Options) => Table[]> = {
  merge: (tables) => [merged(tables)],
  joinByField: (tables) => [merged(tables.map((table) => without(table, 'Time')))],
  organize: (tables, options) => tables.map((table) => organised(table, options)),
  sortBy: (tables, options) => tables.map((table) => sortedRows(table, options)),
  limit: (tables, options) =>
    tables.map((table) => ({ ...table, rows: table.rows.slice(0, Number(options['limitField'] ?? 10)) })),
  filterFieldsByName: (tables, options) => tables.map((table) => filteredColumns(table, options)),
  renameByRegex: (tables, options) => tables.map((table) => renamedColumns(table, options)),
  // Labels are columns already, and types are known.
  labelsToFields: (tables) => tables,
  convertFieldType: (tables) => tables,
};

function without({ columns, rows }: Table, column: string): Table {
  const kept = columns.flatMap((name, index) => (name === column ? [] : [index]));
  return picked({ columns, rows }, kept);
}

const picked = ({ columns, rows }: Table, indexes: readonly number[]): Table => ({
  columns: indexes.map((index) => columns[index]!),
  rows: rows.map((row) => indexes.map((index) => row[index]!)),
});

function sortedRows(table: Table, options: Options): Table {
  const [wanted] = (options['sort'] ?? []) as { field?: string; desc?: boolean }[];
  return { ...table, rows: inOrder(table, wanted?.field ?? '', wanted?.desc ?? false) };
}

/** Made once: as an argument of each comparison it takes most of the time of sorting. */
const COLLATOR = new Intl.Collator('en', { numeric: true });

/** Rows by one column; what is missing comes last either way. */
export function inOrder({ columns, rows }: Table, column: string, descending: boolean): Cell[][] {
  const index = columns.indexOf(column);
  if (index < 0) return rows;
  const direction = descending ? -1 : 1;
  return [...rows].sort((left, right) => {
    const [a, b] = [left[index]!, right[index]!];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    if (typeof a === 'number' && typeof b === 'number') return direction * (a - b);
    return direction * COLLATOR.compare(String(a), String(b));
  });
}

function filteredColumns(table: Table, options: Options): Table {
  const { include, exclude } = options as Record<string, { names?: string[]; pattern?: string } | undefined>;
  const named = (rule: { names?: string[]; pattern?: string }, column: string): boolean =>
    rule.names?.includes(column) || (rule.pattern ? patternOf(rule.pattern).test(column) : false);
  const kept = table.columns.flatMap((column, index) => {
    const wanted = (!include || named(include, column)) && !(exclude && named(exclude, column));
    return wanted ? [index] : [];
  });
  return picked(table, kept);
}

function renamedColumns({ columns, rows }: Table, options: Options): Table {
  const pattern = patternOf(String(options['regex'] ?? ''));
  return { columns: columns.map((column) => column.replace(pattern, String(options['renamePattern'] ?? ''))), rows };
}

const patternOf = (text: string): RegExp => new RegExp(text.replace(/^\/(.*)\/[a-z]*$/s, '$1'));

/** All columns side by side; rows that agree in every column that both have become one. */
export function merged(tables: readonly Table[]): Table {
  const filled = tables.filter((table) => table.rows.length > 0);
  const columns = [...new Set(filled.flatMap((table) => table.columns))];
  const rows: Merged[] = [];
  for (const table of filled) mergeInto(rows, table, columns);
  return { columns, rows: rows.map(({ cells }) => cells.map((cell) => cell ?? null)) };
}

/** A cell is undefined where no table with that column has given it yet. */
interface Merged {
  cells: (Cell | undefined)[];
  /** Which of the columns it has, in ascending order. */
  has: readonly number[];
}

/** Rows are found by what they would have to agree in, so the work grows with the rows and not with their square. */
function mergeInto(rows: Merged[], table: Table, columns: readonly string[]): void {
  const targets = table.columns.map((column) => columns.indexOf(column));
  const own = [...new Set(targets)].sort((a, b) => a - b);
  const indexes = indexesOf(rows, own);
  const whole = indexes.find(({ common }) => common.length === own.length) ?? { common: own, byKey: new Map() };
  if (!indexes.includes(whole)) indexes.push(whole);
  const grown = new Map<readonly number[], readonly number[]>();
  for (const row of table.rows) {
    const cells: Merged['cells'] = new Array(columns.length).fill(undefined);
    targets.forEach((target, index) => (cells[target] = row[index]!));
    const partners = indexes.flatMap((index) => taken(index, cells));
    if (partners.length === 0) {
      partners.push({ cells, has: own });
      rows.push(partners[0]!);
    }
    for (const partner of partners) {
      for (const column of own) partner.cells[column] = cells[column];
      const has = grown.get(partner.has) ?? [...new Set([...partner.has, ...own])].sort((a, b) => a - b);
      grown.set(partner.has, has);
      partner.has = has;
    }
    whole.byKey.set(keyOf(cells, own), partners);
  }
}

interface Index {
  common: readonly number[];
  byKey: Map<string, Merged[]>;
}

/** One index for each set of columns that rows have in common with *own*. */
function indexesOf(rows: readonly Merged[], own: readonly number[]): Index[] {
  const indexes = new Map<string, Index>();
  const known = new Map<readonly number[], Index>();
  for (const row of rows) {
    let index = known.get(row.has);
    if (index === undefined) {
      const common = row.has.filter((column) => own.includes(column));
      index = indexes.get(common.join()) ?? { common, byKey: new Map() };
      indexes.set(common.join(), index);
      known.set(row.has, index);
    }
    const key = keyOf(row.cells, index.common);
    const alike = index.byKey.get(key);
    if (alike) alike.push(row);
    else index.byKey.set(key, [row]);
  }
  return [...indexes.values()];
}

/** The rows that agree with *cells*; they have all columns of these from now on, so they leave the index. */
function taken({ common, byKey }: Index, cells: Merged['cells']): Merged[] {
  const key = keyOf(cells, common);
  const found = byKey.get(key) ?? [];
  byKey.delete(key);
  return found;
}

/** The lengths keep `a,b` from being taken for `a` and `b`. */
function keyOf(cells: Merged['cells'], columns: readonly number[]): string {
  let key = '';
  for (const column of columns) {
    const cell = cells[column];
    key += typeof cell === 'string' ? `${cell.length}:${cell},` : `${cell},`;
  }
  return key;
}

function organised(table: Table, options: Options): Table {
  const { excludeByName = {}, indexByName = {}, renameByName = {} } = options as {
    excludeByName?: Record<string, boolean>;
    indexByName?: Record<string, number>;
    renameByName?: Record<string, string>;
  };
  const kept = table.columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => !excludeByName[column])
    .sort((a, b) => (indexByName[a.column] ?? Infinity) - (indexByName[b.column] ?? Infinity) || a.index - b.index);
  return {
    columns: kept.map(({ column }) => renameByName[column] || column),
    names: kept.map(({ column }) => column),
    rows: table.rows.map((row) => kept.map(({ index }) => row[index]!)),
  };
}
