/** One number for each series or row, as stats, gauges, pies and bars show them. */

import { displayName, fieldConfig, show, type Shown } from './fields';
import { parseValue, reduce, seriesName } from './frames';
import type { LinkScope } from './links';
import { loadInstant, loadLines, loadTable, type PanelQuery } from './load';
import type { FieldConfig } from './model';
import type { Table } from './tables';

export interface Reading {
  name: string;
  refId: string;
  labels: Record<string, string>;
  value: number;
  /** Over the time range, if the query asks for that. */
  history?: readonly (number | null)[];
  config: FieldConfig;
  shown: Shown;
}

/** The newest (or otherwise reduced) values of all queries. */
export async function loadReadings(query: PanelQuery): Promise<Reading[]> {
  const { panel } = query;
  const targets = panel.targets ?? [];
  if (targets.some(({ format }) => format === 'table')) return rowReadings(await loadTable(query), query);
  const calculation = panel.options?.reduceOptions?.calcs?.[0] ?? 'lastNotNull';
  const read = (name: string, refId: string, labels: Record<string, string>, value: number): Reading => {
    const config = fieldConfig(panel.fieldConfig, { name, refId, labels });
    return { name: displayName(config, { name, labels }), refId, labels, value, config, shown: show(value, config) };
  };
  if (targets.every(({ instant }) => instant)) {
    const answers = await loadInstant(query);
    return answers.flatMap(({ target, series }) =>
      series.map(({ metric, values }) =>
        read(seriesName(metric, target.legendFormat), target.refId, metric, parseValue(values[0]![1])),
      ),
    );
  }
  const { series } = await loadLines(query);
  return series.flatMap(({ name, refId, labels, values }) => {
    const value = reduce(values, calculation);
    return value === null ? [] : [{ ...read(name, refId, labels, value), history: values }];
  });
}

/** A reading for each number of each row, named by the row's texts. */
function rowReadings(table: Table, { panel }: PanelQuery): Reading[] {
  const isNumber = (index: number): boolean => table.rows.some((row) => typeof row[index] === 'number');
  const numbers = table.columns.flatMap((column, index) => (column !== 'Time' && isNumber(index) ? [index] : []));
  return table.rows.flatMap((row) => {
    const texts = row.filter((cell) => typeof cell === 'string');
    const labels = Object.fromEntries(
      table.columns.flatMap((column, index) => (typeof row[index] === 'string' ? [[column, row[index]]] : [])),
    ) as Record<string, string>;
    return numbers.flatMap((index) => {
      const value = row[index];
      if (typeof value !== 'number') return [];
      const column = table.columns[index]!;
      const config = fieldConfig(panel.fieldConfig, { name: column, labels });
      const name = [...texts, ...(numbers.length > 1 || texts.length === 0 ? [column] : [])].join(' · ');
      return [{ name, refId: column, labels, value, config, shown: show(value, config) }];
    });
  });
}

/** What the links of a reading may name. */
export const scopeOf = (
  { name, labels, value, shown }: Reading,
  { values, window, range }: Pick<PanelQuery, 'values' | 'window' | 'range'>,
): LinkScope => ({
  values,
  window,
  ...(range ? { range } : {}),
  name,
  labels,
  text: shown.text,
  raw: value,
  fields: labels,
});
