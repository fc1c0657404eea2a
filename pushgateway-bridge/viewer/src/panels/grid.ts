/** Charts whose rows are things and not numbers: the time axis, crosshair and keys are those of other charts. */

import uPlot from 'uplot';
import type { Theme } from '../colours';
import { element } from '../dom';
import { axisPixels, textWidth } from '../measure';
import {
  axisStyle,
  axisWidth,
  keysMoveCrosshair,
  marksPlugin,
  newTooltip,
  sharedCursor,
  timeAxisOf,
  tooltipPlugin,
  type TooltipRow,
  zoomPlugin,
} from './charts';
import type { PanelContext } from './panel';

/** One drawing: rows are counted from below. */
export interface Grid {
  axis: readonly number[];
  /** Seconds between two times of the axis. */
  step: number;
  rows: number;
  /** At which heights, in rows, a text stands beside the grid. */
  ticks: readonly { at: number; text: string }[];
  summary: string;
  paint: (plot: uPlot, theme: Theme) => void;
  tooltipRows: (index: number, row: number) => TooltipRow[];
}

export interface GridChart {
  draw(grid: Grid | null): void;
  remark(): void;
  destroy(): void;
}

/** What a label beside the grid may take of its width. */
const WIDEST_LABEL = 0.35;

export function gridChart({ body, theme, zoom, marks }: PanelContext): GridChart {
  const chart = element('div', { class: 'chart', tabindex: '0', role: 'img', 'aria-roledescription': 'chart' });
  const tooltip = newTooltip();
  body.prepend(chart);
  let plot: uPlot | null = null;
  keysMoveCrosshair(chart, () => plot);

  const clear = (): void => {
    plot?.destroy();
    plot = null;
  };

  return {
    draw(grid) {
      clear();
      if (grid === null || grid.axis.length === 0 || chart.clientWidth === 0) return;
      chart.setAttribute('aria-label', grid.summary);
      const options = optionsOf(grid, chart, theme());
      options.plugins = [
        marksPlugin(marks, theme()),
        { hooks: { drawAxes: (drawn) => grid.paint(drawn, theme()) } },
        zoomPlugin(zoom),
        tooltipPlugin(tooltip, (index, drawn) => grid.tooltipRows(index, rowAt(drawn, grid.rows)), marks, theme()),
      ];
      const middle = grid.axis.map(() => grid.rows / 2);
      plot = new uPlot(options, [[...grid.axis], middle], chart);
    },
    remark: () => plot?.redraw(false),
    destroy() {
      clear();
      tooltip.remove();
      body.replaceChildren();
    },
  };
}

const rowAt = (plot: uPlot, rows: number): number =>
  Math.min(Math.max(Math.floor(plot.posToVal(plot.cursor.top ?? 0, 'y')), 0), rows - 1);

/** *text* with an ellipsis where it is wider than *room*. */
function clipped(text: string, room: number): string {
  let kept = text.length;
  const cut = (): string => (kept < text.length ? `${text.slice(0, kept)}…` : text);
  while (kept > 1 && textWidth(cut(), axisPixels()) > room) kept--;
  return cut();
}

function optionsOf(grid: Grid, chart: HTMLElement, theme: Theme): uPlot.Options {
  const texts = grid.ticks.map(({ text }) => clipped(text, chart.clientWidth * WIDEST_LABEL));
  const { stroke, font } = axisStyle(theme);
  return {
    width: chart.clientWidth,
    height: chart.clientHeight,
    legend: { show: false },
    padding: [10, 18, 0, 0],
    cursor: { ...sharedCursor, points: { show: false } },
    scales: {
      x: { time: true, range: [grid.axis[0]! - grid.step, grid.axis[grid.axis.length - 1]!] },
      y: { range: [0, Math.max(grid.rows, 1)] },
    },
    axes: [
      timeAxisOf(theme),
      {
        stroke: stroke!,
        font: font!,
        grid: { show: false },
        ticks: { show: false },
        size: axisWidth(texts),
        splits: () => grid.ticks.map(({ at }) => at),
        values: () => texts,
      },
    ],
    series: [{}, { stroke: 'transparent', points: { show: false } }],
  };
}
