/** Bars side by side for things that have names: one for each row, or one for each number of a row. */

import { namedColour, seriesColour } from '../colours';
import { element, linked, styled } from '../dom';
import { displayName, fieldConfig, show } from '../fields';
import { resolveLink } from '../links';
import { loadTable, type PanelQuery } from '../load';
import { axisPixels, textWidth } from '../measure';
import type { FieldConfig, Panel } from '../model';
import { loadReadings, scopeOf } from '../readings';
import { barSpans, ticksOf, valueRange } from '../scale';
import { formatTicks } from '../units';
import { colourMark } from './charts';
import type { PanelContext, PanelView } from './panel';

interface Bar {
  field: string;
  value: number;
  text: string;
  colour: string;
}

interface Group {
  name: string;
  labels: Record<string, string>;
  config: FieldConfig;
  bars: Bar[];
}

const MOST_GROUPS = 100;
const NAME_PADDING = 6;
/** Of an upright bar, in pixels; what is longer is clipped. */
const WIDEST_NAME = 64;
const TICK_SPACE = { upright: 32, lying: 20 };

export function barChartPanel({ panel, body, theme }: PanelContext): PanelView {
  const { stacking, showValue = 'auto', xTickLabelMaxLength = 0 } = panel.options ?? {};
  const stacks = stacking === 'normal' || stacking === 'percent';
  let groups: (() => Group[]) | null = null;
  let query: PanelQuery | null = null;

  const draw = (): void => {
    const drawn = (groups?.() ?? []).slice(0, MOST_GROUPS);
    const upright = isUpright(panel, drawn, body);
    const fields = new Map(drawn.flatMap(({ bars }) => bars.map(({ field, colour }) => [field, colour] as const)));
    const scrolled = body.querySelector('.bars')?.scrollTop ?? 0;
    const chart = upright ? uprightChart(drawn) : lyingChart(drawn);
    body.replaceChildren(chart, ...(fields.size > 1 && panel.options?.legend?.showLegend !== false ? [legend(fields)] : []));
    chart.scrollTop = scrolled;
  };

  const uprightChart = (drawn: readonly Group[]): HTMLElement => {
    const axis = axisOf(drawn, (body.clientHeight - 24) / TICK_SPACE.upright);
    const label = Math.ceil(Math.max(...axis.ticks.map(({ text }) => textWidth(text, axisPixels())))) + 8;
    const slot = (body.clientWidth - label) / Math.max(drawn.length, 1);
    const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => textWidth(text, axisPixels())));
    const name = Math.min(widest(drawn.map((group) => shortened(group.name))), WIDEST_NAME) + NAME_PADDING;
    const fit = widest(drawn.map(textOf)) <= slot;
    const each = Math.max(Math.ceil(name / slot), 1);
    const items = drawn.map((group, index) => oneGroup(group, axis, fit, index % each === 0));
    const list = element('ul', { 'aria-label': panel.title ?? '' }, ...items);
    const lines = axis.ticks.map(({ at, text }) => tick('bars-tick', at, element('span', {}, text)));
    const scale = element('div', { class: 'bars-scale', 'aria-hidden': 'true' }, ...lines);
    const chart = element('div', { class: 'bars bars-vertical' }, scale, list);
    return styled(chart, { '--label': `${label}px`, '--each': String(each) });
  };

  const lyingChart = (drawn: readonly Group[]): HTMLElement => {
    const longest = Math.max(0, ...drawn.map(({ name }) => textWidth(name, 13)));
    const values = showValue === 'never' ? 0 : Math.max(0, ...drawn.map((group) => textWidth(textOf(group), 12)));
    const width = Math.max(body.clientWidth - Math.min(longest, body.clientWidth * 0.4) - values - 30, 40);
    let axis = axisOf(drawn, width / 60);
    const label = Math.max(...axis.ticks.map(({ text }) => textWidth(text, axisPixels()))) + TICK_SPACE.lying;
    axis = axisOf(drawn, width / label);
    const items = drawn.map((group, index) => styled(oneGroup(group, axis, true, true), { '--row': String(index + 1) }));
    const list = element('ul', { 'aria-label': panel.title ?? '' }, ...items);
    const lines = axis.ticks.map(({ at }) => tick('bars-line', at));
    const labels = axis.ticks.map(({ at, text }) => tick('bars-label', at, text));
    const chart = element(
      'div',
      { class: 'bars bars-horizontal' },
      element('div', { class: 'bars-lines', 'aria-hidden': 'true' }, ...lines),
      list,
      element('div', { class: 'bars-labels', 'aria-hidden': 'true' }, ...labels),
    );
    return styled(chart, { '--rows': String(Math.max(drawn.length, 1)) });
  };

  /** The axis that all groups share; it begins or ends at zero unless the panel says otherwise. */
  const axisOf = (drawn: readonly Group[], most: number): Axis => {
    const defaults = panel.fieldConfig?.defaults ?? {};
    const own = drawn[0]?.config ?? defaults;
    const config = stacking === 'percent' ? { unit: 'percentunit', min: 0, max: 1 } : own;
    const ends = drawn.flatMap(({ bars }) => barSpans(bars.map(({ value }) => value), stacking)).flat();
    const finite = ends.filter(Number.isFinite);
    const range = valueRange(Math.min(0, ...finite), Math.max(0, ...finite), config);
    const place = (value: number): number => Math.min(Math.max((value - range[0]) / (range[1] - range[0]), 0), 1);
    const ticks = ticksOf(range, most, config);
    const texts = formatTicks(ticks, config.unit);
    return { place, ticks: ticks.map((value, index) => ({ at: place(value), text: texts[index]! })) };
  };

  const shortened = (name: string): string =>
    xTickLabelMaxLength > 0 && name.length > xTickLabelMaxLength ? `${name.slice(0, xTickLabelMaxLength)}…` : name;

  const oneGroup = ({ name, labels, config, bars }: Group, axis: Axis, fit: boolean, named: boolean): HTMLElement => {
    const first = bars[0];
    const scope = query && first ? { ...scopeOf({ name, labels, value: first.value, shown: first, config, refId: '' }, query) } : null;
    const link = scope && config.links?.[0] ? resolveLink(config.links[0], scope) : null;
    const spans = barSpans(bars.map(({ value }) => value), stacking);
    const drawn = bars.map(({ field, value, text, colour }, index) => {
      const ends = spans[index]!.map(axis.place);
      return styled(element('span', { class: value < 0 ? 'bar-drawn bar-below' : 'bar-drawn', title: `${name} · ${field}: ${text}` }), {
        '--from': `${Math.min(...ends) * 100}%`,
        '--share': `${Math.abs(ends[1]! - ends[0]!) * 100}%`,
        background: colour,
      });
    });
    const slots = stacks ? [element('span', { class: 'bar-slot' }, ...drawn)] : drawn.map((bar) => element('span', { class: 'bar-slot' }, bar));
    const highest = axis.place(Math.max(0, ...spans.map(([, to]) => to)));
    const seen = showValue === 'always' || (showValue !== 'never' && fit);
    const written = element(
      'span',
      { class: seen ? 'bars-value' : 'bars-value unseen', 'data-value': bars.map(({ value }) => value).join(' ') },
      textOf({ bars }),
    );
    return element(
      'li',
      {},
      element('span', { class: named ? 'bars-name' : 'bars-name unseen', title: name }, linked(link, shortened(name))),
      element('span', { class: 'bars-drawn', 'aria-hidden': 'true' }, ...slots),
      styled(written, { '--top': `${highest * 100}%` }),
    );
  };

  const legend = (fields: ReadonlyMap<string, string>): HTMLElement => {
    const items = [...fields].map(([name, colour]) => element('li', {}, colourMark(colour), name));
    return element('ul', { class: 'bars-legend' }, ...items);
  };

  return {
    async refresh(asked) {
      groups = await load(asked, theme);
      query = asked;
      draw();
      return groups().some(({ bars }) => bars.length > 0);
    },
    redraw: draw,
    destroy: () => body.replaceChildren(),
  };
}

interface Axis {
  /** Where on the axis a value stands, from 0 to 1. */
  place: (value: number) => number;
  ticks: { at: number; text: string }[];
}

const tick = (kind: string, at: number, ...children: (Node | string)[]): HTMLElement =>
  styled(element('span', { class: kind }, ...children), { '--at': `${at * 100}%` });

const textOf = ({ bars }: Pick<Group, 'bars'>): string => bars.map(({ text }) => text).join(' · ');

/** As the panel says; if it leaves that open, upright while names have room below the bars. */
function isUpright(panel: Panel, groups: readonly Group[], body: HTMLElement): boolean {
  const wanted = panel.options?.orientation;
  if (wanted === 'horizontal' || wanted === 'vertical') return wanted === 'vertical';
  const longest = Math.max(24, ...groups.map(({ name }) => textWidth(name, axisPixels())));
  return body.clientWidth >= body.clientHeight && groups.length * Math.min(longest + 12, 110) <= body.clientWidth;
}

async function load(query: PanelQuery, theme: PanelContext['theme']): Promise<() => Group[]> {
  const { panel } = query;
  if (panel.targets?.some(({ format }) => format === 'table')) {
    const { columns, rows } = await loadTable(query);
    const isText = (index: number): boolean => rows.some((row) => typeof row[index] === 'string');
    const wanted = columns.indexOf(panel.options?.xField ?? '');
    const names = wanted >= 0 ? [wanted] : columns.flatMap((_, index) => (isText(index) ? [index] : []));
    const numbers = columns.flatMap((column, index) => (column === 'Time' || isText(index) ? [] : [index]));
    return () =>
      rows.map((row) => ({
        name: names.map((index) => String(row[index] ?? '–')).join(' · '),
        labels: Object.fromEntries(columns.map((column, index) => [column, String(row[index] ?? '')])),
        config: fieldConfig(panel.fieldConfig, { name: columns[numbers[0] ?? 0] ?? '' }),
        bars: numbers.flatMap((index, position) => {
          const value = row[index];
          if (typeof value !== 'number') return [];
          const config = fieldConfig(panel.fieldConfig, { name: columns[index]! });
          const field = displayName(config, { name: columns[index]! });
          return [{ field, value, text: show(value, config).text, colour: colourOf(config, value, position, theme) }];
        }),
      }));
  }
  const readings = await loadReadings(query);
  return () =>
    readings.map(({ name, labels, value, config, shown }) => ({
      name,
      labels,
      config,
      bars: [{ field: panel.title ?? 'Value', value, text: shown.text, colour: colourOf(config, value, 0, theme) }],
    }));
}

function colourOf(config: FieldConfig, value: number, index: number, theme: PanelContext['theme']): string {
  const named = config.color?.mode === 'thresholds' || config.mappings?.length ? show(value, config).colour : null;
  return named && named !== 'text' ? namedColour(named, theme()) : seriesColour(config, index, theme());
}
