/** One row for each series, coloured by the state that it was in. */

import type uPlot from 'uplot';
import { inkOn, namedColour, type Theme } from '../colours';
import { element } from '../dom';
import { displayName, fieldConfig, show } from '../fields';
import type { Series } from '../frames';
import { type Lines, loadLines } from '../load';
import type { FieldConfig, Panel } from '../model';
import { spanOf } from '../summaries';
import { colourMark, font } from './charts';
import { type Grid, gridChart } from './grid';
import type { PanelContext, PanelView } from './panel';

interface State {
  from: number;
  to: number;
  text: string;
  colour: string;
}

interface Row {
  name: string;
  states: State[];
}

const MOST_ROWS = 100;
const ROW_SHARE = 0.8;
const TALLEST_ROW = 44;
const INSET = 5;
const ROOM_FOR_NAME = 13;

export function stateTimelinePanel(context: PanelContext): PanelView {
  const { panel, body, theme } = context;
  const legend = element('ul', { class: 'bars-legend' });
  body.append(legend);
  const chart = gridChart(context);
  let data: Lines = { axis: [], series: [] };

  const draw = (): void => {
    const step = data.axis.length > 1 ? data.axis[1]! - data.axis[0]! : 60;
    const rows = data.series.slice(0, MOST_ROWS).map((series) => rowOf(panel, series, data.axis, step, theme()));
    const colours = new Map(rows.flatMap(({ states }) => states.map(({ text, colour }) => [text, colour] as const)));
    const wanted = panel.options?.legend?.showLegend !== false && colours.size <= 12;
    const items = [...colours].map(([text, colour]) => element('li', {}, colourMark(colour), text));
    legend.replaceChildren(...(wanted ? items : []));
    chart.draw(rows.length > 0 ? gridOf(panel, data.axis, step, rows, body.clientHeight) : null);
  };

  return {
    async refresh(query) {
      data = await loadLines(query);
      draw();
      return data.series.length > 0;
    },
    redraw: draw,
    remark: chart.remark,
    destroy: chart.destroy,
  };
}

/** Each value lasts until the next time of the axis; equal ones that follow each other are one state. */
function rowOf(panel: Panel, series: Series, axis: readonly number[], step: number, theme: Theme): Row {
  const config = fieldConfig(panel.fieldConfig, series);
  const states: State[] = [];
  series.values.forEach((value, index) => {
    if (value === null) return;
    const [from, to] = [axis[index]! - step, axis[index]!];
    const { text, colour } = stateOf(value, config, theme);
    const last = states[states.length - 1];
    if (last && last.text === text && last.to === from && panel.options?.mergeValues !== false) last.to = to;
    else states.push({ from, to, text, colour });
  });
  return { name: displayName(config, series), states };
}

function stateOf(value: number, config: FieldConfig, theme: Theme): { text: string; colour: string } {
  const { text, colour } = show(value, { ...config, color: { mode: 'thresholds', ...config.color } });
  return { text, colour: namedColour(colour === null || colour === 'text' ? 'blue' : colour, theme) };
}

function gridOf(panel: Panel, axis: readonly number[], step: number, rows: readonly Row[], height: number): Grid {
  const upward = [...rows].reverse();
  const every = Math.max(Math.ceil((rows.length * ROOM_FOR_NAME) / Math.max(height - 60, 40)), 1);
  const told = rows.slice(0, 8).map(({ name, states }) => `${name}: ${states[states.length - 1]?.text ?? 'nothing'}.`);
  return {
    axis,
    step,
    rows: rows.length,
    ticks: upward.flatMap(({ name }, index) => ((rows.length - 1 - index) % every === 0 ? [{ at: index + 0.5, text: name }] : [])),
    summary: `${panel.title ?? ''}: states of ${rows.length}, ${spanOf(axis)}. At the end ${told.join(' ')}`,
    paint: (plot) => upward.forEach(({ states }, index) => states.forEach((state) => paintState(plot, panel, state, index))),
    tooltipRows: (index, row) => {
      const time = axis[index];
      const shown = upward[row];
      const state = shown?.states.find(({ from, to }) => time !== undefined && time > from && time <= to);
      return shown && state ? [{ name: shown.name, text: state.text, colour: state.colour }] : [];
    },
  };
}

/** The text stands in the box where all of it has room, and nowhere else. */
function paintState(plot: uPlot, panel: Panel, { from, to, text, colour }: State, row: number): void {
  const { showValue = 'auto', alignValue = 'left', rowHeight = ROW_SHARE } = panel.options ?? {};
  const { ctx } = plot;
  const left = plot.valToPos(from, 'x', true);
  const right = plot.valToPos(to, 'x', true);
  const middle = plot.valToPos(row + 0.5, 'y', true);
  const height = Math.min((plot.valToPos(row, 'y', true) - middle) * 2 * rowHeight, TALLEST_ROW * devicePixelRatio);
  const [top, bottom] = [middle - height / 2, middle + height / 2];
  ctx.save();
  ctx.fillStyle = colour;
  ctx.fillRect(left, top, Math.max(right - left, 1), bottom - top);
  ctx.font = font().replace(/^\d+/, (size) => String(Number(size) * devicePixelRatio));
  const inset = INSET * devicePixelRatio;
  const fits = ctx.measureText(text).width + 2 * inset < right - left && bottom - top > 14 * devicePixelRatio;
  if (fits && showValue !== 'never') {
    const places = { left: left + inset, center: (left + right) / 2, right: right - inset };
    const align = alignValue === 'center' || alignValue === 'right' ? alignValue : 'left';
    ctx.fillStyle = inkOn(colour);
    ctx.textAlign = align;
    ctx.textBaseline = 'middle';
    ctx.fillText(text, places[align], (top + bottom) / 2);
  }
  ctx.restore();
}
