/** One dashboard on the page: controls, sections, and the loop that refreshes them. */

import { readAddress, writeAddress } from './address';
import { RequestFailed } from './api';
import { choice, element } from './dom';
import { sectionsOf } from './layout';
import type { Dashboard, DashboardEntry } from './model';
import { framePanel, type Frame } from './panels/frame';
import { ThemeSwitch } from './theme';
import { parseDuration, PRESETS, presetOf, type TimeRange, windowOf } from './timerange';
import { chosenValues, isShown, resolveVariables, type Variable } from './variables';

const FIXED = 'fixed';

export interface PageParts {
  dashboard: Dashboard;
  dashboards: readonly DashboardEntry[];
  grafanaUrl: string | null;
}

export class Page {
  private frames: Frame[] = [];
  private variables: Variable[] = [];
  private running = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly theme = new ThemeSwitch(() => this.frames.forEach((frame) => frame.redraw()));
  private readonly variableBar = element('div', { class: 'controls variables' });
  private readonly timeBar = element('div', { class: 'controls time' });
  private readonly problem = element('p', { class: 'problem', role: 'alert', hidden: true });
  private readonly updated = element('span', { class: 'updated' });

  constructor(
    private readonly root: HTMLElement,
    private readonly parts: PageParts,
  ) {
    document.title = `${parts.dashboard.title} · Telemetry`;
    this.root.replaceChildren(this.header(), this.problem, this.main());
    addEventListener('popstate', () => void this.refresh());
    document.addEventListener('visibilitychange', () => void (document.hidden || this.refresh()));
  }

  /** Ask for everything again; what is still under way is dropped. */
  async refresh(): Promise<void> {
    this.running.abort();
    clearTimeout(this.timer);
    this.running = new AbortController();
    const { signal } = this.running;
    this.drawTimeBar();
    try {
      await this.load(signal);
      this.tell(null);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestFailed)) console.error(error);
      this.tell(error instanceof Error ? error.message : String(error));
    }
    if (!signal.aborted) this.again();
  }

  private async load(signal: AbortSignal): Promise<void> {
    const window = windowOf(this.range(), Date.now() / 1000);
    const definitions = this.parts.dashboard.templating?.list ?? [];
    this.variables = await resolveVariables(definitions, readAddress(), window, signal);
    this.drawVariables();
    const values = chosenValues(this.variables);
    await Promise.all(this.frames.map((frame) => frame.refresh({ values, window, signal })));
    if (!signal.aborted) this.updated.textContent = `as of ${new Date(window.to * 1000).toLocaleTimeString('sv-SE')}`;
  }

  /** A hidden page asks nothing; it refreshes when it is shown again. */
  private again(): void {
    const every = this.every();
    if (every === '' || document.hidden) return;
    this.timer = setTimeout(() => void this.refresh(), parseDuration(every) * 1000);
  }

  private range(): TimeRange {
    const address = readAddress();
    const { from = 'now-1h', to = 'now' } = this.parts.dashboard.time ?? {};
    return { from: address.get('from') ?? from, to: address.get('to') ?? to };
  }

  private every(): string {
    return readAddress().get('refresh') ?? this.parts.dashboard.refresh ?? '';
  }

  private change(changes: Record<string, string | null>): void {
    writeAddress(changes);
    void this.refresh();
  }

  private tell(problem: string | null): void {
    this.problem.hidden = problem === null;
    this.problem.textContent = problem ?? '';
  }

  private header(): HTMLElement {
    const { dashboard, dashboards, grafanaUrl } = this.parts;
    const others = dashboards.map(({ uid, title }) => [uid, title] as const);
    const name =
      others.length > 1
        ? choice('Dashboard', others, dashboard.uid, (uid) => location.assign(`?uid=${encodeURIComponent(uid)}`))
        : element('h1', { title: dashboard.description ?? '' }, dashboard.title);
    const toggle = element(
      'button',
      { type: 'button', class: 'theme', 'aria-label': 'Change between dark and light', click: () => this.theme.toggle() },
    );
    return element(
      'header',
      { class: 'top' },
      element('div', { class: 'name' }, element('span', { class: 'brand', 'aria-hidden': 'true' }), name),
      this.variableBar,
      this.timeBar,
      element('div', { class: 'controls' }, ...grafanaLink(grafanaUrl, dashboard.uid), toggle),
    );
  }

  private main(): HTMLElement {
    const theme = () => this.theme.current;
    const zoom = (from: number, to: number): void =>
      this.change({ from: String(Math.round(from * 1000)), to: String(Math.round(to * 1000)) });
    const sections = sectionsOf(this.parts.dashboard.panels).map((section) => {
      const frames = section.panels.map((panel) => framePanel(panel, theme, zoom));
      this.frames.push(...frames);
      const grid = element('div', { class: 'grid' }, ...frames.map((frame) => frame.root));
      if (section.title === '') return element('section', {}, grid);
      return element('details', { open: !section.folded }, element('summary', {}, element('h2', {}, section.title)), grid);
    });
    return element('main', {}, ...sections);
  }

  private drawVariables(): void {
    if (this.variableBar.contains(document.activeElement)) return;
    const shown = this.variables.filter(isShown);
    this.variableBar.replaceChildren(
      ...shown.map(({ definition, options, chosen }) => {
        const label = definition.label ?? definition.name;
        const pairs = options.map((option) => [option, option === '' ? '(none)' : option] as const);
        const select = choice(label, pairs, chosen[0] ?? '', (value) => this.choose(definition.name, value));
        return element('label', { title: definition.description ?? '' }, element('span', {}, label), select);
      }),
    );
  }

  /** Variables after the changed one may depend on it, so they are chosen anew. */
  private choose(name: string, value: string): void {
    const position = this.variables.findIndex(({ definition }) => definition.name === name);
    const later = this.variables.slice(position + 1).map(({ definition }) => [`var-${definition.name}`, null] as const);
    (document.activeElement as HTMLElement | null)?.blur();
    this.change({ ...Object.fromEntries(later), [`var-${name}`]: value });
  }

  private drawTimeBar(): void {
    if (this.timeBar.contains(document.activeElement) && document.activeElement?.tagName === 'SELECT') return;
    const range = this.range();
    const preset = presetOf(range);
    const presets = preset === null ? [[FIXED, fixedRange(range)] as const, ...PRESETS] : PRESETS;
    const chooseRange = (value: string): void => {
      if (value !== FIXED) this.change({ from: `now-${value}`, to: 'now' });
    };
    const intervals = this.parts.dashboard.timepicker?.refresh_intervals ?? ['10s', '30s', '1m', '5m'];
    const refreshes = [['', 'Off'] as const, ...intervals.map((interval) => [interval, `Every ${interval}`] as const)];
    this.timeBar.replaceChildren(
      this.updated,
      choice('Time range', presets, preset ?? FIXED, chooseRange),
      choice('Refresh', refreshes, this.every(), (value) => this.change({ refresh: value })),
      element('button', { type: 'button', 'aria-label': 'Refresh now', click: () => void this.refresh() }, '↻'),
    );
  }
}

function grafanaLink(grafanaUrl: string | null, uid: string): HTMLElement[] {
  if (!grafanaUrl) return [];
  const href = `${grafanaUrl.replace(/\/$/, '')}/d/${encodeURIComponent(uid)}`;
  const link = element('a', { class: 'button', href, rel: 'noreferrer' }, 'Open in Grafana');
  // Grafana reads the same parameters, so the link leads to the same host and time.
  link.addEventListener('click', () => {
    const parameters = readAddress();
    parameters.delete('uid');
    link.href = `${href}?${parameters}`;
  });
  return [link];
}

function fixedRange({ from, to }: TimeRange): string {
  const text = (end: string): string =>
    /^\d+$/.test(end) ? new Date(Number(end)).toLocaleString('sv-SE').slice(5, 16) : end;
  return `${text(from)} – ${text(to)}`;
}
