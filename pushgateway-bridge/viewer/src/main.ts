/** Opens the dashboard that the address names, follows links between dashboards, and cycles if it is told to. */

import 'uplot/dist/uPlot.min.css';
import './style.css';
import { readAddress, writeAddress } from './address';
import { fetchDashboard, fetchDashboards, fetchSettings } from './api';
import { isDialogOpen, showKeys } from './dialogs';
import { element } from './dom';
import { dashboardAddress } from './links';
import type { Dashboard, DashboardEntry } from './model';
import { Page } from './page';
import { ThemeSwitch } from './theme';
import { parseDuration } from './timerange';

/** What is shown when the address names none. */
const FIRST = ['fleet', 'host'];
const SHORTEST_CYCLE_SECONDS = 2;
const LONGEST_DRAWING_SECONDS = 30;

const KEYS = [
  ['d', 'Choose a dashboard'],
  ['r', 'Refresh now'],
  ['[  ]', 'Half a range back, or forth'],
  ['-', 'Twice as long a range'],
  ['0', "The dashboard's own range"],
  ['f', 'From when to when'],
  ['a', 'Mark alerts, or not'],
  ['t', 'Dark or light'],
  ['c', 'Stop cycling through the dashboards'],
  ['←  →', 'Move the crosshair of the chart that has the focus; with Shift by ten'],
  ['?', 'These keys'],
] as const;

class App {
  private page: Page | null = null;
  private opening = 0;
  private readonly theme = new ThemeSwitch();
  private readonly stop = element('button', { type: 'button', class: 'button cycling', hidden: true, click: () => this.stopCycle() }, 'Stop cycling');
  private cycleTimer: ReturnType<typeof setTimeout> | undefined;
  private round = 0;
  private drawn: Promise<void> = Promise.resolve();

  constructor(
    private readonly root: HTMLElement,
    private readonly dashboards: readonly DashboardEntry[],
    private readonly grafanaUrl: string | null,
  ) {
    this.theme.onChange = () => this.page?.recolour();
    document.body.append(this.stop);
    addEventListener('popstate', () => void this.route());
    document.addEventListener('click', (event) => this.follow(event));
    document.addEventListener('keydown', (event) => this.press(event));
  }

  /** Shows what the address says; *early* is that dashboard if it was asked for already. */
  async route(early?: Promise<Dashboard>): Promise<void> {
    const uid = this.wanted();
    if (this.page?.uid === uid) this.drawn = this.page.refresh();
    else await this.open(uid, early);
    this.cycle();
  }

  private wanted(): string {
    const asked = readAddress().get('uid');
    const uids = this.dashboards.map(({ uid }) => uid);
    const uid = asked ?? FIRST.find((one) => uids.includes(one)) ?? uids[0];
    if (uid === undefined) throw new Error('the bridge has no dashboards: see its setting viewer.dashboards-directory');
    return uid;
  }

  /** A dashboard that comes after another one was asked for is dropped. */
  private async open(uid: string, early?: Promise<Dashboard>): Promise<void> {
    const number = ++this.opening;
    const dashboard = await (early ?? fetchDashboard(uid));
    if (number !== this.opening) return;
    this.page?.destroy();
    const parts = { dashboard, dashboards: this.dashboards, grafanaUrl: this.grafanaUrl, theme: this.theme };
    this.page = new Page(this.root, parts);
    scrollTo(0, 0);
    this.drawn = this.page.refresh();
  }

  /** Links to dashboards stay on this page. */
  private follow(event: MouseEvent): void {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0;
    if (!link || link.target || modified || event.defaultPrevented) return;
    const { origin, pathname, search } = new URL(link.href, location.href);
    const inside = pathname === '/dashboard' ? pathname + search : dashboardAddress(pathname + search);
    if (origin !== location.origin || inside === null) return;
    event.preventDefault();
    history.pushState(null, '', inside);
    this.route().catch(tell);
  }

  private press(event: KeyboardEvent): void {
    const typing = event.target instanceof Element && event.target.closest('input, select, textarea, dialog');
    if (event.ctrlKey || event.metaKey || event.altKey || typing || isDialogOpen() || this.page === null) return;
    const { page, theme } = this;
    const actions: Record<string, () => void> = {
      d: () => page.controls.openDashboards(),
      r: () => void page.refresh(),
      '[': () => page.move(-0.5),
      ']': () => page.move(0.5),
      '-': () => page.move(0, 2),
      '0': () => page.change({ from: null, to: null }),
      f: () => page.controls.openRange(),
      a: () => page.controls.toggleMarks(),
      t: () => theme.toggle(),
      c: () => this.stopCycle(),
      '?': () => showKeys(KEYS),
    };
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : undefined;
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** With `cycle` in the address the next dashboard comes when this one has been shown for that time. */
  private cycle(): void {
    clearTimeout(this.cycleTimer);
    const round = ++this.round;
    const every = readAddress().get('cycle');
    this.stop.hidden = every === null;
    if (every === null || this.dashboards.length < 2) return;
    const seconds = Math.max(parseDuration(every), SHORTEST_CYCLE_SECONDS);
    const showFor = (): void => {
      if (round === this.round) this.cycleTimer = setTimeout(() => void this.next(), seconds * 1000);
    };
    // What takes too long, or cannot be drawn, does not hold up the others.
    const late = new Promise<void>((resolve) => setTimeout(resolve, LONGEST_DRAWING_SECONDS * 1000));
    void Promise.race([this.drawn, late]).then(showFor, showFor);
  }

  /** What cannot be opened now is tried again after another round. */
  private async next(): Promise<void> {
    const at = this.dashboards.findIndex(({ uid }) => uid === this.page?.uid);
    const { uid } = this.dashboards[(at + 1) % this.dashboards.length]!;
    const kept = readAddress();
    for (const name of [...kept.keys()]) if (name.startsWith('var-')) kept.delete(name);
    kept.set('uid', uid);
    try {
      if (!document.hidden && !isDialogOpen()) {
        history.replaceState(null, '', `?${kept}`);
        await this.open(uid);
      }
    } catch (error) {
      console.warn(error);
    }
    this.cycle();
  }

  private stopCycle(): void {
    writeAddress({ cycle: null });
    this.cycle();
  }
}

function tell(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  const link = element('a', { href: '/dashboard' }, 'Start anew');
  root.replaceChildren(element('p', { class: 'problem', role: 'alert' }, `The page cannot start: ${reason}. `, link));
}

async function start(): Promise<void> {
  const uid = readAddress().get('uid');
  const early = uid === null ? undefined : fetchDashboard(uid);
  // Whoever waits for it is told.
  early?.catch(() => undefined);
  const [dashboards, settings] = await Promise.all([fetchDashboards(), fetchSettings()]);
  await new App(root, dashboards, settings.grafana_url).route(early);
}

const root = document.getElementById('page')!;
start().catch(tell);
