/** Bars side by side for things that have names: one for each row, or one for each number of a row. */

import { namedColour, seriesColour } from '../colours';
import { element, linked, styled } from '../dom';
import { displayName, fieldConfig, show } from '../fields';
import { resolveLink } from '../links';
import { loadTable, type PanelQuery } from '../load';
import type { FieldConfig, Panel } from '../model';
import { loadReadings, scopeOf } from '../readings';
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

export function barChartPanel({ panel, body, theme }: PanelContext): PanelView {
  const stacking = ['normal', 'percent'].includes(panel.options?.stacking ?? '');
  let groups: (() => Group[]) | null = null;
  let query: PanelQuery | null = null;

  const draw = (): void => {
    const drawn = (groups?.() ?? []).slice(0, MOST_GROUPS);
    const highest = Math.max(0, ...drawn.map(({ bars }) => heightOf(bars)));
    const direction = directionOf(panel, drawn, body.clientWidth);
    const fields = new Map(drawn.flatMap(({ bars }) => bars.map(({ field, colour }) => [field, colour] as const)));
    const list = element('ul', { class: `bars bars-${direction}`, 'aria-label': panel.title ?? '' });
    list.append(...drawn.map((group) => oneGroup(group, highest, direction === 'vertical')));
    const scrolled = body.querySelector('.bars')?.scrollTop ?? 0;
    body.replaceChildren(list, ...(fields.size > 1 && panel.options?.legend?.showLegend !== false ? [legend(fields)] : []));
    list.scrollTop = scrolled;
  };

  const heightOf = (bars: readonly Bar[]): number => {
    const values = bars.map(({ value }) => Math.max(value, 0));
    return stacking ? values.reduce((a, b) => a + b, 0) : Math.max(0, ...values);
  };

  const oneGroup = ({ name, labels, config, bars }: Group, highest: number, upright: boolean): HTMLElement => {
    const first = bars[0];
    const scope = query && first ? { ...scopeOf({ name, labels, value: first.value, shown: first, config, refId: '' }, query) } : null;
    const link = scope && config.links?.[0] ? resolveLink(config.links[0], scope) : null;
    const whole = config.max ?? highest;
    // Upright bars stand in a box as tall as the tallest of them, so that the numbers stand right above.
    const top = upright ? heightOf(bars) : whole;
    const box = element('span', { class: stacking ? 'bars-drawn bars-stacked' : 'bars-drawn', 'aria-hidden': 'true' });
    styled(box, { '--tallest': String(Math.min(heightOf(bars) / (whole || 1), 1)) });
    const drawn = bars.map(({ field, value, text, colour }) => {
      const bar = styled(element('span', { class: 'bar-drawn', title: `${name} · ${field}: ${text}` }), {
        '--share': `${Math.min(Math.max(value / (top || 1), 0), 1) * 100}%`,
        background: colour,
      });
      return stacking ? bar : element('span', { class: 'bar-slot' }, bar);
    });
    box.append(...drawn);
    const text = bars.map((bar) => bar.text).join(' · ');
    return element(
      'li',
      {},
      element('span', { class: 'bars-name', title: name }, linked(link, name)),
      box,
      element('span', { class: 'bars-value', 'data-value': bars.map(({ value }) => value).join(' ') }, text),
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

/** Upright while names have room below the bars. */
function directionOf(panel: Panel, groups: readonly Group[], width: number): 'horizontal' | 'vertical' {
  const wanted = panel.options?.orientation;
  if (wanted === 'horizontal') return 'horizontal';
  const longest = Math.max(4, ...groups.map(({ name }) => name.length));
  return groups.length * Math.min(longest * 7 + 12, 110) <= width ? 'vertical' : 'horizontal';
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
