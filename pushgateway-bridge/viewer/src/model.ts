/** The part of Grafana's dashboard JSON that this viewer understands. Everything else is ignored. */

export interface Dashboard {
  uid: string;
  title: string;
  description?: string;
  tags?: string[];
  panels: Panel[];
  links?: DashboardLink[];
  templating?: { list?: VariableDefinition[] };
  annotations?: { list?: AnnotationDefinition[] };
  time?: { from: string; to: string };
  timepicker?: { refresh_intervals?: string[] };
  refresh?: string;
}

export interface DashboardEntry {
  uid: string;
  title: string;
  tags: string[];
}

/** A link of the whole dashboard, or of a panel: to one address, or to all dashboards with the tags. */
export interface DashboardLink extends Link {
  type?: string;
  tags?: string[];
  includeVars?: boolean;
  keepTime?: boolean;
}

export interface Link {
  title?: string;
  url?: string;
  targetBlank?: boolean;
}

export interface AnnotationDefinition {
  name?: string;
  enable?: boolean;
  expr?: string;
  target?: { expr?: string };
  iconColor?: string;
  titleFormat?: string;
  textFormat?: string;
}

export interface GridPosition {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Panel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  gridPos: GridPosition;
  links?: DashboardLink[];
  targets?: Target[];
  fieldConfig?: FieldConfigSource;
  options?: PanelOptions;
  transformations?: Transformation[];
  interval?: string;
  /** At most so many steps over the time range. */
  maxDataPoints?: number;
  /** Of a row: whether its panels, which then stand inside of it, are folded away. */
  collapsed?: boolean;
  panels?: Panel[];
}

export interface Target {
  refId: string;
  expr?: string;
  legendFormat?: string;
  instant?: boolean;
  format?: string;
  interval?: string;
  hide?: boolean;
}

export interface PanelOptions {
  colorMode?: string;
  graphMode?: string;
  textMode?: string;
  orientation?: string;
  displayMode?: string;
  reduceOptions?: { calcs?: string[]; values?: boolean; limit?: number };
  legend?: {
    calcs?: string[];
    values?: string[];
    displayMode?: string;
    placement?: string;
    showLegend?: boolean;
    sortBy?: string;
    sortDesc?: boolean;
  };
  tooltip?: { mode?: string; sort?: string };
  sortBy?: { displayName: string; desc?: boolean }[];
  /** Of a pie chart. */
  pieType?: string;
  sort?: string;
  /** Of a bar chart. */
  xField?: string;
  stacking?: string;
  xTickLabelMaxLength?: number;
  /** Of a bar chart and of a state timeline: auto, always or never. */
  showValue?: string;
  /** Of a heat map. */
  color?: { scheme?: string; mode?: string; fill?: string; reverse?: boolean };
  yAxis?: { unit?: string; decimals?: number };
  cellValues?: { unit?: string; decimals?: number };
  /** Of a state timeline. */
  mergeValues?: boolean;
  alignValue?: string;
  rowHeight?: number;
  /** Of a text. */
  mode?: string;
  content?: string;
}

export interface Transformation {
  id: string;
  disabled?: boolean;
  options?: Record<string, unknown>;
}

export interface FieldConfigSource {
  defaults?: FieldConfig;
  overrides?: Override[];
}

export interface Override {
  matcher: { id: string; options?: unknown };
  properties: { id: string; value?: unknown }[];
}

export interface FieldConfig {
  unit?: string;
  decimals?: number;
  min?: number;
  max?: number;
  noValue?: string;
  displayName?: string;
  color?: { mode?: string; fixedColor?: string };
  thresholds?: { mode?: string; steps?: Threshold[] };
  mappings?: ValueMapping[];
  links?: Link[];
  custom?: CustomConfig;
}

export interface Threshold {
  value: number | null;
  color: string;
}

export interface ValueMapping {
  type: string;
  options: Record<string, unknown>;
}

export interface CustomConfig {
  drawStyle?: string;
  lineInterpolation?: string;
  lineWidth?: number;
  fillOpacity?: number;
  spanNulls?: boolean | number;
  showPoints?: string;
  transform?: string;
  lineStyle?: { fill?: string; dash?: number[] };
  stacking?: { mode?: string };
  thresholdsStyle?: { mode?: string };
  scaleDistribution?: { type?: string; log?: number };
  axisLabel?: string;
  cellOptions?: { type?: string };
  align?: string;
  width?: number;
  hidden?: boolean;
  hideFrom?: { viz?: boolean; legend?: boolean; tooltip?: boolean };
}

export interface VariableDefinition {
  name: string;
  type: string;
  label?: string;
  description?: string;
  hide?: number;
  /** It is neither read from the page's address nor written there. */
  skipUrlSync?: boolean;
  query?: string | { query?: string };
  regex?: string;
  sort?: number;
  current?: { value?: string | string[] };
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
}
