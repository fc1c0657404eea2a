/** Lines over time, drawn by uPlot: shared crosshair, tooltip, legend with calculations, thresholds. */

import uPlot from 'uplot';
import { namedColour, seriesColour, type Theme, translucent } from '../colours';
import { element } from '../dom';
import { fieldConfig } from '../fields';
import { calculationHeading, reduce, type Series, stacked } from '../frames';
import { type Lines, loadLines } from '../load';
import type { FieldConfig, Panel } from '../model';
import { countsInPowersOfTwo, formatTicks, formatValue } from '../units';
import type { PanelContext, PanelView } from './panel';

const CROSSHAIR = uPlot.sync('crosshair');
const FONT = '11px system-ui, sans-serif';
const POWERS_OF_TWO = Array.from({ length: 62 }, (_, index) => 2 ** (index - 4));

interface Line {
  series: Series;
  config: FieldConfig;
  colour: string;
}

export function timeseriesPanel({ panel, body, theme, zoom }: PanelContext): PanelView {
  const chart = element('div', { class: 'chart' });
  const tooltip = element('div', { class: 'tooltip', hidden: true });
  const legend = element('div', { class: 'legend' });
  body.append(chart, legend);
  let data: Lines = { axis: [], series: [] };
  let plot: uPlot | null = null;
  let alone: string | null = null;

  const draw = (): void => {
    plot?.destroy();
    plot = null;
    const lines = linesOf(panel, data.series, theme());
    drawLegend(lines);
    if (lines.length === 0 || chart.clientWidth === 0) return;
    const visible = alone === null ? lines : lines.filter(({ series }) => series.name === alone);
    const options = plotOptions(panel, visible, chart, theme());
    options.plugins = [thresholdLines(panel, theme()), tooltipPlugin(panel, visible, tooltip)];
    options.hooks = { setSelect: [(drawn) => zoomTo(drawn, zoom)] };
    plot = new uPlot(options, [data.axis, ...plotted(visible)] as uPlot.AlignedData, chart);
    plot.root.append(tooltip);
  };

  const drawLegend = (lines: readonly Line[]): void => {
    const names = lines.map(({ series }) => series.name);
    if (alone !== null && !names.includes(alone)) alone = null;
    legend.replaceChildren(...(panel.options?.legend?.showLegend === false ? [] : [legendTable(lines)]));
  };

  const legendTable = (lines: readonly Line[]): HTMLElement => {
    const calculations = panel.options?.legend?.calcs ?? [];
    const head = ['Series', ...calculations.map(calculationHeading)].map((text, index) =>
      element('th', { scope: 'col', class: index > 0 ? 'number' : '' }, text),
    );
    const rows = inLegendOrder(lines, panel).map((line) => legendRow(line, calculations));
    return element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows));
  };

  const legendRow = ({ series, config, colour }: Line, calculations: readonly string[]): HTMLElement => {
    const mark = element('span', { class: 'mark' });
    mark.style.background = colour;
    const pressed = alone === series.name;
    const toggle = (): void => {
      alone = pressed ? null : series.name;
      draw();
    };
    const title = 'Show only this one, or all again';
    const name = element(
      'button',
      { type: 'button', 'aria-pressed': String(pressed), title, click: toggle },
      mark,
      series.name,
    );
    const cells = calculations.map((calculation) => {
      const value = reduce(series.values, calculation);
      return element('td', { class: 'number' }, value === null ? '–' : formatValue(value, config.unit, config.decimals));
    });
    const dimmed = alone !== null && !pressed;
    return element('tr', { class: dimmed ? 'dimmed' : '' }, element('td', {}, name), ...cells);
  };

  return {
    async refresh(query) {
      data = await loadLines({ ...query, width: chart.clientWidth || query.width });
      draw();
      return data.series.length > 0;
    },
    redraw: draw,
    destroy: () => {
      plot?.destroy();
      body.replaceChildren();
    },
  };
}

function linesOf(panel: Panel, series: readonly Series[], theme: Theme): Line[] {
  return series.map((one, index) => {
    const config = fieldConfig(panel.fieldConfig, one);
    return { series: one, config, colour: seriesColour(config, index, theme) };
  });
}

/** Grafana names the column as it heads it: `Last *` for the last value that is there. */
function inLegendOrder(lines: readonly Line[], panel: Panel): readonly Line[] {
  const { calcs = [], sortBy, sortDesc = false } = panel.options?.legend ?? {};
  const calculation = calcs.find((name) => sortBy?.replace(/ \*$/, '') === calculationHeading(name));
  if (calculation === undefined) return lines;
  const keyed = lines.map((line) => ({ line, value: reduce(line.series.values, calculation) ?? -Infinity }));
  return keyed.sort((a, b) => (sortDesc ? b.value - a.value : a.value - b.value)).map(({ line }) => line);
}

const isStacked = (lines: readonly Line[]): boolean => lines[0]?.config.custom?.stacking?.mode === 'normal';

function plotted(lines: readonly Line[]): (number | null)[][] {
  const drawn = lines.map(({ series, config }) =>
    config.custom?.transform === 'negative-Y' ? series.values.map((value) => value && -value) : series.values,
  );
  const finite = drawn.map((values) => values.map((value) => (Number.isFinite(value) ? value : null)));
  return isStacked(lines) ? stacked(finite) : finite;
}

function plotOptions(panel: Panel, lines: readonly Line[], chart: HTMLElement, theme: Theme): uPlot.Options {
  const defaults = panel.fieldConfig?.defaults ?? {};
  const ink = theme === 'dark' ? '#9aa3b2' : '#5a6372';
  const grid = { stroke: theme === 'dark' ? '#ffffff12' : '#00000012', width: 1 };
  const axis = { stroke: ink, font: FONT, grid, ticks: { show: false } };
  return {
    width: chart.clientWidth,
    height: chart.clientHeight,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: {
      sync: { key: CROSSHAIR.key, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
    },
    scales: { x: { time: true }, y: { range: (_, low, high) => valueRange(low, high, defaults) } },
    axes: [
      { ...axis, size: 28, space: 70, values: (_, splits, __, ___, step) => splits.map((time) => tick(time, step)) },
      {
        ...axis,
        size: (_, labels) => 14 + 6.4 * Math.max(3, ...(labels ?? []).map((label) => label.length)),
        space: 28,
        values: (_, splits) => formatTicks(splits, defaults.unit),
        ...(countsInPowersOfTwo(defaults.unit) ? { incrs: POWERS_OF_TWO } : {}),
      },
    ],
    series: [{}, ...lines.map((line) => plotSeries(line))],
    ...(isStacked(lines) ? { bands: bandsBetween(lines) } : {}),
  };
}

function plotSeries({ series, config, colour }: Line): uPlot.Series {
  const custom = config.custom ?? {};
  const opacity = (custom.fillOpacity ?? 0) / 100;
  const dash = custom.lineStyle?.fill === 'dash' ? { dash: custom.lineStyle.dash ?? [8, 6] } : {};
  return {
    label: series.name,
    stroke: colour,
    width: (custom.lineWidth ?? 1) * 1.4,
    ...(opacity > 0 ? { fill: translucent(colour, opacity), fillTo: 0 } : {}),
    ...dash,
    points: { show: series.values.filter((value) => value !== null).length < 2, size: 5 },
  };
}

/** Each stacked series fills the room down to the one below it. */
function bandsBetween(lines: readonly Line[]): uPlot.Band[] {
  return lines.slice(1).map(({ colour, config }, index) => ({
    series: [index + 2, index + 1],
    fill: translucent(colour, (config.custom?.fillOpacity ?? 0) / 100),
  }));
}

function valueRange(low: number | null, high: number | null, config: FieldConfig): uPlot.Range.MinMax {
  const [bottom, top] = uPlot.rangeNum(low ?? 0, high ?? 1, 0.1, true);
  const from = config.min ?? bottom ?? 0;
  const to = config.max ?? top ?? 1;
  return [from, to > from ? to : from + 1];
}

/** A tick on the time axis: seconds only where ticks are closer than a minute, the date at midnight. */
function tick(time: number, step: number): string {
  const date = new Date(time * 1000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0;
  if (step >= 86_400 || (midnight && step >= 3_600)) {
    return date.toLocaleDateString('en-GB', { day: '2-digit', month: 'short' });
  }
  const clock: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return date.toLocaleTimeString('en-GB', step < 60 ? { ...clock, second: '2-digit' } : clock);
}

function zoomTo(plot: uPlot, zoom: (from: number, to: number) => void): void {
  const { left, width } = plot.select;
  if (width < 6) return;
  const [from, to] = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  zoom(from, to);
}

/** The limits as dashed lines across the chart. */
function thresholdLines(panel: Panel, theme: Theme): uPlot.Plugin {
  const { thresholds, custom } = panel.fieldConfig?.defaults ?? {};
  const mode = custom?.thresholdsStyle?.mode ?? 'off';
  const steps = mode === 'off' ? [] : (thresholds?.steps ?? []).filter((step) => step.value !== null);
  const draw = (plot: uPlot): void => {
    const { ctx, bbox } = plot;
    const { min = -Infinity, max = Infinity } = plot.scales['y'] ?? {};
    ctx.save();
    ctx.setLineDash(mode.startsWith('dashed') ? [6, 6] : []);
    ctx.lineWidth = devicePixelRatio;
    for (const { value, color } of steps) {
      if (value === null || value < min || value > max) continue;
      const y = Math.round(plot.valToPos(value, 'y', true)) + 0.5;
      ctx.strokeStyle = translucent(namedColour(color, theme), 0.55);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  };
  return { hooks: { drawAxes: draw } };
}

/** All values at the crosshair, only on the chart under the pointer; the others show the line alone. */
function tooltipPlugin(panel: Panel, lines: readonly Line[], tooltip: HTMLElement): uPlot.Plugin {
  const descending = panel.options?.tooltip?.sort === 'desc';
  const row = ({ series, config, colour }: Line, value: number): HTMLElement => {
    const mark = element('span', { class: 'mark' });
    mark.style.background = colour;
    const text = formatValue(value, config.unit, config.decimals);
    return element('div', { class: 'tooltip-row' }, mark, element('span', {}, series.name), element('b', {}, text));
  };
  const hide = (): void => {
    tooltip.hidden = true;
  };
  const update = (plot: uPlot): void => {
    const index = plot.cursor.idx;
    const own = plot.over.matches(':hover');
    if (!own || index == null) return hide();
    const read = lines.flatMap((line) => {
      const value = line.series.values[index];
      return value == null ? [] : [{ line, value }];
    });
    if (read.length === 0) return hide();
    if (descending) read.sort((a, b) => b.value - a.value);
    const time = new Date(plot.data[0][index]! * 1000).toLocaleString('sv-SE');
    tooltip.replaceChildren(
      element('div', { class: 'tooltip-time' }, time),
      ...read.map(({ line, value }) => row(line, value)),
    );
    tooltip.hidden = false;
    place(plot, tooltip);
  };
  return {
    hooks: { setCursor: update, init: (plot) => plot.over.addEventListener('mouseleave', hide) },
  };
}

/** Beside the crosshair, on the side with more room. */
function place(plot: uPlot, tooltip: HTMLElement): void {
  const { left = 0, top = 0 } = plot.cursor;
  const rightHalf = left > plot.over.clientWidth / 2;
  const x = plot.over.offsetLeft + left + (rightHalf ? -14 - tooltip.offsetWidth : 14);
  const y = plot.over.offsetTop + Math.min(top, Math.max(plot.over.clientHeight - tooltip.offsetHeight, 0));
  tooltip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
}
