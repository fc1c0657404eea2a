/** A table that can be sorted by every column; a cell may be a bar from the column's least to its greatest value. */

import { namedColour, thresholdColour } from '../colours';
import { element } from '../dom';
import { fieldConfig, show } from '../fields';
import { loadInstant } from '../load';
import type { FieldConfig } from '../model';
import { type Cell, type Table, toTable, transformed } from '../tables';
import type { PanelContext, PanelView } from './panel';

interface Order {
  column: string;
  descending: boolean;
}

export function tablePanel({ panel, body, theme }: PanelContext): PanelView {
  const [wanted] = panel.options?.sortBy ?? [];
  let table: Table = { columns: [], rows: [] };
  let order: Order | null = wanted ? { column: wanted.displayName, descending: wanted.desc ?? false } : null;

  const sortBy = (column: string): void => {
    order = { column, descending: order?.column === column ? !order.descending : true };
    draw();
  };

  const heading = (column: string, numeric: boolean): HTMLElement => {
    const sorted = order?.column === column;
    const direction = sorted ? (order?.descending ? 'descending' : 'ascending') : 'none';
    return element(
      'th',
      { scope: 'col', 'aria-sort': direction, class: numeric ? 'number' : '' },
      element('button', { type: 'button', click: () => sortBy(column) }, column),
    );
  };

  const draw = (): void => {
    const configs = table.columns.map((column) => fieldConfig(panel.fieldConfig, { name: column }));
    const numeric = table.columns.map((_, index) => table.rows.some((row) => typeof row[index] === 'number'));
    const rows = inOrder(table, order).map((row) =>
      element('tr', {}, ...row.map((cell, index) => drawCell(cell, configs[index]!, numeric[index]!))),
    );
    const headings = element('tr', {}, ...table.columns.map((column, index) => heading(column, numeric[index]!)));
    body.replaceChildren(
      element(
        'div',
        { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': panel.title ?? 'Table' },
        element('table', { class: 'data' }, element('thead', {}, headings), element('tbody', {}, ...rows)),
      ),
    );
  };

  const drawCell = (cell: Cell, config: FieldConfig, numeric: boolean): HTMLElement => {
    if (cell === null) return element('td', { class: numeric ? 'number' : '' }, '–');
    if (typeof cell === 'string') return element('td', { class: 'text', title: cell }, cell);
    const { text } = show(cell, config);
    if (config.custom?.cellOptions?.type !== 'gauge') return element('td', { class: 'number' }, text);
    const colour = namedColour(thresholdColour(cell, config.thresholds?.steps ?? []), theme());
    const filled = element('span', { class: 'bar-filled' });
    filled.style.width = `${share(cell, config) * 100}%`;
    filled.style.background = colour;
    return element(
      'td',
      { class: 'number' },
      element('span', { class: 'bar-cell' }, element('span', { class: 'bar' }, filled), element('span', {}, text)),
    );
  };

  return {
    async refresh(query) {
      const answers = await loadInstant(query);
      const tables = answers.map(({ target, series }) => toTable(series, target.refId, answers.length === 1));
      table = transformed(tables, panel.transformations ?? []);
      draw();
      return table.rows.length > 0;
    },
    redraw: draw,
    destroy: () => body.replaceChildren(),
  };
}

function share(value: number, { min = 0, max = 1 }: FieldConfig): number {
  return Math.min(Math.max((value - min) / (max - min || 1), 0), 1);
}

/** Rows by the ordered column; what is missing comes last either way. */
function inOrder({ columns, rows }: Table, order: Order | null): Cell[][] {
  const index = order ? columns.indexOf(order.column) : -1;
  if (order === null || index < 0) return rows;
  const direction = order.descending ? -1 : 1;
  return [...rows].sort((left, right) => {
    const [a, b] = [left[index]!, right[index]!];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    if (typeof a === 'number' && typeof b === 'number') return direction * (a - b);
    return direction * String(a).localeCompare(String(b), 'en', { numeric: true });
  });
}
