/** Which kinds of panel there are. */

import { element } from '../dom';
import { barChartPanel } from './barchart';
import { barGaugePanel } from './bargauge';
import { heatmapPanel } from './heatmap';
import type { PanelKind, PanelView } from './panel';
import { pieChartPanel } from './piechart';
import { statPanel } from './stat';
import { stateTimelinePanel } from './statetimeline';
import { tablePanel } from './table';
import { textPanel } from './text';
import { timeseriesPanel } from './timeseries';

const KINDS: Record<string, PanelKind> = {
  barchart: barChartPanel,
  bargauge: barGaugePanel,
  heatmap: heatmapPanel,
  piechart: pieChartPanel,
  stat: statPanel,
  'state-timeline': stateTimelinePanel,
  table: tablePanel,
  text: textPanel,
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
