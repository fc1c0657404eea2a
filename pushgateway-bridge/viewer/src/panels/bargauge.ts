/** A bar for each series, from the least to the greatest value there can be. */

import { namedColour, seriesColour } from '../colours';
import { element, linked, styled } from '../dom';
import { resolveLink } from '../links';
import type { PanelQuery } from '../load';
import { loadReadings, type Reading, scopeOf } from '../readings';
import type { PanelContext, PanelView } from './panel';

export function barGaugePanel({ panel, body, theme }: PanelContext): PanelView {
  let readings: Reading[] = [];
  let query: PanelQuery | null = null;

  const draw = (): void => {
    const highest = Math.max(0, ...readings.map(({ value }) => value).filter(Number.isFinite));
    const lowest = Math.min(0, ...readings.map(({ value }) => value).filter(Number.isFinite));
    const direction = panel.options?.orientation === 'vertical' ? 'vertical' : 'horizontal';
    const scrolled = body.firstElementChild?.scrollTop ?? 0;
    const bars = readings.map((reading, index) => bar(reading, index, lowest, highest));
    body.replaceChildren(element('ul', { class: `gauge gauge-${direction}`, 'aria-label': panel.title ?? '' }, ...bars));
    body.firstElementChild!.scrollTop = scrolled;
  };

  const bar = (reading: Reading, index: number, lowest: number, highest: number): HTMLElement => {
    const { name, value, config, shown } = reading;
    const { min = lowest, max = highest } = config;
    const share = Number.isFinite(value) ? Math.min(Math.max((value - min) / (max - min || 1), 0), 1) : 0;
    const byPalette = config.color?.mode?.startsWith('palette') ?? false;
    const colour = shown.colour && !byPalette ? namedColour(shown.colour, theme()) : seriesColour(config, index, theme());
    const resolved = query && config.links?.[0] ? resolveLink(config.links[0], scopeOf(reading, query)) : null;
    const filled = styled(element('span', { class: 'gauge-filled' }), { '--share': `${share * 100}%`, background: colour });
    return element(
      'li',
      {},
      element('span', { class: 'gauge-name', title: name }, linked(resolved, name)),
      element('span', { class: 'gauge-bar', 'aria-hidden': 'true' }, filled),
      styled(element('span', { class: 'gauge-value', 'data-value': String(value) }, shown.text), { color: colour }),
    );
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
