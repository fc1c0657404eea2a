/** Lines, bars or points over time, drawn by uPlot: tooltip, legend with calculations, thresholds, alert marks. */

import uPlot from 'uplot';
import { namedColour, seriesColour, type Theme, translucent } from '../colours';
import { anchor, element } from '../dom';
import { displayName, fieldConfig, show } from '../fields';
import { calculationHeading, reduce, type Series, stacked } from '../frames';
import { resolveLink } from '../links';
import { type Lines, loadLines, type PanelQuery } from '../load';
import type { FieldConfig, Panel } from '../model';
import { valueRange } from '../scale';
import { summaryOfLines } from '../summaries';
import { formatTicks, tickIncrements } from '../units';
import {
  axisStyle,
  axisWidth,
  colourMark,
  keysMoveCrosshair,
  marksPlugin,
  newTooltip,
  sharedCursor,
  timeAxisOf,
  tooltipPlugin,
  type TooltipRow,
  zoomPlugin,
} from './charts';
import type { PanelContext, PanelView } from './panel';

const MOST_LINES = 200;

interface Line {
  name: string;
  series: Series;
  config: FieldConfig;
  colour: string;
}

export function timeseriesPanel({ panel, body, theme, zoom, marks }: PanelContext): PanelView {
  const chart = element('div', { class: 'chart', tabindex: '0', role: 'img', 'aria-roledescription': 'chart' });
  const tooltip = newTooltip();
  const legend = element('div', { class: 'legend' });
  body.append(chart, legend);
  let data: Lines = { axis: [], series: [] };
  let query: PanelQuery | null = null;
  let plot: uPlot | null = null;
  let drawnAs = '';
  let visible: readonly Line[] = [];
  let alone: string | null = null;
  keysMoveCrosshair(chart, () => plot);

  const draw = (): void => {
    const lines = linesOf(panel, data.series, theme());
    drawLegend(lines);
    chart.setAttribute('aria-label', summaryOfLines(panel.title ?? '', data.axis, lines));
    visible = alone === null ? lines : lines.filter(({ name }) => name === alone);
    if (lines.length === 0 || chart.clientWidth === 0) return clear();
    const look = [theme(), chart.clientWidth, chart.clientHeight, devicePixelRatio, alone];
    const shape = visible.map(({ name, config, colour, series }) => [name, config, colour, isShort(series)]);
    const wanted = JSON.stringify([look, shape]);
    const values = [data.axis, ...plotted(visible)] as uPlot.AlignedData;
    if (plot !== null && wanted === drawnAs) return plot.setData(values);
    clear();
    const options = plotOptions(panel, visible, chart, theme());
    options.plugins = [
      thresholdsPlugin(panel, theme()),
      marksPlugin(marks, theme()),
      zoomPlugin(zoom),
      tooltipPlugin(tooltip, (index) => tooltipRows(panel, visible, index), marks, theme()),
    ];
    plot = new uPlot(options, values, chart);
    drawnAs = wanted;
  };

  const clear = (): void => {
    plot?.destroy();
    plot = null;
  };

  const drawLegend = (lines: readonly Line[]): void => {
    if (alone !== null && !lines.some(({ name }) => name === alone)) alone = null;
    const scrolled = legend.scrollTop;
    const focused = legend.contains(document.activeElement) ? document.activeElement?.textContent : null;
    const shown = lines.filter(({ config }) => !config.custom?.hideFrom?.legend);
    const { showLegend = true, displayMode } = panel.options?.legend ?? {};
    legend.replaceChildren(...(showLegend && displayMode !== 'hidden' ? [legendTable(shown)] : []));
    legend.scrollTop = scrolled;
    if (focused) [...legend.querySelectorAll('button')].find(({ textContent }) => textContent === focused)?.focus();
  };

  const legendTable = (lines: readonly Line[]): HTMLElement => {
    const calculations = panel.options?.legend?.calcs ?? [];
    const head = ['Series', ...calculations.map(calculationHeading)].map((text, index) =>
      element('th', { scope: 'col', class: index > 0 ? 'number' : '' }, text),
    );
    const rows = inLegendOrder(lines, panel).map((line) => legendRow(line, calculations));
    return element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows));
  };

  const legendRow = (line: Line, calculations: readonly string[]): HTMLElement => {
    const { name, series, config, colour } = line;
    const pressed = alone === name;
    const toggle = (): void => {
      alone = pressed ? null : name;
      draw();
    };
    const title = 'Show only this one, or all again';
    const button = element(
      'button',
      { type: 'button', 'aria-pressed': String(pressed), title, click: toggle },
      colourMark(colour),
      name,
    );
    const cells = calculations.map((calculation) => {
      const value = reduce(series.values, calculation);
      return element('td', { class: 'number' }, value === null ? '–' : show(value, config).text);
    });
    const dimmed = alone !== null && !pressed;
    return element('tr', { class: dimmed ? 'dimmed' : '' }, element('td', {}, button, ...links(line)), ...cells);
  };

  const links = ({ name, series, config }: Line): HTMLElement[] => {
    if (query === null) return [];
    const { values, window, range } = query;
    const last = reduce(series.values, 'lastNotNull');
    const text = last === null ? '' : show(last, config).text;
    const scope = { values, window, ...(range ? { range } : {}), name, labels: series.labels, text, raw: last };
    return (config.links ?? []).flatMap((link) => {
      const resolved = resolveLink(link, { ...scope, fields: series.labels });
      return resolved ? [anchor(resolved, '↗')] : [];
    });
  };

  return {
    async refresh(asked) {
      data = await loadLines({ ...asked, width: chart.clientWidth || asked.width });
      query = asked;
      draw();
      return data.series.length > 0;
    },
    redraw: draw,
    remark: () => plot?.redraw(false),
    destroy: () => {
      clear();
      tooltip.remove();
      body.replaceChildren();
    },
  };
}

/** Too few values for a line: they are drawn as points. */
const isShort = ({ values }: Series): boolean => values.filter((value) => value !== null).length < 2;

function tooltipRows(panel: Panel, lines: readonly Line[], index: number): TooltipRow[] {
  const read = lines.flatMap((line) => {
    const value = line.series.values[index];
    return value == null || line.config.custom?.hideFrom?.tooltip ? [] : [{ line, value }];
  });
  if (panel.options?.tooltip?.sort === 'desc') read.sort((a, b) => b.value - a.value);
  if (panel.options?.tooltip?.sort === 'asc') read.sort((a, b) => a.value - b.value);
  return read.map(({ line, value }) => ({ name: line.name, text: show(value, line.config).text, colour: line.colour }));
}

function linesOf(panel: Panel, series: readonly Series[], theme: Theme): Line[] {
  const lines = series.slice(0, MOST_LINES).map((one, index) => {
    const config = fieldConfig(panel.fieldConfig, one);
    return { name: displayName(config, one), series: one, config, colour: seriesColour(config, index, theme) };
  });
  return lines.filter(({ config }) => !config.custom?.hideFrom?.viz);
}

/** Grafana names the column as it heads it: `Last *` for the last value that is there. */
function inLegendOrder(lines: readonly Line[], panel: Panel): readonly Line[] {
  const { calcs = [], sortBy, sortDesc = false } = panel.options?.legend ?? {};
  const calculation = calcs.find((name) => sortBy?.replace(/ \*$/, '') === calculationHeading(name));
  if (calculation === undefined) return lines;
  const keyed = lines.map((line) => ({ line, value: reduce(line.series.values, calculation) ?? -Infinity }));
  return keyed.sort((a, b) => (sortDesc ? b.value - a.value : a.value - b.value)).map(({ line }) => line);
}

const isStacked = (lines: readonly Line[]): boolean => {
  const mode = lines[0]?.config.custom?.stacking?.mode;
  return mode === 'normal' || mode === 'percent';
};

function plotted(lines: readonly Line[]): (number | null)[][] {
  const drawn = lines.map(({ series, config }) =>
    config.custom?.transform === 'negative-Y' ? series.values.map((value) => value && -value) : series.values,
  );
  const logarithmic = isLogarithmic(lines[0]?.config);
  const finite = drawn.map((values) =>
    values.map((value) => (Number.isFinite(value) && !(logarithmic && value! <= 0) ? value : null)),
  );
  if (!isStacked(lines)) return finite;
  const totals = stacked(finite);
  return areBars(lines) ? totals.lines : [...totals.lines, ...totals.areas];
}

const areBars = (lines: readonly Line[]): boolean => lines[0]?.config.custom?.drawStyle === 'bars';

const isLogarithmic = (config: FieldConfig | undefined): boolean => config?.custom?.scaleDistribution?.type === 'log';

function plotOptions(panel: Panel, lines: readonly Line[], chart: HTMLElement, theme: Theme): uPlot.Options {
  const defaults = panel.fieldConfig?.defaults ?? {};
  const axis = axisStyle(theme);
  const label = defaults.custom?.axisLabel;
  const logarithmic = isLogarithmic(defaults);
  const increments = tickIncrements(defaults.unit);
  const range = (_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax =>
    valueRange(low, high, defaults);
  const scale: uPlot.Scale = logarithmic ? { distr: 3, log: defaults.custom?.scaleDistribution?.log === 2 ? 2 : 10 } : { range };
  return {
    width: chart.clientWidth,
    height: chart.clientHeight,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: sharedCursor,
    scales: { x: { time: true }, y: scale },
    axes: [
      timeAxisOf(theme),
      {
        ...axis,
        size: (_, labels) => axisWidth((labels ?? []).map((text) => text ?? '')),
        space: 28,
        values: (_, splits) => formatTicks(splits, defaults.unit),
        ...(label ? { label, labelSize: 18, labelFont: axis.font! } : {}),
        ...(increments && !logarithmic ? { incrs: increments } : {}),
      },
    ],
    ...(isStacked(lines) ? stackedSeries(lines) : { series: [{}, ...lines.map(plotSeries)] }),
  };
}

function plotSeries({ name, series, config, colour }: Line): uPlot.Series {
  const custom = config.custom ?? {};
  const bars = custom.drawStyle === 'bars';
  const opacity = (custom.fillOpacity ?? (bars ? 70 : 0)) / 100;
  const dash = custom.lineStyle?.fill === 'dash' ? { dash: custom.lineStyle.dash ?? [8, 6] } : {};
  const paths = pathsOf(custom.drawStyle, custom.lineInterpolation);
  return {
    label: name,
    stroke: colour,
    width: custom.drawStyle === 'points' ? 0 : (custom.lineWidth ?? 1) * (bars ? 1 : 1.4),
    spanGaps: custom.spanNulls === true,
    ...(opacity > 0 ? { fill: translucent(colour, opacity), fillTo: 0 } : {}),
    ...dash,
    ...(paths ? { paths } : {}),
    points: { show: !bars && (isShort(series) || custom.drawStyle === 'points' || custom.showPoints === 'always'), size: 5 },
  };
}

function pathsOf(drawStyle: string | undefined, interpolation: string | undefined): uPlot.Series.PathBuilder | undefined {
  const { bars, spline, stepped } = uPlot.paths;
  if (drawStyle === 'bars') return bars?.({ size: [0.8, 60, 1], align: 0 });
  if (interpolation === 'smooth') return spline?.();
  if (interpolation === 'stepAfter') return stepped?.({ align: 1 });
  return interpolation === 'stepBefore' ? stepped?.({ align: -1 }) : undefined;
}

/** Each stacked series fills the room down to the one below it; of lines, unseen ones without gaps bound the areas. */
function stackedSeries(lines: readonly Line[]): Pick<uPlot.Options, 'series' | 'bands'> {
  const drawn = lines.map(plotSeries);
  const ground = areBars(lines) ? 1 : lines.length + 1;
  const fillOf = ({ colour, config }: Line): string => translucent(colour, (config.custom?.fillOpacity ?? 0) / 100);
  const bands = lines.slice(1).map((line, index) => ({
    series: [ground + index + 1, ground + index] as uPlot.Band.Bounds,
    fill: fillOf(line),
  }));
  if (ground === 1) return { series: [{}, ...drawn], bands };
  const edges = lines.map((line, index): uPlot.Series => {
    const { paths } = drawn[index]!;
    const bounds = { stroke: 'transparent', width: 0, fill: fillOf(line), fillTo: 0, points: { show: false } };
    return paths ? { ...bounds, paths } : bounds;
  });
  const strokes = drawn.map(({ fill: _, ...stroke }) => stroke);
  return { series: [{}, ...strokes, ...edges], bands };
}

/** The limits as lines across the chart, and as areas above them. */
function thresholdsPlugin(panel: Panel, theme: Theme): uPlot.Plugin {
  const { thresholds, custom } = panel.fieldConfig?.defaults ?? {};
  const mode = custom?.thresholdsStyle?.mode ?? 'off';
  const steps = mode === 'off' || thresholds?.mode === 'percentage' ? [] : (thresholds?.steps ?? []);
  const draw = (plot: uPlot): void => {
    const { ctx, bbox } = plot;
    const { min = -Infinity, max = Infinity } = plot.scales['y'] ?? {};
    const place = (value: number): number => Math.round(plot.valToPos(value, 'y', true)) + 0.5;
    ctx.save();
    if (mode.startsWith('dashed')) ctx.setLineDash([6 * devicePixelRatio, 6 * devicePixelRatio]);
    ctx.lineWidth = devicePixelRatio;
    steps.forEach(({ value, color }, index) => {
      if (value === null || value > max) return;
      const y = place(Math.max(value, min));
      if (mode.includes('area')) {
        const next = steps[index + 1]?.value ?? max;
        ctx.fillStyle = translucent(namedColour(color, theme), 0.1);
        ctx.fillRect(bbox.left, place(Math.min(next, max)), bbox.width, y - place(Math.min(next, max)));
      }
      if (mode === 'area' || value < min) return;
      ctx.strokeStyle = translucent(namedColour(color, theme), 0.55);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    });
    ctx.restore();
  };
  return { hooks: { drawAxes: draw } };
}
