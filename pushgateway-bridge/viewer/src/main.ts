/** Opens the dashboard that the address names, else the first there is. */

import 'uplot/dist/uPlot.min.css';
import './style.css';
import { readAddress } from './address';
import { fetchDashboard, fetchDashboards, fetchSettings } from './api';
import { element } from './dom';
import { Page } from './page';

async function start(root: HTMLElement): Promise<void> {
  const [dashboards, settings] = await Promise.all([fetchDashboards(), fetchSettings()]);
  const uid = readAddress().get('uid') ?? dashboards.find((entry) => entry.uid === 'host')?.uid ?? dashboards[0]?.uid;
  if (uid === undefined) throw new Error('the bridge has no dashboards: see its setting viewer.dashboards-directory');
  const dashboard = await fetchDashboard(uid);
  await new Page(root, { dashboard, dashboards, grafanaUrl: settings.grafana_url }).refresh();
}

const root = document.getElementById('page')!;
start(root).catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error);
  root.replaceChildren(element('p', { class: 'problem', role: 'alert' }, `The page cannot start: ${reason}.`));
});
