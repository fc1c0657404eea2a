/** One number (or one name) for each series, as large as it fits, coloured by its threshold. */

import { namedColour } from '../colours';
import { element } from '../dom';
import { fieldConfig, show } from '../fields';
import { parseValue, reduce, seriesName } from '../frames';
import { loadInstant, loadLines, type PanelQuery } from '../load';
import type { PanelContext, PanelView } from './panel';

interface Reading {
  name: string;
  refId: string;
  value: number;
}

export function statPanel({ panel, body, theme }: PanelContext): PanelView {
  let readings: Reading[] = [];

  const draw = (): void => {
    body.replaceChildren(element('div', { class: 'stat' }, ...readings.map(oneStat)));
  };

  const oneStat = ({ name, refId, value }: Reading): HTMLElement => {
    const shown = show(value, fieldConfig(panel.fieldConfig, { name, refId }));
    const text = panel.options?.textMode === 'name' ? name : shown.text;
    const number = element('span', { class: 'stat-value', 'data-value': String(value) }, text);
    number.style.setProperty('--characters', String(Math.max(text.length, 4)));
    if (shown.colour !== null) number.style.color = namedColour(shown.colour, theme());
    const labelled = readings.length > 1 && panel.options?.textMode !== 'name';
    return element('div', { class: 'stat-item' }, ...(labelled ? [element('span', { class: 'stat-name' }, name)] : []), number);
  };

  return {
    async refresh(query) {
      readings = await read(query);
      draw();
      return readings.length > 0;
    },
    redraw: draw,
    destroy: () => body.replaceChildren(),
  };
}

async function read(query: PanelQuery): Promise<Reading[]> {
  if (query.panel.targets?.every((target) => target.instant)) {
    const answers = await loadInstant(query);
    return answers.flatMap(({ target, series }) =>
      series.map(({ metric, values }) => ({
        name: seriesName(metric, target.legendFormat),
        refId: target.refId,
        value: parseValue(values[0]![1]),
      })),
    );
  }
  const calculation = query.panel.options?.reduceOptions?.calcs?.[0] ?? 'lastNotNull';
  const { series } = await loadLines(query);
  return series.flatMap(({ name, refId, values }) => {
    const value = reduce(values, calculation);
    return value === null ? [] : [{ name, refId, value }];
  });
}
