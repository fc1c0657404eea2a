/** Answers of Prometheus → named series on one time axis, and what is computed from their values. Pure. */

import type { RawSeries } from './api';
import type { Target } from './model';
import type { TimeWindow } from './timerange';

export interface Series {
  name: string;
  refId: string;
  labels: Record<string, string>;
  /** One value for each time of the axis; null where there is none. */
  values: (number | null)[];
}

/** The times of a window, first and last included. */
export function timeAxis(window: TimeWindow, stepSeconds: number): number[] {
  const count = Math.floor((window.to - window.from) / stepSeconds + 1e-9) + 1;
  return Array.from({ length: count }, (_, index) => window.from + index * stepSeconds);
}

export function toSeries(raw: RawSeries, target: Target, axis: readonly number[], stepSeconds: number): Series {
  const values: (number | null)[] = new Array(axis.length).fill(null);
  for (const [time, text] of raw.values) {
    const index = Math.round((time - axis[0]!) / stepSeconds);
    if (index >= 0 && index < values.length) values[index] = parseValue(text);
  }
  return { name: seriesName(raw.metric, target.legendFormat), refId: target.refId, labels: raw.metric, values };
}

/** Prometheus writes infinities as `+Inf` and `-Inf`. */
export function parseValue(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}

/** `{{label}}` filled from the labels; without a legend the selector of the series. */
export function seriesName(labels: Record<string, string>, legendFormat: string | undefined): string {
  if (legendFormat && legendFormat !== '__auto') {
    const filled = legendFormat.replace(/\{\{\s*([^}\s]+)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
    return filled.replace(/\s+/g, ' ').trim();
  }
  const { __name__: metric = '', ...rest } = labels;
  const matchers = Object.entries(rest).map(([label, value]) => `${label}="${value}"`);
  return matchers.length > 0 ? `${metric}{${matchers.join(', ')}}` : metric || 'Value';
}

const CALCULATIONS: Record<string, { heading: string; of: (values: readonly number[]) => number }> = {
  lastNotNull: { heading: 'Last', of: (values) => values[values.length - 1]! },
  last: { heading: 'Last', of: (values) => values[values.length - 1]! },
  firstNotNull: { heading: 'First', of: (values) => values[0]! },
  first: { heading: 'First', of: (values) => values[0]! },
  min: { heading: 'Min', of: (values) => values.reduce((a, b) => Math.min(a, b)) },
  max: { heading: 'Max', of: (values) => values.reduce((a, b) => Math.max(a, b)) },
  mean: { heading: 'Mean', of: (values) => values.reduce((a, b) => a + b) / values.length },
  sum: { heading: 'Total', of: (values) => values.reduce((a, b) => a + b) },
  count: { heading: 'Count', of: (values) => values.length },
  delta: { heading: 'Delta', of: (values) => values[values.length - 1]! - values[0]! },
  diff: { heading: 'Difference', of: (values) => values[values.length - 1]! - values[0]! },
  range: {
    heading: 'Range',
    of: (values) => values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b)),
  },
};

export const calculationHeading = (name: string): string => CALCULATIONS[name]?.heading ?? name;

/** The calculation called *name* over the values that are there; null if none is, or nobody knows the name. */
export function reduce(values: readonly (number | null)[], name: string): number | null {
  const present = values.filter((value): value is number => value !== null && !Number.isNaN(value));
  const calculation = CALCULATIONS[name];
  return calculation && present.length > 0 ? calculation.of(present) : null;
}

/**
 * Running totals, series on series, as a stacked chart draws them. A gap in a series adds nothing.
 *
 * In *lines* a gap stays one; in *areas* the total goes on through it, so that what is stacked on top has a ground.
 */
export function stacked(series: readonly (readonly (number | null)[])[]): Record<'lines' | 'areas', (number | null)[][]> {
  const length = series[0]?.length ?? 0;
  const totals: number[] = new Array(length).fill(0);
  const present = Array.from({ length }, (_, index) => series.some((values) => values[index] !== null));
  const areas = series.map((values) =>
    values.map((value, index) => {
      totals[index]! += value ?? 0;
      return present[index] ? totals[index]! : null;
    }),
  );
  const lines = series.map((values, row) => values.map((value, index) => (value === null ? null : areas[row]![index]!)));
  return { lines, areas };
}
