/** The bar above a dashboard: which one, of what, of when, how often. */

import { readAddress } from './address';
import { anchor, choice, element } from './dom';
import { chooseDashboard, chooseRange } from './dialogs';
import { resolveDashboardLink } from './links';
import type { FrameQuery } from './panels/frame';
import type { PageParts } from './page';
import { PRESETS, presetOf, type TimeRange, type TimeWindow } from './timerange';
import { ALL, isMulti, isShown, type Variable } from './variables';

const FIXED = 'fixed';
const OWN = 'own';

/** What the controls change. */
export interface Controlled {
  range(): TimeRange;
  window(): TimeWindow;
  every(): string;
  marksShown(): boolean;
  refresh(): Promise<void>;
  change(changes: Record<string, string | readonly string[] | null> | TimeRange): void;
  move(by: number, stretch?: number): void;
  choose(name: string, chosen: readonly string[]): void;
}

export class Controls {
  readonly root: HTMLElement;
  private readonly variableBar = element('div', { class: 'controls variables' });
  private readonly linkBar = element('nav', { class: 'controls links', 'aria-label': 'Links' });
  private readonly timeBar = element('div', { class: 'controls time' });
  private readonly updated = element('span', { class: 'updated' });
  private readonly marksButton: HTMLButtonElement;

  constructor(
    private readonly parts: PageParts,
    private readonly page: Controlled,
  ) {
    const { dashboard, dashboards, grafanaUrl, theme } = parts;
    const choose = element(
      'button',
      { type: 'button', class: 'chooser', 'aria-haspopup': 'dialog', title: 'Choose a dashboard (d)', click: () => this.openDashboards() },
      dashboard.title,
    );
    const name = dashboards.length > 1 ? element('h1', {}, choose) : element('h1', {}, dashboard.title);
    this.marksButton = element(
      'button',
      { type: 'button', class: 'marks', click: () => this.toggleMarks() },
      '⚑',
    );
    const toggle = element('button', {
      type: 'button',
      class: 'theme',
      'aria-label': 'Change between dark and light',
      title: 'Dark or light',
      click: () => theme.toggle(),
    });
    this.root = element(
      'header',
      { class: 'top' },
      element('div', { class: 'name' }, element('span', { class: 'brand', 'aria-hidden': 'true' }), name),
      this.variableBar,
      this.linkBar,
      this.timeBar,
      element('div', { class: 'controls' }, ...grafanaLink(grafanaUrl, dashboard.uid), toggle),
    );
    this.drawMarks(page.marksShown(), 0, '');
  }

  openDashboards(): void {
    chooseDashboard(this.parts.dashboards, this.parts.dashboard.uid);
  }

  openRange(): void {
    chooseRange(this.page.window(), (range) => this.page.change(range));
  }

  toggleMarks(): void {
    this.page.change({ alerts: this.page.marksShown() ? 'off' : null });
  }

  drawMarks(shown: boolean, count: number, reason: string): void {
    const label = reason ? `Alerts cannot be marked: ${reason}` : shown ? `Alerts are marked: ${count}` : 'Mark alerts';
    this.marksButton.setAttribute('aria-pressed', String(shown));
    this.marksButton.setAttribute('aria-label', label);
    this.marksButton.title = label;
  }

  tellTime(seconds: number): void {
    this.updated.textContent = `as of ${new Date(seconds * 1000).toLocaleTimeString('sv-SE')}`;
  }

  drawVariables(variables: readonly Variable[], query: FrameQuery): void {
    this.drawLinks(query);
    if (this.variableBar.contains(document.activeElement)) return;
    this.variableBar.replaceChildren(...variables.filter(isShown).map((variable) => this.control(variable)));
  }

  private control(variable: Variable): HTMLElement {
    const { definition, options, chosen } = variable;
    const label = definition.label || definition.name;
    const title = definition.description ?? '';
    const choose = (values: readonly string[]): void => this.page.choose(definition.name, values);
    if (definition.type === 'textbox') {
      const field = element('input', { 'aria-label': label, value: chosen[0] ?? '', change: () => choose([field.value]) });
      return element('label', { title }, element('span', {}, label), field);
    }
    if (isMulti(variable)) return element('div', { class: 'several-control', title }, element('span', {}, label), several(label, variable, choose));
    const pairs = options.map((option) => [option, option === '' ? '(none)' : option] as const);
    const all = definition.includeAll ? [[ALL, 'All'] as const] : [];
    const chooseOne = (value: string): void => {
      (document.activeElement as HTMLElement | null)?.blur();
      choose([value]);
    };
    const select = choice(label, [...all, ...pairs], chosen[0] ?? '', chooseOne);
    return element('label', { title }, element('span', {}, label), select);
  }

  private drawLinks({ values, window, range }: FrameQuery): void {
    const { links = [] } = this.parts.dashboard;
    const scope = { values, window, ...(range ? { range } : {}) };
    const shown = links.flatMap((link) => {
      if (link.type !== 'dashboards') return [link];
      const tagged = this.parts.dashboards.filter(
        ({ uid, tags }) => uid !== this.parts.dashboard.uid && (link.tags ?? []).every((tag) => tags?.includes(tag)),
      );
      return tagged.map(({ uid, title }) => ({ ...link, title, url: `/d/${encodeURIComponent(uid)}` }));
    });
    const anchors = shown.flatMap((link) => {
      const resolved = resolveDashboardLink(link, scope);
      return resolved ? [anchor(resolved, resolved.title)] : [];
    });
    for (const made of anchors) made.classList.add('button');
    if (!this.linkBar.contains(document.activeElement)) this.linkBar.replaceChildren(...anchors);
    this.linkBar.hidden = anchors.length === 0;
  }

  drawTime(): void {
    if (this.timeBar.contains(document.activeElement) && document.activeElement?.tagName === 'SELECT') return;
    const range = this.page.range();
    const preset = presetOf(range);
    const presets = [
      ...(preset === null ? [[FIXED, fixedRange(range)] as const] : []),
      ...PRESETS,
      [OWN, 'From … to …'] as const,
    ];
    const chooseTime = (value: string): void => {
      (document.activeElement as HTMLElement | null)?.blur();
      if (value === OWN) {
        this.drawTime();
        this.openRange();
      } else if (value !== FIXED) this.page.change({ from: `now-${value}`, to: 'now' });
    };
    const intervals = this.parts.dashboard.timepicker?.refresh_intervals ?? ['10s', '30s', '1m', '5m'];
    const refreshes = [['', 'Off'] as const, ...intervals.map((interval) => [interval, `Every ${interval}`] as const)];
    const arrow = (label: string, key: string, text: string, by: number): HTMLElement =>
      element(
        'button',
        { type: 'button', class: 'arrow', 'aria-label': label, title: `${label} (${key})`, click: () => this.page.move(by) },
        text,
      );
    this.timeBar.replaceChildren(
      this.updated,
      arrow('Back', '[', '‹', -0.5),
      choice('Time range', presets, preset ?? FIXED, chooseTime),
      arrow('Forth', ']', '›', 0.5),
      choice('Refresh', refreshes, this.page.every(), (value) => this.page.change({ refresh: value })),
      element('button', { type: 'button', 'aria-label': 'Refresh now', title: 'Refresh now (r)', click: () => void this.page.refresh() }, '↻'),
      this.marksButton,
    );
  }
}

/** Boxes to tick; all of them is a box of its own. */
function several(label: string, { definition, options, chosen }: Variable, choose: (values: readonly string[]) => void): HTMLElement {
  const box = (value: string, text: string): HTMLLabelElement => {
    const input = element('input', { type: 'checkbox', value, checked: chosen.includes(value), change: () => ticked(input) });
    return element('label', {}, input, text);
  };
  const boxes = [...(definition.includeAll ? [box(ALL, 'All')] : []), ...options.map((option) => box(option, option || '(none)'))];
  const inputs = boxes.map((made) => made.querySelector('input')!);
  const ticked = (changed: HTMLInputElement): void => {
    for (const input of inputs) {
      if (changed.checked && (changed.value === ALL) !== (input.value === ALL)) input.checked = false;
    }
    const values = inputs.filter((input) => input.checked).map((input) => input.value);
    const wanted = values.length > 0 ? values : definition.includeAll ? [ALL] : options.slice(0, 1);
    for (const input of inputs) input.checked = wanted.includes(input.value);
    summary.textContent = told(wanted);
    choose(wanted);
  };
  const told = (values: readonly string[]): string =>
    values.includes(ALL) ? 'All' : values.length > 2 ? `${values.length} chosen` : values.join(', ') || 'None';
  const summary = element('summary', { 'aria-label': label }, told(chosen));
  const details = element('details', { class: 'several' }, summary, element('div', { class: 'several-boxes' }, ...boxes));
  details.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !details.contains(relatedTarget)) details.open = false;
  });
  details.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !details.open) return;
    details.open = false;
    summary.focus();
  });
  return details;
}

function grafanaLink(grafanaUrl: string | null, uid: string): HTMLElement[] {
  if (!grafanaUrl) return [];
  const href = `${grafanaUrl.replace(/\/$/, '')}/d/${encodeURIComponent(uid)}`;
  const link = element('a', { class: 'button', href, rel: 'noreferrer' }, 'Open in Grafana');
  // Grafana reads the same parameters, so the link leads to the same host and time.
  link.addEventListener('click', () => {
    const parameters = readAddress();
    for (const name of ['uid', 'alerts', 'cycle']) parameters.delete(name);
    link.href = `${href}?${parameters}`;
  });
  return [link];
}

function fixedRange({ from, to }: TimeRange): string {
  const text = (end: string): string =>
    /^\d+$/.test(end) ? new Date(Number(end)).toLocaleString('sv-SE').slice(5, 16) : end;
  return `${text(from)} – ${text(to)}`;
}
