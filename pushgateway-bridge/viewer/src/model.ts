/** The part of Grafana's dashboard JSON that this viewer understands. Everything else is ignored. */

export interface Dashboard {
  uid: string;
  title: string;
  description?: string;
  panels: Panel[];
  templating?: { list?: VariableDefinition[] };
  time?: { from: string; to: string };
  timepicker?: { refresh_intervals?: string[] };
  refresh?: string;
}

export interface DashboardEntry {
  uid: string;
  title: string;
  tags: string[];
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
  targets?: Target[];
  fieldConfig?: FieldConfigSource;
  options?: PanelOptions;
  transformations?: Transformation[];
  interval?: string;
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
  textMode?: string;
  reduceOptions?: { calcs?: string[] };
  legend?: { calcs?: string[]; showLegend?: boolean; sortBy?: string; sortDesc?: boolean };
  tooltip?: { mode?: string; sort?: string };
  sortBy?: { displayName: string; desc?: boolean }[];
}

export interface Transformation {
  id: string;
  disabled?: boolean;
  options?: {
    excludeByName?: Record<string, boolean>;
    indexByName?: Record<string, number>;
    renameByName?: Record<string, string>;
  };
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
  lineWidth?: number;
  fillOpacity?: number;
  transform?: string;
  lineStyle?: { fill?: string; dash?: number[] };
  stacking?: { mode?: string };
  thresholdsStyle?: { mode?: string };
  cellOptions?: { type?: string };
}

export interface VariableDefinition {
  name: string;
  type: string;
  label?: string;
  description?: string;
  hide?: number;
  query?: string | { query?: string };
  regex?: string;
  sort?: number;
  current?: { value?: string | string[] };
}
