/** Asks for everything that one panel shows. */

import { queryInstant, queryRange, type RawSeries } from './api';
import { type Series, timeAxis, toSeries } from './frames';
import { interpolate, withMacros, type Values } from './interpolate';
import type { Panel, Target } from './model';
import { type Table, toTable, transformed } from './tables';
import { aligned, parseDuration, rateInterval, stepFor, type TimeRange, type TimeWindow } from './timerange';

const DEFAULT_MIN_STEP_SECONDS = 15;
const DEFAULT_POINTS = 300;
/** However narrow the screen is: a line with fewer says nothing. */
const FEWEST_POINTS = 60;

export interface PanelQuery {
  panel: Panel;
  values: Values;
  window: TimeWindow;
  /** The window as the page's address says it. */
  range?: TimeRange;
  /** Width of the drawing in pixels: more values than that cannot be seen. */
  width: number;
  signal: AbortSignal;
}

export interface Lines {
  axis: number[];
  series: Series[];
}

/** The newest value of each series of each query. */
export async function loadInstant(query: PanelQuery): Promise<{ target: Target; series: RawSeries[] }[]> {
  const step = stepOf(query);
  return Promise.all(
    queriesOf(query.panel).map(async (target) => ({
      target,
      series: await queryInstant(expressionOf(target, query, step), query.window.to, query.signal),
    })),
  );
}

/** The newest values as a table, after the panel's transformations. */
export async function loadTable(query: PanelQuery): Promise<Table> {
  const answers = await loadInstant(query);
  const tables = answers.map(({ target, series }) => toTable(series, target.refId, answers.length === 1));
  return transformed(tables, query.panel.transformations ?? []);
}

/** All queries over the whole range, on one time axis. */
export async function loadLines(query: PanelQuery): Promise<Lines> {
  const step = stepOf(query);
  const window = aligned(query.window, step);
  const axis = timeAxis(window, step);
  const answers = await Promise.all(
    queriesOf(query.panel).map(async (target) => {
      const raw = await queryRange(expressionOf(target, query, step), window, step, query.signal);
      return raw.map((one) => toSeries(one, target, axis, step));
    }),
  );
  return { axis, series: answers.flat() };
}

const queriesOf = (panel: Panel): Target[] => (panel.targets ?? []).filter((target) => target.expr && !target.hide);

function stepOf({ panel, window, width }: PanelQuery): number {
  const most = panel.maxDataPoints ?? DEFAULT_POINTS;
  return stepFor(window, Math.min(Math.max(Math.floor(width / 2), FEWEST_POINTS), most), minStep(panel));
}

function minStep(panel: Panel, target: Target | undefined = panel.targets?.[0]): number {
  const text = target?.interval || panel.interval;
  return text ? parseDuration(text.replace(/^>/, '')) : DEFAULT_MIN_STEP_SECONDS;
}

function expressionOf(target: Target, { panel, values, window }: PanelQuery, step: number): string {
  const rate = rateInterval(step, minStep(panel, target));
  return interpolate(target.expr!, withMacros(values, step, rate, window.to - window.from));
}
