/** Instant answers as tables, and the two transformations that the dashboards use: merge and organize. Pure. */

import type { RawSeries } from './api';
import { parseValue } from './frames';
import type { Transformation } from './model';

export type Cell = string | number | null;

export interface Table {
  columns: string[];
  rows: Cell[][];
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
  for (const transformation of transformations) {
    if (transformation.disabled) continue;
    if (transformation.id === 'merge') current = [merged(current)];
    else if (transformation.id === 'organize') current = current.map((table) => organised(table, transformation));
    else throw new Error(`the transformation ${transformation.id} is not known here`);
  }
  return current[0] ?? { columns: [], rows: [] };
}

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

function organised(table: Table, { options = {} }: Transformation): Table {
  const { excludeByName = {}, indexByName = {}, renameByName = {} } = options;
  const kept = table.columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => !excludeByName[column])
    .sort((a, b) => (indexByName[a.column] ?? Infinity) - (indexByName[b.column] ?? Infinity) || a.index - b.index);
  return {
    columns: kept.map(({ column }) => renameByName[column] || column),
    rows: table.rows.map((row) => kept.map(({ index }) => row[index]!)),
  };
}
