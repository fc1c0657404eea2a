/** One dashboard on the page: controls, sections, and the loop that refreshes them. */

import { readAddress, writeAddress } from './address';
import { RequestFailed } from './api';
import { Controls } from './controls';
import { element } from './dom';
import { sectionsOf } from './layout';
import { loadMarks, type Mark } from './marks';
import type { Dashboard, DashboardEntry } from './model';
import { framePanel, type Frame, type FrameQuery } from './panels/frame';
import type { PanelContext } from './panels/panel';
import type { ThemeSwitch } from './theme';
import { moved, parseDuration, type TimeRange, type TimeWindow, windowOf } from './timerange';
import { chosenValues, resolveVariables, unknownChoices, type Variable } from './variables';

export interface PageParts {
  dashboard: Dashboard;
  dashboards: readonly DashboardEntry[];
  grafanaUrl: string | null;
  theme: ThemeSwitch;
}

interface Section {
  frames: Frame[];
  /** Null for the panels before the first row, which cannot be folded. */
  details: HTMLDetailsElement | null;
}

export class Page {
  private sections: Section[] = [];
  private variables: Variable[] = [];
  private marks: readonly Mark[] = [];
  private running = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What the frames were asked for last; a row that is unfolded asks the same. */
  private asked: FrameQuery | null = null;
  private readonly life = new AbortController();
  private readonly painted: Promise<void>;
  readonly controls: Controls;
  private readonly problem = element('p', { class: 'problem', role: 'alert', hidden: true });
  private readonly notice = element('p', { class: 'notice', role: 'status', hidden: true });

  constructor(
    root: HTMLElement,
    private readonly parts: PageParts,
  ) {
    document.title = `${parts.dashboard.title} · Telemetry`;
    this.controls = new Controls(parts, this);
    root.replaceChildren(this.controls.root, this.problem, this.notice, this.main());
    this.painted = nextPaint();
    const { signal } = this.life;
    document.addEventListener('visibilitychange', () => void (document.hidden || this.refresh()), { signal });
  }

  get uid(): string {
    return this.parts.dashboard.uid;
  }

  /** Ask for everything again; what is still under way is dropped. */
  async refresh(): Promise<void> {
    this.running.abort();
    clearTimeout(this.timer);
    this.running = new AbortController();
    const { signal } = this.running;
    this.controls.drawTime();
    try {
      await this.load(signal);
      if (!signal.aborted) this.tell(null);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestFailed)) console.error(error);
      this.tell(error);
      for (const frame of this.shown()) frame.fail(error);
    }
    if (!signal.aborted) this.again();
  }

  destroy(): void {
    this.life.abort();
    this.running.abort();
    clearTimeout(this.timer);
    for (const frame of this.frames()) frame.destroy();
  }

  recolour(): void {
    for (const frame of this.frames()) frame.recolour();
  }

  private async load(signal: AbortSignal): Promise<void> {
    const window = this.window();
    const { templating, annotations } = this.parts.dashboard;
    // The titles are painted before any answer is drawn, however soon it comes.
    const answers = resolveVariables(templating?.list ?? [], readAddress(), window, signal);
    [this.variables] = await Promise.all([answers, this.painted]);
    if (signal.aborted) return;
    const values = chosenValues(this.variables);
    this.asked = { values, window, range: this.range(), signal };
    this.controls.drawVariables(this.variables, this.asked);
    this.tellUnknown(unknownChoices(this.variables));
    const marks = this.marksShown() ? loadMarks(annotations?.list ?? [], values, window, signal) : Promise.resolve([]);
    await Promise.all([...this.shown().map((frame) => frame.refresh(this.asked!)), this.takeMarks(marks, signal)]);
    if (!signal.aborted) this.controls.tellTime(window.to);
  }

  /** Without marks the charts are still worth seeing; why there are none stands on their button. */
  private async takeMarks(asked: Promise<Mark[]>, signal: AbortSignal): Promise<void> {
    let reason = '';
    try {
      const marks = await asked;
      if (signal.aborted) return;
      this.marks = marks;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestFailed)) console.error(error);
      this.marks = [];
      reason = error instanceof Error ? error.message : String(error);
    }
    this.controls.drawMarks(this.marksShown(), this.marks.length, reason);
    for (const frame of this.shown()) frame.remark();
  }

  private main(): HTMLElement {
    const surroundings: Omit<PanelContext, 'panel' | 'body'> = {
      theme: () => this.parts.theme.current,
      zoom: (from, to) => this.change(moved({ from, to }, 0)),
      marks: () => this.marks,
    };
    const made = sectionsOf(this.parts.dashboard.panels).map((section) => {
      const frames = section.panels.map((panel) => framePanel(panel, surroundings, section.folded));
      const grid = element('div', { class: 'grid' }, ...frames.map((frame) => frame.root));
      if (section.title === '') {
        this.sections.push({ frames, details: null });
        return element('section', { 'aria-label': 'Overview' }, grid);
      }
      const heading = element('summary', {}, element('h2', {}, section.title));
      const details = element('details', { open: !section.folded }, heading, grid);
      this.sections.push({ frames, details });
      details.addEventListener('toggle', () => this.unfold(details, frames));
      return details;
    });
    return element('main', {}, ...made);
  }

  private unfold(details: HTMLDetailsElement, frames: readonly Frame[]): void {
    const { asked } = this;
    if (!details.open || asked === null || asked.signal.aborted) return;
    for (const frame of frames) void frame.refresh(asked);
  }

  private readonly frames = (): Frame[] => this.sections.flatMap(({ frames }) => frames);

  private readonly shown = (): Frame[] =>
    this.sections.filter(({ details }) => details?.open !== false).flatMap(({ frames }) => frames);

  /** A hidden page asks nothing; it refreshes when it is shown again. */
  private again(): void {
    const every = this.every();
    if (every === '' || document.hidden) return;
    this.timer = setTimeout(() => void this.refresh(), Math.max(parseDuration(every), 1) * 1000);
  }

  range(): TimeRange {
    const address = readAddress();
    const { from = 'now-1h', to = 'now' } = this.parts.dashboard.time ?? {};
    return { from: address.get('from') ?? from, to: address.get('to') ?? to };
  }

  window(): TimeWindow {
    return windowOf(this.range(), Date.now() / 1000);
  }

  every(): string {
    const { refresh } = this.parts.dashboard;
    return readAddress().get('refresh') ?? (typeof refresh === 'string' ? refresh : '');
  }

  marksShown(): boolean {
    return readAddress().get('alerts') !== 'off';
  }

  /** Puts what was chosen into the address, and shows it. */
  change(changes: Record<string, string | readonly string[] | null> | TimeRange): void {
    writeAddress({ ...changes });
    void this.refresh();
  }

  /** Back, forth, or a longer time around the same middle. */
  move(by: number, stretch = 1): void {
    this.change(moved(this.window(), by, stretch));
  }

  /** Variables after the changed one may depend on it, so they are chosen anew. */
  choose(name: string, chosen: readonly string[]): void {
    const position = this.variables.findIndex(({ definition }) => definition.name === name);
    const later = this.variables.slice(position + 1).map(({ definition }) => [`var-${definition.name}`, null] as const);
    this.change({ ...Object.fromEntries(later), [`var-${name}`]: chosen });
  }

  private tellUnknown(unknown: readonly string[]): void {
    this.notice.hidden = unknown.length === 0;
    const text = unknown.length === 0 ? '' : `Nothing is known of ${unknown.join(' and ')} in this time range.`;
    if (this.notice.textContent !== text) this.notice.textContent = text;
  }

  private tell(problem: unknown): void {
    this.problem.hidden = problem === null;
    const text = problem instanceof Error ? problem.message : String(problem ?? '');
    const login = problem instanceof RequestFailed && problem.status === 401 ? [' ', loginLink()] : [];
    this.problem.replaceChildren(text, ...login);
  }
}

/** Resolved once the page has been painted; at once where nobody sees it, for then nothing is painted. */
function nextPaint(): Promise<void> {
  if (document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    document.addEventListener('visibilitychange', () => resolve(), { once: true });
  });
}

function loginLink(): HTMLElement {
  const next = encodeURIComponent(location.pathname + location.search);
  return element('a', { href: `/login?next=${next}` }, 'Log in');
}
