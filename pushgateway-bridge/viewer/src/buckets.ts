/** Series of a histogram's buckets → rows of a heat map. Pure. */

import { parseValue, type Series } from './frames';

export interface Buckets {
  /** Upper bounds, lowest first; names where they are no numbers. */
  bounds: (number | string)[];
  /** For each bound, how many lie between it and the one below, over time. */
  counts: (number | null)[][];
  highest: number;
}

/** Prometheus counts cumulatively: each bucket holds what the ones below hold. Series without `le` are rows as they are. */
export function bucketsOf(series: readonly Series[]): Buckets {
  const cumulative = series.every(({ labels }) => labels['le'] !== undefined);
  const rows = series.map(({ name, labels, values }) => ({
    bound: cumulative ? parseValue(labels['le']!) : name,
    values,
  }));
  if (cumulative) rows.sort((a, b) => (a.bound as number) - (b.bound as number));
  const counts = rows.map(({ values }, index) => {
    const below = cumulative ? rows[index - 1]?.values : undefined;
    return values.map((value, position) =>
      value === null || !Number.isFinite(value) ? null : Math.max(value - (below?.[position] ?? 0), 0),
    );
  });
  const highest = counts.flat().reduce<number>((most, count) => Math.max(most, count ?? 0), 0);
  return { bounds: rows.map(({ bound }) => bound), counts, highest };
}
