/** One number (or one name) for each series, as large as it fits, coloured by its threshold. */

import { inkOn, namedColour } from '../colours';
import { drawing, element, linked, styled } from '../dom';
import { resolveLink } from '../links';
import type { PanelQuery } from '../load';
import { textWidth } from '../measure';
import { loadReadings, type Reading, scopeOf } from '../readings';
import type { PanelContext, PanelView } from './panel';

export function statPanel({ panel, body, theme }: PanelContext): PanelView {
  const { textMode = 'auto', colorMode = 'value', graphMode = 'none' } = panel.options ?? {};
  let readings: Reading[] = [];
  let query: PanelQuery | null = null;

  const draw = (): void => {
    body.replaceChildren(element('div', { class: 'stat' }, ...readings.map(oneStat)));
  };

  const oneStat = (reading: Reading): HTMLElement => {
    const { name, value, shown, config, history } = reading;
    const text = textMode === 'name' ? name : shown.text;
    const colour = shown.colour === null || colorMode === 'none' ? null : namedColour(shown.colour, theme());
    const resolved = query && config.links?.[0] ? resolveLink(config.links[0], scopeOf(reading, query)) : null;
    const number = element('span', { class: 'stat-value', 'data-value': String(value) }, linked(resolved, text));
    styled(number, { '--width': (Math.max(textWidth(text, 100, 600), 250) / 100).toFixed(2) });
    const labelled = textMode === 'value_and_name' || (readings.length > 1 && !['name', 'value'].includes(textMode));
    const label = labelled ? [element('span', { class: 'stat-name' }, name)] : [];
    const item = element('div', { class: 'stat-item' }, ...label, number);
    if (colour !== null) paint(item, number, colour);
    if (graphMode === 'area' && history) item.prepend(sparkline(history, colour ?? namedColour('blue', theme())));
    return item;
  };

  const paint = (item: HTMLElement, number: HTMLElement, colour: string): void => {
    if (!colorMode.startsWith('background')) return void styled(number, { color: colour });
    item.classList.add('stat-painted');
    styled(item, { 'background-color': colour, color: inkOn(colour) });
  };

  return {
    async refresh(asked) {
      readings = await loadReadings(asked);
      query = asked;
      draw();
      return readings.length > 0;
    },
    redraw: draw,
    destroy: () => body.replaceChildren(),
  };
}

/** The course over the time range, behind the number. */
function sparkline(history: readonly (number | null)[], colour: string): SVGElement {
  const values = history.flatMap((value, index) => (value === null || !Number.isFinite(value) ? [] : [[index, value] as const]));
  const low = Math.min(...values.map(([, value]) => value));
  const high = Math.max(...values.map(([, value]) => value));
  const points = values.map(([index, value]) => {
    const x = (index / Math.max(history.length - 1, 1)) * 100;
    const y = 100 - ((value - low) / (high - low || 1)) * 90;
    return `${x.toFixed(2)},${y.toFixed(2)}`;
  });
  const view = { class: 'sparkline', viewBox: '0 0 100 100', preserveAspectRatio: 'none', 'aria-hidden': 'true' };
  const first = points[0]?.split(',')[0] ?? '0';
  const last = points[points.length - 1]?.split(',')[0] ?? '100';
  return drawing(
    'svg',
    view,
    drawing('polygon', { points: `${first},100 ${points.join(' ')} ${last},100`, fill: colour, 'fill-opacity': 0.15 }),
    drawing('polyline', { points: points.join(' '), fill: 'none', stroke: colour, 'vector-effect': 'non-scaling-stroke' }),
  );
}
