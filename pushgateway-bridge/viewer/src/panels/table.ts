/** A table that can be sorted by every column; a cell may be a bar, a coloured word, a link. Of a long one only what is in sight is drawn. */

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

/** Of more rows than that only those in sight are drawn, and they can be searched. */
const MOST_DRAWN = 150;
/** Drawn above and below what is in sight, so that Tab finds the next link. */
const BEYOND = 20;
const ROW_PIXELS = 33;

export function tablePanel({ panel, body, theme }: PanelContext): PanelView {
  const [wanted] = panel.options?.sortBy ?? [];
  let table: Table = { columns: [], rows: [] };
  let query: PanelQuery | null = null;
  let order: Order | null = wanted ? { column: wanted.displayName, descending: wanted.desc ?? false } : null;
  /** The rows that the search leaves, in order. */
  let rows: readonly Cell[][] = [];
  let configs: FieldConfig[] = [];
  let shown: number[] = [];
  let numeric: boolean[] = [];
  let drawn = new Map<number, HTMLElement>();
  let rowPixels = ROW_PIXELS;
  let texts: string[] | null = null;
  const scroll = element('div', { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': panel.title ?? 'Table' });
  const field = element('input', { type: 'search', placeholder: 'Find rows', 'aria-label': `Find rows of ${panel.title ?? 'the table'}` });
  const found = element('span', { class: 'muted', role: 'status' });
  const search = element('div', { class: 'table-search', hidden: true }, field, found);
  const rowsBody = element('tbody');
  const above = spacer();
  const below = spacer();
  body.append(search, scroll);
  field.addEventListener('input', () => {
    draw();
    scroll.scrollTop = 0;
  });
  scroll.addEventListener('scroll', () => drawSight());

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
    configs = table.columns.map((column) => fieldConfig(panel.fieldConfig, { name: column }));
    shown = table.columns.flatMap((_, index) => (configs[index]!.custom?.hidden ? [] : [index]));
    numeric = table.columns.map((_, index) => isNumeric(table, index, configs[index]!));
    search.hidden = table.rows.length <= MOST_DRAWN;
    const left = { ...table, rows: searched() };
    rows = order ? inOrder(left, order.column, order.descending) : left.rows;
    const count = rows.length === table.rows.length ? `${rows.length} rows` : `${rows.length} of ${table.rows.length} rows`;
    if (found.textContent !== count) found.textContent = count;
    const headings = shown.map((index) => heading(table.columns[index]!, configs[index]!, numeric[index]!));
    const focused = scroll.contains(document.activeElement) ? placeOf(scroll) : -1;
    const { scrollTop, scrollLeft } = scroll;
    drawn = new Map();
    rowsBody.replaceChildren();
    scroll.replaceChildren(
      element(
        'table',
        { class: 'data', 'aria-rowcount': String(rows.length + 1) },
        element('thead', {}, element('tr', { 'aria-rowindex': '1' }, ...headings), ...widest()),
        rowsBody,
      ),
    );
    drawSight(scrollTop);
    scroll.scrollTo({ top: scrollTop, left: scrollLeft, behavior: 'instant' });
    if (focused >= 0) focusable(scroll)[focused]?.focus({ preventScroll: true });
    // A table that is as high as its rows allow has its height only now.
    requestAnimationFrame(() => drawSight());
  };

  /** The rows in which the words that are looked for stand anywhere. */
  const searched = (): Cell[][] => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (search.hidden || words.length === 0) return table.rows;
    texts ??= table.rows.map((row) => shown.map((index) => show(row[index]!, configs[index]!).text).join('\n').toLowerCase());
    return table.rows.filter((_, index) => words.every((word) => texts![index]!.includes(word)));
  };

  /** Draws the rows in sight; those that are drawn already stay, and with them the focus. */
  const drawSight = (top = scroll.scrollTop): void => {
    const all = rows.length <= MOST_DRAWN;
    const seen = Math.ceil(scroll.clientHeight / rowPixels);
    const at = Math.min(Math.floor(top / rowPixels), Math.max(rows.length - seen, 0));
    const first = all ? 0 : Math.max(at - BEYOND, 0);
    const last = all ? rows.length : Math.min(at + seen + 1 + BEYOND, rows.length);
    if (drawn.size === last - first && (drawn.size === 0 || drawn.has(first))) return;
    const focusedInside = rowsBody.contains(document.activeElement);
    const kept = drawn;
    drawn = new Map();
    for (let index = first; index < last; index++) drawn.set(index, kept.get(index) ?? drawRow(index));
    for (const [index, row] of kept) if (!drawn.has(index)) row.remove();
    arrange([...(first > 0 ? [above] : []), ...drawn.values(), ...(last < rows.length ? [below] : [])]);
    if (kept.size === 0) rowPixels = rowHeight([...drawn.values()]) || rowPixels;
    styled(above, { height: `${first * rowPixels}px` });
    styled(below, { height: `${(rows.length - last) * rowPixels}px` });
    if (focusedInside && !rowsBody.contains(document.activeElement)) scroll.focus({ preventScroll: true });
  };

  /** Elements that are in their place already are not touched: one that is moved loses the focus. */
  const arrange = (wanted: readonly HTMLElement[]): void => {
    if (!wanted.includes(above)) above.remove();
    if (!wanted.includes(below)) below.remove();
    let at = rowsBody.firstElementChild;
    for (const one of wanted) {
      if (one === at) at = at.nextElementSibling;
      else rowsBody.insertBefore(one, at);
    }
  };

  const drawRow = (position: number): HTMLElement => {
    const row = rows[position]!;
    const told = row.map((cell, index) => show(cell, configs[index]!));
    const scope = scopeOf(row, told);
    const cells = shown.map((index) => drawCell(row[index]!, told[index]!, configs[index]!, numeric[index]!, scope));
    return element('tr', { 'aria-rowindex': String(position + 2) }, ...cells);
  };

  /** The widest text of each column, unseen: the columns keep their widths whatever is in sight. */
  const widest = (): HTMLElement[] => {
    if (table.rows.length <= MOST_DRAWN) return [];
    const cells = shown.map((index) => {
      const values = table.rows.map((row) => row[index]!);
      const longest = values.reduce<string>((most, cell) => (typeof cell === 'string' && cell.length > most.length ? cell : most), '');
      const numbers = values.filter((cell): cell is number => typeof cell === 'number' && Number.isFinite(cell));
      const ends = [numbers.reduce((a, b) => Math.min(a, b), 0), numbers.reduce((a, b) => Math.max(a, b), 0)];
      const told = [longest, ...ends].map((cell) => show(cell, configs[index]!)).sort((a, b) => b.text.length - a.text.length);
      return drawCell(numbers.length > 0 ? ends[1]! : longest, told[0]!, configs[index]!, numeric[index]!, null);
    });
    return [element('tr', { class: 'widest', 'aria-hidden': 'true' }, ...cells)];
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
      texts = null;
      draw();
      return table.rows.length > 0;
    },
    redraw: () => drawSight(),
    recolour: draw,
    destroy: () => body.replaceChildren(),
  };
}

/** Of *rows* that follow each other, on average; 0 if they are not shown. */
function rowHeight(rows: readonly HTMLElement[]): number {
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return 0;
  return (last.getBoundingClientRect().bottom - first.getBoundingClientRect().top) / rows.length;
}

const spacer = (): HTMLElement => element('tr', { class: 'spacer', 'aria-hidden': 'true' }, element('td'));

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
