/** Which kinds of panel there are. */

import { element } from '../dom';
import type { PanelKind, PanelView } from './panel';
import { statPanel } from './stat';
import { tablePanel } from './table';
import { timeseriesPanel } from './timeseries';

const KINDS: Record<string, PanelKind> = {
  stat: statPanel,
  table: tablePanel,
  timeseries: timeseriesPanel,
};

export const panelKind = (type: string): PanelKind => KINDS[type] ?? unknownPanel;

const unknownPanel: PanelKind = ({ panel, body }): PanelView => ({
  async refresh() {
    body.replaceChildren(element('p', { class: 'message' }, `Panels of type ${panel.type} need Grafana.`));
    return true;
  },
  redraw: () => undefined,
  destroy: () => body.replaceChildren(),
});
