/** Markdown → nodes: headings, paragraphs, lists, code, rules, tables, emphasis, links. No markup passes through. */

import { element } from './dom';
import { dashboardAddress } from './links';

export function markdown(text: string): Node[] {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  const nodes: Node[] = [];
  let at = 0;
  while (at < lines.length) {
    const block = BLOCKS.find(({ starts }) => starts.test(lines[at]!)) ?? PARAGRAPH;
    let end = at + 1;
    while (end < lines.length && block.goesOn(lines[end]!)) end += 1;
    nodes.push(...block.made(lines.slice(at, end)));
    at = end + (block.closed ? 1 : 0);
  }
  return nodes;
}

interface Block {
  starts: RegExp;
  goesOn: (line: string) => boolean;
  made: (lines: string[]) => Node[];
  /** Whether the line after its last one belongs to it. */
  closed?: boolean;
}

const never = (): boolean => false;
const LIST = /^\s*[-*+]\s+/;
const NUMBERED = /^\s*\d+[.)]\s+/;
const ROW = /^\s*\|.*\|\s*$/;

const BLOCKS: readonly Block[] = [
  { starts: /^\s*$/, goesOn: never, made: () => [] },
  { starts: /^#{1,6}\s/, goesOn: never, made: ([line]) => [heading(line!)] },
  { starts: /^\s*(?:-{3,}|\*{3,}|_{3,})\s*$/, goesOn: never, made: () => [element('hr')] },
  {
    starts: /^```/,
    goesOn: (line) => !line.startsWith('```'),
    made: (lines) => [element('pre', {}, element('code', {}, lines.slice(1).join('\n')))],
    closed: true,
  },
  { starts: LIST, goesOn: (line) => LIST.test(line), made: (lines) => [list('ul', lines, LIST)] },
  { starts: NUMBERED, goesOn: (line) => NUMBERED.test(line), made: (lines) => [list('ol', lines, NUMBERED)] },
  { starts: ROW, goesOn: (line) => ROW.test(line), made: (lines) => [table(lines)] },
];

const PARAGRAPH: Block = {
  starts: /./,
  goesOn: (line) => !BLOCKS.some(({ starts }) => starts.test(line)),
  made: (lines) => [element('p', {}, ...inline(lines.join('\n')))],
};

/** The page has one heading of the first level, and panels have the third. */
function heading(line: string): HTMLElement {
  const level = Math.min(/^#+/.exec(line)![0].length + 2, 6) as 3 | 4 | 5 | 6;
  return element(`h${level}`, {}, ...inline(line.replace(/^#+\s+/, '')));
}

const list = (tag: 'ul' | 'ol', lines: readonly string[], mark: RegExp): HTMLElement =>
  element(tag, {}, ...lines.map((line) => element('li', {}, ...inline(line.replace(mark, '')))));

function table(lines: readonly string[]): HTMLElement {
  const rows = lines.filter((line) => !/^[\s|:-]+$/.test(line)).map((line) => line.trim().slice(1, -1).split('|'));
  const made = rows.map((cells, index) =>
    element('tr', {}, ...cells.map((cell) => element(index === 0 ? 'th' : 'td', {}, ...inline(cell.trim())))),
  );
  return element('table', { class: 'data' }, ...made);
}

const SPANS = /`([^`]+)`|\*\*(.+?)\*\*|__(.+?)__|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)/;

export function inline(text: string): (Node | string)[] {
  const match = SPANS.exec(text);
  if (!match) return text ? [text] : [];
  const [whole, code, strong, alsoStrong, emphasis, label, address] = match;
  const before = text.slice(0, match.index);
  const after = inline(text.slice(match.index + whole.length));
  return [...(before ? [before] : []), span(code, strong ?? alsoStrong, emphasis, label, address), ...after];
}

function span(code?: string, strong?: string, emphasis?: string, label?: string, address?: string): Node | string {
  if (code !== undefined) return element('code', {}, code);
  if (strong !== undefined) return element('strong', {}, ...inline(strong));
  if (emphasis !== undefined) return element('em', {}, ...inline(emphasis));
  const href = safeAddress(address ?? '');
  return href === null ? (label ?? '') : element('a', { href, rel: 'noreferrer' }, ...inline(label ?? ''));
}

/** Web pages, and paths of this host; nothing that runs. */
export function safeAddress(address: string): string | null {
  const inside = dashboardAddress(address);
  if (inside !== null) return inside;
  return /^https?:\/\//i.test(address) || /^\/(?![/\\])/.test(address) || address.startsWith('#') ? address : null;
}
