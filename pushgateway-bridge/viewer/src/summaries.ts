/** Charts in words, for those who do not see them. Pure. */

import { show } from './fields';
import { reduce } from './frames';
import type { FieldConfig } from './model';

const MOST_SERIES = 8;

interface Told {
  name: string;
  series: { values: readonly (number | null)[] };
  config: FieldConfig;
}

/** What a chart shows: of when, and last, least and greatest value of its series. */
export function summaryOfLines(title: string, axis: readonly number[], lines: readonly Told[]): string {
  const told = lines.slice(0, MOST_SERIES).map(({ name, series, config }) => {
    const text = (calculation: string): string => {
      const value = reduce(series.values, calculation);
      return value === null ? 'none' : show(value, config).text;
    };
    return `${name}: last ${text('lastNotNull')}, lowest ${text('min')}, highest ${text('max')}.`;
  });
  const more = lines.length > MOST_SERIES ? [`And ${lines.length - MOST_SERIES} more.`] : [];
  const count = `${lines.length} series`;
  return [`${title}: ${count}, ${spanOf(axis)}.`, ...told, ...more].join(' ');
}

/** From when to when the axis goes. */
export function spanOf(axis: readonly number[]): string {
  const text = (time: number | undefined): string =>
    time === undefined ? 'nothing' : new Date(time * 1000).toLocaleString('sv-SE').slice(0, 16);
  return `${text(axis[0])} to ${text(axis[axis.length - 1])}`;
}
