/** A table that can be sorted by every column; a cell may be a bar, a coloured word, a link. */

import { inkOn, namedColour, translucent } from '../colours';
import { anchor, element, styled } from '../dom';
import { colourOf, fieldConfig, show, type Shown } from '../fields';
import { type LinkScope, resolveLink } from '../links';
import { loadTable, type PanelQuery } from '../load';
import type { FieldConfig } from '../model';
import { type Cell, inOrder, type Table } from '../tables';
import type { PanelContext, PanelView } from './panel';

interface Order {
  column: string;
  descending: boolean;
}

/** More rows than that are drawn only when they are asked for. */
const ROWS_AT_FIRST = 300;

export function tablePanel({ panel, body, theme }: PanelContext): PanelView {
  const [wanted] = panel.options?.sortBy ?? [];
  let table: Table = { columns: [], rows: [] };
  let query: PanelQuery | null = null;
  let order: Order | null = wanted ? { column: wanted.displayName, descending: wanted.desc ?? false } : null;
  let everything = false;
  const scroll = element('div', { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': panel.title ?? 'Table' });
  body.append(scroll);

  const sortBy = (column: string): void => {
    order = { column, descending: order?.column === column ? !order.descending : true };
    draw();
  };

  const heading = (column: string, config: FieldConfig, numeric: boolean): HTMLElement => {
    const sorted = order?.column === column;
    const direction = sorted ? (order?.descending ? 'descending' : 'ascending') : 'none';
    const made = element(
      'th',
      { scope: 'col', 'aria-sort': direction, class: numeric ? 'number' : '' },
      element('button', { type: 'button', click: () => sortBy(column) }, column),
    );
    return config.custom?.width ? styled(made, { 'min-width': `${Math.min(config.custom.width, 400)}px` }) : made;
  };

  const draw = (): void => {
    const configs = table.columns.map((column) => fieldConfig(panel.fieldConfig, { name: column }));
    const shown = table.columns.flatMap((_, index) => (configs[index]!.custom?.hidden ? [] : [index]));
    const numeric = table.columns.map((_, index) => isNumeric(table, index, configs[index]!));
    const ordered = order ? inOrder(table, order.column, order.descending) : table.rows;
    const rows = (everything ? ordered : ordered.slice(0, ROWS_AT_FIRST)).map((row) => {
      const texts = row.map((cell, index) => show(cell, configs[index]!));
      const scope = scopeOf(row, texts);
      const cells = shown.map((index) => drawCell(row[index]!, texts[index]!, configs[index]!, numeric[index]!, scope));
      return element('tr', {}, ...cells);
    });
    const headings = shown.map((index) => heading(table.columns[index]!, configs[index]!, numeric[index]!));
    const focused = scroll.contains(document.activeElement) ? placeOf(scroll) : -1;
    scroll.replaceChildren(
      element(
        'table',
        { class: 'data' },
        element('thead', {}, element('tr', {}, ...headings)),
        element('tbody', {}, ...rows),
      ),
      ...rest(ordered.length),
    );
    if (focused >= 0) focusable(scroll)[focused]?.focus();
  };

  const rest = (count: number): HTMLElement[] => {
    if (everything || count <= ROWS_AT_FIRST) return [];
    const showAll = (): void => {
      everything = true;
      draw();
    };
    return [element('button', { type: 'button', class: 'button', click: showAll }, `Show all ${count} rows`)];
  };

  /** A column goes under its heading and under the name that the query gave it. */
  const scopeOf = (row: readonly Cell[], texts: readonly Shown[]): LinkScope | null => {
    if (query === null) return null;
    const named = (names: readonly string[]): [string, string][] =>
      names.map((name, index) => [name, typeof row[index] === 'number' ? texts[index]!.text : String(row[index] ?? '')]);
    const fields = Object.fromEntries([...named(table.names ?? []), ...named(table.columns)]);
    return { values: query.values, window: query.window, ...(query.range ? { range: query.range } : {}), fields };
  };

  const drawCell = (cell: Cell, shown: Shown, config: FieldConfig, numeric: boolean, scope: LinkScope | null): HTMLElement => {
    const link = scope && config.links?.[0] && cell !== null ? config.links[0] : null;
    const resolved = link && resolveLink(link, { ...scope!, text: shown.text, raw: cell });
    const content = resolved ? anchor(resolved, shown.text) : shown.text;
    const align = config.custom?.align === 'right' || numeric ? 'number' : typeof cell === 'string' ? 'text' : '';
    const value = typeof cell === 'number' ? { 'data-value': String(cell) } : { title: cell ?? '' };
    const made = element('td', { class: align, ...value });
    const kind = config.custom?.cellOptions?.type ?? 'auto';
    if (kind === 'gauge' && typeof cell === 'number') made.append(bar(cell, content, config));
    else made.append(content);
    return coloured(made, kind, shown);
  };

  const coloured = (cell: HTMLElement, kind: string, { colour }: Shown): HTMLElement => {
    if (colour === null || colour === 'text') return cell;
    const css = namedColour(colour, theme());
    if (kind === 'color-text') return styled(cell, { color: css });
    if (kind !== 'color-background') return cell;
    const strong = theme() === 'light' ? css : translucent(css, 0.85);
    return styled(cell, { background: strong, color: inkOn(css) });
  };

  const bar = (value: number, content: Node | string, config: FieldConfig): HTMLElement => {
    const { mode, fixedColor } = config.color ?? {};
    const name = mode === 'fixed' && fixedColor ? fixedColor : (colourOf(value, config) ?? 'blue');
    const filled = styled(element('span', { class: 'bar-filled' }), {
      width: `${share(value, config) * 100}%`,
      background: namedColour(name, theme()),
    });
    return element('span', { class: 'bar-cell' }, element('span', { class: 'bar' }, filled), element('span', {}, content));
  };

  return {
    async refresh(asked) {
      table = await loadTable(asked);
      query = asked;
      draw();
      return table.rows.length > 0;
    },
    redraw: () => undefined,
    recolour: draw,
    destroy: () => body.replaceChildren(),
  };
}

const focusable = (holder: HTMLElement): HTMLElement[] => [...holder.querySelectorAll<HTMLElement>('button, a')];

const placeOf = (holder: HTMLElement): number => focusable(holder).indexOf(document.activeElement as HTMLElement);

/** Numbers stand to the right; words for numbers stand like words. */
function isNumeric({ rows }: Table, index: number, { mappings = [], custom }: FieldConfig): boolean {
  if (custom?.align && custom.align !== 'auto') return custom.align === 'right';
  return mappings.length === 0 && rows.some((row) => typeof row[index] === 'number');
}

function share(value: number, { min = 0, max = 1 }: FieldConfig): number {
  return Math.min(Math.max((value - min) / (max - min || 1), 0), 1);
}
