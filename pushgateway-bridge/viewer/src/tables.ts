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

/** Rows by one column; what is missing comes last either way. */
export function inOrder({ columns, rows }: Table, column: string, descending: boolean): Cell[][] {
  const index = columns.indexOf(column);
  if (index < 0) return rows;
  const direction = descending ? -1 : 1;
  return [...rows].sort((left, right) => {
    const [a, b] = [left[index]!, right[index]!];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    if (typeof a === 'number' && typeof b === 'number') return direction * (a - b);
    return direction * String(a).localeCompare(String(b), 'en', { numeric: true });
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

/** All columns side by side; rows that agree in every column that all tables have become one. */
export function merged(tables: readonly Table[]): Table {
  const filled = tables.filter((table) => table.rows.length > 0);
  const columns = [...new Set(filled.flatMap((table) => table.columns))];
  const shared = columns.filter((column) => filled.every((table) => table.columns.includes(column)));
  const rows: Map<string, Cell>[] = [];
  for (const table of filled) {
    for (const row of table.rows) {
      const fields = new Map(table.columns.map((column, index) => [column, row[index]!]));
      const partners = rows.filter((candidate) => fits(candidate, fields, shared));
      if (partners.length === 0) rows.push(fields);
      for (const partner of partners) fields.forEach((value, column) => partner.set(column, value));
    }
  }
  return { columns, rows: rows.map((row) => columns.map((column) => row.get(column) ?? null)) };
}

function fits(row: Map<string, Cell>, fields: Map<string, Cell>, shared: readonly string[]): boolean {
  const agree = shared.every((column) => row.get(column) === fields.get(column));
  return agree && [...fields].every(([column, value]) => !row.has(column) || row.get(column) === value);
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
