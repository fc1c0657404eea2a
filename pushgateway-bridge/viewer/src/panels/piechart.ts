/** Shares of a whole, as a ring or a disc with a legend that has the numbers. */

import { namedColour, seriesColour } from '../colours';
import { drawing, element, linked } from '../dom';
import { resolveLink } from '../links';
import type { PanelQuery } from '../load';
import { loadReadings, type Reading, scopeOf } from '../readings';
import { formatValue } from '../units';
import { colourMark } from './charts';
import type { PanelContext, PanelView } from './panel';

const RADIUS = 100;
const HOLE = 60;

export function pieChartPanel({ panel, body, theme }: PanelContext): PanelView {
  let readings: Reading[] = [];
  let query: PanelQuery | null = null;

  const colourOf = ({ config, shown }: Reading, index: number): string => {
    const named = config.color?.mode === 'thresholds' || config.mappings?.length ? shown.colour : null;
    return named ? namedColour(named, theme()) : seriesColour(config, index, theme());
  };

  const draw = (): void => {
    const slices = ordered(readings, panel.options?.sort);
    const total = slices.reduce((sum, { value }) => sum + value, 0);
    const wide = body.clientWidth > body.clientHeight * 1.3;
    const side = wide ? 'pie pie-beside' : 'pie';
    body.replaceChildren(
      element('div', { class: side }, pie(slices, total), legend(slices, total)),
    );
  };

  const pie = (slices: readonly Reading[], total: number): SVGElement => {
    const told = slices.slice(0, 8).map(({ name, shown, value }) => `${name} ${shown.text}, ${percent(value, total)}`);
    const hole = panel.options?.pieType === 'donut' ? HOLE : 0;
    let start = 0;
    const drawn = slices.map((slice, index) => {
      const share = total > 0 ? slice.value / total : 0;
      const path = drawing(
        'path',
        { d: sector(start, start + share, hole), fill: colourOf(slice, index), class: 'pie-slice', 'fill-rule': 'evenodd' },
        drawing('title', {}, `${slice.name}: ${slice.shown.text} (${percent(slice.value, total)})`),
      );
      start += share;
      return path;
    });
    const label = `${panel.title ?? ''}: ${told.join('; ')}`;
    return drawing('svg', { viewBox: '-102 -102 204 204', role: 'img', 'aria-label': label }, ...drawn);
  };

  const legend = (slices: readonly Reading[], total: number): HTMLElement => {
    const rows = slices.map((slice, index) => {
      const link = query && slice.config.links?.[0] ? resolveLink(slice.config.links[0], scopeOf(slice, query)) : null;
      return element(
        'tr',
        {},
        element('td', { title: slice.name }, colourMark(colourOf(slice, index)), linked(link, slice.name)),
        element('td', { class: 'number', 'data-value': String(slice.value) }, slice.shown.text),
        element('td', { class: 'number' }, percent(slice.value, total)),
      );
    });
    return element('div', { class: 'legend' }, element('table', {}, element('tbody', {}, ...rows)));
  };

  return {
    async refresh(asked) {
      readings = (await loadReadings(asked)).filter(({ value }) => Number.isFinite(value) && value >= 0);
      query = asked;
      draw();
      return readings.some(({ value }) => value > 0);
    },
    redraw: draw,
    destroy: () => body.replaceChildren(),
  };
}

const percent = (value: number, total: number): string => formatValue(total > 0 ? value / total : 0, 'percentunit', 0);

function ordered(readings: readonly Reading[], sort = 'desc'): Reading[] {
  if (sort === 'none') return [...readings];
  return [...readings].sort((a, b) => (sort === 'asc' ? a.value - b.value : b.value - a.value));
}

/** From one part of the circle (0 to 1, from the top, clockwise) to another. */
function sector(from: number, to: number, hole: number): string {
  if (to - from >= 0.9999) return circle(RADIUS) + (hole ? circle(hole) : '');
  const at = (part: number, radius: number): string => {
    const angle = part * 2 * Math.PI;
    return `${(Math.sin(angle) * radius).toFixed(3)} ${(-Math.cos(angle) * radius).toFixed(3)}`;
  };
  const large = to - from > 0.5 ? 1 : 0;
  const outer = `M ${at(from, RADIUS)} A ${RADIUS} ${RADIUS} 0 ${large} 1 ${at(to, RADIUS)}`;
  return hole ? `${outer} L ${at(to, hole)} A ${hole} ${hole} 0 ${large} 0 ${at(from, hole)} Z` : `${outer} L 0 0 Z`;
}

const circle = (radius: number): string =>
  `M 0 ${-radius} A ${radius} ${radius} 0 1 1 0 ${radius} A ${radius} ${radius} 0 1 1 0 ${-radius} Z`;
