/** The buckets of a histogram over time: the more in a bucket, the stronger its colour. */

import type uPlot from 'uplot';
import { namedColour, type Theme } from '../colours';
import { bucketsOf, type Buckets } from '../buckets';
import { loadLines } from '../load';
import type { Panel } from '../model';
import { spanOf } from '../summaries';
import { formatValue } from '../units';
import { type Grid, gridChart } from './grid';
import type { PanelContext, PanelView } from './panel';

const HUES: Record<string, string> = { Blues: 'blue', Greens: 'green', Reds: 'red', Oranges: 'orange', Purples: 'purple' };
const FAINTEST = 0.12;
/** As in Grafana: small counts can still be seen beside great ones. */
const EXPONENT = 0.5;
const ROOM_FOR_LABEL = 18;

export function heatmapPanel(context: PanelContext): PanelView {
  const { panel, body } = context;
  const chart = gridChart(context);
  let axis: number[] = [];
  let buckets: Buckets | null = null;

  const draw = (): void => chart.draw(buckets && gridOf(panel, axis, buckets, body.clientHeight));

  return {
    async refresh(query) {
      const lines = await loadLines(query);
      axis = lines.axis;
      buckets = bucketsOf(lines.series);
      draw();
      return buckets.highest > 0;
    },
    redraw: draw,
    remark: chart.remark,
    destroy: chart.destroy,
  };
}

function gridOf(panel: Panel, axis: readonly number[], buckets: Buckets, height: number): Grid {
  const { bounds, counts, highest } = buckets;
  const step = axis.length > 1 ? axis[1]! - axis[0]! : 60;
  const unit = panel.options?.yAxis?.unit ?? panel.fieldConfig?.defaults?.unit;
  const decimals = panel.options?.yAxis?.decimals ?? panel.fieldConfig?.defaults?.decimals;
  const text = (bound: number | string): string => (typeof bound === 'number' ? formatValue(bound, unit, decimals) : bound);
  const every = Math.max(Math.ceil((bounds.length * ROOM_FOR_LABEL) / Math.max(height - 40, 40)), 1);
  const ticks = bounds.flatMap((bound, index) => (index % every === 0 ? [{ at: index + 1, text: text(bound) }] : []));
  const total = counts.flat().reduce<number>((sum, count) => sum + (count ?? 0), 0);
  const fullest = counts.map((row) => row.reduce<number>((sum, count) => sum + (count ?? 0), 0));
  const most = fullest.indexOf(Math.max(...fullest));
  return {
    axis,
    step,
    rows: bounds.length,
    ticks,
    summary: `${panel.title ?? ''}: heat map, ${spanOf(axis)}. ${formatValue(total, 'short')} in all, most of them up to ${text(bounds[most] ?? '')}.`,
    paint: (plot, theme) => paint(plot, theme, panel, axis, step, counts, highest),
    tooltipRows: (index, row) => {
      const count = counts[row]?.[index];
      if (count == null) return [];
      const below = row === 0 ? '' : `${text(bounds[row - 1]!)} – `;
      const { unit: counted = 'short', decimals: digits } = panel.options?.cellValues ?? {};
      return [{ name: `${below}${text(bounds[row]!)}`, text: formatValue(count, counted, digits), colour: 'transparent' }];
    },
  };
}

function paint(
  plot: uPlot,
  theme: Theme,
  panel: Panel,
  axis: readonly number[],
  step: number,
  counts: readonly (readonly (number | null)[])[],
  highest: number,
): void {
  const { scheme = '', mode, fill } = panel.options?.color ?? {};
  const colour = namedColour(mode === 'opacity' && fill ? fill : (HUES[scheme] ?? 'blue'), theme);
  const { ctx } = plot;
  ctx.save();
  ctx.fillStyle = colour;
  const lefts = axis.map((time) => [plot.valToPos(time - step, 'x', true), plot.valToPos(time, 'x', true)] as const);
  counts.forEach((row, index) => {
    const [bottom, top] = [plot.valToPos(index, 'y', true), plot.valToPos(index + 1, 'y', true)];
    row.forEach((count, position) => {
      if (count === null || count <= 0) return;
      const [left, right] = lefts[position]!;
      ctx.globalAlpha = FAINTEST + (1 - FAINTEST) * (count / highest) ** EXPONENT;
      const gap = right - left > 3 ? devicePixelRatio : 0;
      ctx.fillRect(left, top, right - left - gap, bottom - top - devicePixelRatio);
    });
  });
  ctx.restore();
}
