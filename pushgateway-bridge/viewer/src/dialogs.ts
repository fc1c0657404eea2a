/** What opens over the page: the list of dashboards, a range of one's own, the keys. */

import { readAddress } from './address';
import { element } from './dom';
import type { DashboardEntry } from './model';
import type { TimeRange, TimeWindow } from './timerange';

/** Shows *content* until Escape, the button or a click beside it. */
function open(title: string, ...content: Node[]): HTMLDialogElement {
  const close = element('button', { type: 'button', class: 'close', 'aria-label': 'Close', click: () => dialog.close() }, '×');
  const dialog: HTMLDialogElement = element(
    'dialog',
    { 'aria-label': title, close: () => dialog.remove(), click: (event) => event.target === dialog && dialog.close() },
    element('div', { class: 'dialog' }, element('header', {}, element('h2', {}, title), close), ...content),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export const isDialogOpen = (): boolean => document.querySelector('dialog[open]') !== null;

/** All dashboards by title and tags; a link keeps the time range. */
export function chooseDashboard(dashboards: readonly DashboardEntry[], current: string): void {
  const items = dashboards.map((entry) => ({
    text: [entry.title, ...(entry.tags ?? [])].join(' ').toLowerCase(),
    node: element('li', {}, dashboardLink(entry, current)),
  }));
  const none = element('p', { class: 'muted', hidden: true }, 'No dashboard has these words in its title or tags.');
  const filter = (): void => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { text, node } of items) node.hidden = !words.every((word) => text.includes(word));
    none.hidden = items.some(({ node }) => !node.hidden);
  };
  const enter = (event: Event): void => {
    if ((event as KeyboardEvent).key !== 'Enter') return;
    items.find(({ node }) => !node.hidden)?.node.querySelector('a')?.click();
  };
  const search = element('input', {
    type: 'search',
    'aria-label': 'Find a dashboard',
    placeholder: 'Title or tag',
    autofocus: true,
    input: filter,
    keydown: enter,
  });
  const list = element('ul', { class: 'dashboards' }, ...items.map(({ node }) => node));
  const dialog = open('Dashboards', search, list, none);
  list.addEventListener('click', (event) => {
    const { ctrlKey, metaKey, shiftKey } = event;
    if (!ctrlKey && !metaKey && !shiftKey && (event.target as Element).closest('a')) dialog.close();
  });
}

function dashboardLink({ uid, title, tags }: DashboardEntry, current: string): HTMLElement {
  const kept = new URLSearchParams({ uid });
  for (const name of ['from', 'to', 'refresh', 'alerts']) {
    const value = readAddress().get(name);
    if (value !== null) kept.set(name, value);
  }
  const marks = (tags ?? []).map((tag) => element('span', { class: 'tag' }, tag));
  const here: Record<string, string> = uid === current ? { 'aria-current': 'page' } : {};
  return element('a', { href: `/dashboard?${kept}`, ...here }, element('span', {}, title), element('span', { class: 'tags' }, ...marks));
}

/** Two moments, to the minute. */
export function chooseRange(window: TimeWindow, choose: (range: TimeRange) => void): void {
  const field = (label: string, seconds: number): HTMLInputElement =>
    element('input', { type: 'datetime-local', 'aria-label': label, required: true, value: localMinute(seconds) });
  const [from, to] = [field('From', window.from), field('To', window.to)];
  const problem = element('p', { class: 'problem', role: 'alert', hidden: true });
  const submit = (event: Event): void => {
    event.preventDefault();
    const range = { from: String(Date.parse(from.value)), to: String(Date.parse(to.value)) };
    if (Number(range.from) >= Number(range.to)) {
      problem.textContent = 'The range ends before it starts.';
      problem.hidden = false;
      return;
    }
    dialog.close();
    choose(range);
  };
  const form = element(
    'form',
    { class: 'range', submit },
    element('label', {}, 'From', from),
    element('label', {}, 'To', to),
    problem,
    element('button', { type: 'submit', class: 'button primary' }, 'Show'),
  );
  const dialog = open('Time range', form);
}

const localMinute = (seconds: number): string => new Date(seconds * 1000).toLocaleString('sv-SE').slice(0, 16).replace(' ', 'T');

export function showKeys(keys: readonly (readonly [string, string])[]): void {
  const rows = keys.flatMap(([key, text]) => [element('dt', {}, element('kbd', {}, key)), element('dd', {}, text)]);
  open('Keys', element('dl', { class: 'keys' }, ...rows));
}
